"""Header extensions of what we send: elements with headers of one byte (RFC 8285 §4.2), the same for a whole frame.

Only the number of a packet among all of a connection is another in each; it has its place at the beginning.
"""

from __future__ import annotations

import struct

__all__ = ["counted", "header_extension", "is_usable"]

_PROFILE = 0xBEDE
_MOST = 0xFFF


def is_usable(number: int | None) -> bool:
    """Whether an element can have that id. Longer headers would be needed for others, which nobody wants per packet."""
    return number is not None and 1 <= number <= 14


def header_extension(
    *,
    mid: str = "",
    mid_id: int | None = None,
    playout_id: int | None = None,
    held_back: float | None = None,
    wide_id: int | None = None,
) -> bytes:
    """What follows the fixed header, if anything; elements without a usable id are left out.

    ``held_back``: seconds that pictures are to wait at a viewer; ``wide_id``: leave room for ``counted``.
    """
    elements = b""
    if wide_id is not None and is_usable(wide_id):
        elements += bytes((wide_id << 4 | 1, 0, 0))
    name = mid.encode()
    if mid_id is not None and is_usable(mid_id) and 1 <= len(name) <= 16:
        elements += bytes((mid_id << 4 | len(name) - 1,)) + name
    if held_back is not None and playout_id is not None and is_usable(playout_id):
        # Twelve bits each of the least and the greatest delay, in units of 10 ms.
        delays = min(_MOST, round(held_back * 100)) << 12 | _MOST
        elements += bytes((playout_id << 4 | 2,)) + delays.to_bytes(3, "big")
    if not elements:
        return b""
    elements += bytes(-len(elements) % 4)
    return struct.pack("!HH", _PROFILE, len(elements) // 4) + elements


def counted(extension: bytes, number: int) -> bytes:
    """The same with the packet's number, unwrapped, in it."""
    return extension[:5] + (number & 0xFFFF).to_bytes(2, "big") + extension[7:]
