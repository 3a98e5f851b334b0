"""Which of the peer's codecs can carry what a source gives: H.264 by profile (RFC 6184 §8.1), VP8, Opus."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from .description import Codec, Section

__all__ = ["H264Profile", "SourceCodec", "choose_codec", "h264_profile", "same_format"]


class H264Profile(Enum):
    """Those that WebRTC peers name."""

    CONSTRAINED_BASELINE = auto()
    BASELINE = auto()
    MAIN = auto()
    CONSTRAINED_HIGH = auto()
    HIGH = auto()


# profile_idc, mask over profile_iop, its value under the mask (RFC 6184 table 5; the two of High from H.264 A.2.4)
_PATTERNS = (
    (0x42, 0x4F, 0x40, H264Profile.CONSTRAINED_BASELINE),
    (0x4D, 0x8F, 0x80, H264Profile.CONSTRAINED_BASELINE),
    (0x58, 0xCF, 0xC0, H264Profile.CONSTRAINED_BASELINE),
    (0x42, 0x4F, 0x00, H264Profile.BASELINE),
    (0x58, 0xCF, 0x80, H264Profile.BASELINE),
    (0x4D, 0xAF, 0x00, H264Profile.MAIN),
    (0x64, 0xFF, 0x0C, H264Profile.CONSTRAINED_HIGH),
    (0x64, 0x0F, 0x00, H264Profile.HIGH),
)

_DECODERS = {
    H264Profile.CONSTRAINED_BASELINE: tuple(H264Profile),
    H264Profile.BASELINE: (H264Profile.BASELINE, H264Profile.CONSTRAINED_BASELINE),
    H264Profile.MAIN: (H264Profile.MAIN, H264Profile.HIGH),
    H264Profile.CONSTRAINED_HIGH: (H264Profile.CONSTRAINED_HIGH, H264Profile.HIGH),
    H264Profile.HIGH: (H264Profile.HIGH, H264Profile.CONSTRAINED_HIGH),
}
"""Whose decoder can show which profile, the best match first. Plain baseline under the name of constrained baseline,
and interlaced-capable high under constrained high, are what encoders call their streams, without using more."""

_DEFAULT_PROFILE = "42000a"  # RFC 6184 §8.1: without the parameter, baseline at level 1


class SourceCodec(msgspec.Struct, frozen=True):
    """A format in which a source can be sent (or, of a viewer, received)."""

    name: str
    """``H264``, ``VP8`` or ``opus``."""
    profile_level_id: str = "42e01f"
    """H.264 only: what the stream's SPS says."""
    stereo: bool = False
    """Opus only."""


def h264_profile(profile_level_id: str) -> H264Profile | None:
    """The profile in the six hexadecimal digits of ``profile-level-id``; None for one that WebRTC does not know."""
    if not re.fullmatch(r"[0-9A-Fa-f]{6}", profile_level_id):
        return None
    idc, iop = int(profile_level_id[:2], 16), int(profile_level_id[2:4], 16)
    return next((profile for pattern, mask, value, profile in _PATTERNS if (idc, iop & mask) == (pattern, value)), None)


def choose_codec(section: Section, wanted: SourceCodec) -> Codec | None:
    """The peer's payload type for what we want to send, None when it has none."""
    named = [codec for codec in section.codecs if codec.is_called(wanted.name)]
    if wanted.name.lower() == "opus":
        return next((codec for codec in named if (codec.clock_rate, codec.channels) == (48_000, 2)), None)
    video = [codec for codec in named if codec.clock_rate == 90_000]
    return _choose_h264(video, wanted) if wanted.name.upper() == "H264" else next(iter(video), None)


def same_format(one: Codec, other: Codec) -> bool:
    """Whether two payload types, one of either side, mean the same."""
    if not one.is_called(other.name) or (one.clock_rate, one.channels) != (other.clock_rate, other.channels):
        return False
    if not one.is_called("H264"):
        return True
    return _mode(one) == _mode(other) and _profile(one) == _profile(other)


def _choose_h264(codecs: Sequence[Codec], wanted: SourceCodec) -> Codec | None:
    """By how well the profiles match.

    At the end, any profile will do: browsers name one or two and decode them all, and devices name wrong ones.
    Packetization mode 1 there must be: pictures do not fit into single packets.
    """
    fragmenting = [codec for codec in codecs if _mode(codec) == "1"]
    source = h264_profile(wanted.profile_level_id)
    decoders = _DECODERS[source] if source else tuple(reversed(H264Profile))

    def rank(codec: Codec) -> int:
        profile = _profile(codec)
        return decoders.index(profile) if profile in decoders else len(decoders)

    return min(fragmenting, key=rank, default=None)


def _mode(codec: Codec) -> str:
    return codec.parameter("packetization-mode", "0")


def _profile(codec: Codec) -> H264Profile | None:
    return h264_profile(codec.parameter("profile-level-id", _DEFAULT_PROFILE))
