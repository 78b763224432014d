import json

import pytest
import toolrl

ROW = {
    "messages": [
        {"role": "user", "content": "Rome?"},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}}]},
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}],
}


def test_each_reply_is_a_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    rows = toolrl.load(path)
    assert [row["messages"][-1].get("content") or "call" for row in rows] == ["call", "It is sunny."]
    assert len(toolrl.load(path, turns="last")) == 1
    toolrl.convert(path, tmp_path / "out.parquet", "verl")
    assert (tmp_path / "out.parquet").read_bytes()[:4] == b"PAR1"
    toolrl.convert(path, tmp_path / "out.jsonl", "toolrl")
    assert "<tool_call>" in (tmp_path / "out.jsonl").read_text()


def test_what_is_wrong_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n{\n")
    with pytest.raises(ValueError, match="rows.jsonl.*2"):
        toolrl.load(path)
    with pytest.raises(ValueError, match="turns = 'first'"):
        toolrl.load(path, turns="first")
    with pytest.raises(ValueError, match="csv"):
        toolrl.convert(path, tmp_path / "out", "csv")
    with pytest.raises(ValueError, match="gone"):
        toolrl.load(tmp_path / "gone")
