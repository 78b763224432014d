"""What `toolrl export` writes, in the real trainers. Skipped without the program (TOOLRL_PROGRAM, or target/debug/toolrl) or a trainer."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toolrl
from toolrl import trl

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("TOOLRL_PROGRAM", ROOT / "target/debug/toolrl"))
# A step that takes seconds: the tiny policy of the quickstart on 24 tasks of the synthetic world.
TINY = ["data.world.train=24", "data.world.held_out=6", "train.prompts=2", "train.group_size=4", "train.updates=2", "sampling.max_new_tokens=60"]


def program(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def export(trainer, out, settings=TINY, recipe="quickstart"):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    return program("export", trainer, str(recipe), "--out", str(out), *[part for pair in settings for part in ("--set", pair)])


def scores(directory, dialect, rows):
    """What `toolrl reward score` gives by the exported reward."""
    recipe = directory / "scored.toml"
    reward = (directory / "reward.toml").read_text()
    recipe.write_text(f'name = "a"\ndialect = "{dialect}"\n{reward}\n[train]\nmethod = "grpo"\n')
    file = directory / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [json.loads(line)["score"] for line in program("reward", "score", "--recipe", str(recipe), "--rows", str(file)).splitlines()]


# One step by the exported train.py; the replies as they were scored, and what TRL made of them, go to a file.
STEP = """
import json, sys
sys.path.insert(0, sys.argv[1])
import reward, train
seen, totals = [], reward.scorer.rubric.totals
def recorded(replies, golds, **how):
    found = totals(replies, golds, **how)
    seen.extend({"completion": r, "gold": g, "score": s} for r, g, s in zip(replies, golds, found))
    return found
reward.scorer.rubric.totals = recorded
out = sys.argv[1] + "/run"
trainer = train.main({"max_steps": 2, "use_cpu": True, "report_to": [], "logging_steps": 1, "output_dir": out})
logged = [row for row in trainer.state.log_history if "reward" in row]
json.dump({"seen": seen, "logged": logged}, open(sys.argv[1] + "/seen.json", "w"))
"""


def test_a_step_of_trl_with_the_exported_files(tmp_path):
    pytest.importorskip("trl", exc_type=ImportError)
    out = tmp_path / "trl"
    told = export("trl", out)
    assert "24 tasks to train on, 6 held out" in told and "train.guards" in told
    done = subprocess.run([sys.executable, "-c", STEP, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "seen.json").read_text())
    # Two prompts with four replies each, in one generation of two updates.
    assert len(found["seen"]) == 8
    assert [row["score"] for row in found["seen"]] == scores(out, "toolrl", found["seen"])
    mean = sum(row["score"] for row in found["seen"]) / 8
    assert found["logged"][0]["reward"] == pytest.approx(mean, abs=1e-6)
    final = out / "run/final"
    assert (final / "model.safetensors").exists()
    # What was trained there is a directory like any other.
    program("policy", "inspect", str(final), "--json")


SFT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import train
trainer = train.main({"use_cpu": True, "report_to": [], "logging_steps": 1, "output_dir": sys.argv[1] + "/run"})
json.dump({"shown": [[row["input_ids"][i] for i, label in enumerate(row["labels"]) if label != -100] for row in trainer.train_dataset],
           "steps": trainer.state.global_step}, open(sys.argv[1] + "/seen.json", "w"))
"""


def test_fine_tuning_by_trl_with_the_exported_files(tmp_path):
    pytest.importorskip("trl", exc_type=ImportError)
    import pyarrow.parquet

    out = tmp_path / "trl"
    export("trl", out, ["data.world.train=24", "data.world.held_out=6", "train.batch=4", "train.steps=2"], "quickstart-sft")
    done = subprocess.run([sys.executable, "-c", SFT, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "seen.json").read_text())
    rows = pyarrow.parquet.read_table(out / "train.parquet").to_pylist()
    replies = [[token for token, learned in zip(row["input_ids"], row["completion_mask"]) if learned] for row in rows]
    assert found["steps"] == 2 and sorted(found["shown"]) == sorted(replies)


def test_a_tokenizer_adds_nothing_to_rendered_prompts(tmp_path):
    pytest.importorskip("transformers", exc_type=ImportError)
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["<s>", "</s>", "a", "b"])}, unk_token="b"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    assert tokenizer("<s>a b")["input_ids"] == [0, 0, 2, 3]
    rendered = trl.as_rendered(tokenizer)
    assert rendered(text=["<s>a b"])["input_ids"] == [[0, 2, 3]]
    assert rendered("a", add_special_tokens=True)["input_ids"] == [0, 2]
    rendered.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)("a")["input_ids"] == [0, 2]


def test_a_reply_begins_with_what_the_template_opened():
    gold = '<think>a</think>\n<tool_call>\n{"name": "f", "parameters": {}}\n</tool_call>'
    rest = gold.removeprefix("<think>")
    reward = trl.Reward()
    whole, cut = reward(["p"], [gold], gold=[gold]), reward(["p"], [rest], gold=[gold])
    assert whole == [4.0] and cut[0] < 4.0
    for reply in [rest, [{"role": "assistant", "content": rest}]]:
        assert reward(["p"], [reply], gold=[gold], opened=["<think>"]) == whole
    assert toolrl.verl.compute_score("x", rest, gold, {"opened": "<think>"})["score"] == 4.0


def test_schedules_count_steps_of_several_updates():
    class State:
        global_step, max_steps = 5, 8

    class Rubric:
        def totals(self, replies, golds, *, progress, **_):
            return [float(number) for number in progress]

    reward = trl.Reward(Rubric(), updates_a_step=2)
    assert reward(["p"] * 2, ["a"] * 2, gold=["g"] * 2, trainer_state=State()) == [3.0, 4.0]


def verl_config():
    """verl's whole configuration, without importing it: that needs Ray."""
    yaml = pytest.importorskip("yaml")
    found = importlib.util.find_spec("verl")
    if found is None:
        pytest.skip("verl is not installed")
    file = Path(found.submodule_search_locations[0]) / "trainer/config/_generated_ppo_trainer.yaml"
    return yaml.safe_load(file.read_text())


# What verl reads where it is there, and has no default for.
READ_WHERE_THERE = ("algorithm.gdpo_reward_", "reward.reward_kwargs.", "optim.override_optimizer_config.")


def leaves(table, path=""):
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


PPO = """
name = "ppo"
[data.world]
train = 24
held_out = 6
[train]
method = "ppo"
prompts = 4
updates = 2
kl_penalty = { coef = 0.01, target = 6.0 }
overlong = { buffer = 20, penalty = 0.5 }
optimizer = { schedule = { decay = "cosine", warmup = 0.1, floor = 0.1 } }
"""


@pytest.mark.parametrize("settings", [
    ["train.advantage=reward_decoupled", "train.lora.rank=8"],
    ["train.loss.kl.coef=0.1", "train.loss.surrogate=cispo", "train.loss.sampler_ratio_cap=2.0", "eval.every=2"],
    ["train.groups.resample.max_rounds=3", "train.loss.aggregation.fixed_length.max_tokens=100"],
    None,
])
def test_every_name_for_verl_is_one_of_its_configuration(tmp_path, settings):
    yaml = pytest.importorskip("yaml")
    known = dict(leaves(verl_config()))
    out, recipe = tmp_path / "verl", tmp_path / "ppo.toml"
    recipe.write_text(PPO)
    export("verl", out, TINY + settings if settings else [], "quickstart" if settings else recipe)
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written.pop("defaults") == ["ppo_trainer", "_self_"]
    names = dict(leaves(written))
    overrides = [line.split("=")[0].strip() for line in (out / "run.sh").read_text().splitlines() if line.startswith("  ") and "=" in line]
    assert len(names) > 50 and len(overrides) == 10
    unknown = [name for name in [*names, *overrides] if name not in known and not any(part in name for part in READ_WHERE_THERE)]
    assert unknown == []
    assert names["actor_rollout_ref.actor.optim.lr"] in (3e-4, 1e-6) and isinstance(names["actor_rollout_ref.actor.clip_ratio_c"], float)
    # The shell script is one, and Hydra finds verl's own settings beside these.
    assert subprocess.run(["bash", "-n", out / "run.sh"]).returncode == 0


def test_verl_reads_the_script_and_scores_exported_rows(tmp_path):
    pytest.importorskip("pyarrow", exc_type=ImportError)
    pytest.importorskip("verl", exc_type=ImportError)
    import pyarrow.parquet
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import get_custom_reward_fn

    out = tmp_path / "verl"
    export("verl", out)
    # Hydra composes verl's settings and these, and prints them.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", out / "run.sh", "--cfg", "job"], capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert done.returncode == 0, done.stderr
    config = OmegaConf.create(done.stdout[done.stdout.index("actor_rollout_ref:"):])
    assert config.actor_rollout_ref.rollout.n == 4 and config.algorithm.adv_estimator == "grpo"
    assert config.actor_rollout_ref.model.path == str(out / "start") and config.data.train_batch_size == 2
    score = get_custom_reward_fn(config)
    rows = pyarrow.parquet.read_table(out / "train.parquet").to_pylist()
    assert set(rows[0]) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    golds = [row["reward_model"]["ground_truth"] for row in rows]
    replies = [gold.replace('": "', '": "x', number % 2) for number, gold in enumerate(golds)]
    found = [score(row["data_source"], reply, gold, row["extra_info"])["score"] for row, reply, gold in zip(rows, replies, golds)]
    assert found == scores(out, "toolrl", [{"completion": reply, "gold": gold} for reply, gold in zip(replies, golds)])
    assert len(set(found)) > 1


def test_verls_prompts_are_read_as_the_recipes(tmp_path):
    pytest.importorskip("pyarrow", exc_type=ImportError)
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    import pyarrow.parquet

    verl, other = tmp_path / "verl", tmp_path / "trl"
    export("verl", verl)
    export("trl", other)
    tokenizer = transformers.AutoTokenizer.from_pretrained(verl / "tokenizer")
    own = transformers.AutoTokenizer.from_pretrained(other / "tokenizer")
    texts = pyarrow.parquet.read_table(other / "train.parquet").to_pylist()
    for row, text in zip(pyarrow.parquet.read_table(verl / "train.parquet").to_pylist(), texts):
        ids = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=True, return_dict=False)
        assert ids == own(text["prompt"], add_special_tokens=False)["input_ids"] and len(ids) == row["extra_info"]["prompt_tokens"]
    messages = [{"role": "user", "content": "hi"}]
    rendered = [of.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) for of in (tokenizer, own)]
    assert rendered[0] == rendered[1]
