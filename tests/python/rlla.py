"""Holds `toolrl.verl.compute_score` to verl's own copy of ToolRL's reward, and compares their speed.

usage: rlla.py ROWS

ROWS are JSON lines, perhaps gzipped, each with `solution_str` (or `reply`) and `ground_truth`. Needs the packages toolrl and
verl; verl's file is read alone, without the rest of it. Prints how many scores are the same to the bit, and replies a second.
"""

import gzip
import importlib.util
import json
import struct
import sys
import time
from importlib.metadata import files
from statistics import median

from toolrl.rubric import Rubric
from toolrl.verl import compute_score

START, END = "<|im_start|>assistant", "<|im_end|>"


def rlla():
    path = next(path for path in files("verl") if str(path).endswith("reward_score/rlla.py")).locate()
    spec = importlib.util.spec_from_file_location("rlla", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # It prints one reply of 64.
    module.random.randint = lambda low, high: 0
    return module.compute_score


def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def readable(rubric, gold):
    try:
        return rubric.total(gold, gold) is not None
    except ValueError:
        return False


def main():
    opened = gzip.open if sys.argv[1].endswith(".gz") else open
    with opened(sys.argv[1], "rt") as lines:
        rows = [json.loads(line) for line in lines]
    golds = [row["ground_truth"] for row in rows]
    solutions = [row.get("solution_str") or START + row["reply"] + END for row in rows]
    replies = [solution.split(START)[-1].split(END)[0].strip() for solution in solutions]
    theirs, info, same, raised, other = rlla(), {"experiment_name": "qwen"}, 0, 0, []
    for solution, reply, gold in zip(solutions, replies, golds):
        try:
            expected = theirs("rlla", solution, gold, info)
        except Exception:
            raised += 1
            continue
        found = compute_score("rlla", reply, gold)
        alike = all(struct.pack("d", found[key]) == struct.pack("d", value) for key, value in expected.items())
        same += alike
        other += [] if alike else [(reply, gold, expected, found)]
    print(f"{same} of {len(rows)} the same to the bit, {len(other)} others, {raised} on which rlla.py raises")
    for reply, gold, expected, found in other[:3]:
        print(json.dumps({"reply": reply, "gold": gold, "rlla": expected, "toolrl": found}))
    rubric = Rubric()

    def each(score):
        return median(seconds(lambda: [score(i) for i in range(len(rows))]) for _ in range(3))

    def answered(score):
        def of(i):
            try:
                score(i)
            except Exception:
                pass

        return of

    read = list(zip(*((reply, gold) for reply, gold in zip(replies, golds) if readable(rubric, gold))))
    times = {
        "rlla.py": each(answered(lambda i: theirs("rlla", solutions[i], golds[i], info))),
        "toolrl.verl.compute_score": each(answered(lambda i: compute_score("rlla", replies[i], golds[i]))),
        "toolrl.Rubric.totals": median(seconds(lambda: rubric.totals(*read)) for _ in range(3)),
    }
    for name, taken in times.items():
        print(f"{name}: {len(rows) / taken:,.0f} replies a second, {times['rlla.py'] / taken:.1f} times rlla.py's")


main()
