from pathlib import Path

import pytest
import toolrl

FIXTURES = Path(__file__).parents[3] / "fixtures"


def test_bfcl():
    bfcl = toolrl.Bfcl(FIXTURES / "bfcl_v3")
    right = bfcl.verdict({"id": "live_simple_0-0-0", "output": [{"kitchen.boil": {"litres": 1}}]})
    assert right == {"id": "live_simple_0-0-0", "valid": True, "error_type": None}
    assert not bfcl.verdict({"id": "live_simple_0-0-0", "output": []})["valid"]
    decoded = bfcl.verdict({"raw": '<tool_call>\n{"name": "f", "parameters": {"a": 1}}\n</tool_call>'})
    assert decoded["decode_ast"] == [{"f": {"a": 1}}]
    with pytest.raises(ValueError, match="simple_99"):
        bfcl.verdict({"id": "simple_99", "output": []})


def test_api_bank():
    bank = toolrl.ApiBank(FIXTURES / "api_bank")
    assert bank.verdict({"level": 1, "id": 0, "raw_output": "nothing"})["score"] == 0
    with pytest.raises(ValueError, match="level 4"):
        toolrl.ApiBank(FIXTURES / "api_bank", levels=[4])
