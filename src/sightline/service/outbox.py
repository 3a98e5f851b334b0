"""Frames on their way out: what one turn of the event loop has for a socket leaves in one write.

A write costs more than everything else that relaying a message takes, and a busy master gets several messages in a
turn. Data frames go past aiohttp's own sender for that; no compression is negotiated, so there is nothing that it
would have to do to them.
"""

from __future__ import annotations

import asyncio
import struct
from functools import lru_cache
from typing import Protocol

__all__ = ["Outbox", "text_head"]

_FIN_TEXT = 0x81
_two_bytes = struct.Struct("!BB").pack
_four_bytes = struct.Struct("!BBH").pack
_ten_bytes = struct.Struct("!BBQ").pack


@lru_cache(maxsize=2048)
def text_head(size: int) -> bytes:
    """The head of an unmasked, unfragmented text frame of ``size`` bytes (RFC 6455 §5.2)."""
    if size < 126:
        return _two_bytes(_FIN_TEXT, size)
    if size < 1 << 16:
        return _four_bytes(_FIN_TEXT, 126, size)
    return _ten_bytes(_FIN_TEXT, 127, size)


class _Flushable(Protocol):
    def flush(self) -> None: ...


class Outbox:
    """The sockets of a service that have frames to write when this turn of the event loop ends."""

    __slots__ = ("_sockets",)

    def __init__(self) -> None:
        self._sockets: list[_Flushable] = []

    def add(self, socket: _Flushable) -> None:
        """Flush this socket when the turn ends."""
        if not self._sockets:
            asyncio.get_running_loop().call_soon(self._flush)
        self._sockets.append(socket)

    def _flush(self) -> None:
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.flush()
