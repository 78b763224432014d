"""The recipe's reward: reward.toml, by the package toolrl, which scores as toolrl does."""

from pathlib import Path

import settings
import toolrl
from transformers import AutoTokenizer

HERE = Path(__file__).resolve().parent

scorer = toolrl.trl.Reward(
    toolrl.Rubric.of_recipe(HERE / "reward.toml"),
    dialect=settings.DIALECT,
    tokenizer=AutoTokenizer.from_pretrained(HERE / "tokenizer"),
    ends=settings.ENDS,
    updates_a_step=settings.UPDATES_A_STEP,
)


def reward(prompts, completions, completion_ids, **columns):
    """Each reply's reward; the columns `gold`, `tools` and `opened` are read."""
    return scorer(prompts, completions, completion_ids, **columns)
