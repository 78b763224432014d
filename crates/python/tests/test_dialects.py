import json

import pytest
import toolrl

CALL = {"function": {"name": "weather", "arguments": {"city": "Rom\u00e9", "days": 2**70}}}


def test_every_dialect_reads_what_it_writes():
    assert len(toolrl.DIALECTS) == 17 and "hermes" in toolrl.DIALECTS
    for dialect in toolrl.DIALECTS:
        parameters = {"city": {"type": "string"}, "days": {"type": "integer"}}
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": parameters}}}]
        call = CALL | {"id": "functions.weather:0"}
        message = {"role": "assistant", "reasoning_content": "I ask.", "content": None, "tool_calls": [call]}
        parsed = toolrl.parse(toolrl.write(message, dialect), dialect, tools)
        assert parsed["outcome"] == "whole", (dialect, parsed)
        assert [of["name"] for of in parsed["calls"]] == ["weather"]
        assert parsed["calls"][0]["arguments"] == CALL["function"]["arguments"], dialect


def test_faults_are_placed():
    parsed = toolrl.parse('<tool_call>\n{"name": "f", ]', "hermes")
    assert parsed["outcome"] == "malformed" and parsed["at"] > 10 and parsed["faults"], parsed
    lone = toolrl.parse("\ud800", "hermes")
    assert lone["response"] == "\ud800"


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="herms.*hermes"):
        toolrl.parse("", "herms")
    with pytest.raises(ValueError, match="tool_calls"):
        toolrl.write({"tool_calls": 3}, "hermes")


def test_a_directory_is_asked(tmp_path):
    with pytest.raises(ValueError, match="tokenizer"):
        toolrl.detect(tmp_path)


def test_stubs_name_what_is_there():
    from pathlib import Path

    import toolrl._native

    stub = (Path(toolrl.__file__).parent / "_native.pyi").read_text()
    names = [name for name in dir(toolrl._native) if not name.startswith("_")]
    assert names and all(f"{name}(" in stub or f"class {name}" in stub for name in names), json.dumps(names)
