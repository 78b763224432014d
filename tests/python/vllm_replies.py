"""Replies in each dialect, made for `vllm_parsers.py`: what they mean is known, unless they are spoilt."""

import json

DEEPSEEK = ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"]
KIMI = [
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>",
]
# Values have no types in the text, and get those of the tools.
UNTYPED = ("qwen3_coder", "glm45")
# Dialects in which calls stand alone.
BARE = ("llama3_json", "pythonic", "xlam")

NAMES = ["get_weather", "search", "f", "add_event", "geo_lookup2"]
KEYS = ["city", "n", "query", "days", "opt_1", "tags", "at", "where"]
STRINGS = [
    "Rome", "", "a b", "Zürich", "日本 東京", "it's", 'say "hi"', "line\nbreak", "tab\tx", "C:\\dir", "5", "true", "null",
    "😀 ok", "a, b; c: d", "50%", "{x}", "-3", "1e5", "x = [1, 2]", "f(a='b')", "<b>bold</b>", "e\u0301", "[]",
]
# What other parsers' searches stop at.
MARKED = ["</tool_call>", "]", "}]", "[TOOL_CALLS]", "<tool_call>", "</parameter", "```", "; ", "<|tool_call_end|>"]
WORDS = ["Let me look.", "Ich schaue nach: ü", "I will call two tools.\nOne moment", "1 < 2, is it not?"]
dumps = lambda value: json.dumps(value, ensure_ascii=False)


def value(random, depth=0):
    pick = random.random()
    if depth < 3 and pick < 0.12:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if depth < 3 and pick < 0.24:
        return {random.choice(KEYS): value(random, depth + 1) for _ in range(random.randrange(3))}
    if pick < 0.6:
        return random.choice(STRINGS)
    if pick < 0.63:
        return random.choice(MARKED)
    if pick < 0.78:
        return random.choice([0, 1, -1, 42, -7, 10**6, -(2**31), 2**53 + 1, 12345678901234567890123])
    if pick < 0.88:
        return random.choice([0.5, -2.75, 1e-7, 3.0, -1e22, 0.1])
    return random.choice([True, False, None])


def call(random):
    keys = random.sample(KEYS, random.choice([0, 1, 1, 2, 2, 3, 4]))
    return random.choice(NAMES), {key: value(random) for key in keys}


def objects(calls, key="arguments"):
    return [{"name": name, key: arguments} for name, arguments in calls]


def bare(value):
    return value if isinstance(value, str) else dumps(value)


def gemma(value):
    if isinstance(value, str):
        return f"<escape>{value}<escape>"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{gemma(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(gemma, value)) + "]"
    return dumps(value)


def python(calls):
    one = lambda name, arguments: f"{name}({', '.join(f'{key}={item!r}' for key, item in arguments.items())})"
    return "[" + ", ".join(one(*call) for call in calls) + "]"


def qwen3_coder(name, arguments):
    inner = "".join(f"<parameter={key}>\n{bare(item)}\n</parameter>\n" for key, item in arguments.items())
    return f"<tool_call>\n<function={name}>\n{inner}</function>\n</tool_call>"


def glm45(name, arguments):
    inner = "".join(f"<arg_key>{k}</arg_key>\n<arg_value>{bare(v)}</arg_value>\n" for k, v in arguments.items())
    return f"<tool_call>{name}\n{inner}</tool_call>"


def section(calls, inner, between):
    begin, end, call_begin, call_end, _ = DEEPSEEK
    return begin + between.join(call_begin + inner(*call) + call_end for call in calls) + end


def written(dialect, calls):
    """The calls as the models' templates write them."""
    separator = DEEPSEEK[4]
    match dialect:
        case "hermes":
            return "\n".join(f"<tool_call>\n{dumps(one)}\n</tool_call>" for one in objects(calls))
        case "llama3_json":
            return "; ".join(map(dumps, objects(calls, "parameters")))
        case "pythonic":
            return python(calls)
        case "lfm2":
            return f"<|tool_call_start|>{python(calls)}<|tool_call_end|>"
        case "mistral":
            return "[TOOL_CALLS]" + dumps([{**one, "id": "abcdefgh1"} for one in objects(calls)])
        case "mistral_v11":
            return "".join(f"[TOOL_CALLS]{name}[ARGS]{dumps(arguments)}" for name, arguments in calls)
        case "qwen3_coder":
            return "\n".join(qwen3_coder(*one) for one in calls)
        case "glm45":
            return "\n".join(glm45(*one) for one in calls)
        case "deepseek_v3":
            return section(calls, lambda n, a: f"function{separator}{n}\n```json\n{dumps(a)}\n```", "\n")
        case "deepseek_v31":
            return section(calls, lambda n, a: f"{n}{separator}{dumps(a)}", "")
        case "kimi_k2":
            one = lambda i, n, a: f"{KIMI[2]}functions.{n}:{i}{KIMI[3]}{dumps(a)}{KIMI[4]}"
            return KIMI[0] + "".join(one(i, *call) for i, call in enumerate(calls)) + KIMI[1]
        case "xlam":
            return dumps(objects(calls))
        case "granite":
            return "<|tool_call|>" + dumps(objects(calls))
        case "phi4_mini":
            return "functools" + dumps(objects(calls))
        case "function_gemma":
            one = lambda n, a: f"<start_function_call>call:{n}{gemma(a)}<end_function_call>"
            return "".join(one(*call) for call in calls)


def strings(value):
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in strings(item)]


def schema(value):
    name = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return {"type": name.get(type(value), "null")}


def tools(calls):
    """A tool for each name, with parameters of the types that the calls use; the first call of a name counts."""
    found = {name: {} for name in NAMES}
    for name, arguments in calls:
        for key, item in arguments.items():
            found[name].setdefault(key, schema(item))
    parameters = lambda properties: {"type": "object", "properties": properties}
    function = lambda name, properties: {"name": name, "parameters": parameters(properties)}
    return [{"type": "function", "function": function(*item)} for item in found.items()]


def spoil(random, text):
    """The text with one to three characters lost, doubled, changed or put in."""
    for _ in range(random.choice([1, 1, 2, 3])):
        at = random.randrange(len(text) + 1)
        other = random.choice(['"', "}", "{", "]", "[", ",", "<", ">", "\n", " ", "\\", "x", "'", ":", "|"])
        text = random.choice([text[:at] + text[at + 1 :], text[:at] + other + text[at:], text[:at] + other + text[at + 1 :]])
    return text


def make(dialect, count, random):
    """Rows: text, tools, truth (calls and words, or None), kind, how much of the text is thoughts."""
    rows = []
    while len(rows) < count:
        kind = random.choice(["one", "one", "several", "words", "said", "thoughts", "cut", "cut", "spoilt", "prose"])
        calls = [call(random) for _ in range(random.choice([2, 2, 3]) if kind == "several" else 1)]
        if kind in ("cut", "spoilt"):
            calls = [call(random) for _ in range(random.choice([1, 1, 2]))]
        if dialect in UNTYPED and any(schema(v) == {"type": "null"} for _, a in calls for v in a.values()):
            continue
        if len({name for name, _ in calls}) < len(calls):
            continue
        text = written(dialect, calls)
        marked = any(mark in text for _, a in calls for text in strings(a) for mark in [*MARKED, "[", "]", "}", "{"])
        marked = marked or dialect == "phi4_mini" and text.count("]") > 1
        words, skip, truth = "", 0, None
        if kind in ("words", "prose") and (dialect in BARE) == (kind == "prose"):
            words = random.choice(WORDS)
            text = text + words if dialect == "lfm2" else f"{words}\n{text}"
        elif kind in ("words", "prose"):
            continue
        if kind == "prose":
            calls, words = [], text
        if kind == "said":
            calls, words = [], random.choice(WORDS + ["{x} is a set", "[1] says so", "A call is made so"])
            text = words
        if kind == "thoughts":
            thoughts = "<think>\nThe user asks, so I call.\n</think>\n\n"
            thoughts = "[THINK]hm[/THINK]" if dialect == "mistral_v11" else thoughts
            text, skip = thoughts + text, len(thoughts)
        tooling = tools(calls)
        if kind == "cut":
            text = text[: random.randrange(len(text))]
        elif kind == "spoilt":
            text = spoil(random, text)
        else:
            truth = (calls, words)
        rows.append({"text": text, "tools": tooling, "truth": truth, "kind": kind, "skip": skip, "names": NAMES, "marked": marked})
    return rows
