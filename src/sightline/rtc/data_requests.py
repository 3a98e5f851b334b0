"""Questions and answers over a data channel: JSON objects that carry an id.

``{"id": "7", "request": …}`` asks; ``{"id": "7", "reply": …}`` or ``{"id": "7", "error": "…", "code": "…"}`` answers,
``error`` for people, ``code`` (which may be missing) for programs. Messages of any other form are none of ours and pass
by.

Commands to a device are questions of the form ``{"command": "ptz", "value": …}`` on the channel ``COMMANDS``
(docs/topics/commands.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

__all__ = [
    "COMMANDS",
    "Answer",
    "Ask",
    "Command",
    "Json",
    "encode_ask",
    "encode_error",
    "encode_reply",
    "read_command",
    "read_request",
]

COMMANDS: Final = "sightline/commands"
"""Label of the data channel on which viewers send commands."""

Json = Mapping[str, object] | list[object] | str | int | float | bool | None

_MAX_ID = 64
_CODE = re.compile(r"[a-z][a-z-]{0,39}")


class Ask(msgspec.Struct, frozen=True):
    """A question of the peer's, to be answered under the same id."""

    id: str
    value: object


class Answer(msgspec.Struct, frozen=True):
    """What the peer says to a question of ours: ``error`` is None when ``value`` counts."""

    id: str
    value: object = None
    error: str | None = None
    code: str = ""
    """Why there is no answer, for programs; empty where the peer does not say."""


class Command(msgspec.Struct, frozen=True):
    """What a viewer wants the device to do."""

    command: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    value: object = None


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
        code = value.get("code")
        known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
        return Answer(id_, error=_line(str(value["error"])), code=known)
    return Answer(id_, value["reply"]) if "reply" in value else None


def encode_ask(id_: str, value: Json) -> str:
    """The text of a question."""
    return msgspec.json.encode({"id": id_, "request": value}).decode()


def encode_reply(id_: str, value: Json) -> str:
    """The text of an answer."""
    return msgspec.json.encode({"id": id_, "reply": value}).decode()


def encode_error(id_: str, reason: str, code: str = "") -> str:
    """The text that says that there is no answer, and why: for people, and by a ``code`` for programs."""
    more = {"code": code} if code else {}
    return msgspec.json.encode({"id": id_, "error": reason, **more}).decode()


def read_command(value: object) -> Command | None:
    """The command that a question asks for, None when it is of another form."""
    try:
        return msgspec.convert(value, Command)
    except msgspec.ValidationError:
        return None


def _line(text: str) -> str:
    """May end up in somebody's terminal: what is not printable is left out."""
    return "".join(character for character in text[:1000] if character.isprintable())
