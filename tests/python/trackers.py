"""Holds the trackers against the packages that they write for.

    trackers.py TOOLRL

trains the tiny policy with MLflow's server, Trackio's server, Trackio's folder and a folder of Weights & Biases beside it,
kills the run in its middle, goes on with it, and sends everything once more by `TOOLRL track`. Then each package reads
its own: every number of metrics.jsonl and evaluations.jsonl has to be there once and to the bit, with the recipe and the run's
end. `wandb sync` sends its folder to a stand-in for the service in this program, which keeps what it is sent.

Needs mlflow, trackio and wandb (written against 3.17.2, 0.43.0 and 0.31.0). No network is asked.
"""

import collections
import gzip
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SETTINGS = [
    "train.steps=6", "train.prompts=2", "train.group_size=4", "train.checkpoint_every=2", "train.max_prompt_tokens=512",
    "sampling.max_new_tokens=48", "data.world.train=64", "data.world.held_out=12", "eval.limit=4", "eval.every=3",
    "eval.max_new_tokens=48", "slots=8", "seed=3",
]  # fmt: skip
TOKEN = "of-a-test"


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(at):
    for _ in range(3000):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", at)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"nothing listens at {at}")


class Service(BaseHTTPRequestHandler):
    """As much of the service of Weights & Biases as `wandb sync` asks for."""

    rows, config, exits = [], {}, []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        answer = {}
        if self.path.endswith("graphql"):
            asked = json.loads(body)
            answer = {"data": self.graphql(asked["query"], asked.get("variables") or {})}
        elif self.path.endswith("file_stream"):
            sent = json.loads(body)
            history = sent.get("files", {}).get("wandb-history.jsonl")
            if history:
                Service.rows[history["offset"] :] = [json.loads(line) for line in history["content"]]
            if sent.get("complete"):
                Service.exits.append(sent.get("exitcode"))
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST

    def graphql(self, query, variables):
        if "upsertBucket" in query:
            Service.config = json.loads(variables.get("config") or "{}") or Service.config
            entity = {"id": "e", "name": "e"}
            project = {"id": "p", "name": variables.get("project"), "entity": entity}
            bucket = {"id": "b", "name": variables.get("name"), "displayName": variables.get("displayName")}
            bucket |= {"config": "{}", "historyLineCount": 0, "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if "serverInfo" in query:
            return {"serverInfo": {"features": [], "cliVersionInfo": {}}}
        if "createRunFiles" in query:
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []}}
        return {}


def flat(value, path=""):
    for key, inner in value.items():
        name = f"{path}/{key}" if path else key
        if isinstance(inner, dict):
            yield from flat(inner, name)
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            yield name, float(inner)


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def expected(run):
    """Every number of the run's files, by name and step."""
    points = {}
    for row in rows(run / "metrics.jsonl"):
        points |= {(name, row["step"]): value for name, value in flat(row) if name != "step"}
    for row in rows(run / "evaluations.jsonl"):
        of = f"evaluation/{row['evaluation']}"
        points |= {(f"{of}/{name}", row["step"]): value for name, value in row["scores"].items()}
    return points


def same(what, found, run):
    """`found` are (name, step, value); seconds of steps that were done twice are those of the first time."""
    twice = [key for key, n in collections.Counter((n, s) for n, s, _ in found).items() if n > 1]
    assert not twice, f"{what}: twice: {twice[:5]}"
    found = {(name, step): value for name, step, value in found}
    wanted = expected(run)
    assert found.keys() == wanted.keys(), f"{what}: {sorted(found.keys() ^ wanted.keys())[:9]}"
    differ = [k for k, v in wanted.items() if found[k] != v and not k[0].startswith("seconds/")]
    assert not differ, f"{what}: {[(k, wanted[k], found[k]) for k in differ[:5]]}"
    print(f"{what}: {len(found)} numbers, each once and the same")


def of_mlflow(uri, run):
    import mlflow

    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("tools")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED" and found.info.run_name == run.name, found.info
    assert found.data.params["train.method"] == "grpo" and found.data.params["train.steps"] == "6"
    assert found.data.tags["program"].startswith("toolrl ")
    history = [m for name in found.data.metrics for m in client.get_metric_history(found.info.run_id, name)]
    same("MLflow", [(m.key, m.step, m.value) for m in history], run)


READ_TRACKIO = """
import json, sys
from trackio import fragments
from trackio.sqlite_storage import SQLiteStorage
fragments.import_inbox_dir()
(run,) = SQLiteStorage.get_run_records("tools")
logs = SQLiteStorage.get_logs("tools", run["name"], run_id=run["id"])
print(json.dumps([run, SQLiteStorage.get_run_config("tools", run["name"], run_id=run["id"]), logs]))
"""


def of_trackio(what, folder, run):
    environment = os.environ | {"TRACKIO_DIR": str(folder)}
    out = subprocess.run([sys.executable, "-c", READ_TRACKIO], env=environment, check=True, capture_output=True)
    found, config, logs = json.loads(out.stdout.splitlines()[-1])
    assert found["name"] == run.name and config["train.method"] == "grpo", (found, config)
    points = []
    for log in logs:
        step = log.pop("step")
        points += [(name, step, value) for name, value in log.items() if name != "timestamp"]
    same(what, points, run)


def of_wandb(folder, run):
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    environment = os.environ | {
        "WANDB_BASE_URL": f"http://127.0.0.1:{service.server_port}", "WANDB_API_KEY": "a" * 40,
    }  # fmt: skip
    (offline,) = folder.iterdir()
    wandb = pathlib.Path(sys.executable).with_name("wandb")
    subprocess.run([wandb, "sync", offline], env=environment, check=True, capture_output=True)
    assert Service.exits == [0], Service.exits
    assert Service.config["train.method"]["value"] == "grpo", Service.config
    points = []
    for row in Service.rows:
        step = row.pop("_step")
        points += [(name, step, float(value)) for name, value in row.items() if not name.startswith("_")]
    same("Weights & Biases", points, run)


def trained(toolrl, run, trackers):
    """A run that is killed in its middle and goes on."""
    settings = [f"trackers={trackers}", *SETTINGS]
    arguments = ["train", "--run-dir", run, *(part for s in settings for part in ("--set", s))]
    process = subprocess.Popen([toolrl, *arguments], stdout=subprocess.DEVNULL)
    metrics = run / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or len(rows(metrics)) < 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "summary.json").exists(), "it was faster than the signal"
    subprocess.run([toolrl, "train", "--resume", run], check=True, stdout=subprocess.DEVNULL)


def main(toolrl):
    home = pathlib.Path(tempfile.mkdtemp())
    toolrl, run, (mlflow_at, trackio_at) = os.path.abspath(toolrl), home / "killed", (port(), port())
    (home / "token").write_text(TOKEN + "\n")
    store = f"sqlite:///{home}/mlflow.db"
    serve = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(mlflow_at)]
    serve += ["--backend-store-uri", store]
    show = "import trackio; trackio.show(open_browser=False)"
    environment = os.environ | {
        "TRACKIO_DIR": f"{home}/served", "TRACKIO_WRITE_TOKEN": TOKEN, "GRADIO_SERVER_PORT": str(trackio_at),
    }  # fmt: skip
    log = (home / "servers.log").open("w")
    servers = [
        subprocess.Popen(serve, stdout=log, stderr=log, cwd=home),
        subprocess.Popen([sys.executable, "-c", show], env=environment, stdout=log, stderr=log),
    ]
    try:
        wait_for(mlflow_at)
        wait_for(trackio_at)
        trackers = (
            f"[{{ kind = 'mlflow', project = 'tools', url = 'http://127.0.0.1:{mlflow_at}' }},"
            f" {{ kind = 'trackio', project = 'tools', url = 'http://127.0.0.1:{trackio_at}', key_file = '{home}/token' }},"
            f" {{ kind = 'trackio', project = 'tools', dir = '{home}/folder' }},"
            f" {{ kind = 'wandb', project = 'tools', dir = '{home}/wandb' }}]"
        )
        trained(toolrl, run, trackers)
        subprocess.run([toolrl, "track", run], check=True)
        of_mlflow(f"http://127.0.0.1:{mlflow_at}", run)
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    of_trackio("Trackio's server", home / "served", run)
    of_trackio("Trackio's folder", home / "folder", run)
    of_wandb(home / "wandb", run)


if __name__ == "__main__":
    main(*sys.argv[1:])
