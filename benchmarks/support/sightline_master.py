"""Sightline as the camera of a benchmark: ``python -m support.sightline_master HUB_PORT STREAM.units [STALLS.json]``.

``sightline.Master`` as anybody uses it, with a source that plays units encoded before. With STALLS the event loop is
watched too: the file gets, for each frame, how long the loop was held up by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import uvloop

from sightline.cli.collector import quiet_collector
from sightline.master import Master
from sightline.media.feed import Feed
from sightline.media.gop_cache import GopCache
from sightline.media.units import VIDEO_CLOCK, EncodedUnit, VideoFormat
from support.processes import own_waiting
from support.stream import HEIGHT, RATE, WIDTH, load

BEAT = 0.001
"""Seconds between two looks at the loop. uvloop counts in milliseconds: less would be no pause at all."""


class EncodedStream:
    """A source that cannot make keyframes: what comes from a camera that encodes by itself."""

    def __init__(self, units: Sequence[tuple[bytes, bool]]) -> None:
        self._units = units
        self.video = Feed(VideoFormat(WIDTH, HEIGHT, RATE), gop=GopCache(VIDEO_CLOCK))
        self.audio = None
        self.published: list[tuple[float, bool]] = []
        self._ended = False

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """H.264 only."""
        return {"H264": self.video}

    def renditions(self, codec: str) -> Sequence[Feed]:
        """In one size."""
        return [self.video_feeds[codec]]

    def request_keyframe(self) -> None:
        """It comes when it comes."""

    async def play(self) -> None:
        """In a loop, in real time."""
        loop = asyncio.get_running_loop()
        begun, number = loop.time(), 0
        while not self._ended:
            await asyncio.sleep(begun + number / RATE - loop.time())
            data, keyframe = self._units[number % len(self._units)]
            self.published.append((time.perf_counter(), keyframe))
            self.video.publish(EncodedUnit(data, number * VIDEO_CLOCK // RATE, keyframe))
            number += 1

    async def aclose(self) -> None:
        """Stop."""
        self._ended = True
        self.video.end()


class Session(msgspec.Struct, frozen=True):
    """What a master needs of a control plane: here only an address."""

    url: str
    ice_servers: tuple[object, ...] = ()
    ca_files: tuple[Path, ...] = ()
    channel_arn: str = "arn:aws:kinesisvideo:us-west-2:000000000000:channel/benchmark/1"
    client_id: str | None = None
    region: str = "us-west-2"
    is_sightline: bool = False


class Watch:
    """How long the loop was held up around each frame: by how much a timer came late, at most.

    Without the time in which somebody else had the core.
    """

    def __init__(self, source: EncodedStream) -> None:
        self._source = source
        self._late: list[tuple[float, float]] = []
        self._wanted = self._waited = 0.0

    def begin(self) -> None:
        """Look for as long as the loop runs."""
        self._wanted = time.perf_counter() + BEAT
        self._waited = own_waiting()
        asyncio.get_running_loop().call_later(BEAT, self._look)

    def _look(self) -> None:
        now, waited = time.perf_counter(), own_waiting()
        self._late.append((now, now - self._wanted - (waited - self._waited)))
        self.begin()

    def per_frame(self) -> list[dict[str, object]]:
        """The worst delay of a timer from each frame until the next."""
        frames, at = self._source.published, 0
        seen: list[dict[str, object]] = []
        for (begun, keyframe), (end, _) in pairwise(frames):
            worst = 0.0
            while at < len(self._late) and self._late[at][0] < end:
                if self._late[at][0] >= begun:
                    worst = max(worst, self._late[at][1])
                at += 1
            seen.append({"at": begun, "keyframe": keyframe, "late": worst})
        return seen


async def run(port: str, stream: str, stalls: str | None) -> None:
    source = EncodedStream(load(Path(stream)))

    async def session() -> Session:
        return Session(f"ws://127.0.0.1:{port}/master")

    watch = Watch(source)
    master = Master("benchmark", source=source, session_provider=session)
    async with master, asyncio.TaskGroup() as tasks:
        works = [tasks.create_task(work) for work in (source.play(), master.run())]
        if stalls is not None:
            watch.begin()
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()
        await source.aclose()
        for work in works:
            work.cancel()
    if stalls is not None:
        await asyncio.to_thread(Path(stalls).write_text, json.dumps(watch.per_frame()))


if __name__ == "__main__":
    quiet_collector()
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(run(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
