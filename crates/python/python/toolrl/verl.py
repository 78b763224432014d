"""A reward for verl, in the place of its copy of ToolRL's (`verl/utils/reward_score/rlla.py`):

    reward.custom_reward_function.path=$(python -c "import toolrl.verl; print(toolrl.verl.__file__)")
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.reward=star
"""

from __future__ import annotations

import functools
import json
from typing import Any

from toolrl.replies import text_of
from toolrl.rubric import Rubric


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    *,
    reward: str | None = None,
    recipe: str | None = None,
    dialect: str = "toolrl",
    **_: Any,
) -> dict[str, float]:
    """The reward of a reply: `score`, each term's value by its name, and `format_reward` and `accuracy_reward` as rlla.py has them.

    `ground_truth` is the gold reply, a text in the dialect or a message; `reward` names a preset, `recipe` a TOML file with
    `[[reward]]`; tools are read from `extra_info["tools"]`, and from `extra_info["opened"]` what the template has opened of the
    reply, such as `<think>`. Every key that GDPO asks for is there for every reply.
    """
    info = extra_info or {}
    tools = info.get("tools")
    tools = json.loads(tools) if isinstance(tools, str) else list(tools or [])
    reply, gold = text_of((info.get("opened") or "") + solution_str, dialect), text_of(ground_truth, dialect)
    score = _rubric(reward, recipe).score(reply, gold, dialect=dialect, tools=tools)
    values = {name: term.value for name, term in score.terms.items()}
    names = {"format": "format_reward", "correctness": "accuracy_reward"}
    return {"score": score.total, **values, **{names[name]: value for name, value in values.items() if name in names}}


@functools.cache
def _rubric(reward: str | None, recipe: str | None) -> Rubric:
    return Rubric(reward) if recipe is None else Rubric.of_recipe(recipe)
