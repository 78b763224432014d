"""What other programs hand over of a reply, as the text that a reward reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .dialects import write


def text_of(reply: Any, dialect: str) -> str:
    """The text of a turn: a string as it is, white space around it cut off; a message of OpenAI's form, or the last of several.

    A message with `tool_calls` or `reasoning_content` is written in the dialect: a server or a template has taken it apart. Its
    content may be a text or parts of text.
    """
    if isinstance(reply, str):
        return reply.strip()
    if isinstance(reply, Sequence) and reply:
        return text_of(reply[-1], dialect)
    if not isinstance(reply, Mapping):
        raise ValueError(f"a reply is a text, a message or messages, not {reply!r}")
    parts = {"content": content_of(reply.get("content"))} | {key: reply.get(key) for key in ("reasoning_content", "tool_calls")}
    if parts["tool_calls"] or parts["reasoning_content"]:
        return write({key: part for key, part in parts.items() if part is not None}, dialect)
    return (parts["content"] or "").strip()


def content_of(content: Any) -> str | None:
    """The text of a message's content: a text, or the texts of its parts."""
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, Sequence) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "".join(part.get("text") or "" for part in content)
    raise ValueError(f"a message's content is a text or parts of text, not {content!r}")


def message_of(output: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message of an output of OpenAI's Responses form: its items `reasoning`, `function_call` and `message`."""
    thoughts, said, calls = [], [], []
    for item in output:
        match item.get("type"):
            case "reasoning":
                thoughts += [part.get("text", "") for part in [*(item.get("summary") or []), *(item.get("content") or [])]]
            case "message" if item.get("role", "assistant") == "assistant":
                content = item.get("content") or ""
                said += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
            case "function_call":
                calls.append({"function": {"name": item["name"], "arguments": item.get("arguments") or "{}"}})
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said)}
    return message | ({"reasoning_content": "".join(thoughts)} if thoughts else {}) | ({"tool_calls": calls} if calls else {})
