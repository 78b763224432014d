"""Writes what released rewards say of small replies into this script's folder.

usage: released.py SIMRL TOOLCALL

SIMRL     simrl.py of github.com/Qwen-Applications/STAR (commit ee32021)
TOOLCALL  verl/verl/utils/reward_score/toolcall.py of github.com/NVlabs/Tool-N1

replies.jsonl   replies to references, with STAR's and Tool-N1's rewards
texts.jsonl     replies as they were sampled, in hermes, with STAR's reward
rouge.jsonl     pairs of texts with their ROUGE-L
schemas.jsonl   schemas and arguments, and whether these are valid
stems.txt       words with their stems

Needs rouge-score (0.1.2), nltk (3.10.4) and jsonschema (4.26).
"""

import contextlib
import importlib.util
import io
import itertools
import json
import random
import sys
import types
from pathlib import Path

import jsonschema
from nltk.stem.porter import PorterStemmer

FOLDER = Path(__file__).parent
TOOLS = [
    {"name": "weather", "description": "", "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}, "note": {"type": "string"}, "exact": {"type": "boolean"}}}},
    {"name": "mail", "description": "", "parameters": {"type": "object", "properties": {
        "to": {"type": "array"}, "text": {"type": "string"}, "cc": {"type": "string"}, "options": {"type": "object"}}}},
    {"name": "stop", "description": "", "parameters": {"type": "object", "properties": {}}},
]
GOLDS = [
    [("weather", {"city": "New York City", "days": 2, "note": "please tell me whether it is raining"})],
    [("weather", {"city": "Rome", "exact": True}), ("weather", {"city": "Oslo", "days": 1})],
    [("mail", {"to": ["ann", "bob"], "text": "The meeting was moved to Friday.", "options": {"urgent": True, "n": 1}}), ("stop", {})],
    [("stop", {})],
    [],
]
VALUES = {
    "city": ["Rome", "rome", "New York", "the city of New York", "Oslo", "", "  ", "東京", "Saint-Étienne"],
    "days": [2, 2.0, 1, True, "2", None],
    "note": ["is it raining", "tell me whether it will rain, please", "raining whether tell", ""],
    "exact": [True, 1, False, "True", "true", None],
    "to": [["ann", "bob"], ["bob", "ann"], ["ann"], "['ann', 'bob']", "ann"],
    "text": ["Meetings were moved to Friday", "The meeting was moved to Friday.", "the meetings moved", "Friday"],
    "options": [{"urgent": True, "n": 1}, {"n": 1, "urgent": True}, {"urgent": 1, "n": 1}, {"urgent": True, "n": 1.0}, {}],
    "cc": ["ann"],
    "unknown": [1],
}
RESPONSES = ["It will be sunny in Rome tomorrow.", "Tomorrow it will be sunny", "I do not know.", "rain", "", "晴れ"]


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quiet(call, *args):
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*args)


def hermes(thoughts, calls, response):
    parts = [] if thoughts is None else [f"<think>\n{thoughts}\n</think>\n\n"]
    if response:
        parts.append(response)
    for name, arguments in calls:
        parts.append("\n<tool_call>\n" + json.dumps({"name": name, "arguments": arguments}) + "\n</tool_call>")
    return "".join(parts)


def star(simrl, reply, gold):
    prompt = "<tools>\n" + "\n".join(json.dumps(tool) for tool in TOOLS) + "\n</tools>"
    query = f"{prompt}<|im_start|>assistant\n{reply}"
    return float(quiet(simrl.reward_func, [query], [prompt], [gold], False)["rewards"][0])


def tool_n1(toolcall, thoughts, calls, gold):
    """By the variant that knows replies without calls, whose references make none either."""
    named = lambda calls: [{"name": name, "arguments": arguments} for name, arguments in calls]
    text = "" if thoughts is None else f"<think>{thoughts}</think> "
    text += f"<tool_call>{json.dumps(named(calls))}</tool_call>" if calls else "words"
    answer = json.dumps(named(gold))
    score = quiet(toolcall.compute_score_llama, text, answer)
    if calls and gold:
        assert score == quiet(toolcall.compute_score_v0, text, answer)
    return float(score)


def random_call(draw, gold):
    """A call of the reference, changed here and there, or another."""
    if gold and draw.random() < 0.85:
        name, arguments = draw.choice(gold)
        arguments = dict(arguments)
    else:
        name, arguments = draw.choice([("weather", {"city": "Rome"}), ("stop", {}), ("other", {})])
    names = {"weather": ["city", "days", "note", "exact"], "mail": ["to", "text", "cc", "options"]}.get(name, [])
    for _ in range(draw.choice([0, 0, 1, 1, 2])):
        key = draw.choice(names + ["unknown"] * (draw.random() < 0.15)) if names else None
        if key and key in arguments and draw.random() < 0.3:
            del arguments[key]
        elif key:
            arguments[key] = draw.choice(VALUES[key])
    keys = list(arguments)
    draw.shuffle(keys)
    return name, {key: arguments[key] for key in keys}


def replies(simrl, toolcall):
    draw = random.Random(7)
    rows, seen = [], set()
    while len(rows) < 240:
        gold = draw.choice(GOLDS)
        thoughts = draw.choice(["hm", "hm", "hm", "", None])
        calls = draw.choice([list(gold), list(gold)[::-1], [random_call(draw, gold) for _ in range(draw.choice([0, 1, 1, 2, 2, 3]))]])
        response, wanted = ("", "") if calls or gold else (draw.choice(RESPONSES), draw.choice(RESPONSES[:3]))
        if gold == [] and not wanted:
            wanted = RESPONSES[0]
        row = {"gold": gold, "gold_response": wanted, "thoughts": thoughts, "calls": calls, "response": response}
        key = json.dumps(row)
        if key in seen:
            continue
        seen.add(key)
        row["star"] = star(simrl, hermes(thoughts, calls, response), hermes("gold", gold, wanted))
        row["tool_n1"] = tool_n1(toolcall, thoughts, calls, gold)
        rows.append(row)
    return rows


def texts(simrl):
    gold = GOLDS[0]
    right = hermes("hm", gold, "")
    cases = [right, right + "\n", "Words first. " + right, right.replace("</think>\n\n", "</think>\n\nI look it up."),
             right.replace("</think>", ""), right.replace("</tool_call>", ""), right.replace('"days": 2', '"days": '),
             right.replace('"arguments"', '"parameters"'), right.replace("weather", "wether"), right + " and more",
             hermes("hm", [], "No call."), right[: len(right) // 2], ""]
    return [{"gold": hermes("gold", gold, ""), "reply": reply, "star": star(simrl, reply, hermes("gold", gold, ""))} for reply in cases]


def rouge(simrl):
    sentences = VALUES["note"] + VALUES["city"] + VALUES["text"] + RESPONSES + [
        "please tell me whether it is raining", "New York City", "a-b_c 12.5%", "generalizations oscillators are relational",
        "Generally, an oscillator relates; it generalizes.", "yyyy sky skies flies dies", "K İ ß ﬁ"]
    score = simrl.rouge.score
    return [{"wanted": a, "found": b, "rouge_l": score(a, b)["rougeL"].fmeasure} for a, b in itertools.product(sentences[::2], sentences)]


def schemas():
    cases = []
    days = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1}, "unit": {"enum": ["C", "F"]}}, "required": ["days"]}
    nested = {"type": "object", "properties": {"place": {"$ref": "#/$defs/place"}}, "additionalProperties": False,
              "$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2}}, "required": ["lat"]}}}
    either = {"type": "object", "properties": {"x": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^a+$"}]}}}
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "properties": {"n": {"type": "number", "minimum": 0, "exclusiveMinimum": True}}}
    tried = [
        (days, [{"days": 2}, {"days": 2.0}, {"days": 2.5}, {"days": 0}, {"days": "2"}, {"days": True}, {}, {"days": 1, "unit": "C"},
                {"days": 1, "unit": "K"}, {"days": 1, "more": 1}, {"days": 12345678901234567890123}]),
        (nested, [{"place": {"lat": 1}}, {"place": {}}, {"place": {"lat": "1"}}, {"place": {"lat": 1, "tags": ["a", "b"]}},
                  {"place": {"lat": 1, "tags": ["a", 2]}}, {"place": {"lat": 1, "tags": ["a", "b", "c"]}}, {"place": None}, {"other": 1}, {}]),
        (either, [{"x": None}, {"x": "aaa"}, {"x": "ab"}, {"x": 1}, {"y": 1}]),
        (old, [{"n": 1}, {"n": 0}, {"n": -1}, {"n": "1"}]),
        ({}, [{}, {"x": [1]}]),
        ({"properties": {"n": {"type": ["integer", "null"]}}}, [{"n": None}, {"n": 1}, {"n": 1.5}]),
    ]
    for schema, instances in tried:
        validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)(schema)
        cases += [{"schema": schema, "arguments": arguments, "valid": validator.is_valid(arguments)} for arguments in instances]
    return cases


def stems():
    """Roots with endings, and the words of this file."""
    roots = ["relat", "condit", "hop", "hopp", "fall", "fil", "fail", "conflat", "troubl", "siz", "agre", "feed", "happ", "enjo", "sk", "l", "t",
             "radic", "sens", "geo", "archaeo", "form", "electr", "adopt", "opini", "control", "rol", "ceas", "rat", "gen", "oper", "x1y2", "yy"]
    endings = ["", "s", "es", "ies", "sses", "ed", "ied", "eed", "ing", "y", "ying", "ational", "tional", "enci", "izer", "bli", "alli", "allies", "entli",
               "ousli", "ization", "ation", "ator", "alism", "iveness", "fulness", "aliti", "iviti", "biliti", "fulli", "logi", "logy", "icate",
               "ative", "alize", "iciti", "ical", "ful", "ness", "al", "ance", "er", "able", "ement", "ment", "ent", "ion", "sion", "ism", "ous", "ive", "ize", "e", "ll", "lle"]
    draw = random.Random(3)
    words = {root + ending for root in roots for ending in endings}
    words = set(draw.sample(sorted(words), 500)) | {"sky", "skies", "dying", "news", "innings", "outings", "howe", "proceed", "exceed", "dies", "died", "tied", "spied", "say", "by", "yyyy"}
    stemmer = PorterStemmer()
    return [f"{word} {stemmer.stem(word)}" for word in sorted(words) if word]


def main():
    torch = types.ModuleType("torch")
    torch.float, torch.Tensor, torch.tensor = float, list, lambda values, dtype=None: values
    sys.modules["torch"] = torch
    simrl, toolcall = load(sys.argv[1], "simrl"), load(sys.argv[2], "toolcall")
    for name, rows in [("replies", replies(simrl, toolcall)), ("texts", texts(simrl)), ("rouge", rouge(simrl)), ("schemas", schemas())]:
        (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (FOLDER / "stems.txt").write_text("\n".join(stems()) + "\n")


main()
