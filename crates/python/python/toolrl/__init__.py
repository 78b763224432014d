"""Rewards, call formats, data forms and benchmark verdicts for training language models to call tools.

>>> import toolrl
>>> rubric = toolrl.Rubric()
>>> gold = '<think>a</think>\\n<tool_call>\\n{"name": "weather", "parameters": {"city": "Rome"}}\\n</tool_call>'
>>> rubric.total(gold.replace("Rome", "Oslo"), gold)
2.0

`toolrl.trl`, `toolrl.verl`, `toolrl.verifiers` and `toolrl.nemo_gym` hand rewards to other trainers.
"""

from . import nemo_gym, trl, verifiers, verl
from .data import convert, load
from .dialects import DIALECTS, detect, parse, write
from .rubric import Rubric, Score, Term
from .verdicts import ApiBank, Bfcl

__all__ = [
    "DIALECTS", "ApiBank", "Bfcl", "Rubric", "Score", "Term", "convert", "detect", "load", "nemo_gym", "parse", "trl",
    "verifiers", "verl", "write",
]
