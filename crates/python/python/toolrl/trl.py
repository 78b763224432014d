"""A reward for TRL's GRPOTrainer and its like: `reward_funcs=[toolrl.trl.Reward(gold="answer", dialect="hermes")]`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from .replies import text_of
from .rubric import Rubric


class Reward:
    """A reward function that reads the gold reply, and tools where there is such a column, from the dataset.

    `gold` is the column of gold replies: texts in the dialect, or messages of OpenAI's form. With `tokenizer` a reply is decoded
    from its ids with special tokens kept up to the one that ends it; TRL's own texts have lost those. It can be pickled.
    """

    def __init__(
        self,
        rubric: Rubric | None = None,
        *,
        gold: str = "gold",
        tools: str = "tools",
        dialect: str = "toolrl",
        tokenizer: Any = None,
    ) -> None:
        self.rubric = rubric or Rubric()
        self.gold, self.tools, self.dialect, self.tokenizer = gold, tools, dialect, tokenizer
        self.__name__ = "toolrl"

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], completion_ids: Any = None, **columns: Any
    ) -> list[float | None]:
        if self.gold not in columns:
            raise ValueError(f"the dataset has no column {self.gold!r} of gold replies, but {', '.join(sorted(columns))}")
        replies = [text_of(reply, self.dialect) for reply in self._texts(completions, completion_ids)]
        golds = [text_of(gold, self.dialect) for gold in columns[self.gold]]
        tools = [_listed(of) for of in columns.get(self.tools) or []]
        state = columns.get("trainer_state")
        progress = (state.global_step + 1, state.max_steps) if state is not None and state.max_steps > 0 else None
        totals = self.rubric.totals(replies, golds, dialect=self.dialect, tools=tools, progress=progress)
        return [None if math.isnan(total) else total for total in totals]

    def _texts(self, completions: Sequence[Any], completion_ids: Any) -> Sequence[Any]:
        if self.tokenizer is None or completion_ids is None:
            return completions
        ends = {self.tokenizer.eos_token_id, self.tokenizer.pad_token_id}
        turns = [ids[: next((i for i, token in enumerate(ids) if token in ends), len(ids))] for ids in completion_ids]
        return [self.tokenizer.decode(ids, skip_special_tokens=False) for ids in turns]


def _listed(tools: Any) -> list[dict[str, Any]]:
    """A row's tools: a list, or the text of one, as Arrow tables have it where tools differ in their keys."""
    return json.loads(tools) if isinstance(tools, str) else list(tools or [])
