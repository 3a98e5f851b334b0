"""A source that encodes raw frames: once, while somebody watches, on its own threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

import av
import msgspec

from .encoders import AudioEncoder
from .feed import Feed
from .ladder import Ladder
from .lower_rungs import LowerRungs
from .pump import Step
from .rendition import Encoding
from .renditions import Renditions
from .run import Made, PumpPlan, Threads
from .units import AudioFormat, VideoFormat

__all__ = ["EncodingSource", "RawMedia", "RawPicture", "RawPlay", "RawSound", "sound_plan"]


_LONG, _REPEATED_AFTER = 1.5, 1.0
"""Seconds without a picture in which the last one is sent again, and after how many: viewers take 2 s for a picture
that has stopped, and who comes while a slide is shown sees it at once."""


class RawPicture(msgspec.Struct, frozen=True):
    """A picture at ``seconds`` from the start; ``make`` yields it, called when its time has come, or None: nothing."""

    seconds: float
    make: Callable[[], av.VideoFrame | None]


class RawSound(msgspec.Struct, frozen=True):
    """Sound at ``seconds`` from the start, or None."""

    seconds: float
    make: Callable[[], av.AudioFrame | None]


class RawMedia(Protocol):
    """Where the frames come from."""

    @property
    def video(self) -> VideoFormat:
        """What the pictures are encoded as; both sizes are even."""

    @property
    def audio(self) -> AudioFormat | None:
        """None where there is no sound."""

    def play(self) -> RawPlay:
        """From the beginning."""


class RawPlay(Protocol):
    """The frames, from the first one who takes them to the last one's end. Each iterator runs in its own thread."""

    def pictures(self) -> Iterable[RawPicture]:
        """The pictures from the beginning."""

    def sounds(self) -> Iterable[RawSound]:
        """The sound from the beginning; times count from the same zero as the pictures'."""


class EncodingSource:
    """Runs the encoders from the first one who takes a feed to the last one's end.

    The number of encoder calls does not depend on the number of viewers: each rendition in each codec is encoded once
    for all its viewers, while it has any. Everything but decoding and encoding happens in the thread of the event loop.
    """

    def __init__(
        self, media: RawMedia, *, bitrate: int | None = None, ladder: Ladder | None = None, transcode: bool = True
    ) -> None:
        """``bitrate``: of the video, in bits per second; by default from its size. ``ladder``: the lower renditions;
        without ``transcode`` there is nothing but H.264 of the source's size.
        """
        self._media = media
        self._threads = Threads(self._plans, self._feeds)
        follow = self._threads.follow_demand
        self._renditions = Renditions(
            media.video, ladder=ladder or Ladder(), transcode=transcode, bitrate=bitrate, on_demand_change=follow
        )
        self._audio = None if media.audio is None else Feed(media.audio, on_demand_change=follow)

    @property
    def video(self) -> Feed:
        """The pictures in H.264."""
        return self._renditions.tops[0].feed

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """The pictures by codec, the preferred one first."""
        return self._renditions.by_codec

    def renditions(self, codec: str) -> Sequence[Feed]:
        """The pictures in one of those codecs in all their sizes, the greatest first."""
        return self._renditions.of(codec)

    @property
    def audio(self) -> Feed | None:
        """The encoded sound, if any."""
        return self._audio

    def use_encoder(self, name: str) -> None:
        """Encode H.264 by another encoder of FFmpeg's, from the next start on."""
        self._renditions.use_encoder(name)

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe, or the first one that the interval between keyframes allows."""
        self._renditions.request_keyframe()

    async def aclose(self) -> None:
        """End all subscriptions and threads. Idempotent."""
        await self._threads.aclose()

    def _feeds(self) -> list[Feed]:
        feeds = list(self._renditions.feeds())
        return feeds if self._audio is None else [*feeds, self._audio]

    def _plans(self) -> Iterator[PumpPlan]:
        play = self._media.play()
        lower = LowerRungs(self._renditions.lower)
        tops = tuple(rendition.feed for rendition in self._renditions.tops)
        yield PumpPlan("video", partial(self._video_steps, play, lower), tops, may_drop=True)
        if self._renditions.lower:
            feeds = tuple(rendition.feed for rendition in self._renditions.lower)
            yield PumpPlan("lower", lower.steps, feeds, may_drop=True, stop=lower.stop)
        if self._audio is not None:
            yield sound_plan(self._audio, play.sounds)

    def _video_steps(self, play: RawPlay, lower: LowerRungs) -> Iterator[Step[Made]]:
        encodings = [rendition.begin() for rendition in self._renditions.tops]
        last: RawPicture | None = None
        for picture in play.pictures():
            while last is not None and picture.seconds - last.seconds > _LONG:
                last = RawPicture(last.seconds + _REPEATED_AFTER, last.make)
                yield Step(last.seconds, partial(self._encode_picture, last, encodings, lower))
            yield Step(picture.seconds, partial(self._encode_picture, picture, encodings, lower))
            last = picture
        lower.stop()

    def _encode_picture(self, picture: RawPicture, encodings: Sequence[Encoding], lower: LowerRungs) -> Iterator[Made]:
        if not (lower.wanted or any(rendition.feed.subscribers for rendition in self._renditions.tops)):
            return  # Only the sound is taken.
        frame = picture.make()
        if frame is None:
            return
        lower.put(frame, picture.seconds)
        for encoding in encodings:
            yield from encoding.encode(frame, seconds=picture.seconds)


def sound_plan(feed: Feed, sounds: Callable[[], Iterable[RawSound]]) -> PumpPlan:
    """The thread that encodes sound."""
    return PumpPlan("audio", partial(_audio_steps, feed, sounds), (feed,), may_drop=False)


def _audio_steps(feed: Feed, sounds: Callable[[], Iterable[RawSound]]) -> Iterator[Step[Made]]:
    encoder = AudioEncoder()
    for sound in sounds():
        yield Step(sound.seconds, partial(_encode_sound, encoder, feed, sound))


def _encode_sound(encoder: AudioEncoder, feed: Feed, sound: RawSound) -> Iterator[Made]:
    if not feed.subscribers:
        return
    frame = sound.make()
    if frame is None:
        return
    for unit in encoder.encode(frame, seconds=sound.seconds):
        yield feed, unit
