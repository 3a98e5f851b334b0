"""What an Opus packet says of itself in its first bytes (RFC 6716 §3), without decoding it."""

from __future__ import annotations

from typing import Final

__all__ = ["lost_packet", "opus_samples", "silent_packet"]

_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
"""Samples of a frame at 48 kHz, by the two lowest bits of its configuration (§3.1, table 2)."""

_SILENT_FRAME: Final = b"\xff\xfe"

_MOST: Final = 5760
"""120 ms: no packet is longer (§3.2.5)."""


def opus_samples(packet: bytes) -> int:
    """How many samples at 48 kHz it holds; 0 for one that cannot be."""
    if not packet:
        return 0
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        frame = _SILK[configuration & 3]
    elif configuration < 16:
        frame = _HYBRID[configuration & 1]
    else:
        frame = _CELT[configuration & 3]
    count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    samples = frame * count
    return samples if samples <= _MOST else 0


def lost_packet(packet: bytes) -> bytes:
    """One of the same kind with a frame of no bytes in it, which means a lost one (§3.1): decoders conceal it."""
    return bytes((packet[0] & 0xFC,))


def silent_packet(packet: bytes) -> bytes:
    """One of the same length in time, and of as many channels, in which there is nothing to be heard.

    Its frames are CELT's, whose first bit says that there is silence in them (RFC 6716 §4.3).
    """
    samples = opus_samples(packet) or _CELT[-1]
    size, frame = next((size, frame) for size, frame in reversed(tuple(enumerate(_CELT))) if samples % frame == 0)
    channels = packet[0] & 4 if packet else 0
    start = 28 + size << 3 | channels
    count = samples // frame
    return bytes((start,)) + _SILENT_FRAME if count == 1 else bytes((start | 3, count)) + _SILENT_FRAME * count
