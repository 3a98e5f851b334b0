"""ChannelData, and how STUN messages and ChannelData follow each other in a TCP stream (RFC 8656 §12.4, §12.5)."""

from __future__ import annotations

import struct

__all__ = ["CHANNEL_HEADER", "MAX_FRAME", "StreamCutter", "is_channel_data"]

CHANNEL_HEADER = struct.Struct("!HH")
"""Channel number and length of the data behind it."""

MAX_FRAME = 4 + 65_536
"""Bytes of the longest frame that can be: ChannelData of 65,535 with its padding."""


def is_channel_data(first: int) -> bool:
    """By the first byte: 0x40 to 0x7F, as in RFC 5766. RFC 8656 §12 has clients use 0x40 to 0x4F; coturn's do not."""
    return 0x40 <= first < 0x80


class StreamCutter:
    """Cuts one connection's stream into frames. What waits for its rest is never more than `MAX_FRAME` bytes."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now, ChannelData without its padding. Raises ValueError when it is not TURN."""
        if self._rest:
            data = self._rest + data
        frames: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 4:
            kind, length = CHANNEL_HEADER.unpack_from(data, at)
            if kind < 0x4000:
                size = whole = 20 + length
            elif kind < 0x8000:
                size = 4 + length
                whole = size + -size % 4
            else:
                raise ValueError("the stream is neither STUN nor ChannelData")
            if end - at < whole:
                break
            frames.append(data[at : at + size])
            at += whole
        self._rest = data[at:]
        return frames

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not complete."""
        return len(self._rest)
