"""How a call ends, for programs and for people."""

from __future__ import annotations

from typing import Final

from ..errors import SightlineError
from ..reasons import CALL_ENDS, LOBBY_REASONS, LobbyReason

__all__ = ["ENDINGS", "FULL", "CallEnded", "CallError", "RoomFull", "ending"]


class CallError(SightlineError):
    """There is no such call, or there cannot be one now."""

    id = "call"


class CallEnded(CallError):
    """The call that was waited for did not come about. ``reason`` is a key of ``ENDINGS``, ``peer`` the other one."""

    id = "call/ended"

    def __init__(self, reason: str, peer: str) -> None:
        super().__init__(ending(reason, peer))
        self.reason = reason
        self.peer = peer


class RoomFull(CallError):
    """There is no place in the room now. ``reason``: of ``FULL``, with its sentence in ``reasons.LOBBY_REASONS``."""

    id = "call/room-full"

    def __init__(self, reason: LobbyReason) -> None:
        super().__init__(LOBBY_REASONS[reason])
        self.reason = reason


FULL: Final = frozenset({LobbyReason.ROOM_FULL, LobbyReason.LINK_FULL, LobbyReason.SERVICE_FULL})
"""Why there is no place. All of them pass: who waits comes in."""

ENDINGS: Final = CALL_ENDS
"""By reason. The ids are those of the page; an id never changes, a sentence may."""


def ending(reason: str, peer: str) -> str:
    """What to tell a person."""
    return ENDINGS.get(reason, "The call with {peer} ended: {reason}.").format(peer=peer, reason=reason)
