"""What goes over the lobby's socket, as a member sees it (docs/topics/calls.md): frames to values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from ..errors import MalformedMessage
from ..sessions.call import messages as machine
from ..sessions.call.messages import Description

__all__ = [
    "PING",
    "ChatLine",
    "Greeting",
    "LobbyMessage",
    "NameGiven",
    "Pong",
    "Refusal",
    "UserChanges",
    "UserList",
    "answer_frame",
    "candidate_frame",
    "chat_frame",
    "claim_frame",
    "hang_up_frame",
    "offer_frame",
    "read_lobby_frame",
]

_encode = msgspec.json.Encoder().encode

PING: Final = _encode({"type": "ping"})


class Greeting(msgspec.Struct, frozen=True, tag="id"):
    """The first frame of a connection. ``resume`` proves to the service that the next one is ours too."""

    id: int | str | None = None
    resume: str = ""

    def __repr__(self) -> str:
        return f"Greeting({self.id!r}, …)"


class NameGiven(msgspec.Struct, frozen=True, tag="rejectusername"):
    """Another has the name that we claimed; this one was given instead."""

    name: str


class UserList(msgspec.Struct, frozen=True, tag="userlist"):
    """All who have a name, in the order of their coming; the sample's own server lists those without as null."""

    users: list[str | None]

    def applied_to(self, before: Sequence[str]) -> tuple[str, ...]:
        """The list after it."""
        return tuple(user for user in self.users if user is not None)


class UserChanges(msgspec.Struct, frozen=True, tag="users"):
    """What changed since the last list or change."""

    left: list[str] = []
    joined: list[str] = []

    def applied_to(self, before: Sequence[str]) -> tuple[str, ...]:
        """The list after it."""
        gone = {*self.left, *self.joined}
        return (*(user for user in before if user not in gone), *self.joined)


class ChatLine(msgspec.Struct, frozen=True, tag="message"):
    """Somebody wrote to us, or to the whole room."""

    text: str
    name: str = ""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The service is there, and has dealt with what came before the ``PING``."""


class Refusal(msgspec.Struct, frozen=True, tag="error"):
    """A message of ours was not taken; ``reason`` is an id of docs/topics/calls.md."""

    reason: str
    message: str = ""
    about: str = ""
    target: str | None = None


class _Offer(msgspec.Struct, tag="video-offer"):
    name: str
    sdp: Description


class _Answer(msgspec.Struct, tag="video-answer"):
    name: str
    sdp: Description


class _Candidate(msgspec.Struct, tag="new-ice-candidate"):
    candidate: dict[str, object] | None
    name: str | None = None


class _HangUp(msgspec.Struct, tag="hang-up"):
    name: str
    reason: str | None = None


LobbyMessage: TypeAlias = (
    Greeting
    | NameGiven
    | UserList
    | UserChanges
    | ChatLine
    | Pong
    | Refusal
    | machine.Offer
    | machine.Answer
    | machine.Candidate
    | machine.RemoteHangUp
)

_Frame: TypeAlias = (
    Greeting | NameGiven | UserList | UserChanges | ChatLine | Pong | Refusal | _Offer | _Answer | _Candidate | _HangUp
)
_decode = msgspec.json.Decoder(_Frame).decode


def read_lobby_frame(frame: str | bytes) -> LobbyMessage | None:
    """Read a frame of the service; a call's message comes as the machine takes it. None: there is nothing in it.

    Raises MalformedMessage for what cannot be read, and for a type that is not known.
    """
    message: _Frame
    try:
        message = _decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage(f"The lobby's frame is not of its form: {error}") from None
    match message:
        case _Offer(name=name, sdp=description):
            return machine.Offer(name, description)
        case _Answer(name=name, sdp=description):
            return machine.Answer(name, description)
        case _HangUp(name=name, reason=reason):
            return machine.RemoteHangUp(name, reason)
        case _Candidate(candidate=candidate, name=name):
            # The end of candidates is null or an empty one: nothing to add.
            if candidate is None or not candidate.get("candidate"):
                return None
            return machine.Candidate(candidate, name or None)
    return message


def claim_frame(name: str, greeting: Greeting, *, resume: str) -> bytes:
    """Claim a name; with the ``resume`` of the connection before, its place and calls as well."""
    return _encode({"type": "username", "name": name, "id": greeting.id, **({"resume": resume} if resume else {})})


def offer_frame(target: str, sdp: str) -> bytes:
    """An offer, the first or a later one."""
    return _encode({"type": "video-offer", "target": target, "sdp": {"type": "offer", "sdp": sdp}})


def answer_frame(target: str, sdp: str) -> bytes:
    """The answer to theirs."""
    return _encode({"type": "video-answer", "target": target, "sdp": {"type": "answer", "sdp": sdp}})


def candidate_frame(target: str, candidate: Mapping[str, object]) -> bytes:
    """A candidate of ours, as the W3C's ``RTCIceCandidateInit``."""
    return _encode({"type": "new-ice-candidate", "target": target, "candidate": candidate})


def hang_up_frame(target: str, reason: str) -> bytes:
    """There is no call (any more)."""
    return _encode({"type": "hang-up", "target": target, "reason": reason})


def chat_frame(target: str, text: str) -> bytes:
    """A line for one person."""
    return _encode({"type": "message", "target": target, "text": text})
