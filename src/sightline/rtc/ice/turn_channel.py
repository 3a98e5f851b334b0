"""One peer behind a TURN allocation: ChannelData towards the server, in bursts (RFC 8656 §12)."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from typing import Protocol

__all__ = ["ChannelSender", "Wire"]

_HEADER = struct.Struct("!HH")

_WAITING = 8
"""Checks kept while the channel is being bound."""

_BIND_AGAIN = 2.0
"""Seconds after a failure until another attempt may be made."""


class Wire(Protocol):
    """The connection to the server."""

    @property
    def reliable(self) -> bool:
        """Whether what was sent arrives: over TCP nothing is repeated, and ChannelData is padded to four bytes."""

    def send_message(self, message: bytes) -> None:
        """A STUN message to the server itself."""

    def send(self, frames: Sequence[bytes]) -> int:
        """ChannelData, all of it now or dropped; returns how many frames were taken."""

    async def aclose(self) -> None:
        """Close it. Idempotent."""


class ChannelSender:
    """Sends to one peer. ``sent`` and ``dropped`` count datagrams."""

    __slots__ = (
        *("_again_at", "_forbidden", "_waiting", "_wire", "binding", "bound_at"),
        *("dropped", "number", "peer", "sent"),
    )

    def __init__(self, wire: Wire, *, number: int, peer: tuple[str, int]) -> None:
        self._wire = wire
        self.number = number
        self.peer = peer
        self.sent = 0
        self.dropped = 0
        self.binding = False
        """Whether a request for it is under way."""
        self.bound_at: float | None = None
        """When it was bound or refreshed last; None while it is not there."""
        self._waiting: deque[bytes] = deque(maxlen=_WAITING)
        self._again_at = float("-inf")
        self._forbidden = False

    def may_bind(self, now: float) -> bool:
        """Whether asking the server for the channel makes sense now."""
        return self.bound_at is None and not self.binding and not self._forbidden and now >= self._again_at

    def bound(self, now: float) -> None:
        """The server has bound or refreshed it: what has waited goes out."""
        self.bound_at = now
        if self._waiting:
            self.send(tuple(self._waiting))
            self._waiting.clear()

    def refused(self, *, forever: bool, now: float) -> None:
        """The server has not; ``forever``: and will not."""
        self.bound_at = None
        self._forbidden = self._forbidden or forever
        self._again_at = now + _BIND_AGAIN
        self._waiting.clear()

    def send_when_bound(self, datagram: bytes) -> None:
        """Send it now, or when the channel is there."""
        if self.bound_at is not None:
            self.send((datagram,))
        elif not self._forbidden:
            self._waiting.append(datagram)

    def send(self, datagrams: Sequence[bytes]) -> int:
        """See ``Path.send``."""
        if self.bound_at is None:
            self.dropped += len(datagrams)
            return 0
        pack, number = _HEADER.pack, self.number
        if self._wire.reliable:
            frames = [pack(number, len(data)) + data + bytes(-len(data) % 4) for data in datagrams]
        else:
            frames = [pack(number, len(data)) + data for data in datagrams]
        taken = self._wire.send(frames)
        self.sent += taken
        self.dropped += len(datagrams) - taken
        return taken
