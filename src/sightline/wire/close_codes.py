"""Close codes of signaling sockets. 4000 to 4999 are an application's own (RFC 6455 §7.4.2)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode"]


class CloseCode(IntEnum):
    """Why the service closed a socket."""

    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    POLICY = 1008
    TRY_LATER = 1013
    NOT_ALLOWED = 4403
    """The key or the link was revoked or has expired."""
    CHANNEL_GONE = 4404
    IDLE = 4408
    REPLACED = 4409
    """A newer connection of the same id took over."""
    LIFETIME = 4410
    TOO_MANY_VIEWERS = 4429
