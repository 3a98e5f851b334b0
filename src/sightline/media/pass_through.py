"""A file whose H.264 goes to the viewers as it is: no encoder works for it, whoever watches."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import msgspec

from .encoding_source import sound_plan
from .feed import Feed
from .file_play import FilePlay
from .file_source import FileMedia
from .gop_cache import GopCache
from .h264_file import access_units, profile_level_id
from .ladder import Ladder
from .lower_rungs import LowerRungs
from .pump import Step
from .rendition import Encoding
from .renditions import Renditions
from .run import Made, PumpPlan, Threads
from .units import VIDEO_CLOCK, EncodedUnit

__all__ = ["PassThroughSource"]

_BEHIND = 3
"""Pictures that may wait for the decoder; with more, it only decodes until it has caught up."""

_WAITING = 600
"""Pictures that wait at most: a group of pictures and some seconds. A decoder that slow goes on at a keyframe."""


class PassThroughSource:
    """Plays a file in real time. Keyframes come where the file has them; a viewer begins with the group held.

    For viewers without H.264 the pictures are decoded and encoded in VP8, and for those on a narrow path in smaller
    sizes, once for all of them and while there are any. Sound is encoded.
    """

    def __init__(
        self, path: Path | str, *, loop: bool = True, ladder: Ladder | None = None, transcode: bool = True
    ) -> None:
        """Blocks while the file is looked through. Raises SourceNotFound, and UnsupportedMedia when it cannot be.

        ``ladder``: the lower renditions; without ``transcode`` there is nothing but the file's own pictures.
        """
        path = Path(path)
        self._media = FileMedia(path, loop=loop, as_it_is=True)
        self._threads = Threads(self._plans, self._feeds)
        follow = self._threads.follow_demand
        self._gop = GopCache(VIDEO_CLOCK)
        profile = profile_level_id(path) or self._media.video.profile_level_id
        video = msgspec.structs.replace(self._media.video, profile_level_id=profile)
        self._video = Feed(video, on_demand_change=follow, gop=self._gop)
        self._renditions = Renditions(
            video, ladder=ladder or Ladder(), transcode=transcode, on_demand_change=follow, passed=self._video
        )
        self._audio = None if self._media.audio is None else Feed(self._media.audio, on_demand_change=follow)

    @property
    def video(self) -> Feed:
        """The file's own H.264."""
        return self._video

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

    def follow(self, told: Callable[[str | None], None]) -> None:
        """Call ``told``, in the event loop's thread, with why when the file is lost, with None when it is back."""
        self._media.follow(told)

    def request_keyframe(self) -> None:
        """The file's own keyframes come when they come; only those of what is encoded are made."""
        self._renditions.request_keyframe()

    async def aclose(self) -> None:
        """End all subscriptions and threads. Idempotent."""
        await self._threads.aclose()

    def _feeds(self) -> list[Feed]:
        feeds = list(self._renditions.feeds())
        return feeds if self._audio is None else [*feeds, self._audio]

    def _plans(self) -> Iterator[PumpPlan]:
        self._gop.clear()  # What the last run held is the past: this one begins at the file's beginning.
        transcoder = _Transcoder(self._renditions)
        play = self._media.play()
        # A picture that is late is sent late: those after it are built on it.
        yield PumpPlan("video", partial(self._steps, play, transcoder), (self._video,), may_drop=False)
        if self._renditions.all:
            tops = tuple(rendition.feed for rendition in self._renditions.tops)
            yield PumpPlan("transcoder", transcoder.steps, tops, may_drop=True, stop=transcoder.stop)
        if self._renditions.lower:
            feeds = tuple(rendition.feed for rendition in self._renditions.lower)
            lower = transcoder.lower
            yield PumpPlan("lower", lower.steps, feeds, may_drop=True, stop=lower.stop)
        if self._audio is not None:
            yield sound_plan(self._audio, play.sounds)

    def _steps(self, play: FilePlay, transcoder: _Transcoder) -> Iterator[Step[Made]]:
        for seconds, found in play.video(access_units):
            if found is None:
                yield Step(seconds, tuple)
                continue
            data, keyframe = found
            unit = EncodedUnit(data, round(seconds * VIDEO_CLOCK), keyframe)
            yield Step(seconds, partial(self._pass_on, unit, transcoder))
        transcoder.stop()

    def _pass_on(self, unit: EncodedUnit, transcoder: _Transcoder) -> Iterable[Made]:
        transcoder.take(unit)
        return ((self._video, unit),)


class _Transcoder:
    """Decodes what is passed on, in a thread of its own, while somebody takes another rendition."""

    def __init__(self, renditions: Renditions) -> None:
        self._renditions = renditions
        self.lower = LowerRungs(renditions.lower)
        self._queue: queue.SimpleQueue[EncodedUnit | None] = queue.SimpleQueue()
        self._group: list[EncodedUnit] = []
        self._fed = False

    def stop(self) -> None:
        """End the steps."""
        self._queue.put(None)

    def take(self, unit: EncodedUnit) -> None:
        """A picture is passed on. Called in the thread that plays the file."""
        if unit.keyframe or len(self._group) > _WAITING:
            self._group = []
        if unit.keyframe or self._group:
            self._group.append(unit)
        if not any(rendition.feed.subscribers for rendition in self._renditions.all):
            self._fed = False
        elif self._fed:
            self._queue.put(unit)
        elif self._queue.qsize() == 0:
            # Decoding begins with the group's keyframe, wherever in it the first viewer comes.
            self._fed = True
            for held in self._group:
                self._queue.put(held)
        if self._queue.qsize() > _WAITING:
            self._fed = False

    def steps(self) -> Iterator[Step[Made]]:
        """The pictures to be encoded, as far as the decoder keeps up."""
        decoder = _decoder()
        encodings = [rendition.begin() for rendition in self._renditions.tops]
        while (unit := self._queue.get()) is not None:
            packet = av.Packet(unit.data)
            packet.pts, packet.time_base = unit.timestamp, Fraction(1, VIDEO_CLOCK)
            if unit.keyframe:
                decoder = _decoder()
            try:
                frames = decoder.decode(packet)
            except av.InvalidDataError:
                continue
            if self._queue.qsize() > _BEHIND:
                continue
            for frame in frames:
                seconds = (unit.timestamp if frame.pts is None else frame.pts) / VIDEO_CLOCK
                yield Step(seconds, partial(self._encode, encodings, frame, seconds))
        self.lower.stop()

    def _encode(self, encodings: Sequence[Encoding], frame: av.VideoFrame, seconds: float) -> Iterator[Made]:
        self.lower.put(frame, seconds)
        for encoding in encodings:
            yield from encoding.encode(frame, seconds=seconds)


def _decoder() -> av.VideoCodecContext:
    decoder = av.CodecContext.create("h264", "r")
    # With threads it would hold back as many pictures as it has of them; there are no B-frames to wait for.
    decoder.thread_count = 1
    decoder.flags |= av.codec.context.Flags.low_delay
    return decoder
