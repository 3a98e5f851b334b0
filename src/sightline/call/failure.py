"""How a call ends, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..errors import SightlineError

__all__ = ["ENDINGS", "CallEnded", "CallError", "ending"]


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


ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hung-up": "You ended the call.",
        "refused": "You declined the call.",
        "left": "{peer} ended the call.",
        "declined": "{peer} declined the call.",
        "busy": "{peer} is in another call. Try again in a while.",
        "cancelled": "{peer} no longer calls.",
        "no-answer": "{peer} does not answer.",
        "missed": "You missed a call from {peer}.",
        "gone": "Nobody of the name {peer} is in the room now.",
        "peer-no-media": "{peer} cannot use camera and microphone.",
        "no-path": "No connection to {peer} could be made: a firewall may be in the way.",
        "lost": "The connection to {peer} was lost.",
        "replaced": "{peer} began anew.",
        "internal": "The two sides did not understand each other.",
    }
)
"""By reason. The ids are those of the page; an id never changes, a sentence may."""


def ending(reason: str, peer: str) -> str:
    """What to tell a person."""
    return ENDINGS.get(reason, "The call with {peer} ended: {reason}.").format(peer=peer, reason=reason)
