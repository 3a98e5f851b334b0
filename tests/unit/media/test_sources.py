"""Real sources, watched through a real decoder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from sightline.errors import ConfigError, SourceNotFound, UnsupportedMedia
from sightline.media.bar_code import read_bar_code
from sightline.media.clip import make_clip
from sightline.media.encoders import VideoEncoder, Vp8Encoder
from sightline.media.feed import Subscription
from sightline.media.file_source import FileSource
from sightline.media.picture import MovingPicture
from sightline.media.source import Source, open_source
from sightline.media.test_picture import TestPicture
from sightline.media.units import EncodedUnit

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(path, seconds=0.8)
    return path


@pytest.fixture
async def sources() -> AsyncIterator[list[Source]]:
    opened: list[Source] = []
    yield opened
    for source in opened:
        await source.aclose()


async def units(subscription: Subscription, count: int) -> list[EncodedUnit]:
    taken = [await subscription.next() for _ in range(count)]
    return [unit for unit in taken if unit is not None]


def numbers(taken: list[EncodedUnit]) -> list[int | None]:
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in taken for frame in decoder.decode(av.Packet(unit.data))]
    return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]


async def test_a_file_plays_in_real_time_and_begins_again(clip: Path, sources: list[Source]) -> None:
    source = FileSource(clip)
    sources.append(source)
    subscription = source.video.subscribe()
    begun = time.monotonic()
    taken = await units(subscription, 36)
    elapsed = time.monotonic() - begun
    shown = [number for number in numbers(taken) if number is not None]
    assert len(shown) == 36
    assert taken[0].keyframe
    # A busy machine leaves pictures out; those that it shows come at their own times.
    steps = [(later - earlier) % 24 for earlier, later in pairwise(shown)]
    assert sum(steps) >= 24, "it has begun again"
    pauses = [later.timestamp - earlier.timestamp for earlier, later in pairwise(taken)]
    assert all(abs(pause - 3000 * step) < 6000 for pause, step in zip(pauses, steps, strict=True)), "nor jumps there"
    assert elapsed > sum(pauses) / 90_000 / 2, "no faster than it was filmed"


async def test_sound_comes_in_packets_of_20_ms(clip: Path, sources: list[Source]) -> None:
    source = FileSource(clip)
    sources.append(source)
    assert source.audio is not None
    begun = time.monotonic()
    taken = await units(source.audio.subscribe(), 60)
    assert time.monotonic() - begun > 0.9
    steps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(taken)]
    assert all(step >= 960 for step in steps)
    assert steps.count(960) >= 57
    decoder = av.CodecContext.create("libopus", "r")
    assert {frame.samples for unit in taken for frame in decoder.decode(av.Packet(unit.data))} >= {960}


async def test_a_file_that_does_not_loop_ends(clip: Path, sources: list[Source]) -> None:
    source = FileSource(clip, loop=False)
    sources.append(source)
    subscription = source.video.subscribe()
    taken = []
    while (unit := await subscription.next()) is not None:
        taken.append(unit)
    assert 10 <= len(taken) <= 24, "a busy machine leaves some out"


async def test_one_encoding_serves_all(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    encode = VideoEncoder.encode

    def counted(self: VideoEncoder, *args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        return encode(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoEncoder, "encode", counted)
    source = TestPicture(160, 90, 30)
    sources.append(source)
    subscriptions = [source.video.subscribe() for _ in range(20)]
    seen = await asyncio.gather(*(units(subscription, 15) for subscription in subscriptions))
    assert 15 <= calls < 60, "a busy test is behind the encoder, and 300 would be one for each"
    assert all(taken == seen[0] for taken in seen)
    assert None not in numbers(seen[0])


async def test_a_keyframe_comes_when_asked_for(sources: list[Source]) -> None:
    source = TestPicture(160, 90, 60)
    sources.append(source)
    subscription = source.video.subscribe()
    before = await units(subscription, 20)
    source.request_keyframe()
    after = []
    while not after or not any(unit.keyframe for unit in after[:-5]):  # what was under way comes first
        after += await units(subscription, 1)
        assert len(after) < 120
    # The first picture may be encoded just before the subscriber's own request is heard, which then makes another one.
    assert not any(unit.keyframe for unit in before[2:])
    assert all(number is not None for number in numbers(after[[unit.keyframe for unit in after].index(True) :]))


async def test_it_works_only_while_somebody_watches(sources: list[Source]) -> None:
    source = TestPicture(160, 90, 30)
    sources.append(source)
    for _ in range(2):
        subscription = source.video.subscribe()
        shown = numbers(await units(subscription, 40))
        assert shown[0] is not None
        assert shown[0] < 40, "each start is a new one"
        subscription.close()


async def test_closing_twice_and_while_watched(sources: list[Source]) -> None:
    source = TestPicture(160, 90, 30)
    subscription = source.video.subscribe()
    await units(subscription, 1)
    await source.aclose()
    await source.aclose()
    while (await subscription.next()) is not None:
        pass
    assert await source.video.subscribe().next() is None


async def test_odd_sizes_are_cut_to_even_ones(tmp_path: Path, sources: list[Source]) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 161, 91, "yuv444p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(161, 91, "yuv444p")))
        container.mux(stream.encode(None))
    source = FileSource(path)
    sources.append(source)
    assert (source.video.format.width, source.video.format.height) == (160, 90)
    assert source.audio is None
    assert len(await units(source.video.subscribe(), 3)) == 3


@pytest.mark.parametrize("name", ["slides.mp4", "still.png"])
async def test_a_picture_that_is_shown_for_long_is_sent_again(tmp_path: Path, sources: list[Source], name: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        codec, format = ("libx264", "yuv420p") if name == "slides.mp4" else ("png", "rgb24")
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 180, format
        for number in range(2 if name == "slides.mp4" else 1):
            frame = MovingPicture(320, 180, title="SLIDE").draw(number + 7, seconds=0, caption="")
            frame.pts, frame.time_base = 240 * number, Fraction(1, 30)
            container.mux(stream.encode(frame.reformat(format=format)))
        container.mux(stream.encode(None))
    source = open_source(str(tmp_path / name))
    sources.append(source)
    assert source.video is not None
    taken = await units(source.video.subscribe(), 2)
    assert numbers(taken) == [7, 7]
    assert 0.9 < (taken[1].timestamp - taken[0].timestamp) / 90_000 < 6, "as a player shows it for 8 s, or for ever"


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="no file"):
        open_source(str(tmp_path / "absent.mp4"))
    with pytest.raises(SourceNotFound, match=r"is a folder\. Name a video file in it"):
        open_source(str(tmp_path))
    with pytest.raises(SourceNotFound, match=r"no file .*/not there\.mp4"):
        open_source(f"file://{tmp_path}/not%20there.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("This is no video." * 100)
    with pytest.raises(UnsupportedMedia, match="not a video"):
        open_source(str(text))
    sound = tmp_path / "sound.mka"
    with av.open(str(sound), "w", format="matroska") as container:
        stream = container.add_stream("libopus", rate=48000, layout="stereo")
        frame = av.AudioFrame("s16", "stereo", 960)
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedMedia, match="no video"):
        open_source(str(sound))


@pytest.mark.parametrize(
    ("text", "size"),
    [("test", (640, 360, 30)), ("test:1280x720", (1280, 720, 30)), ("test:320x240@15", (320, 240, 15))],
)
def test_the_command_line_names_test_pictures(text: str, size: tuple[int, int, int]) -> None:
    source = open_source(text)
    assert isinstance(source, TestPicture)
    format = source.video.format
    assert (format.width, format.height, format.frame_rate) == size  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", "test:", "test:640", "test:640x360@", "test:641x360", "test:9999x9999", "test:8x8"]
)
def test_what_is_no_source_is_said(text: str) -> None:
    with pytest.raises(ConfigError):
        open_source(text)


async def test_pictures_in_vp8_only_while_somebody_takes_them(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"H264": 0, "VP8": 0}

    def count(encoder: type[VideoEncoder] | type[Vp8Encoder], codec: str) -> None:
        encode = encoder.encode

        def counted(self: object, *args: object, **options: object) -> object:
            calls[codec] += 1
            return encode(self, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(encoder, "encode", counted)

    count(VideoEncoder, "H264")
    count(Vp8Encoder, "VP8")
    source = TestPicture(160, 90, 60)
    sources.append(source)
    assert list(source.video_feeds) == ["H264", "VP8"]
    assert source.video_feeds["H264"] is source.video
    h264 = source.video.subscribe()
    await units(h264, 10)
    assert calls["VP8"] == 0
    vp8 = source.video_feeds["VP8"].subscribe()
    taken = await units(vp8, 10)
    assert taken[0].keyframe
    h264.close()
    await units(vp8, 5)
    before = calls["H264"]
    await units(vp8, 10)
    assert calls["H264"] <= before + 1
    vp8.close()
