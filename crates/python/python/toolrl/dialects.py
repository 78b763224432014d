"""Replies read and written in the call formats of models."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any

from . import _native

DIALECTS: tuple[str, ...] = tuple(_native.dialects())
"""The names of all dialects: `toolrl`, `hermes`, `llama3_json` and so on."""


def parse(text: str, dialect: str, tools: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """What a reply means: `outcome` (whole, incomplete, malformed with `at`, or foreign), `thoughts`, `calls`, `response`, `faults`.

    A call has `name`, `arguments`, perhaps `id`, and `span`, its place in the bytes of the text. `tools`, OpenAI's list, gives
    arguments their types in dialects whose texts have none (`qwen3_coder`, `glm45`).
    """
    row: dict[str, Any] = {"text": text} if tools is None else {"text": text, "tools": tools}
    return json.loads(_native.parse(json.dumps(row), dialect))


def write(message: dict[str, Any], dialect: str) -> str:
    """What a dialect writes of an assistant's message in OpenAI's form, without the token that ends the turn.

    Raises ValueError for a message that the dialect cannot say.
    """
    return json.loads(_native.write(json.dumps(message), dialect))["text"]


def detect(directory: str | PathLike[str]) -> str:
    """The dialect that the chat template of a model directory writes calls in.

    Raises ValueError, with what the template rendered, where no dialect or several write that.
    """
    return _native.detect(directory)[0]
