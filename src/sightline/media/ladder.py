"""Which renditions of a source's pictures there are to be, beside its own: what ``--renditions`` says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from ..errors import ConfigError
from .encoders import default_bitrate
from .units import VideoFormat

__all__ = ["LEAST_BITRATE", "Ladder", "Rung"]

LEAST_BITRATE = 120_000
"""Bits per second to which the lowest rung goes down for a viewer on a poor link."""

_RUNG = re.compile(r"(?P<height>\d{2,4})p?(?:@(?P<kbit>\d{2,6}))?")

_AUTO = ((900, (720, 360)), (540, (360,)), (288, (180,)))
"""From which height on the source has which lower rungs. Two thirds and less: closer ones would save too little."""


class Rung(msgspec.Struct, frozen=True):
    """A lower rendition: its height in pixels (of a picture on end: its width), and bits per second or None."""

    height: int
    bitrate: int | None = None


class Ladder(msgspec.Struct, frozen=True):
    """What was asked for. The source's own picture is always the top, and nothing is ever larger than that."""

    rungs: tuple[Rung, ...] = ()
    auto: bool = False

    @classmethod
    def parse(cls, text: str, *, transcode: bool = True) -> Ladder:
        """``auto``, ``off``, or heights as ``720p,360p@300``, with kbit/s after the ``@``. Raises ConfigError, also for
        heights where nothing may be transcoded.
        """
        if text in ("auto", "off"):
            return cls(auto=text == "auto" and transcode)
        if not transcode:
            raise ConfigError("Renditions are transcoded: leave out --renditions, or --no-transcode.")
        rungs = {}
        for part in text.split(","):
            match = _RUNG.fullmatch(part.strip())
            height = int(match["height"]) if match is not None else 0
            bitrate = int(match["kbit"]) * 1000 if match is not None and match["kbit"] else None
            if not 90 <= height <= 4320 or (bitrate is not None and bitrate < LEAST_BITRATE):
                raise ConfigError(
                    f"The renditions {text!r} are not understood. Write auto, off, or heights from 90 on with, if you "
                    f"like, kbit/s from {LEAST_BITRATE // 1000} on: 720p,360p or 720p@2500,360p@300."
                )
            rungs[height] = Rung(height, bitrate)
        return cls(tuple(rungs[height] for height in sorted(rungs, reverse=True)))

    def below(self, top: VideoFormat) -> Iterator[tuple[VideoFormat, int]]:
        """The formats under a source's own, the greatest first, and the bits per second of each."""
        height = min(top.width, top.height)
        rungs = self.rungs
        if self.auto:
            rungs = next((tuple(map(Rung, heights)) for least, heights in _AUTO if height >= least), ())
        for rung in rungs:
            if rung.height < height:
                scale = rung.height / height
                format = VideoFormat(
                    max(2, round(top.width * scale / 2) * 2),
                    max(2, round(top.height * scale / 2) * 2),
                    top.frame_rate,
                    codec=top.codec,
                )
                yield format, rung.bitrate or default_bitrate(format)
