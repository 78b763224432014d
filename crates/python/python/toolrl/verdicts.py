"""The official verdicts of BFCL V3 and the released ones of API-Bank, without their code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from typing import Any

from . import _native


class Bfcl:
    """BFCL V3's cases, from the folder `bfcl_eval/data` of the package bfcl-eval 2025.8.6.2."""

    def __init__(self, data: str | PathLike[str]) -> None:
        self._native = _native.Bfcl(data)

    def verdict(self, row: dict[str, Any]) -> dict[str, Any]:
        """The verdict on a row: `id` and decoded `output` of one turn; `raw`, a reply of ToolRL's to decode; or `id` and `turns`."""
        return json.loads(self._native.verdict(json.dumps(row)))


class ApiBank:
    """API-Bank's cases, from the folder of `level-1-api_processed.json` to `level-3-api_processed.json`."""

    def __init__(self, data: str | PathLike[str], levels: Sequence[int] = (1, 2, 3)) -> None:
        self._native = _native.ApiBank(data, list(levels))

    def verdict(self, row: dict[str, Any]) -> dict[str, Any]:
        """The scores of a row with `level`, `id` and `raw_output`."""
        return json.loads(self._native.verdict(json.dumps(row)))
