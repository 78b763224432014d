"""Rewards of weighted terms, each score with all that it is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from . import _native

Tools = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Term:
    """What one term gave for a reply: its value before the weight, and the least and greatest that it could have given."""

    value: float
    weight: float
    range: tuple[float, float]
    components: dict[str, float]
    failure: str | None


@dataclass(frozen=True)
class Score:
    """A reward: the sum over its terms of weight times value. A reply that is `skipped` is to teach nothing."""

    total: float
    terms: dict[str, Term]
    skipped: bool


class Rubric:
    """Weighted terms over a reply that is held against a gold one.

    `Rubric()` is ToolRL's reward (arXiv 2504.13958) as its released code has it, to the bit. A string is the name of a preset
    (`released`, `tool-n1`, `star`); a list has a term each, with the keys of a recipe's `[[reward]]` tables:
    `[{"id": "format"}, {"id": "correctness", "weight": 0.5}]`.
    """

    def __init__(self, reward: str | Sequence[dict[str, Any]] | None = None) -> None:
        self._recipe = "" if reward is None else f"reward = {_toml(reward)}"
        self._native = _native.Rubric(self._recipe)

    @classmethod
    def of_recipe(cls, path: str | PathLike[str]) -> Rubric:
        """The reward of a recipe: a TOML file, of which all other keys are passed over."""
        rubric = cls.__new__(cls)
        rubric._recipe = Path(path).read_text(encoding="utf-8")
        rubric._native = _native.Rubric(rubric._recipe)
        return rubric

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_text, (self._recipe,)

    def __repr__(self) -> str:
        return f"Rubric({', '.join(f'{weight:g} * {term}' for term, weight in self.terms)})"

    @property
    def terms(self) -> list[tuple[str, float]]:
        """The terms' names and weights."""
        return self._native.terms

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest reward."""
        return self._native.range

    def total(self, reply: str, gold: str, **how: Any) -> float:
        """The reward of one reply; keywords as of `totals`."""
        return self.totals([reply], [gold], **how)[0]

    def score(self, reply: str, gold: str, **how: Any) -> Score:
        """The reward of one reply with all that it is made of; keywords as of `totals`."""
        return self.scores([reply], [gold], **how)[0]

    def explain(self, reply: str, gold: str, **how: Any) -> str:
        """What the reward of a reply is made of, in words: which call was matched with which, and what cost each point."""
        return self._native.explanations(_replies([reply], [gold], **how))[0]

    def totals(self, replies: Sequence[str], golds: Sequence[str], **how: Any) -> list[float]:
        """The reward of each reply; `nan` of one that is to teach nothing.

        A reply is what the model wrote of its turn, special tokens kept, with what the template opened before it, such as
        `<think>`. `dialect` (`"toolrl"` by default) is what replies and gold replies are written in; `tools` OpenAI's list, for
        all replies, or a list of such lists; `progress`, `(step, steps)`, moves the schedules of a training run.
        """
        return self._native.totals(_replies(replies, golds, **how))

    def scores(self, replies: Sequence[str], golds: Sequence[str], **how: Any) -> list[Score]:
        """The same with all that each is made of."""
        return [_score(*scored) for scored in self._native.scores(_replies(replies, golds, **how))]


def _of_text(recipe: str) -> Rubric:
    rubric = Rubric.__new__(Rubric)
    rubric._recipe, rubric._native = recipe, _native.Rubric(recipe)
    return rubric


def _replies(
    replies: Sequence[str],
    golds: Sequence[str],
    *,
    dialect: str = "toolrl",
    tools: Tools | Sequence[Tools] | None = None,
    progress: tuple[int, int] | None = None,
) -> _native.Replies:
    each = bool(tools) and not isinstance(tools[0], dict)
    listed = [json.dumps(list(of)) for of in (tools if each else [tools])] if tools else []
    return {
        "replies": [reply.encode("utf-8", "surrogatepass") for reply in replies],
        "golds": [gold.encode("utf-8", "surrogatepass") for gold in golds],
        "tools": listed,
        "dialect": dialect,
        "progress": progress,
    }


def _score(total: float, skipped: bool, terms: list[_native.Term]) -> Score:
    def of(value: float, weight: float, within: tuple[float, float], parts: list[tuple[str, float]], failure: str | None) -> Term:
        return Term(value, weight, within, dict(parts), failure)

    return Score(total, {name: of(*term) for name, *term in terms}, skipped)


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line: its strings, numbers and lists are JSON's.

    But TOML has no halves of a character, as JSON may write one, and wants the character 127 escaped.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(of)}" for key, of in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
