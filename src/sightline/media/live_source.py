"""A live source: read all the time by a thread of its own, opened again when it is lost, passed through or encoded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from ..errors import MediaError, SourceNotFound, UnsupportedMedia
from .feed import Feed
from .gop_cache import GopCache
from .h264_packets import PROFILES, Normalizer, profile_of
from .ladder import Ladder
from .live_clock import LiveClock
from .live_input import HANG_LIMIT, READ_LIMIT, LiveInput, words_of
from .live_worker import SoundWorker, Worker
from .renditions import Renditions
from .run import Made
from .turning import is_oblong, stretched
from .units import AUDIO_CLOCK, VIDEO_CLOCK, AudioFormat, EncodedUnit, VideoFormat

__all__ = ["LiveSource"]

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before a lost source is opened again; doubled each time."""

_WATCHED_EVERY = 1.0
"""Seconds between two looks whether packets come: a device may hang in the kernel, where no time limit reaches it."""

_IN_PIECES = ("hls", "dash")
"""FFmpeg's names for what is fetched some seconds at a time, live or not."""

_LOOKED_AT = 20
"""Pictures that are looked at for B-frames before H.264 is passed through."""


class LiveSource:
    """Camera, device, screen or URL. Its H.264 and Opus are passed through where WebRTC can carry them.

    Opening it blocks. Raises SourceNotFound, SourceBusy, SourceRefused and UnsupportedMedia; what fails later is tried
    again and told to those who `follow`.
    """

    def __init__(
        self,
        input: LiveInput,
        *,
        bitrate: int | None = None,
        encoder: str | None = None,
        ladder: Ladder | None = None,
        transcode: bool = True,
    ) -> None:
        """``bitrate`` in bits per second and an ``encoder`` of FFmpeg's ask for encoding in any case. ``ladder``: the
        lower renditions; without ``transcode`` there is nothing but H.264 of the source's size.
        """
        self._input = input
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._told: Callable[[str | None], None] | None = None
        self._lost: str | None = None
        self._clock = LiveClock()
        self._started = time.monotonic()
        self._heard = time.monotonic()
        self._watch_timer: asyncio.TimerHandle | None = None
        self._container: av.container.InputContainer | None = input.open(within=HANG_LIMIT)
        self._held: list[av.Packet[Any]] = []
        try:
            format = self._look(self._container)
        except (MediaError, av.FFmpegError, OSError) as error:
            self._container.close()
            if isinstance(error, MediaError):
                raise
            raise SourceNotFound(f"{input.name} opens, but sends nothing. Check that it is not held up.") from None
        passes = bitrate is None and encoder is None and self._can_pass(self._container)
        follow = self._follow_demand
        self._gop = GopCache(VIDEO_CLOCK)
        self._plain = Feed(format, on_demand_change=follow, gop=self._gop) if passes else None
        self._renditions = Renditions(
            format,
            ladder=ladder or Ladder(),
            transcode=transcode,
            bitrate=bitrate,
            on_demand_change=follow,
            passed=self._plain,
            encoder=encoder,
        )
        streams = self._container.streams
        self._audio = Feed(AudioFormat(), on_demand_change=follow) if streams.audio else None

    @property
    def video(self) -> Feed:
        """The pictures in H.264."""
        return self._plain or self._renditions.tops[0].feed

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """The pictures by codec, the preferred one first."""
        return self._renditions.by_codec

    def renditions(self, codec: str) -> Sequence[Feed]:
        """The pictures in one of those codecs in all their sizes, the greatest first."""
        return self._renditions.of(codec)

    @property
    def audio(self) -> Feed | None:
        """The sound, if any."""
        return self._audio

    @property
    def lost(self) -> str | None:
        """What is the matter with the source; None while it is there."""
        return self._lost

    def follow(self, told: Callable[[str | None], None]) -> None:
        """Call ``told``, in the event loop's thread, with why when the source is lost, with None when it is back."""
        self._told = told
        self._follow_demand()

    def request_keyframe(self) -> None:
        """Only encoders of ours make them."""
        self._renditions.request_keyframe()

    async def aclose(self) -> None:
        """End all subscriptions and the thread. Idempotent."""
        self._closed.set()
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        for feed in self._feeds():
            feed.end()
        if self._thread is None:
            if self._container is not None:
                self._container.close()
                self._container = None
        else:
            # A device that hangs in the kernel is not waited for; the thread ends when it lets go.
            await asyncio.to_thread(self._thread.join, 1.0)

    def _feeds(self) -> Iterator[Feed]:
        yield from self._renditions.feeds()
        if self._audio is not None:
            yield self._audio

    def _follow_demand(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._main, name="sightline-live", daemon=True)
            self._thread.start()
            self._heard = time.monotonic()
            self._watch()

    def _watch(self) -> None:
        """Says so when a device gives nothing and no error either. The thread goes on waiting for it."""
        assert self._loop is not None
        if self._closed.is_set():
            return
        if self._lost is None and time.monotonic() - self._heard > READ_LIMIT + _WATCHED_EVERY:
            log.warning("the source is lost: %s hangs. It is waited for.", self._input.name)
            self._tell(f"{self._input.name} hangs: it sends nothing.")
        self._watch_timer = self._loop.call_later(_WATCHED_EVERY, self._watch)

    # -- when it is opened

    def _look(self, container: av.container.InputContainer) -> VideoFormat:
        if not container.streams.video:
            raise UnsupportedMedia(f"{self._input.name} has no video, so there is no picture to send.")
        stream = container.streams.video[0]
        codec: av.VideoCodecContext | None = stream.codec_context  # None for a codec that FFmpeg does not know
        if codec is None or not codec.width or not codec.height:
            what = codec.name if codec is not None and codec.name else "a codec that it does not know"
            raise UnsupportedMedia(
                f"{self._input.name} sends pictures that FFmpeg cannot make out: {what}. Set the camera to H.264."
            )
        rate = float(stream.average_rate or stream.guessed_rate or 30)
        profile = profile_of(codec.extradata) if codec.name == "h264" else None
        width, height = stretched(codec.width, codec.height, stream.sample_aspect_ratio)
        return VideoFormat(
            width // 2 * 2,
            height // 2 * 2,
            rate if 1 <= rate <= 240 else 30.0,
            profile_level_id=profile or "42e01f",
        )

    def _can_pass(self, container: av.container.InputContainer) -> bool:
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec.name != "h264" or codec.profile not in PROFILES or codec.pix_fmt not in ("yuv420p", "yuvj420p"):
            return False
        if is_oblong(stream.sample_aspect_ratio):
            log.info("%s has oblong pixels: it is encoded, as browsers take them for square", self._input.name)
            return False
        if codec.has_b_frames and codec.profile not in ("Baseline", "Constrained Baseline"):
            # Some cameras only say that they might: whether they do is seen in the order of the times.
            pictures, last = 0, -1
            with contextlib.suppress(av.FFmpegError, OSError):
                for packet in container.demux():
                    self._held.append(packet)
                    if packet.stream is stream and packet.pts is not None:
                        if packet.pts <= last:
                            return False
                        last, pictures = packet.pts, pictures + 1
                    if pictures >= _LOOKED_AT:
                        break
        return True

    # -- the thread

    def _main(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closed.is_set():
            begun = time.monotonic()
            try:
                container = self._container or self._input.open()
                self._container = None
                with container:
                    self._read(container)
                reason = f"{self._input.name} has ended."
            except MediaError as error:
                reason = str(error)
            except (av.FFmpegError, OSError, ValueError) as error:
                # What FFmpeg says may have the whole address in it.
                reason = f"{self._input.name} was lost: {words_of(error)}."
            self._held = []
            if self._closed.is_set():
                return
            if time.monotonic() - begun > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            if self._lost is None:
                pause = _FIRST_PAUSE
                log.warning("the source is lost: %s It is opened again until it is back.", reason)
                self._tell(reason)
            self._closed.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _read(self, container: av.container.InputContainer) -> None:
        self._look(container)
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio and self._audio is not None else None
        if self._plain is not None and video.codec_context.name != "h264":
            raise UnsupportedMedia(f"{self._input.name} sends {video.codec_context.name} now, and sent H.264 before.")
        normalizer = None
        if self._plain is not None:
            normalizer = Normalizer(BitStreamFilterContext("h264_mp4toannexb", video))
        self._clock.reconnected()
        pictures = Worker("sightline-live-video", video, self._renditions, self._publish)
        sound = None
        if audio is not None and self._audio is not None and audio.codec_context.name != "opus":
            sound = SoundWorker("sightline-live-audio", audio, self._audio, self._publish)
        held, self._held = self._held, []
        # A recording comes as fast as the network carries it, and in pieces of some seconds.
        is_recorded = bool(container.duration) or container.format.name in _IN_PIECES
        try:
            for packet in _all(held, container, [video, *([audio] if audio is not None else [])]):
                if self._closed.is_set():
                    return
                if packet.size == 0:
                    continue
                self._heard = time.monotonic()
                if self._lost is not None:
                    log.info("the source is back: %s", self._input.name)
                    self._tell(None)
                seconds = self._time_of(packet)
                if is_recorded and self._closed.wait(max(0.0, seconds - (time.monotonic() - self._started))):
                    return
                self._take(packet, seconds, normalizer, pictures, sound)
        finally:
            pictures.stop()
            if sound is not None:
                sound.stop()

    def _time_of(self, packet: av.Packet[Any]) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        at = float(stamp * packet.time_base) if stamp is not None and packet.time_base is not None else None
        ordered = self._plain is not None or packet.stream.type != "video"
        return self._clock.at(packet.stream.index, at, time.monotonic() - self._started, ordered=ordered)

    def _take(
        self,
        packet: av.Packet[Any],
        seconds: float,
        normalizer: Normalizer | None,
        pictures: Worker,
        sound: SoundWorker | None,
    ) -> None:
        if packet.stream.type == "video":
            if normalizer is None:
                pictures.put(packet, seconds)
                return
            for data, keyframe in normalizer.take(packet):
                unit = EncodedUnit(data, round(seconds * VIDEO_CLOCK), keyframe)
                assert self._plain is not None
                self._publish((self._plain, unit))
                again = av.Packet(data)
                again.pts, again.time_base, again.is_keyframe = unit.timestamp, Fraction(1, VIDEO_CLOCK), keyframe
                pictures.put(again, seconds)
        elif packet.stream.type == "audio":
            if sound is not None:
                sound.put(packet, seconds)
            elif self._audio is not None:
                self._publish((self._audio, EncodedUnit(bytes(packet), round(seconds * AUDIO_CLOCK))))

    def _publish(self, made: Made) -> None:
        feed, unit = made
        self._in_loop(partial(feed.publish, unit))

    def _tell(self, reason: str | None) -> None:
        self._lost = reason
        if self._told is not None:
            self._in_loop(partial(self._told, reason))

    def _in_loop(self, deliver: Callable[[], None]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(self._deliver, deliver)

    def _deliver(self, deliver: Callable[[], None]) -> None:
        if not self._closed.is_set():
            deliver()


def _all(
    held: list[av.Packet[Any]], container: av.container.InputContainer, streams: list[av.stream.Stream]
) -> Iterator[av.Packet[Any]]:
    indices = {stream.index for stream in streams}
    yield from (packet for packet in held if packet.stream.index in indices)
    yield from container.demux(streams)
