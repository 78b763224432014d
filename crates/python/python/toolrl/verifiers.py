"""A reward for tasks of verifiers (`verifiers.v1`):

    class Task(vf.Task[Data]):
        calls = toolrl.verifiers.reward(gold="answer")
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .replies import text_of
from .rubric import Rubric


def reward(
    rubric: Rubric | None = None, *, gold: str = "answer", tools: str = "tools", dialect: str = "hermes", weight: float = 1.0
) -> Callable[..., Any]:
    """A task's reward: its last reply held against the gold one in the field `gold` of its data, a text or a message.

    Tools are read from the data's field `tools`, where it has one. A reply that is to teach nothing earns 0: verifiers has no
    reward that it leaves out, and a mean with a NaN is none.
    """
    import verifiers.v1 as vf

    rubric = rubric or Rubric()

    async def calls(self: Any, trace: Any) -> float:
        said = trace.assistant_messages
        reply = text_of(_message(said[-1]), dialect) if said else ""
        expected = text_of(getattr(self.data, gold), dialect)
        total = rubric.total(reply, expected, dialect=dialect, tools=getattr(self.data, tools, None) or [])
        return 0.0 if math.isnan(total) else total

    return vf.reward(calls, weight=weight)


def _message(said: Any) -> dict[str, Any]:
    message = said.model_dump(exclude_none=True)
    calls = message.get("tool_calls") or []
    return message | {"tool_calls": [{"function": {"name": of["name"], "arguments": of["arguments"]}} for of in calls]}
