"""The generated test source: a moving picture with the date, the time and a bar code, and a tone."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from functools import partial
from typing import Self

import av

from ..errors import ConfigError
from .encoding_source import EncodingSource, RawPicture, RawSound
from .ladder import Ladder
from .picture import MovingPicture
from .tone import SAMPLE_RATE, tone_frame
from .units import AudioFormat, VideoFormat

__all__ = ["TestPicture"]

_SOUND_SAMPLES = 960


class TestPicture(EncodingSource):
    """For trying things without a camera: what is seen tells how late it is and whether frames are missing."""

    __test__ = False  # not a test class, whatever its name suggests to pytest

    def __init__(
        self,
        width: int = 640,
        height: int = 360,
        frame_rate: int = 30,
        *,
        bitrate: int | None = None,
        ladder: Ladder | None = None,
        transcode: bool = True,
    ) -> None:
        """Raises ConfigError for sizes under 160x90 or over 3840x2160, odd ones, and rates outside 1 to 60."""
        if not (160 <= width <= 3840 and 90 <= height <= 2160) or width % 2 or height % 2:
            raise ConfigError(
                f"A test picture of {width}x{height} is not possible: give even sizes from 160x90 to 3840x2160."
            )
        if not 1 <= frame_rate <= 60:
            raise ConfigError(f"A test picture has 1 to 60 frames per second, not {frame_rate}.")
        media = _TestMedia(VideoFormat(width, height, frame_rate))
        super().__init__(media, bitrate=bitrate, ladder=ladder, transcode=transcode)


class _TestMedia:
    def __init__(self, video: VideoFormat) -> None:
        self.video = video
        self.audio = AudioFormat()

    def play(self) -> Self:
        """Nothing is kept: each iterator is a new beginning."""
        return self

    def pictures(self) -> Iterator[RawPicture]:
        """Drawn when they are due, so that the clock in them is right."""
        picture = MovingPicture(self.video.width, self.video.height, title="SIGHTLINE TEST")
        for number in itertools.count():
            seconds = number / self.video.frame_rate
            yield RawPicture(seconds, partial(_draw, picture, number, seconds))

    def sounds(self) -> Iterator[RawSound]:
        """The tone, without end."""
        for sample in itertools.count(0, _SOUND_SAMPLES):
            yield RawSound(sample / SAMPLE_RATE, partial(tone_frame, sample, _SOUND_SAMPLES))


def _draw(picture: MovingPicture, number: int, seconds: float) -> av.VideoFrame:
    now = datetime.datetime.now().astimezone()
    caption = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 100_000}"
    return picture.draw(number, seconds=seconds, caption=caption)
