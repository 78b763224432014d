"""Random calls on the released services, as trace rows with the results that they give.

    python3 random_rows.py DATA --rows 2000 --seed 1 > rows.jsonl
    toolrl eval bfcl --verdicts rows.jsonl --data DATA > answers.jsonl
    python3 random_rows.py --compare rows.jsonl answers.jsonl

DATA is the leaderboard's data folder, in the installed package or with `long_context.py` copied into it. Needs
Python with `bfcl-eval==2025.8.6.2`. Left out is what the released services take from the clock, from other cases of
the same process, or from the order of a set of strings.
"""

import argparse
import ast
import copy
import hashlib
import json
import pathlib
import random
import sys

CATEGORIES = ["base", "miss_func", "miss_param", "long_context"]
TEXTS = [
    "", "a", ".", "..", "/", "a/b", "find (x)", "see (below) now", "tab\t(x", "it's", '"q"', "\u00e9", "\u200b z", "\x7f",
    "\U0001f600", "l", "w", "c", "USD", "EUR", "JPY", "economy", "business", "first", "SFO", "LAX", "JFK", "2024-01-05",
    "2024-1-5", "2024-02-30", "2024-13-01", "10:30 AM", "9:29 am", "4:01 PM", "13:00 PM", "10:30 AM x", "km", "m", "cm",
    "celsius", "fahrenheit", "miles", "START", "STOP", "engage", "release", "on", "auto", "driver", "deposit", "withdrawal",
    "Open", "Closed", "Technology", "Apple", "fuel", "climate", "engine", "USR001", "Rivermist", "A\nB\n\nC",
    "line1\r\nline2\x0bline3\x85l", "|", "?", "12", "-3.5", "1e3", "inf", "1_000", " 7 ", "\u00b2", "1/3", "#tag",
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 2, 3, 5, 10, 50, 51, 100, 404, 12345, 12446, -7, 0.0, -0.0, 0.5, 1.0, 1.5, -2.5, 2.675, 0.1, 1e-7, 1e16,
    123456.789, 1e300, 10**20, -(10**30), 2**53 + 1, True, False,
]  # fmt: skip
SKIPPED = {"verify_traveler_information", "mention"}


def load_cases(data):
    cases = []
    for category in CATEGORIES:
        name = f"BFCL_v3_multi_turn_{category}.json"
        answers = [json.loads(line) for line in (data / "possible_answer" / name).open()]
        answers = {answer["id"]: answer["ground_truth"] for answer in answers}
        for case in map(json.loads, (data / name).open()):
            cases.append((case, [call for turn in answers[case["id"]] for call in turn]))
    return cases


def leaves(value):
    """Every scalar and key of a value: what a call may name."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in [key, *leaves(item)]]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def some_value(rng, pool, depth=0):
    kind = rng.random()
    if kind < 0.33 and pool:
        return rng.choice(pool)
    if kind < 0.6:
        return rng.choice(TEXTS)
    if kind < 0.9 or depth > 1:
        return rng.choice([rng.choice(NUMBERS), rng.randint(-20, 20), round(rng.uniform(0, 100), 2)])
    if kind < 0.92:
        return None
    if kind < 0.97:
        return [some_value(rng, pool, depth + 1) for _ in range(rng.randint(0, 4))]
    return {rng.choice(["title", "status", "x y"]): some_value(rng, pool, depth + 1) for _ in range(rng.randint(0, 3))}


def true_call(text, functions):
    call = ast.parse(text, mode="eval").body
    parameters = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    named = zip(functions[call.func.id], call.args)
    return {"name": call.func.id, "parameters": {**{name: ast.literal_eval(value) for name, value in named}, **parameters}}


def some_call(rng, functions, pool, truth):
    name = rng.choice([name for name in functions if name not in SKIPPED])
    parameters = dict(rng.choice(truth)["parameters"]) if truth and rng.random() < 0.2 else {}
    for parameter in functions[name]:
        if rng.random() < 0.9:
            parameters[parameter] = some_value(rng, pool)
    if rng.random() < 0.96:
        parameters = {key: value for key, value in parameters.items() if key in functions[name]}
    return {"name": name, "parameters": parameters}


def traced(case, turns, released, plain):
    """The calls' results and the final state; None where the released services cannot give them."""
    for name in [name for name in vars(released) if name.endswith("_instance")]:
        delattr(released, name)
    instances, rows = {}, []
    for calls in turns:
        texts = [f'{call["name"]}({", ".join(f"{k}={v!r}" for k, v in call["parameters"].items())})' for call in calls]
        results, instances = released.execute_multi_turn_func_call(
            texts, case["initial_config"], case["involved_classes"], "model", case["id"],
            long_context="long_context" in case["id"], is_evaL_run=True,
        )  # fmt: skip
        rows.append({"calls": calls, "results": [shortened(result) for result in results]})
    public = lambda instance: {key: value for key, value in vars(instance).items() if not key.startswith("_")}
    state = {name: public(instance) for name, instance in instances.items()}
    try:
        state = json.loads(json.dumps(state, default=plain))
    except ValueError:
        return None
    text = json.dumps(state, sort_keys=True)
    if len(text) > 6000:
        state = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "len": len(text)}
    return {"category": case["id"].rsplit("_", 1)[0], "id": case["id"], "turns": rows, "final_state": state}


def shortened(text):
    if len(text) <= 3000:
        return text
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "len": len(text), "head": text[:200]}


def plain(value):
    if type(value).__name__ == "File":
        return {"type": "file", "name": value.name, "content": value.content}
    if type(value).__name__ == "Directory":
        return {"type": "directory", "name": value.name, "contents": value.contents}
    return str(value)


def generate(data, count, seed):
    import importlib
    import inspect

    from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_utils as released
    from bfcl_eval.eval_checker.multi_turn_eval.func_source_code import long_context

    def functions_of(name):
        service = getattr(importlib.import_module(released.CLASS_FILE_PATH_MAPPING[name]), name)
        members = [member for member in inspect.getmembers(service, inspect.isfunction) if not member[0].startswith("_")]
        return {name: list(inspect.signature(function).parameters)[1:] for name, function in members}

    rng, cases = random.Random(seed), load_cases(data)
    cards = copy.deepcopy(long_context.CREDIT_CARD_EXTENSION)
    while count:
        case, ground_truth = rng.choice(cases)
        functions = {}
        for name in case["involved_classes"]:
            functions.update(functions_of(name))
        truth = [true_call(text, functions) for text in ground_truth]
        pool = leaves([case["initial_config"], [call["parameters"] for call in truth]])
        turns = [[]]
        for call in truth + [None] * 5:
            if rng.random() < 0.2:
                turns.append([])
            if call and rng.random() < 0.7:
                turns[-1].append(call)
            if rng.random() < 0.6:
                turns[-1].append(some_call(rng, functions, pool, truth))
        for number, card in cards.items():
            long_context.CREDIT_CARD_EXTENSION[number] = copy.deepcopy(card)
        if row := traced(case, json.loads(json.dumps(turns)), released, plain):
            print(json.dumps(row))
            count -= 1


def compare(rows, answers):
    results, different = 0, []
    for row, answer in zip(map(json.loads, rows.open()), map(json.loads, answers.open()), strict=True):
        for wanted, found in zip(row["turns"], answer["turns"], strict=True):
            results += len(wanted["results"])
            triples = zip(wanted["calls"], wanted["results"], found["results"], strict=True)
            different += [(row["id"], *triple) for triple in triples if triple[1] != triple[2]]
        if row["final_state"] != answer["final_state"]:
            different.append((row["id"], "state", row["final_state"], answer["final_state"]))
    for difference in different[:20]:
        print(*map(str, difference), sep="\n    ")
    print(f"{results} results, {len(different)} different")
    return bool(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compare", nargs=2, type=pathlib.Path, metavar=("ROWS", "ANSWERS"))
    arguments = parser.parse_args()
    if arguments.compare:
        sys.exit(compare(*arguments.compare))
    generate(arguments.data, arguments.rows, arguments.seed)


main()
