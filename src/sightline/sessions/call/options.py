"""How long a call waits: every number can be replaced."""

from __future__ import annotations

import msgspec

__all__ = ["CallOptions"]


class CallOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Durations in seconds; the page has the same (``CALL_TIMERS``)."""

    ring_out: float = 45.0
    """Nobody lets a telephone ring for longer."""
    ring_in: float = 60.0
    """More than the other side waits: its cancelling ends the ringing."""
    connect: float = 30.0
    """Both sides have what they send, and look for a path: more than ICE needs to fail."""
    media: float = 120.0
    """In a browser somebody reads the question whether the camera may be used."""
    restart_caller: float = 1.0
    """A short silence heals by itself; the one who called restarts, so that not both do."""
    restart_callee: float = 3.0
    """Unless the caller cannot."""
    restart_again: float = 5.0
    """An offer or its answer was lost with a socket."""
    reconnect: float = 40.0
    """A phone between two networks."""
    absent: float = 12.0
    """The same for one that has no socket in the room either: it crashed, or was switched off."""
