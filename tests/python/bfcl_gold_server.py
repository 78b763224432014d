"""Answers the multi-turn cases of BFCL V3 with their ground truths, as an OpenAI-compatible server.

    bfcl_gold_server.py DATA [PORT]

DATA is the folder of the benchmark's cases. Of every three cases the first is answered as it should be, the second
lacks the last call of each turn, and the third has one call more of a function that is not there, so that the verdicts
on a run differ. With the `toolrl` handler of `toolrl eval bfcl --endpoint http://127.0.0.1:PORT/v1 --model gold
--categories multi_turn --export ROOT/result`, official_bfcl.py then scores the same replies.
"""

import ast
import http.server
import json
import pathlib
import sys


# What toolrl has the user say in a turn that brings new functions.
MORE_TOOLS = "There are more functions now than before."


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Cases:
    """What users say turn by turn, and the calls that should follow."""

    def __init__(self, data):
        self.cases = []
        for path in sorted(data.glob("BFCL_v3_multi_turn_*.json")):
            answers = data / "possible_answer" / path.name
            if answers.exists():
                truths = {row["id"]: row["ground_truth"] for row in rows(answers)}
                self.cases += [(row, truths[row["id"]]) for row in rows(path)]
        docs = [doc for path in (data / "multi_turn_func_doc").glob("*.json") for doc in rows(path)]
        self.parameters = {doc["name"]: list(doc["parameters"]["properties"]) for doc in docs}

    def reply(self, text):
        """The reply to a prompt: the turn's calls, and once they were made, the end of the turn."""
        for case, truths in self.cases:
            asked = [turn[0]["content"] if turn else MORE_TOOLS for turn in case["question"]]
            if asked[0] not in text:
                continue
            start, turn = max((text.rfind(content), turn) for turn, content in enumerate(asked))
            since, calls = text[start:], [self.call(call) for call in truths[turn]]
            spoiled = int(case["id"].rsplit("_", 1)[1]) % 3
            calls = calls[: -1 if spoiled == 1 else None]
            calls += [{"name": "nothing", "parameters": {}}] if spoiled == 2 else []
            if calls and "<tool_call>" not in since and "<response>" not in since:
                lines = "\n".join(json.dumps(call) for call in calls)
                return f"<think>Calls.</think>\n<tool_call>\n{lines}\n</tool_call>"
        return "<think>Done.</think>\n<response>Done.</response>"

    def call(self, text):
        call = ast.parse(text, mode="eval").body
        name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
        named = [(keyword.arg, keyword.value) for keyword in call.keywords]
        values = dict([*zip(self.parameters[name], call.args), *named])
        return {"name": name, "parameters": {key: ast.literal_eval(value) for key, value in values.items()}}


def main():
    cases = Cases(pathlib.Path(sys.argv[1]))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = "\n".join(message.get("content") or "" for message in request["messages"])
            message = {"role": "assistant", "content": cases.reply(text)}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            body = json.dumps({"model": request["model"], "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8123
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
