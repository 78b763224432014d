"""The recipe's reward: reward.toml, by the package toolrl, which scores as toolrl does."""

from pathlib import Path

import toolrl.verl

DIALECT = "@DIALECT@"
RECIPE = str(Path(__file__).resolve().parent / "reward.toml")


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **more):
    """A reply's reward as `score`, beside each term's value; `tools` and `opened` are read of `extra_info`."""
    return toolrl.verl.compute_score(
        data_source, solution_str, ground_truth, extra_info, recipe=RECIPE, dialect=DIALECT, **more
    )
