"""What happens to somebody in a room, for programs: callbacks, and streams to iterate over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..sessions.call.messages import CallState

__all__ = [
    "CallEvent",
    "CallStateChanged",
    "Callback",
    "LobbyChanged",
    "SendingChanged",
    "TextReceived",
    "UsersChanged",
]


class CallStateChanged(msgspec.Struct, frozen=True, tag="state"):
    """See ``sessions.call.messages.CallState``."""

    before: CallState
    after: CallState
    peer: str
    reason: str | None = None
    """Why it ended: a key of ``sightline.call.ENDINGS``."""
    message: str = ""
    """The same as a sentence for people."""


class UsersChanged(msgspec.Struct, frozen=True, tag="users"):
    """Others came to the room or left it."""

    users: tuple[str, ...]
    """All others that are there now, in the order of their coming."""
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class LobbyChanged(msgspec.Struct, frozen=True, tag="lobby"):
    """The way to the room came or went; a call that is up goes on without it."""

    online: bool
    name: str
    """Under which the others see this one."""
    room: str
    message: str = ""
    """Why it cannot be had now; a sentence for people."""


class TextReceived(msgspec.Struct, frozen=True, tag="text"):
    """The other one in the call wrote a line."""

    peer: str
    text: str


class SendingChanged(msgspec.Struct, frozen=True, tag="sending"):
    """The other one in the call says what it sends now; see ``Sending``."""

    peer: str
    sound: bool
    picture: str | None


CallEvent = CallStateChanged | UsersChanged | LobbyChanged | TextReceived | SendingChanged
Callback = Callable[[CallEvent], None]
