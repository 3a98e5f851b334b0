"""A network camera and what stands in for devices: passed through, encoded, lost and found again."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from sightline.errors import ConfigError, MediaError, SourceBusy, SourceNotFound, SourceRefused, UnsupportedMedia
from sightline.media import live_input as live_input_module
from sightline.media import live_source as live_source_module
from sightline.media.bar_code import read_bar_code
from sightline.media.feed import Feed
from sightline.media.h264_file import access_units
from sightline.media.live_input import LiveInput, live_input
from sightline.media.live_source import LiveSource
from sightline.media.picture import MovingPicture
from sightline.media.source import open_source
from sightline.media.units import EncodedUnit
from tests.harness.device import Device
from tests.harness.rtsp import RtspCamera, coded_pictures

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


def coded(units: list[EncodedUnit]) -> set[bytes]:
    return set().union(*(coded_pictures(unit.data) for unit in units))


def stored(path: Path) -> set[bytes]:
    with av.open(str(path)) as container:
        return set().union(*(coded_pictures(data) for _, (data, _) in access_units(container)))


async def opening(url: str, transport: str = "tcp") -> LiveSource:
    input = live_input(url, transport=transport)
    assert input is not None
    return await asyncio.to_thread(LiveSource, input)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_cameras_pictures_and_sound_are_passed_through(opened: list[LiveSource], transport: str) -> None:
    with RtspCamera(sound=True) as camera:
        source = await opening(camera.url, transport)
        opened.append(source)
        assert source.video.profile_level_id.startswith("42")
        assert source.audio is not None
        pictures, sounds = await asyncio.gather(taken(source.video, 40), taken(source.audio, 40))
        assert coded(pictures) <= camera.sent
        shown = numbers(pictures)
        assert None not in shown
        assert all(later == (earlier or 0) + 1 for earlier, later in pairwise(shown)), "each picture once, in order"
        assert pictures[0].keyframe
        assert all(unit.data.startswith(b"\0\0\0\1") for unit in pictures)
        assert all(later.timestamp > earlier.timestamp for earlier, later in pairwise(pictures))
        assert all(len(unit.data) > 3 for unit in sounds)


async def test_oblong_pixels_are_stretched_as_browsers_take_all_for_square(opened: list[LiveSource]) -> None:
    with RtspCamera(size=(160, 180), aspect=Fraction(2, 1)) as camera:
        opened.append(await opening(camera.url))
        pictures = await taken(opened[0].video, 5)
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in pictures for frame in decoder.decode(av.Packet(unit.data))]
    assert [(frame.width, frame.height) for frame in frames] == [(320, 180)] * 5


async def test_pixels_that_are_hardly_oblong_cost_no_encoding(opened: list[LiveSource]) -> None:
    with RtspCamera(aspect=Fraction(320, 321)) as camera:
        opened.append(await opening(camera.url))
        pictures = await taken(opened[0].video, 5)
    assert coded(pictures) <= camera.sent


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
    with pytest.raises(UnsupportedMedia, match="makes vp8"):
        open_source("test", encoder="libvpx")


async def test_raw_pictures_of_a_device_are_encoded(opened: list[LiveSource]) -> None:
    input = LiveInput("testsrc=size=320x180:rate=30,realtime", "lavfi")
    source = await asyncio.to_thread(LiveSource, input)
    opened.append(source)
    begun = time.monotonic()
    units = await taken(source.video, 20)
    assert units[0].keyframe
    assert len(units) == 20
    assert time.monotonic() - begun < 20


class Refusing:
    """Stands where FFmpeg opens a device: no machine of these tests has one that could be busy."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, *_: object, **__: object) -> None:
        raise av.error.FFmpegError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(
    ("source", "number", "kind", "advice"),
    [
        ("/dev/video0", errno.EBUSY, SourceBusy, "in use by another program. Close that"),
        ("ffmpeg:alsa:hw:0", errno.EBUSY, SourceBusy, "in use by another program"),
        ("/dev/video0", errno.EACCES, SourceNotFound, "to the group video"),
        ("ffmpeg:alsa:hw:0", errno.EACCES, SourceNotFound, "to the group audio"),
        ("ffmpeg:fbdev:/dev/fb0", errno.EPERM, SourceNotFound, "Give the user the right to read it"),
        ("/dev/video0", errno.ENODEV, SourceNotFound, "--list-devices"),
        ("/dev/video0", errno.ENOTTY, UnsupportedMedia, "is no camera. .*--list-devices"),
        ("rtsp://admin:geheim@camera/live", errno.EPROTONOSUPPORT, UnsupportedMedia, "Try --rtsp-transport udp"),
        ("rtsp://admin:geheim@camera/live", errno.EIO, SourceNotFound, "Check the address"),
        ("rtsp://admin:geheim@camera/live?key=geheim", errno.ETIMEDOUT, SourceNotFound, "switched on"),
    ],
)
async def test_each_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, source: str, number: int, kind: type[MediaError], advice: str
) -> None:
    monkeypatch.setattr(av, "open", Refusing(number))
    with pytest.raises(kind, match=advice) as refused:
        await asyncio.to_thread(open_source, source)
    assert "geheim" not in str(refused.value)
    assert refused.type is kind


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.0 200 OK\r\n\r\n<html>"], ids=["silent", "hangs-up", "web"])
async def test_what_is_no_rtsp_camera_is_said(monkeypatch: pytest.MonkeyPatch, answer: bytes | None) -> None:
    monkeypatch.setattr(live_input_module, "OPEN_LIMIT", 2.0)
    held = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if answer is not None:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SourceNotFound, match="does not answer as an RTSP camera does") as refused:
            await opening(f"rtsp://admin:geheim@127.0.0.1:{port}/live")
        assert "geheim" not in str(refused.value)
    finally:
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_what_ffmpeg_does_not_speak_is_said() -> None:
    with pytest.raises(UnsupportedMedia, match="does not speak nothere"):
        await asyncio.to_thread(open_source, "nothere://camera")


async def test_a_codec_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_input_module, "OPEN_LIMIT", 5.0)  # so long FFmpeg looks for its size
    with RtspCamera(codec="VND.NOBODY") as camera, pytest.raises(UnsupportedMedia, match=r"Set the camera to H\.264"):
        await opening(camera.url)


async def test_a_device_that_hangs_at_the_start_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "video0")
    input = live_input(f"ffmpeg:yuv4mpegpipe:{tmp_path / 'video0'}")
    assert input is not None
    with pytest.raises(SourceNotFound, match=r"has hung for 0\.3 s"):
        await asyncio.to_thread(input.open, within=0.3)
    # The thread that was left behind is let go, and closes what it has opened.
    (tmp_path / "video0").open("wb", buffering=0).close()


async def test_a_device_that_hangs_is_told_and_holds_up_nobody(
    opened: list[LiveSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_source_module, "READ_LIMIT", 0.5)
    with Device(tmp_path / "video0") as device:
        source = await asyncio.to_thread(open_source, device.source)
        assert isinstance(source, LiveSource)
        opened.append(source)
        told: asyncio.Queue[str | None] = asyncio.Queue()
        source.follow(told.put_nowait)
        subscription = source.video.subscribe()
        async with asyncio.timeout(60):
            before = await subscription.next()
            device.hang()
            assert "hangs" in str(await told.get()), "the event loop goes on"
            device.go_on()
            assert await told.get() is None
            after = before
            while after is not None and (after is before or not after.keyframe):
                source.request_keyframe()
                after = await subscription.next()
        subscription.close()
        assert before is not None
        assert after is not None
        assert after.timestamp > before.timestamp
        await source.aclose()


async def test_a_device_that_is_pulled_out_and_plugged_in_again(opened: list[LiveSource], tmp_path: Path) -> None:
    with Device(tmp_path / "video0") as device:
        source = await asyncio.to_thread(open_source, device.source)
        assert isinstance(source, LiveSource)
        opened.append(source)
        told: asyncio.Queue[str | None] = asyncio.Queue()
        source.follow(told.put_nowait)
        async with asyncio.timeout(60):
            shown = numbers(await taken(source.video, 30))
            await asyncio.to_thread(device.pull_out)
            assert await told.get()
            device.plug_in()
            assert await told.get() is None
            later = numbers(await taken(source.video, 30))
        assert None not in shown + later
        assert max(number or 0 for number in shown) < min(number or 0 for number in later)
        await source.aclose()


def recorded(path: Path, *, pictures: int, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", **options})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        drawing = MovingPicture(320, 180, title="TEST")
        for number in range(pictures):
            frame = drawing.draw(number, seconds=number / 30, caption="")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}], ids=["passed-through", "encoded"])
async def test_a_recording_that_comes_all_at_once_is_played_in_real_time(
    tmp_path: Path, opened: list[LiveSource], options: dict[str, str]
) -> None:
    path = recorded(tmp_path / "film.mkv", pictures=90, **options)
    source = await opening(f"ffmpeg:matroska:{path}")
    opened.append(source)
    begun = time.monotonic()
    pictures = await taken(source.video, 45)
    assert (coded(pictures) <= stored(path)) == (options["bf"] == "0")
    span = (pictures[-1].timestamp - pictures[0].timestamp) / 90_000
    assert span > 1.4
    assert time.monotonic() - begun > span - 0.8, "no faster than it was filmed"


async def test_pictures_with_b_frames_come_at_their_own_times(tmp_path: Path, opened: list[LiveSource]) -> None:
    path = recorded(tmp_path / "film.mkv", pictures=240, bf="3")
    source = await opening(f"ffmpeg:matroska:{path}")
    opened.append(source)
    pictures = await taken(source.video, 30)
    shown = numbers(pictures)
    zeros = [unit.timestamp / 90_000 - (number or 0) / 30 for unit, number in zip(pictures, shown, strict=True)]
    assert None not in shown
    assert max(zeros) - min(zeros) < 0.01, "each is as long on the screen as it was filmed"
