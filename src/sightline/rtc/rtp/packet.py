"""RTP packets as they come from the peer, decrypted (RFC 3550 §5.1, RFC 8285)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

__all__ = ["RtpPacket", "parse_rtp", "unwrapped"]

_HEADER = struct.Struct("!BBHII")
_ONE_BYTE = 0xBEDE
_TWO_BYTES = 0x1000


class RtpPacket(msgspec.Struct, frozen=True, gc=False):
    """One packet without its padding. ``sequence`` has 16 bits and ``timestamp`` 32, as on the wire."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    mid: str = ""
    """Which section it belongs to (RFC 9143 §15), empty where it does not say."""
    wide: int | None = None
    """Its number among all packets of the connection, in 16 bits."""


def parse_rtp(datagram: bytes, mid_extension: int | None = None, wide_extension: int | None = None) -> RtpPacket | None:
    """The packet, or None for what is none.

    ``mid_extension``: the id under which packets name their section; ``wide_extension``: that of their count.
    """
    if len(datagram) < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if first >> 6 != 2:
        return None
    position, end, mid, wide = 12 + 4 * (first & 0x0F), len(datagram), "", None
    if first & 0x10:
        if position + 4 > end:
            return None
        profile, words = struct.unpack_from("!HH", datagram, position)
        position += 4
        if mid_extension is not None or wide_extension is not None:
            for number, value in _elements(profile, datagram[position : position + 4 * words]):
                if number == mid_extension:
                    mid = value.decode("ascii", "replace")
                elif number == wide_extension and len(value) == 2:
                    wide = int.from_bytes(value, "big")
        position += 4 * words
    if first & 0x20:
        padding = datagram[-1]
        if not padding:
            return None
        end -= padding
    if position > end:
        return None
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, datagram[position:end], mid, wide)


def unwrapped(short: int, bits: int, near: int) -> int:
    """The number whose lower ``bits`` are ``short`` and that is nearest to ``near``; it may be negative."""
    span = 1 << bits
    forward = (short - near) & (span - 1)
    return near + (forward if forward < span // 2 else forward - span)


def _elements(profile: int, elements: bytes) -> Iterator[tuple[int, bytes]]:
    """The header extensions by their ids; they may be of the short or of the long form."""
    if profile == _ONE_BYTE:
        head = 1
    elif profile & 0xFFF0 == _TWO_BYTES:
        head = 2
    else:
        return
    position, size = 0, len(elements)
    while position + head <= size:
        if elements[position] == 0:  # padding
            position += 1
            continue
        if head == 1:
            found, length = elements[position] >> 4, (elements[position] & 0x0F) + 1
            if found == 15:
                return
        else:
            found, length = elements[position], elements[position + 1]
        position += head
        yield found, elements[position : position + length]
        position += length
