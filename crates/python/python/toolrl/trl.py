"""A reward for TRL's GRPOTrainer and its like: `reward_funcs=[toolrl.trl.Reward(gold="answer", dialect="hermes")]`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from .replies import content_of, text_of
from .rubric import Rubric


class Reward:
    """A reward function that reads the gold reply, and tools where there is such a column, from the dataset.

    `gold` is the column of gold replies: texts in the dialect, or messages of OpenAI's form. With `tokenizer` a reply is decoded
    from its ids with special tokens kept up to the one that ends it, of `ends` or the tokenizer's own; TRL's own texts have lost
    those. `opened` is a column of what the template has opened of each reply, such as `<think>`, where there is one.
    Schedules of the reward count steps of `updates_a_step` updates of the weights each. It can be pickled.
    """

    def __init__(
        self,
        rubric: Rubric | None = None,
        *,
        gold: str = "gold",
        tools: str = "tools",
        opened: str = "opened",
        dialect: str = "toolrl",
        tokenizer: Any = None,
        ends: Sequence[int] = (),
        updates_a_step: int = 1,
    ) -> None:
        self.rubric = rubric or Rubric()
        self.gold, self.tools, self.opened = gold, tools, opened
        self.dialect, self.tokenizer, self.ends, self.updates_a_step = dialect, tokenizer, frozenset(ends), updates_a_step
        self.__name__ = "toolrl"

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], completion_ids: Any = None, **columns: Any
    ) -> list[float | None]:
        if self.gold not in columns:
            raise ValueError(f"the dataset has no column {self.gold!r} of gold replies, but {', '.join(sorted(columns))}")
        replies = self.texts(completions, completion_ids, columns.get(self.opened))
        golds = [text_of(gold, self.dialect) for gold in columns[self.gold]]
        tools = [_listed(of) for of in columns.get(self.tools) or []]
        totals = self.rubric.totals(
            replies, golds, dialect=self.dialect, tools=tools, progress=self._progress(columns.get("trainer_state"))
        )
        return [None if math.isnan(total) else total for total in totals]

    def texts(self, completions: Sequence[Any], completion_ids: Any = None, opened: Sequence[str] | None = None) -> list[str]:
        """The replies as they are scored."""
        if self.tokenizer is not None and completion_ids is not None:
            ends = self.ends | {self.tokenizer.eos_token_id, self.tokenizer.pad_token_id}
            turns = [ids[: next((i for i, token in enumerate(ids) if token in ends), len(ids))] for ids in completion_ids]
            completions = [self.tokenizer.decode(ids, skip_special_tokens=False) for ids in turns]
        if opened is not None:
            completions = [_after(before, reply) for before, reply in zip(opened, completions, strict=True)]
        return [text_of(reply, self.dialect) for reply in completions]

    def _progress(self, state: Any) -> tuple[int, int] | None:
        if state is None or state.max_steps <= 0:
            return None
        step, steps = state.global_step // self.updates_a_step, state.max_steps // self.updates_a_step
        return min(step + 1, steps), steps


def as_rendered(tokenizer: Any) -> Any:
    """The tokenizer as it reads rendered prompts: what a text lacks is not added to it, such as a second token at its beginning.

    TRL tokenises a prompt that is a text with the special tokens that a tokenizer adds. What is saved of it is unchanged.
    """
    kind = type(tokenizer)

    def __call__(self: Any, *args: Any, **how: Any) -> Any:
        return kind.__call__(self, *args, **({"add_special_tokens": False} | how))

    tokenizer.__class__ = type(kind.__name__, (kind,), {"__call__": __call__, "__module__": kind.__module__})
    return tokenizer


def _after(opened: str, reply: Any) -> Any:
    """A reply with what was opened of it: a text, or the last message of a conversation."""
    if isinstance(reply, str) or not opened:
        return opened + reply if opened else reply
    *before, last = reply
    return [*before, {**last, "content": opened + (content_of(last.get("content")) or "")}]


def _listed(tools: Any) -> list[dict[str, Any]]:
    """A row's tools: a list, or the text of one, as Arrow tables have it where tools differ in their keys."""
    return json.loads(tools) if isinstance(tools, str) else list(tools or [])
