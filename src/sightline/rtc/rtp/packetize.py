"""Encoded units cut into RTP payloads, once for all viewers: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

__all__ = [
    "DATAGRAM_LIMIT",
    "PAYLOAD_LIMIT",
    "Packets",
    "Unit",
    "nal_units",
    "packetize_h264",
    "packetize_opus",
    "packetize_vp8",
    "packetizer",
]

DATAGRAM_LIMIT: Final = 1200
"""Bytes of a datagram with everything in it: passes every path that IPv6 passes, also through a TURN relay."""

PAYLOAD_LIMIT: Final = DATAGRAM_LIMIT - 12 - 12 - 2 - 16
"""What is left for a payload beside the RTP header, its extension (a mid of up to three letters, the playout delay),
RTX's number and GCM's tag."""

_START_CODE = b"\x00\x00\x01"
_STAP_A, _FU_A = 24, 28
_FU_START, _FU_END = 0x80, 0x40
_CARRIED = frozenset({*range(1, 6), 7, 8, 13, 14, 15, 19, 20})
"""NAL unit types that decoders need: slices and parameter sets. SEI, delimiters and filler only cost bytes."""

_VP8_BEGINS, _VP8_CONTINUES = b"\x10", b"\x00"


class Unit(Protocol):
    """An encoded picture or sound, as a feed publishes it."""

    @property
    def data(self) -> bytes:
        """H.264: Annex B; VP8: a frame; Opus: a packet."""

    @property
    def timestamp(self) -> int:
        """In ticks of the feed's clock, without wrapping."""

    @property
    def keyframe(self) -> bool:
        """Whether decoding can begin here."""


class Packets(msgspec.Struct, frozen=True, gc=False):
    """The payloads of one unit, shared by all viewers.

    All of one NAL unit or VP8 frame are of the same size but the last, which is no longer: such runs leave in one
    system call (UDP GSO). ``timestamp`` is the unit's; ``marker``: the last packet carries the marker bit (video);
    ``octets`` is the sum of the payloads' sizes.
    """

    payloads: tuple[bytes, ...]
    timestamp: int
    keyframe: bool
    marker: bool
    octets: int


def nal_units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B byte stream (H.264 annex B), without start codes and trailing zeros."""
    start = data.find(_START_CODE)
    while start >= 0:
        start += 3
        following = data.find(_START_CODE, start)
        # No NAL unit ends with a zero byte: what stands there belongs to the next start code or is padding.
        unit = data[start : following if following >= 0 else None].rstrip(b"\x00")
        if unit:
            yield unit
        start = following


def packetize_h264(data: bytes, limit: int = PAYLOAD_LIMIT) -> tuple[bytes, ...]:
    """Payloads of an access unit in packetization-mode 1 (RFC 6184 §6.3), none of them over ``limit`` bytes.

    Small neighbours, as the parameter sets before a keyframe, share a packet (STAP-A), large ones are cut (FU-A).
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    room = 0
    for unit in nal_units(data):
        if unit[0] & 0x1F not in _CARRIED:
            continue
        if small and len(unit) + 2 > room:
            payloads.append(_aggregate(small))
            small = []
        if len(unit) > limit:
            payloads.extend(_fragments(unit, limit))
            continue
        if not small:
            room = limit - 1
        small.append(unit)
        room -= len(unit) + 2
    if small:
        payloads.append(_aggregate(small))
    return tuple(payloads)


def packetize_vp8(data: bytes, limit: int = PAYLOAD_LIMIT) -> tuple[bytes, ...]:
    """Payloads of a frame, each with a descriptor of one byte (RFC 7741 §4.2).

    Without picture ids receivers go by the packets' numbers, as with H.264: those are each viewer's own, and go on when
    it is given another rendition.
    """
    if not data:
        return ()
    step = _even_step(len(data), limit - len(_VP8_BEGINS))
    return tuple(
        (_VP8_CONTINUES if offset else _VP8_BEGINS) + data[offset : offset + step]
        for offset in range(0, len(data), step)
    )


def packetize_opus(data: bytes) -> tuple[bytes, ...]:
    """The packet itself: Opus is never cut (RFC 7587 §4.2)."""
    return (data,) if data else ()


def packetizer(codec: str) -> Callable[[Unit], Packets]:
    """What makes packets of a feed's units; ``codec`` is ``H264``, ``VP8`` or ``opus``, in any case.

    Raises ValueError for another codec.
    """
    match codec.lower():
        case "h264":
            return _h264
        case "opus":
            return _opus
        case "vp8":
            return _vp8
    raise ValueError(f"no packetiser for {codec}")


def _h264(unit: Unit) -> Packets:
    return _packets(packetize_h264(unit.data), unit, marker=True)


def _opus(unit: Unit) -> Packets:
    return _packets(packetize_opus(unit.data), unit, marker=False)


def _vp8(unit: Unit) -> Packets:
    return _packets(packetize_vp8(unit.data), unit, marker=True)


def _packets(payloads: tuple[bytes, ...], unit: Unit, *, marker: bool) -> Packets:
    return Packets(payloads, unit.timestamp, unit.keyframe, marker, sum(map(len, payloads)))


def _aggregate(units: list[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    forbidden = importance = 0
    parts = [b""]
    for unit in units:
        forbidden |= unit[0] & 0x80
        importance = max(importance, unit[0] & 0x60)
        parts += (len(unit).to_bytes(2, "big"), unit)
    parts[0] = bytes((forbidden | importance | _STAP_A,))
    return b"".join(parts)


def _fragments(unit: bytes, limit: int) -> Iterator[bytes]:
    indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F
    step = _even_step(len(unit) - 1, limit - 2)
    middle = bytes((indicator, kind))
    header = bytes((indicator, kind | _FU_START))
    for offset in range(1, len(unit), step):
        if offset + step >= len(unit):
            header = bytes((indicator, kind | _FU_END))
        yield header + unit[offset : offset + step]
        header = middle


def _even_step(size: int, limit: int) -> int:
    """The size of a piece when ``size`` bytes are cut into as few and as equal ones as possible."""
    pieces = -(-size // limit)
    return -(-size // pieces)
