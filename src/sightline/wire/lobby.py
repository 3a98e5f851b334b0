"""The lobby's messages: the JSON of the published MDN sample (MDN_CALL.md), checked and built anew.

Nothing that a client says is passed on as it came. What a message may hold is read here, and the frame for its receiver
is made of just that, with the name of the connection that it came from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..errors import MalformedMessage
from ..reasons import LOBBY_REASONS, LobbyReason

__all__ = [
    "LOBBY_REASONS",
    "MAX_LOBBY_FRAME",
    "MAX_TEXT",
    "MAX_USER_NAME",
    "CallMessage",
    "ChatMessage",
    "LobbyReason",
    "LobbyRefusal",
    "NameClaim",
    "Ping",
    "another_name",
    "call_frame",
    "chat_frame",
    "check_user_name",
    "decode_lobby_message",
    "error_frame",
    "id_frame",
    "kind_of",
    "name_given_frame",
    "pong_frame",
    "user_changes_frame",
    "user_list_frame",
]

MAX_LOBBY_FRAME: Final = 64 * 1024
"""Bytes of a frame: the sample's largest, its second offer, has 11 kB."""
MAX_TEXT: Final = 2000
"""Characters of a chat line."""
MAX_USER_NAME: Final = 32

_NAME_PUNCTUATION: Final = frozenset(" ._-")
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters to Unicode (Hangul fillers), and nothing to the eye: with them two names could look the same."""
_SPACES: Final = re.compile(" {2,}")
_TAG: Final = re.compile(r"<[^>]*>")
_WORD: Final = re.compile(r"[a-z-]{1,40}")
_SDP_TYPES: Final = {"video-offer": "offer", "video-answer": "answer"}


class LobbyRefusal(MalformedMessage):
    """A message that the lobby does not take; its sender is told ``reason``."""

    id = "wire/lobby-refusal"

    def __init__(self, reason: LobbyReason, *, about: str = "", target: str | None = None) -> None:
        super().__init__(LOBBY_REASONS[reason])
        self.reason = reason
        self.about = about
        self.target = target


class NameClaim(msgspec.Struct, frozen=True):
    """``username``. ``resume`` is what the claimant's last connection was told; empty where there was none."""

    name: str
    resume: str = ""
    asked: str = ""
    """The wish as it came, where it is not the name: its owner has to be told."""


class ChatMessage(msgspec.Struct, frozen=True):
    """``message``; without a target it is for the whole room."""

    text: str
    target: str | None = None


class CallMessage(msgspec.Struct, frozen=True):
    """``video-offer``, ``video-answer``, ``new-ice-candidate`` or ``hang-up``.

    ``content`` has the members that are passed on beside the names. Only a hang-up may do without a target.
    """

    kind: str
    target: str | None
    content: dict[str, object]


class Ping(msgspec.Struct, frozen=True):
    """``ping``: whether the service is there. Browsers cannot send the WebSocket's own."""


_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def check_user_name(text: object) -> str:
    """The name as it is shown (NFC, no spaces around it, one between words); raises LobbyRefusal.

    Letters and digits are those of Unicode (``\\p{L}``, ``\\p{N}``). Nothing that HTML knows is among them: the sample
    prints names as HTML.
    """
    # Before all else, so that nobody has a megabyte normalised. NFC never makes four times less of a text.
    if isinstance(text, str) and len(text) <= 4 * MAX_USER_NAME:
        name = _SPACES.sub(" ", unicodedata.normalize("NFC", text).strip(" "))
        if 0 < len(name) <= MAX_USER_NAME and all(map(_is_name_character, name)):
            return name
    raise LobbyRefusal(LobbyReason.BAD_NAME, about="username")


def _is_name_character(character: str) -> bool:
    if character in _INVISIBLE:
        return False
    return character in _NAME_PUNCTUATION or unicodedata.category(character)[0] in "LN"


def another_name(name: str, number: int) -> str:
    """A name like it, for somebody whose wish is taken: ``alice`` becomes ``alice1``."""
    suffix = str(number)
    return name[: MAX_USER_NAME - len(suffix)] + suffix


def decode_lobby_message(frame: bytes | str) -> NameClaim | ChatMessage | CallMessage | Ping:
    """Read a client's frame; raises LobbyRefusal. Who it says it is (``name``, ``id``) is not even looked at."""
    if len(frame) > MAX_LOBBY_FRAME:
        raise LobbyRefusal(LobbyReason.TOO_LARGE)
    try:
        message = _decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise LobbyRefusal(LobbyReason.MALFORMED) from None
    kind = message.get("type")
    if not isinstance(kind, str):
        raise LobbyRefusal(LobbyReason.MALFORMED)
    match kind:
        case "username":
            asked, resume = message.get("name"), message.get("resume")
            name = check_user_name(asked)
            return NameClaim(name, resume if isinstance(resume, str) else "", "" if asked == name else str(asked))
        case "message":
            return _chat(message)
        case "ping":
            return Ping()
        case "video-offer" | "video-answer" | "new-ice-candidate" | "hang-up":
            return _call(kind, message)
        case _:
            raise LobbyRefusal(LobbyReason.UNKNOWN_TYPE, about=kind[:40])


def kind_of(message: NameClaim | ChatMessage | CallMessage | Ping) -> str:
    """The type that it came with."""
    match message:
        case CallMessage(kind=kind):
            return kind
        case NameClaim():
            return "username"
        case ChatMessage():
            return "message"
        case Ping():
            return "ping"


def _chat(message: dict[str, Any]) -> ChatMessage:
    text = message.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise LobbyRefusal(LobbyReason.BAD_MESSAGE, about="message")
    return ChatMessage(text, _target("message", message))


def _call(kind: str, message: dict[str, Any]) -> CallMessage:
    target = _target(kind, message)
    content: dict[str, object] = {}
    if kind == "hang-up":
        reason = message.get("reason")
        if isinstance(reason, str) and _WORD.fullmatch(reason):
            content["reason"] = reason
        return CallMessage(kind, target, content)
    if target is None:
        raise LobbyRefusal(LobbyReason.UNKNOWN_TARGET, about=kind)
    if kind == "new-ice-candidate":
        content["candidate"] = _candidate(message.get("candidate"), target)
    else:
        content["sdp"] = _description(kind, message.get("sdp"), target)
    return CallMessage(kind, target, content)


def _description(kind: str, value: object, target: str) -> dict[str, object]:
    if isinstance(value, dict) and value.get("type") == _SDP_TYPES[kind]:
        text = value.get("sdp")
        if isinstance(text, str) and text:
            return {"type": _SDP_TYPES[kind], "sdp": text}
    raise LobbyRefusal(LobbyReason.BAD_MESSAGE, about=kind, target=target)


def _candidate(value: object, target: str) -> dict[str, object] | None:
    """An ``RTCIceCandidateInit``, or None for the end of candidates, which the sample never sends and others may."""
    if value is None:
        return None
    if isinstance(value, dict):
        text, mid, index = value.get("candidate"), value.get("sdpMid"), value.get("sdpMLineIndex")
        fragment = value.get("usernameFragment")
        right = (
            isinstance(text, str)
            and all(part is None or (isinstance(part, str) and len(part) <= 256) for part in (mid, fragment))
            and (index is None or (type(index) is int and 0 <= index < 1 << 16))
        )
        if right:
            return {"candidate": text, "sdpMid": mid, "sdpMLineIndex": index, "usernameFragment": fragment}
    raise LobbyRefusal(LobbyReason.BAD_MESSAGE, about="new-ice-candidate", target=target)


def _target(kind: str, message: dict[str, Any]) -> str | None:
    target = message.get("target")
    if target is None or target == "":
        return None
    try:
        return check_user_name(target)
    except LobbyRefusal:
        raise LobbyRefusal(LobbyReason.UNKNOWN_TARGET, about=kind) from None


# ---------------------------------------------------------------------------------------------- what goes out


def id_frame(number: int, resume: str) -> bytes:
    """The first frame of a connection."""
    return _encode({"type": "id", "id": number, "resume": resume})


def pong_frame() -> bytes:
    """The reply to a ``ping``; what came before it on the same socket has been dealt with."""
    return _encode({"type": "pong"})


def name_given_frame(number: int, name: str) -> bytes:
    """``rejectusername``: the wish was taken, and this name was given instead."""
    return _encode({"type": "rejectusername", "id": number, "name": name})


def user_list_frame(users: Sequence[str]) -> bytes:
    """Everybody in the room who has a name, in the order of their coming."""
    return _encode({"type": "userlist", "users": users})


def user_changes_frame(left: Sequence[str], joined: Sequence[str]) -> bytes:
    """What changed since the last list or change, for those who asked for it: first the ones who left."""
    return _encode({"type": "users", "left": left, "joined": joined})


def call_frame(message: CallMessage, sender: str, target: str) -> bytes:
    """A call's message for its receiver."""
    return _encode({"type": message.kind, "name": sender, "target": target, **message.content})


def chat_frame(message: ChatMessage, sender: str, *, plain: bool) -> bytes:
    """A chat line. Who shows it as HTML, as the sample does, gets it without tags and angle brackets (not `plain`)."""
    text = message.text if plain else _TAG.sub("", message.text).replace("<", "").replace(">", "")
    frame: dict[str, object] = {"type": "message", "text": text, "name": sender}
    if message.target is not None:
        frame["target"] = message.target
    return _encode(frame)


def error_frame(refusal: LobbyRefusal) -> bytes:
    """What the sender of a refused message is told; the sample logs types that it does not know."""
    return _encode(
        {
            "type": "error",
            "reason": refusal.reason.value,
            "message": refusal.message,
            "about": refusal.about,
            "target": refusal.target,
        }
    )
