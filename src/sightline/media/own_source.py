"""Pictures and sound of one's own Python code as a source."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

import av
import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedMedia
from .encoders import AudioEncoder
from .feed import Feed
from .ladder import Ladder
from .live_input import READ_LIMIT
from .lower_rungs import LowerRungs
from .renditions import Renditions
from .run import Made
from .tone import SAMPLE_RATE
from .units import AudioFormat, VideoFormat

__all__ = ["OwnSource", "Picture", "Sound"]

log = logging.getLogger(__name__)

Picture: TypeAlias = "npt.NDArray[np.uint8] | av.VideoFrame"
"""``(height, width, 3) uint8`` RGB, or a frame of PyAV's in any format."""

Sound: TypeAlias = "npt.NDArray[np.int16] | av.AudioFrame"
"""``(samples, 2) int16`` at 48 kHz, or a frame of PyAV's."""

_WAITING = 2
"""Pictures that wait for the encoder; with more, the newest are left out."""

_AHEAD = 0.2
"""Seconds of sound that may be yielded at once."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before what failed or ended is begun anew; doubled each time."""

_REPEATED_AFTER = 1.0
"""Seconds after which a slow source's last picture is sent again: viewers take 2 s for a picture that has stopped, and
who comes to a time-lapse sees something at once. One that is not slow shall be seen to stop."""

_LATE = 3
"""Pictures that may be missing before a slow source is held to be lost."""

_AGAIN: Final = object()
"""Stands for the picture before."""


class OwnSource:
    """Encodes what async generators yield: once, for all viewers, in threads of its own.

    ::

        async def pictures():
            while True:
                yield await camera.read()  # (720, 1280, 3) uint8

        source = sightline.Source(pictures, width=1280, height=720)

    A picture is taken to be of the moment in which it is yielded. The generators run from the first viewer on; one that
    ends or fails is called again, and viewers see ``source-lost`` meanwhile, as they do when no picture is yielded for
    4 s, or for the time of three at the ``frame_rate``.
    """

    def __init__(
        self,
        pictures: Callable[[], AsyncIterator[Any]],
        *,
        width: int,
        height: int,
        frame_rate: float = 30.0,
        sounds: Callable[[], AsyncIterator[Any]] | None = None,
        bitrate: int | None = None,
        renditions: str = "auto",
        transcode: bool = True,
    ) -> None:
        """``width`` and ``height``: what is sent, in pixels; ``bitrate``: of the video, in bits per second.

        ``frame_rate``: pictures per second; of a slow source the true one, as 0.1, lest its pauses be taken for a loss.
        ``renditions`` and ``transcode`` as in ``open_source``. Raises UnsupportedMedia for a size or a rate that cannot
        be encoded, and ConfigError.
        """
        if not 0 < frame_rate <= 240:
            raise UnsupportedMedia(f"{frame_rate} pictures per second cannot be encoded. Give a rate up to 240.")
        if not (16 <= width <= 7680 and 16 <= height <= 4320) or width % 2 or height % 2:
            raise UnsupportedMedia(f"Pictures of {width}x{height} cannot be encoded. Give even sizes from 16x16 on.")
        self._make = {"video": pictures} | ({"audio": sounds} if sounds is not None else {})
        follow = self._follow_demand
        self._renditions = Renditions(
            VideoFormat(width, height, max(frame_rate, 1 / _REPEATED_AFTER)),
            ladder=Ladder.parse(renditions, transcode=transcode),
            transcode=transcode,
            bitrate=bitrate,
            on_demand_change=follow,
        )
        self._audio = None if sounds is None else Feed(AudioFormat(), on_demand_change=follow)
        self._tasks: list[asyncio.Task[None]] = []
        self._queues: list[queue.Queue[tuple[Any, float] | None]] = []
        self._threads: list[threading.Thread] = []
        self._told: Callable[[str | None], None] | None = None
        self._missing: set[str] = set()
        self._silence = max(READ_LIMIT, _LATE / frame_rate)
        self._is_slow = frame_rate < 1 / _REPEATED_AFTER
        self._yielded = self._shown = 0.0
        """When a generator gave a picture last, and when the encoder was given one, if only the same again."""
        self._watch_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._started = 0.0

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

    def follow(self, told: Callable[[str | None], None]) -> None:
        """Call ``told`` with why when a generator ended, failed or stalls, and with None when all yield again."""
        self._told = told

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe, as soon as the interval between them allows."""
        self._renditions.request_keyframe()

    async def aclose(self) -> None:
        """End all subscriptions, generators and threads. Idempotent."""
        self._closed = True
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        for feed in self._feeds():
            feed.end()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in self._queues:
            with suppress(queue.Empty):
                while True:
                    each.get_nowait()
            each.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._queues, self._threads = [], []

    def _feeds(self) -> list[Feed]:
        feeds = list(self._renditions.feeds())
        return feeds if self._audio is None else [*feeds, self._audio]

    def _follow_demand(self) -> None:
        if self._tasks or self._closed or not any(feed.subscribers for feed in self._feeds()):
            return
        loop = asyncio.get_running_loop()
        self._started = time.monotonic()
        lower = LowerRungs(self._renditions.lower)
        if self._renditions.lower:
            self._run("lower", partial(self._encode_lower, loop, lower))
        for kind, make in self._make.items():
            waiting: queue.Queue[tuple[Any, float] | None] = queue.Queue(_WAITING if kind == "video" else 50)
            if kind == "video":
                self._run(kind, partial(self._encode_pictures, loop, waiting, lower))
            else:
                self._run(kind, partial(self._encode_sounds, loop, waiting))
            self._queues.append(waiting)
            self._tasks.append(loop.create_task(self._take(kind, make, waiting), name=f"own {kind}"))
        self._yielded = self._shown = time.monotonic()
        self._watch(loop, self._queues[0])

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"sightline-own-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    async def _take(
        self, kind: str, make: Callable[[], AsyncIterator[Any]], waiting: queue.Queue[tuple[Any, float] | None]
    ) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async for item in make():
                    if kind in self._missing:
                        pause = _FIRST_PAUSE
                        log.info("the source's own code for %s yields again", kind)
                        self._tell(kind, None)
                    now = time.monotonic()
                    if kind == "video":
                        self._yielded = self._shown = now
                    with suppress(queue.Full):
                        waiting.put_nowait((item, now - self._started))
                    await asyncio.sleep(0)  # A generator that never waits for anything holds up nobody else.
                reason = f"The source's own code for {kind} has ended."
                if kind not in self._missing:
                    log.warning("%s It is begun anew.", reason)
            except Exception as error:  # whatever a program of somebody else's raises
                log.exception("the source's own code for %s failed; it is begun anew", kind)
                reason = f"The source's own code for {kind} failed: {type(error).__name__}"
            self._tell(kind, reason)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _watch(self, loop: asyncio.AbstractEventLoop, pictures: queue.Queue[tuple[Any, float] | None]) -> None:
        """Repeats the last picture of a slow source, and says so when a generator stalls. Sound may pause."""
        now = time.monotonic()
        if "video" not in self._missing:
            if now - self._yielded >= self._silence:
                reason = f"The source's own code for video has yielded no picture for {self._silence:g} s."
                log.warning("the source is lost: %s It is waited for.", reason)
                self._tell("video", reason)
            elif self._is_slow and now - self._shown >= _REPEATED_AFTER and "pictures" not in self._missing:
                self._shown = now
                with suppress(queue.Full):
                    pictures.put_nowait((_AGAIN, now - self._started))
        due = min(self._yielded + self._silence, self._shown + _REPEATED_AFTER)
        pause = due - now if due > now else _REPEATED_AFTER / 2
        self._watch_timer = loop.call_later(pause, self._watch, loop, pictures)

    def _tell(self, kind: str, reason: str | None) -> None:
        if self._closed:
            return
        if reason is None:
            self._missing.discard(kind)
        else:
            self._missing.add(kind)
        if self._told is not None and (reason is not None or not self._missing):
            self._told(reason)

    def _encode_pictures(
        self, loop: asyncio.AbstractEventLoop, waiting: queue.Queue[tuple[Any, float] | None], lower: LowerRungs
    ) -> None:
        encodings = [rendition.begin() for rendition in self._renditions.tops]

        last: av.VideoFrame | None = None

        def encode(picture: object, seconds: float) -> None:
            nonlocal last
            frame = last if picture is _AGAIN else _picture_frame(picture)
            last = frame
            if frame is None:  # there was none yet
                return
            lower.put(frame, seconds)
            for encoding in encodings:
                for made in encoding.encode(frame, seconds=seconds):
                    self._publish(loop, made)

        self._encode_all("pictures", loop, waiting, encode)
        lower.stop()

    def _encode_lower(self, loop: asyncio.AbstractEventLoop, lower: LowerRungs) -> None:
        for step in lower.steps():
            try:
                for made in step.encode():
                    self._publish(loop, made)
            except Exception as error:
                log.debug("a picture of the source's own code cannot be scaled: %s", error)

    def _encode_sounds(self, loop: asyncio.AbstractEventLoop, waiting: queue.Queue[tuple[Any, float] | None]) -> None:
        encoder = AudioEncoder(ahead=_AHEAD)
        feed = self._audio
        assert feed is not None

        def encode(sound: object, seconds: float) -> None:
            for unit in encoder.encode(_sound_frame(sound), seconds=seconds):
                self._publish(loop, (feed, unit))

        self._encode_all("sounds", loop, waiting, encode)

    def _encode_all(
        self,
        what: str,
        loop: asyncio.AbstractEventLoop,
        waiting: queue.Queue[tuple[Any, float] | None],
        encode: Callable[[object, float], None],
    ) -> None:
        """Until None comes. What cannot be used is said once, and to the viewers, until something can be used again."""
        complaint = None
        while (item := waiting.get()) is not None:
            try:
                encode(*item)
                found = None
            except Exception as error:  # whatever PyAV and numpy make of a strange object
                found = f"The {what} of the source's own code cannot be used: {error}"
            if found != complaint and item[0] is not _AGAIN:
                complaint = found
                if found is not None:
                    log.warning("%s", found)
                with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
                    loop.call_soon_threadsafe(self._tell, what, found)

    def _publish(self, loop: asyncio.AbstractEventLoop, made: Made) -> None:
        feed, unit = made
        with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            loop.call_soon_threadsafe(partial(self._deliver, feed.publish, unit))

    def _deliver(self, publish: Callable[[Any], None], unit: object) -> None:
        if not self._closed:
            publish(unit)


def _picture_frame(picture: object) -> av.VideoFrame:
    if isinstance(picture, av.VideoFrame):
        return picture
    if not (
        isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,) and picture.size
    ):
        raise ValueError(f"yield arrays (height, width, 3) uint8, or av.VideoFrame; this is {_described(picture)}.")
    return av.VideoFrame.from_ndarray(picture, "rgb24")


def _sound_frame(sound: object) -> av.AudioFrame:
    if isinstance(sound, av.AudioFrame):
        return sound
    if not (isinstance(sound, np.ndarray) and sound.dtype == np.int16 and sound.shape[1:] == (2,) and sound.size):
        raise ValueError(f"yield arrays (samples, 2) int16 at 48 kHz, or av.AudioFrame; this is {_described(sound)}.")
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    return frame


def _described(item: object) -> str:
    return f"{item.shape} {item.dtype}" if isinstance(item, np.ndarray) else type(item).__name__
