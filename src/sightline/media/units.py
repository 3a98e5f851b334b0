"""What a source hands out: encoded pictures and sound, and what they are."""

from __future__ import annotations

import msgspec

__all__ = ["AUDIO_CLOCK", "VIDEO_CLOCK", "AudioFormat", "EncodedUnit", "VideoFormat"]

VIDEO_CLOCK = 90_000
"""Ticks per second of a video unit's timestamp (RFC 6184 §5.1)."""

AUDIO_CLOCK = 48_000
"""Ticks per second of an Opus unit's timestamp (RFC 7587 §4.1)."""


class EncodedUnit(msgspec.Struct, frozen=True, gc=False):
    """One access unit of video (H.264, Annex B start codes) or one Opus packet, shared by all viewers.

    ``timestamp`` counts ticks of the format's ``clock_rate`` and does not wrap. ``keyframe`` says that decoding can
    begin here; it is always true for sound.
    """

    data: bytes
    timestamp: int
    keyframe: bool = True


class VideoFormat(msgspec.Struct, frozen=True):
    """``width`` and ``height`` in pixels; ``frame_rate`` in frames per second, nominal."""

    width: int
    height: int
    frame_rate: float
    codec: str = "H264"
    clock_rate: int = VIDEO_CLOCK
    profile_level_id: str = "42e01f"
    """H.264 only (RFC 6184 §8.1); by default what our encoder makes."""


class AudioFormat(msgspec.Struct, frozen=True):
    """Stereo Opus in packets of 20 ms."""

    codec: str = "opus"
    clock_rate: int = AUDIO_CLOCK
    channels: int = 2
