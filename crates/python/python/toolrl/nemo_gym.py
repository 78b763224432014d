"""A reward for a resources server of NeMo Gym: what its `/verify` answers.

    async def verify(self, body):
        return Response(**toolrl.nemo_gym.verify(body.model_dump()))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .replies import message_of, text_of
from .rubric import Rubric


def verify(
    body: Mapping[str, Any], rubric: Rubric | None = None, *, gold: str = "gold", dialect: str = "hermes"
) -> dict[str, Any]:
    """The body of a `/verify` request with `reward`, and `reward_components` by the terms' names.

    The gold reply is the row's field `gold`: a text in the dialect, a message, or output items; tools are those of
    `responses_create_params`.
    """
    expected = body[gold]
    if isinstance(expected, list):
        expected = message_of(expected)
    reply = text_of(message_of(body["response"]["output"]), dialect)
    tools = (body.get("responses_create_params") or {}).get("tools") or []
    listed = [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]
    score = (rubric or Rubric()).score(reply, text_of(expected, dialect), dialect=dialect, tools=listed)
    components = {name: term.value for name, term in score.terms.items()}
    return {**body, "reward": score.total, "reward_components": components}
