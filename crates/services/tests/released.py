"""Writes the results and states of tests/released/*.json anew, from the released services.

Needs Python with `bfcl-eval==2025.8.6.2`. Each file holds a class, its configuration and pairs of a call and
its result; add a call with any result, run this, and look at the difference.
"""

import json
import pathlib

from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_utils as released


def plain(value):
    """What JSON has no form for: files and directories by their attributes, the rest as text."""
    if type(value).__name__ == "File":
        return {"type": "file", "name": value.name, "content": value.content}
    if type(value).__name__ == "Directory":
        return {"type": "directory", "name": value.name, "contents": value.contents}
    return str(value)


def run(name, table):
    calls = [call for call, _ in table["calls"]]
    results, instances = released.execute_multi_turn_func_call(
        calls, {table["class"]: table["config"]}, [table["class"]], "model", name, is_evaL_run=True
    )
    table["calls"] = list(zip(calls, results))
    state = vars(instances[table["class"]])
    table["state"] = {key: value for key, value in state.items() if not key.startswith("_")}


def text(table):
    """One call a line."""
    line = lambda value: json.dumps(value, default=plain, ensure_ascii=False)
    calls = ",\n".join("    " + line(call) for call in table["calls"])
    head = f'  "class": {line(table["class"])},\n  "config": {line(table["config"])}'
    return f'{{\n{head},\n  "calls": [\n{calls}\n  ],\n  "state": {line(table["state"])}\n}}\n'


for path in sorted((pathlib.Path(__file__).parent / "released").glob("*.json")):
    table = json.loads(path.read_text())
    run(path.stem, table)
    path.write_text(text(table))
