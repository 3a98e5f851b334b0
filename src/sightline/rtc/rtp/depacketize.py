"""RTP payloads put together again to encoded units: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587).

The counterpart of ``packetize``. Nothing here raises for what a peer sends: what cannot be a picture is None.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

__all__ = ["Assembled", "CodecName", "Depacketizer", "H264Depacketizer", "depacketizer"]

CodecName = Literal["H264", "VP8", "opus"]

_START_CODE = b"\x00\x00\x00\x01"
_STAP_A, _FU_A = 24, 28
_FU_START, _FU_END = 0x80, 0x40
_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8
_LEFT_OUT = frozenset({9, 10, 11, 12})
"""Delimiters, ends and filler: nobody needs them, and parameter sets must not come after a delimiter by accident."""

_MAX_UNITS = 1024
"""NAL units of one picture; real ones have a handful of slices."""

_MAX_SETS = 32
_MAX_SET_SIZE = 4096
"""Parameter sets that are kept, and bytes of one: there are at most 32 SPS, and real ones have some 30 bytes."""


class Assembled(msgspec.Struct, frozen=True, gc=False):
    """A unit. Empty ``data``: there was no picture in it, only parameter sets or nothing, and nothing is wrong."""

    data: bytes
    keyframe: bool


class Depacketizer(Protocol):
    """One stream's."""

    @property
    def codec(self) -> CodecName:
        """What it reads."""

    def begins_keyframe(self, payload: bytes) -> bool:
        """Whether decoding can begin with the picture whose first packet has this payload, as far as that shows."""

    def assemble(self, payloads: Sequence[bytes]) -> Assembled | None:
        """The unit of which these are all payloads in order; None when they are none."""


def depacketizer(codec: str, parameters: str = "") -> Depacketizer | None:
    """For a codec by its name in any case; None for one that we do not read.

    ``parameters``: H.264's ``sprop-parameter-sets``, for senders that do not put them into the stream.
    """
    match codec.lower():
        case "h264":
            return H264Depacketizer(parameters)
        case "vp8":
            return _Vp8Depacketizer()
        case "opus":
            return _OpusDepacketizer()
    return None


class H264Depacketizer:
    """Single NAL units, STAP-A and FU-A to Annex B. Keeps parameter sets and puts them before keyframes without."""

    codec: CodecName = "H264"

    def __init__(self, parameters: str = "") -> None:
        self._sets: dict[tuple[int, int], bytes] = {}
        """By type and id; those of a keyframe are the newest ones that came before it."""
        for part in parameters.split(",")[:_MAX_SETS]:
            try:
                unit = base64.b64decode(part, validate=True)
            except (binascii.Error, ValueError):
                continue
            if unit and unit[0] & 0x1F in (_SPS, _PPS):
                self._keep(unit)

    def begins_keyframe(self, payload: bytes) -> bool:
        """An SPS, or the first slice of an IDR picture."""
        if not payload:
            return False
        kind = payload[0] & 0x1F
        if kind == _STAP_A:
            return any(_begins(unit[0] & 0x1F, unit[1:2]) for unit in _aggregated(payload) or ())
        if kind == _FU_A:
            return len(payload) > 2 and bool(payload[1] & _FU_START) and _begins(payload[1] & 0x1F, payload[2:3])
        return _begins(kind, payload[1:2])

    def assemble(self, payloads: Sequence[bytes]) -> Assembled | None:
        """See ``Depacketizer``."""
        units = _units(payloads)
        if units is None:
            return None
        kept: list[bytes] = []
        found: set[int] = set()
        keyframe = has_picture = False
        for unit in units:
            kind = unit[0] & 0x1F
            if kind in (_SPS, _PPS):
                self._keep(unit)
                found.add(kind)
            if kind in _LEFT_OUT:
                continue
            keyframe |= kind == _IDR
            has_picture |= _SLICE <= kind <= _IDR
            kept.append(unit)
        if not has_picture:
            return Assembled(b"", False)
        if keyframe and len(found) < 2:
            if len({kind for kind, _ in self._sets}) < 2:
                return None  # no decoder could begin with it
            sets = [unit for _, unit in sorted(self._sets.items())]
            kept = [*sets, *(unit for unit in kept if unit[0] & 0x1F not in (_SPS, _PPS))]
        return Assembled(_START_CODE + _START_CODE.join(kept), keyframe)

    def _keep(self, unit: bytes) -> None:
        if len(unit) > _MAX_SET_SIZE:
            return
        kind = unit[0] & 0x1F
        key = kind, _set_id(kind, unit)
        if key in self._sets or len(self._sets) < 2 * _MAX_SETS:
            self._sets[key] = unit


class _Vp8Depacketizer:
    codec: CodecName = "VP8"

    def begins_keyframe(self, payload: bytes) -> bool:
        """By the lowest bit of the frame's own header (RFC 6386 §9.1)."""
        position = _after_descriptor(payload)
        return position is not None and _begins_vp8(payload) and not payload[position] & 0x01

    def assemble(self, payloads: Sequence[bytes]) -> Assembled | None:
        """See ``Depacketizer``."""
        parts: list[bytes] = []
        for number, payload in enumerate(payloads):
            position = _after_descriptor(payload)
            if position is None or _begins_vp8(payload) != (number == 0):
                return None
            parts.append(payload[position:])
        data = b"".join(parts)
        return Assembled(data, not data[0] & 0x01) if data else None


class _OpusDepacketizer:
    codec: CodecName = "opus"

    def begins_keyframe(self, payload: bytes) -> bool:
        """Always: every packet stands for itself."""
        return True

    def assemble(self, payloads: Sequence[bytes]) -> Assembled | None:
        """The packet; empty for one that only keeps the time."""
        return Assembled(payloads[0], True) if len(payloads) == 1 else None


# -- H.264


def _begins(kind: int, after_header: bytes) -> bool:
    """``first_mb_in_slice`` is 0 when the slice's first bit is 1 (H.264 §7.3.3, §9.1)."""
    return kind == _SPS or (kind == _IDR and after_header >= b"\x80")


def _units(payloads: Sequence[bytes]) -> list[bytes] | None:
    """The NAL units; None when the payloads contradict themselves."""
    units: list[bytes] = []
    fragments: list[bytes] = []
    for payload in payloads:
        if not payload or len(units) > _MAX_UNITS:
            return None
        kind = payload[0] & 0x1F
        if kind == _FU_A:
            if not _join(payload, fragments, units):
                return None
            continue
        if fragments:
            return None  # a unit that was not finished
        if kind == _STAP_A:
            aggregated = _aggregated(payload)
            if aggregated is None:
                return None
            units += aggregated
        elif 1 <= kind <= 23:
            units.append(payload)
        else:
            return None  # STAP-B, MTAP, FU-B: only in the interleaved mode, which nobody negotiates
    return None if fragments else units


def _join(payload: bytes, fragments: list[bytes], units: list[bytes]) -> bool:
    """Add a fragment (FU-A); whether it fits to those before."""
    if len(payload) < 3:
        return False
    header = payload[1]
    if bool(header & _FU_START) == bool(fragments):
        return False
    if header & _FU_START:
        fragments.append(bytes((payload[0] & 0xE0 | header & 0x1F,)))
    fragments.append(payload[2:])
    if header & _FU_END:
        units.append(b"".join(fragments))
        fragments.clear()
    return True


def _aggregated(payload: bytes) -> list[bytes] | None:
    """The units in a STAP-A; None when its sizes are wrong."""
    units, position, size = [], 1, len(payload)
    while position + 2 <= size:
        length = int.from_bytes(payload[position : position + 2], "big")
        position += 2
        if not length or position + length > size or not 1 <= payload[position] & 0x1F <= 23:
            return None
        units.append(payload[position : position + length])
        position += length
    return units if units and position == size else None


def _set_id(kind: int, unit: bytes) -> int:
    """``seq_parameter_set_id`` or ``pic_parameter_set_id``, an Exp-Golomb number (H.264 §7.3.2, §9.1)."""
    start = 4 if kind == _SPS else 1
    bits = "".join(f"{byte:08b}" for byte in unit[start : start + 4])
    zeros = bits.find("1")
    if zeros < 0 or len(bits) < 2 * zeros + 1:
        return 0
    return int(bits[zeros : 2 * zeros + 1], 2) - 1


# -- VP8


def _begins_vp8(payload: bytes) -> bool:
    """Start of the first partition: S is set and the partition's index is 0 (RFC 7741 §4.2)."""
    return payload[0] & 0x17 == 0x10


def _after_descriptor(payload: bytes) -> int | None:
    """Where the picture's bytes begin; None when there are none."""
    size = len(payload)
    position = 1
    if size > 1 and payload[0] & 0x80:
        extension = payload[1]
        position = 2
        if extension & 0x80:  # picture id, of 7 or 15 bits
            position += 2 if size > position and payload[position] & 0x80 else 1
        position += bool(extension & 0x40)  # TL0PICIDX
        position += bool(extension & 0x30)  # TID and KEYIDX
    return position if size > position else None
