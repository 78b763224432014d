"""Datasets of tool calls in the forms that people keep them in."""

from __future__ import annotations

import json
import warnings
from os import PathLike
from typing import Any, Literal

from . import _native


def load(
    path: str | PathLike[str], *, turns: Literal["each", "last"] = "each", faulty: Literal["refuse", "leave_out"] = "refuse"
) -> list[dict[str, Any]]:
    """The samples of a file as rows of OpenAI's form: `id`, `messages` (the last is the gold reply), `tools`, `metadata`.

    JSON, JSON lines (either may be packed by gzip or zstd) or Parquet, in OpenAI's form, ShareGPT's, Glaive's, xLAM's, TRL's,
    verl's or ToolRL's, told apart by their fields. Each reply of a dialogue is a sample, or the last one alone. A row that
    cannot be read is a ValueError with its line, or left out. Samples that OpenAI's form cannot say are warned of by name.
    """
    _one_of("turns", turns, ("each", "last"))
    _one_of("faulty", faulty, ("refuse", "leave_out"))
    rows, left_out = _native.load(path, turns == "last", faulty == "leave_out")
    _warn(left_out)
    return [json.loads(row) for row in rows]


def convert(
    path: str | PathLike[str],
    out: str | PathLike[str],
    to: Literal["toolrl", "verl"],
    prompt: str | PathLike[str] | None = None,
) -> None:
    """Writes a file's samples as JSON lines, or as Parquet where `out` ends in .parquet: in ToolRL's text, or as verl's rows."""
    _warn(_native.convert(path, out, to, prompt))


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: expected one of {', '.join(choices)}")


def _warn(left_out: list[tuple[str, str]]) -> None:
    for sample, reason in left_out:
        warnings.warn(f"left out: {sample}: {reason}", stacklevel=3)
