"""A network camera and what stands in for devices: passed through, encoded, lost and found again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import av
import pytest

from sightline.errors import ConfigError, SourceNotFound, SourceRefused, UnsupportedMedia
from sightline.media.bar_code import read_bar_code
from sightline.media.feed import Feed
from sightline.media.live_input import LiveInput, live_input
from sightline.media.live_source import LiveSource
from sightline.media.source import open_source
from sightline.media.units import EncodedUnit
from tests.harness.rtsp import RtspCamera

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


@pytest.fixture
async def opened() -> AsyncIterator[list[LiveSource]]:
    sources: list[LiveSource] = []
    yield sources
    for source in sources:
        await source.aclose()


async def taken(feed: Feed, count: int) -> list[EncodedUnit]:
    subscription = feed.subscribe()
    try:
        async with asyncio.timeout(30):
            found = [await subscription.next() for _ in range(count)]
    finally:
        subscription.close()
    return [unit for unit in found if unit is not None]


def numbers(units: list[EncodedUnit], codec: str = "h264") -> list[int | None]:
    decoder = av.CodecContext.create(codec, "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]


async def opening(url: str, transport: str = "tcp") -> LiveSource:
    input = live_input(url, transport=transport)
    assert input is not None
    return await asyncio.to_thread(LiveSource, input)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_cameras_pictures_and_sound_are_passed_through(opened: list[LiveSource], transport: str) -> None:
    with RtspCamera(sound=True) as camera:
        source = await opening(camera.url, transport)
        opened.append(source)
        assert source.passes_through
        assert source.video.profile_level_id.startswith("42")
        assert source.audio is not None
        pictures, sounds = await asyncio.gather(taken(source.video, 40), taken(source.audio, 40))
        shown = numbers(pictures)
        assert None not in shown
        assert all(later == (earlier or 0) + 1 for earlier, later in pairwise(shown)), "each picture once, in order"
        assert pictures[0].keyframe
        assert all(unit.data.startswith(b"\0\0\0\1") for unit in pictures)
        assert all(later.timestamp > earlier.timestamp for earlier, later in pairwise(pictures))
        assert all(len(unit.data) > 3 for unit in sounds)


async def test_a_viewer_without_h264_has_vp8(opened: list[LiveSource]) -> None:
    with RtspCamera() as camera:
        opened.append(await opening(camera.url))
        units = await taken(opened[0].video_feeds["VP8"], 5)
        assert None not in numbers(units, "vp8")


async def test_a_camera_that_is_cut_off_is_found_again_and_its_time_goes_on(
    opened: list[LiveSource], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspCamera(password="geheim") as camera:
        source = await opening(camera.url)
        opened.append(source)
        told: asyncio.Queue[str | None] = asyncio.Queue()
        source.follow(told.put_nowait)
        subscription = source.video.subscribe()
        async with asyncio.timeout(60):
            before = await subscription.next()
            camera.unplug()
            reason = await told.get()
            assert reason
            assert source.lost == reason
            camera.plug_in()
            assert await told.get() is None
            assert source.lost is None
            after = before
            while after is not None and (after is before or not after.keyframe):
                after = await subscription.next()
        assert before is not None
        assert after is not None
        assert after.timestamp > before.timestamp
    assert "geheim" not in caplog.text
    assert "the source is lost" in caplog.text


@pytest.mark.parametrize("digest", [False, True])
async def test_a_password_that_is_wrong_is_said_and_not_shown(opened: list[LiveSource], digest: bool) -> None:
    with RtspCamera(password="geheim", digest=digest) as camera:
        opened.append(await opening(camera.url))
        with pytest.raises(SourceRefused, match="401") as refused:
            await opening(camera.url.replace("geheim", "falsch"))
        assert refused.value.status == 401
        assert "falsch" not in str(refused.value)


async def test_what_is_not_there_is_said() -> None:
    with RtspCamera() as camera:
        with pytest.raises(SourceRefused, match="404"):
            await opening(camera.url.replace("/live", "/other"))
        url = camera.url
    with pytest.raises(SourceNotFound, match="switched on"):
        await opening(url)
    with pytest.raises(SourceNotFound, match="list-devices"):
        await asyncio.to_thread(open_source, "/dev/video93")
    with pytest.raises(UnsupportedMedia, match="nothere"):
        await asyncio.to_thread(open_source, "ffmpeg:nothere:x")
    with pytest.raises(ConfigError):
        open_source("ffmpeg:nothere")
    with pytest.raises(UnsupportedMedia, match="--encoder"):
        open_source("test", encoder="h264_nothere")


async def test_raw_pictures_of_a_device_are_encoded(opened: list[LiveSource]) -> None:
    input = LiveInput("testsrc=size=320x180:rate=30,realtime", "lavfi")
    source = await asyncio.to_thread(LiveSource, input)
    opened.append(source)
    assert not source.passes_through
    begun = time.monotonic()
    units = await taken(source.video, 20)
    assert units[0].keyframe
    assert len(units) == 20
    assert time.monotonic() - begun < 20
