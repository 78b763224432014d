"""Scores replies by a function of a file: what a reward term `id = "python"` runs, with the file and the function's name.

Each line of standard input is a batch. The answers are lists of JSON on standard output, which is kept from the function:
whatever it prints goes to standard error.
"""

import asyncio
import inspect
import json
import os
import sys
import traceback
from types import ModuleType, SimpleNamespace

# What a function may be told of a reply; one of a batch is told lists of the same, under the same names.
OF_A_REPLY = ("reply", "thoughts", "calls", "response", "faults", "gold", "messages", "tools", "id")
# Names that others give to the same.
ALSO = {"prompt": "messages", "solution_str": "reply"}
OF_ALL = ("step", "steps")
OF_A_BATCH = ("completions", "prompts", "trainer_state")


def load(path, name):
    """The function. The file is read each time, and no compiled form of it is kept."""
    sys.path[:] = [os.path.dirname(path)] + [entry for entry in sys.path if entry]
    stem = os.path.splitext(os.path.basename(path))[0]
    module = ModuleType(stem if stem not in sys.modules else "_" + stem)
    module.__file__ = path
    sys.modules[module.__name__] = module
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)
    function = getattr(module, name, None)
    if not callable(function):
        own = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        raise LookupError(f"no function {name!r} in {path}; it has {', '.join(own) or 'none'}")
    return function


def parameters(function, name):
    """The names that a function takes, all where it takes any; and whether it scores a batch."""
    of_function = inspect.signature(function).parameters.values()
    by_name = [p for p in of_function if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    is_batched = any(p.name == "completions" for p in by_name)
    told = [*OF_A_REPLY, *ALSO, "ground_truth", *OF_ALL, *(OF_A_BATCH if is_batched else ())]
    for p in of_function:
        if p.default is p.empty and (p.kind is p.POSITIONAL_ONLY or p in by_name and p.name not in told):
            raise TypeError(f"{name} takes {p.name!r}, which is not told; told by name are {', '.join(told)}")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in of_function)
    return told if takes_any else [p.name for p in by_name if p.name in told], is_batched


def of_reply(reply, batch):
    """All that is told of one reply."""
    return {
        **{key: reply[key] for key in OF_A_REPLY},
        **{key: reply[of] for key, of in ALSO.items()},
        "ground_truth": reply["gold"]["reply"],
        **{key: batch[key] for key in OF_ALL},
    }


def of_batch(told, batch):
    """All that is told of a batch: TRL's arguments, and a column for each of a reply's."""
    columns = {key: [reply[key] for reply in told] for key in told[0] if key not in OF_ALL}
    return {
        **columns,
        **{key: batch[key] for key in OF_ALL},
        "prompts": columns["messages"],
        "completions": [[{"role": "assistant", "content": text}] for text in columns["reply"]],
        "trainer_state": SimpleNamespace(global_step=batch["step"] or 0, max_steps=batch["steps"] or 0),
    }


def number(value):
    if value is None or isinstance(value, (str, bytes)):
        raise TypeError(f"expected a number, found {value!r}")
    return float(value)


def entry(value):
    """What a function returned, as JSON."""
    if not isinstance(value, dict):
        return number(value)
    other = set(value) - {"value", "note", "parts"}
    if other or "value" not in value:
        raise TypeError(f"a dict has value, and may have note and parts; found {', '.join(map(repr, value))}")
    parts = {str(key): number(part) for key, part in (value.get("parts") or {}).items()}
    note = value.get("note")
    return {"value": number(value["value"]), "parts": parts, "note": None if note is None else str(note)}


def described(error, path):
    """The last line of a traceback, and the line of the file at which it came."""
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError):
        lines = [error.lineno] if error.filename == path else lines
    return text + (f" ({os.path.basename(path)}, line {lines[-1]})" if lines else "")


class Scorer:
    """A function, and what becomes of a batch by it."""

    def __init__(self, path, name):
        self.path, self.seen = path, set()
        self.function = load(path, name)
        self.names, self.is_batched = parameters(self.function, name)

    def error(self, error):
        """What is answered for a reply; the whole traceback is printed when it first comes."""
        text = described(error, self.path)
        if text not in self.seen and len(self.seen) < 20:
            self.seen.add(text)
            traceback.print_exception(type(error), error, error.__traceback__)
        return {"error": text}

    async def asynchronous(self, given):
        return await asyncio.gather(*(self.function(**arguments) for arguments in given), return_exceptions=True)

    def entry(self, value):
        try:
            if isinstance(value, BaseException):
                raise value
            return entry(value)
        except (Exception, SystemExit) as error:
            return self.error(error)

    def lists(self, batch):
        """The answers of a batch, list after list."""
        told = [of_reply(reply, batch) for reply in batch["replies"]]
        if not told:
            yield []
        elif self.is_batched:
            yield self.all(of_batch(told, batch), len(told))
        else:
            given = [{key: reply[key] for key in self.names} for reply in told]
            if inspect.iscoroutinefunction(self.function):
                yield [self.entry(value) for value in asyncio.run(self.asynchronous(given))]
                return
            for arguments in given:
                try:
                    value = self.function(**arguments)
                except (Exception, SystemExit) as error:
                    value = error
                yield [self.entry(value)]

    def all(self, told, count):
        """By TRL's signature, in which None says that a function does not apply: it adds nothing."""
        try:
            values = self.function(**{key: told[key] for key in self.names})
            values = list(asyncio.run(values) if inspect.iscoroutine(values) else values)
            if len(values) != count:
                raise ValueError(f"{len(values)} values for {count} completions")
        except (Exception, SystemExit) as error:
            return [self.error(error)] * count
        return [{"value": 0.0, "note": "None"} if value is None else self.entry(value) for value in values]


def main(path, name):
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)

    def answer(value):
        answers.write(json.dumps(value).encode() + b"\n")
        answers.flush()

    try:
        scorer = Scorer(path, name)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        requests.readline()
        answer({"error": described(error, path)})
        return
    for line in requests:
        for values in scorer.lists(json.loads(line)):
            answer(values)


main(*sys.argv[1:])
