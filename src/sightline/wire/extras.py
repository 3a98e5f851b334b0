"""What a Sightline's signaling says beyond KVS, to sockets that asked for it by ``X-Sightline-Extras=1``.

Names hold a slash and small letters, which no action of KVS has, so the two can never be taken for each other; and
nobody sends any of them to AWS. Six there are:

======================  ===============================  ======================================================
``sightline/presence``  master → service                 how its viewers are (``Presence``); the latest is kept
``sightline/viewer``    service → master                 a viewer's signaling socket opened or closed
``sightline/master``    service → viewer                 whether the master is there: at once, and at each change
``sightline/farewell``  viewer → service → master        the viewer leaves for good: its page closes
``sightline/ask``       viewer → service                 is the master alive? Answered by ``sightline/master``
``sightline/notice``    service, or master → service,    why there is no picture: a ``Reason`` and a sentence
                        → viewer
======================  ===============================  ======================================================

All but the first carry JSON in ``messagePayload`` as every message does. A presence report is larger than a payload may
be, so its members stand in the frame itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeVar

import msgspec

from ..errors import MalformedMessage
from ..reasons import REASONS, Reason
from .messages import MAX_FRAME, encode_relayed
from .payload import encode_payload

__all__ = [
    "Extra",
    "MasterState",
    "Notice",
    "Presence",
    "SocketState",
    "ViewerPresence",
    "ViewerRole",
    "decode_presence",
    "empty_payload",
    "encode_notice",
    "encode_presence",
    "master_payload",
    "master_state",
    "notice_frame",
    "read_notice",
    "viewer_socket_payload",
    "viewer_socket_state",
]


class Extra(StrEnum):
    """The messages beyond KVS; the same name as action and as message type."""

    PRESENCE = "sightline/presence"
    VIEWER = "sightline/viewer"
    MASTER = "sightline/master"
    FAREWELL = "sightline/farewell"
    ASK = "sightline/ask"
    NOTICE = "sightline/notice"


class ViewerRole(StrEnum):
    """What a viewer may do beside watching; the service says so to the master, by the key or link of its socket."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    """May also send commands to the device (docs/topics/commands.md)."""


_Role = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]


class SocketState(msgspec.Struct, frozen=True):
    """Of a viewer's signaling socket, as its master is told. ``extras``: it asked for them too."""

    open: bool
    extras: bool = False
    role: _Role | None = None
    """A ``ViewerRole``, or one of a newer service. None: the service does not say, or its key was revoked."""


class MasterState(msgspec.Struct, frozen=True):
    """Of a channel's master, as its viewers are told. ``ours``: it asked for extras, so it answers restarts."""

    present: bool
    ours: bool = False


class Notice(msgspec.Struct, frozen=True):
    """Why there is no picture."""

    reason: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    """An id of ``sightline.reasons``, or one that this version does not know."""
    message: str = ""
    """A sentence for people: printable, and not long."""


_ClientId = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_.\-]{1,256}\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{0,40}\Z")]
# Ends up in somebody's terminal: no control characters.
_Line = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,200}\Z")]
_Rate = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class ViewerPresence(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A viewer as its master reports it; times in seconds, rates in bits per second."""

    client_id: _ClientId
    connection_state: Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
    ice_connection_state: Literal["new", "checking", "connected", "completed", "disconnected", "failed", "closed"]
    since: Annotated[float, msgspec.Meta(ge=0, le=1e11)]
    """Epoch seconds by the master's clock."""
    was_connected: bool = False
    """Whether it counts as a viewer; else it is still connecting."""
    reason: _Word = ""
    candidate_pair: _Line | None = None
    round_trip_time: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    loss: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    bitrate: _Rate | None = None
    available_bitrate: _Rate | None = None
    rendition: _Word | None = None
    """The size in which it gets the pictures, for instance ``720p``."""
    role: _Role | None = None
    """What it may do, as its master has been told of it (``SocketState``) and goes by."""


class Presence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A report: the viewers, and how many there are where not all fit into one frame."""

    viewers: Annotated[tuple[ViewerPresence, ...], msgspec.Meta(max_length=2000)]
    total: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _PresenceFrame(Presence, frozen=True, kw_only=True, rename="camel", tag_field="action", tag=Extra.PRESENCE.value):
    pass


_Content = TypeVar("_Content")


_MAX_SENTENCE = 500
"""Characters of a notice's sentence that are kept."""

_frame_decoder = msgspec.json.Decoder(_PresenceFrame)


def encode_presence(viewers: tuple[ViewerPresence, ...]) -> bytes:
    """The frame for as many of the viewers as fit."""
    kept = viewers
    while True:
        frame = msgspec.json.encode(_PresenceFrame(viewers=kept, total=len(viewers)))
        if len(frame) <= MAX_FRAME:
            return frame
        kept = kept[: len(kept) * MAX_FRAME // (len(frame) + 1)]


def decode_presence(frame: bytes | str) -> Presence:
    """Read a frame whose action is ``sightline/presence``; raises MalformedMessage."""
    try:
        found = _frame_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage(f"The presence report is not right: {error}") from error
    return Presence(viewers=found.viewers, total=found.total)


def viewer_socket_payload(state: SocketState) -> str:
    """The payload of ``sightline/viewer``."""
    content: dict[str, object] = {"open": state.open, "extras": state.extras}
    return encode_payload(content if state.role is None else {**content, "role": state.role})


def viewer_socket_state(content: dict[str, object]) -> SocketState:
    """Read it; raises MalformedMessage."""
    return _converted(content, SocketState)


def master_payload(state: MasterState) -> str:
    """The payload of ``sightline/master``."""
    return encode_payload(msgspec.to_builtins(state))


def master_state(content: dict[str, object]) -> MasterState:
    """Read it; raises MalformedMessage."""
    return _converted(content, MasterState)


def encode_notice(reason: Reason, message: str = "") -> str:
    """The payload of ``sightline/notice``: the reason for programs, a sentence for people (else the reason's own)."""
    return encode_payload({"reason": reason.value, "message": message[:_MAX_SENTENCE] or REASONS[reason].message})


def notice_frame(reason: Reason, message: str = "") -> bytes:
    """The frame with which a service gives a notice."""
    return encode_relayed(Extra.NOTICE.value, encode_notice(reason, message), "")


def read_notice(content: dict[str, object]) -> Notice:
    """Read a notice; raises MalformedMessage.

    Its sentence may end up in somebody's terminal: what is not printable is left out. Where there is none, a reason
    that is known has its own.
    """
    found = _converted(content, Notice)
    text = "".join(character for character in found.message[:_MAX_SENTENCE] if character.isprintable())
    if not text and found.reason in REASONS:
        text = REASONS[Reason(found.reason)].message
    return Notice(found.reason, text)


def empty_payload() -> str:
    """The payload of ``sightline/farewell`` and ``sightline/ask``: every message has one."""
    return encode_payload({})


def _converted(content: dict[str, object], kind: type[_Content]) -> _Content:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"The message is not right: {error}") from error
