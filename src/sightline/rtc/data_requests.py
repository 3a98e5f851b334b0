"""Questions and answers over a data channel: JSON objects that carry an id.

``{"id": "7", "request": …}`` asks; ``{"id": "7", "reply": …}`` or ``{"id": "7", "error": "…"}`` answers. Messages of
any other form are none of ours and pass by.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Answer", "Ask", "Json", "encode_ask", "encode_error", "encode_reply", "read_request"]

Json = Mapping[str, object] | list[object] | str | int | float | bool | None

_MAX_ID = 64


class Ask(msgspec.Struct, frozen=True):
    """A question of the peer's, to be answered under the same id."""

    id: str
    value: object


class Answer(msgspec.Struct, frozen=True):
    """What the peer says to a question of ours: ``error`` is None when ``value`` counts."""

    id: str
    value: object = None
    error: str | None = None


def read_request(message: str) -> Ask | Answer | None:
    """A question or an answer, None for any other message."""
    if not message.startswith("{"):
        return None
    try:
        value = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    id_ = value.get("id")
    if not isinstance(id_, str) or len(id_) > _MAX_ID:
        return None
    if "request" in value:
        return Ask(id_, value["request"])
    if "error" in value:
        return Answer(id_, error=str(value["error"])[:1000])
    return Answer(id_, value["reply"]) if "reply" in value else None


def encode_ask(id_: str, value: Json) -> str:
    """The text of a question."""
    return msgspec.json.encode({"id": id_, "request": value}).decode()


def encode_reply(id_: str, value: Json) -> str:
    """The text of an answer."""
    return msgspec.json.encode({"id": id_, "reply": value}).decode()


def encode_error(id_: str, reason: str) -> str:
    """The text that says that there is no answer, and why."""
    return msgspec.json.encode({"id": id_, "error": reason}).decode()
