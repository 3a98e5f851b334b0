"""H.264 of live sources in the form that WebRTC carries: Annex B, with parameter sets in band at each keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

__all__ = ["PROFILES", "Normalizer", "profile_of"]

PROFILES = ("Baseline", "Constrained Baseline", "Main", "High")
"""What browsers decode, whatever profile was agreed on."""

_START_CODE = b"\x00\x00\x01"
_IDR, _SPS, _PPS = 5, 7, 8


class Normalizer:
    """Takes a camera's packets in order. What comes before the first keyframe is left out."""

    def __init__(self, to_annex_b: BitStreamFilterContext) -> None:
        self._to_annex_b = to_annex_b
        self._sets: dict[int, bytes] = {}
        self._begun = False

    def take(self, packet: av.Packet[Any]) -> Iterator[tuple[bytes, bool]]:
        """Access units in Annex B, and whether each is a keyframe."""
        for filtered in self._to_annex_b.filter(packet):
            data = bytes(filtered)
            kinds = set()
            for unit in nal_units(data):
                kind = unit[3] & 0x1F
                kinds.add(kind)
                if kind in (_SPS, _PPS):
                    self._sets[kind] = b"\x00" + unit
            keyframe = _IDR in kinds
            if keyframe and not {_SPS, _PPS} <= kinds:
                data = self._sets.get(_SPS, b"") + self._sets.get(_PPS, b"") + data
            self._begun = self._begun or keyframe
            if self._begun and kinds - {_SPS, _PPS}:
                yield data, keyframe


def profile_of(extradata: bytes | None) -> str | None:
    """``profile-level-id`` of out-of-band parameter sets (RFC 6184 §8.1), Annex B or avcC; None without any."""
    if not extradata:
        return None
    if extradata[0] == 1 and len(extradata) > 3:
        return extradata[1:4].hex()
    for unit in nal_units(extradata):
        if unit[3] & 0x1F == _SPS and len(unit) >= 7:
            return unit[4:7].hex()
    return None


def nal_units(data: bytes) -> Iterator[bytes]:
    """With their start codes of three bytes."""
    start = data.find(_START_CODE)
    while 0 <= start < len(data) - 3:
        following = data.find(_START_CODE, start + 3)
        yield data[start : following if following >= 0 else None].rstrip(b"\x00")
        start = following
