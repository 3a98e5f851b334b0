"""A source that encodes raw frames: once, while somebody watches, on its own threads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import av
import msgspec

from .encoders import AudioEncoder, VideoEncoder
from .feed import Feed
from .keyframes import KeyframePolicy
from .pacing import Pacer
from .pump import Pump, Step
from .units import AudioFormat, EncodedUnit, VideoFormat

__all__ = ["EncodingSource", "RawMedia", "RawPicture", "RawSound"]


class RawPicture(msgspec.Struct, frozen=True):
    """A picture at ``seconds`` from the start; ``make`` yields it, called when its time has come."""

    seconds: float
    make: Callable[[], av.VideoFrame]


class RawSound(msgspec.Struct, frozen=True):
    """Sound at ``seconds`` from the start."""

    seconds: float
    make: Callable[[], av.AudioFrame]


class RawMedia(Protocol):
    """Where the frames come from. Each iterator runs in a thread of its own."""

    @property
    def video(self) -> VideoFormat:
        """What the pictures are encoded as; both sizes are even."""

    @property
    def audio(self) -> AudioFormat | None:
        """None where there is no sound."""

    def pictures(self) -> Iterable[RawPicture]:
        """The pictures from the beginning."""

    def sounds(self) -> Iterable[RawSound]:
        """The sound from the beginning; times count from the same zero as the pictures'."""


class EncodingSource:
    """Runs the encoders from the first subscription to the last one's end, and fans out to all of them.

    The number of encoder calls does not depend on the number of viewers. Everything but decoding and encoding happens
    in the thread of the event loop.
    """

    def __init__(self, media: RawMedia, *, bitrate: int | None = None) -> None:
        """``bitrate``: of the video, in bits per second; by default from its size."""
        self._media = media
        self._bitrate = bitrate
        self._keyframes = KeyframePolicy()
        self._run: _Run | None = None
        self._ending: list[_Run] = []
        self._closed = False
        self._video = Feed(media.video, request_keyframe=self.request_keyframe, on_demand_change=self._follow_demand)
        self._audio = None if media.audio is None else Feed(media.audio, on_demand_change=self._follow_demand)

    @property
    def video(self) -> Feed:
        """The encoded pictures."""
        return self._video

    @property
    def audio(self) -> Feed | None:
        """The encoded sound, if any."""
        return self._audio

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe, or the first one that the interval between keyframes allows."""
        self._keyframes.request()

    async def aclose(self) -> None:
        """End all subscriptions and threads. Idempotent."""
        self._closed = True
        for feed in self._feeds():
            feed.end()
        self._stop()
        ending, self._ending = self._ending, []
        for run in ending:
            await run.ended()

    def _feeds(self) -> list[Feed]:
        return [feed for feed in (self._video, self._audio) if feed is not None]

    def _follow_demand(self) -> None:
        wanted = not self._closed and any(feed.subscribers for feed in self._feeds())
        if wanted and self._run is None:
            self._run = _Run()
            self._run.add("video", self._video, self._video_steps, may_drop=True)
            if self._audio is not None:
                self._run.add("audio", self._audio, self._audio_steps, may_drop=False)
            self._run.start()
        elif not wanted:
            self._stop()

    def _stop(self) -> None:
        self._ending = [run for run in self._ending if run.alive]
        if self._run is not None:
            self._run.stop()
            self._ending.append(self._run)
            self._run = None

    def _video_steps(self) -> Iterator[Step]:
        encoder = VideoEncoder(self._media.video, bitrate=self._bitrate)
        for picture in self._media.pictures():
            yield Step(picture.seconds, partial(self._encode_picture, encoder, picture))

    def _encode_picture(self, encoder: VideoEncoder, picture: RawPicture) -> Iterator[EncodedUnit]:
        frame = picture.make()
        now = time.monotonic()
        asked = self._keyframes.due(now)
        for unit in encoder.encode(frame, seconds=picture.seconds, keyframe=asked):
            if unit.keyframe:
                self._keyframes.made(now, on_request=asked)
            yield unit

    def _audio_steps(self) -> Iterator[Step]:
        encoder = AudioEncoder()
        for sound in self._media.sounds():
            yield Step(sound.seconds, partial(_encode_sound, encoder, sound))


def _encode_sound(encoder: AudioEncoder, sound: RawSound) -> Iterator[EncodedUnit]:
    return encoder.encode(sound.make(), seconds=sound.seconds)


class _Run:
    """The threads from one first viewer to the last one. After ``stop`` nothing of it reaches a feed any more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pumps: list[Pump] = []
        self._stopped = False

    @property
    def alive(self) -> bool:
        return any(pump.alive for pump in self._pumps)

    def add(self, name: str, feed: Feed, steps: Callable[[], Iterable[Step]], *, may_drop: bool) -> None:
        self._pumps.append(
            Pump(
                name,
                steps=steps,
                publish=lambda unit: self._from_thread(partial(feed.publish, unit)),
                ended=lambda: self._from_thread(feed.end),
                may_drop=may_drop,
            )
        )

    def start(self) -> None:
        pacer = Pacer(time.monotonic())
        for pump in self._pumps:
            pump.start(pacer)

    def stop(self) -> None:
        self._stopped = True
        for pump in self._pumps:
            pump.stop()

    async def ended(self) -> None:
        await asyncio.to_thread(self._join)

    def _from_thread(self, deliver: Callable[[], None]) -> None:
        # The loop is closed when a program ends without aclose(): there is nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver, deliver)

    def _deliver(self, deliver: Callable[[], None]) -> None:
        if not self._stopped:
            deliver()

    def _join(self) -> None:
        for pump in self._pumps:
            pump.join()
