"""Files whose H.264 is sent as it is."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from sightline.errors import UnsupportedMedia
from sightline.media.bar_code import read_bar_code
from sightline.media.clip import make_clip
from sightline.media.encoders import VideoEncoder, Vp8Encoder
from sightline.media.feed import Subscription
from sightline.media.file_source import FileSource
from sightline.media.h264_file import access_units, why_not
from sightline.media.pass_through import PassThroughSource
from sightline.media.picture import MovingPicture
from sightline.media.source import open_source
from sightline.media.test_picture import TestPicture
from sightline.media.tone import SAMPLE_RATE, tone_frame
from sightline.media.units import EncodedUnit

pytestmark = pytest.mark.realtime

PICTURE = MovingPicture(320, 180, title="TEST")
PLAIN = {"tune": "zerolatency", "bf": "0", "g": "20", "preset": "ultrafast", "sc_threshold": "0"}


def write(path: Path, *, pictures: int = 40, codec: str = "libx264", sound: bool = False, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={**(PLAIN if codec == "libx264" else {}), **options})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        audio = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo") if sound else None
        for number in range(pictures):
            frame = PICTURE.draw(number, seconds=number / 30, caption="")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
            if audio is not None:
                tone = tone_frame(number * 1600, 1600)
                tone.pts, tone.time_base = number * 1600, Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(tone))
        container.mux(stream.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups of 20 pictures."""
    return write(tmp_path_factory.mktemp("plain") / "plain.mp4", sound=True)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., PassThroughSource]]:
    sources: list[PassThroughSource] = []

    def open_it(path: Path, **options: bool) -> PassThroughSource:
        sources.append(PassThroughSource(path, **options))
        return sources[-1]

    yield open_it
    for source in sources:
        await source.aclose()


@pytest.fixture(autouse=True)
def encoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Encoder calls by codec."""
    calls = {"H264": 0, "VP8": 0}
    for codec, encoder in (("H264", VideoEncoder), ("VP8", Vp8Encoder)):

        def counted(
            self: object, *args: object, _encode: object = encoder.encode, _codec: str = codec, **options: object
        ) -> object:
            calls[_codec] += 1
            return _encode(self, *args, **options)  # type: ignore[operator]

        monkeypatch.setattr(encoder, "encode", counted)
    return calls


async def units(subscription: Subscription, count: int) -> list[EncodedUnit]:
    taken = [await subscription.next() for _ in range(count)]
    return [unit for unit in taken if unit is not None]


def numbers(taken: list[EncodedUnit], codec: str = "h264") -> list[int | None]:
    decoder = av.CodecContext.create(codec, "r")
    frames = [frame for unit in taken for frame in [*decoder.decode(av.Packet(unit.data))]]
    frames += decoder.decode(None)
    return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]


async def test_the_files_own_pictures_in_real_time_and_without_an_encoder(
    plain: Path, opened: Callable[..., PassThroughSource], encoded: dict[str, int]
) -> None:
    source = opened(plain)
    subscription = source.video.subscribe()
    begun = time.monotonic()
    taken = await units(subscription, 50)
    assert 49 / 30 - 0.15 < time.monotonic() - begun < 49 / 30 + 3.0
    assert numbers(taken) == [*range(40), *range(10)]
    assert [number for number, unit in enumerate(taken) if unit.keyframe] == [0, 20, 40]
    steps = {later.timestamp - earlier.timestamp for earlier, later in pairwise(taken)}
    assert 3000 in steps
    assert min(steps) > 0
    assert max(steps) < 9000, "the loop is no jump in time"
    assert encoded == {"H264": 0, "VP8": 0}


async def test_a_second_viewer_begins_with_the_group_that_is_held(
    plain: Path, opened: Callable[..., PassThroughSource]
) -> None:
    source = opened(plain)
    heard: list[EncodedUnit] = []
    stop = source.video.listen(heard.append)
    watching = source.video.subscribe()
    await units(watching, 12)
    newest = len(heard) - 1
    held = [unit for unit, _, _ in source.video.replay(time.monotonic())]
    first = heard.index(held[0])
    assert first % 20 == 0, "a group begins there"
    assert first <= newest < first + len(held), "it is the newest one"
    assert held == heard[first : first + len(held)]
    assert numbers(held) == [(first + number) % 40 for number in range(len(held))]
    assert not source.video.makes_keyframes
    stop()
    watching.close()
    again = source.video.listen(heard.append)
    anew = [unit for unit, _, _ in source.video.replay(time.monotonic())]
    assert not any(unit in held for unit in anew), "it begins anew: nothing of the last run"
    again()


async def test_a_viewer_without_h264_sees_the_same_pictures(
    tmp_path: Path, opened: Callable[..., PassThroughSource], encoded: dict[str, int]
) -> None:
    source = opened(write(tmp_path / "long.mp4", pictures=300, g="300"))
    encoded.update(H264=0, VP8=0)
    heard: list[EncodedUnit] = []
    source.video.listen(heard.append)
    await units(source.video.subscribe(), 8)
    assert encoded["VP8"] == 0
    subscription = source.video_feeds["VP8"].subscribe()
    taken = await units(subscription, 8)
    live = len(heard)
    assert taken[0].keyframe
    shown = numbers(taken, "vp8")
    first = shown[0]
    assert first is not None
    assert 4 <= first < 150, "in the middle of the file's group, without waiting for the next"
    later = [number or 0 for number in shown]
    assert later == sorted(set(later)), "a busy machine leaves some out, and never goes back"
    assert [unit.timestamp for unit in taken] == [heard[number].timestamp for number in later]
    assert live - later[-1] <= 60
    source.request_keyframe()
    assert any(unit.keyframe for unit in await units(subscription, 50)), (
        "as many may have been under way as wait for it"
    )
    subscription.close()
    looks = [-1, encoded["VP8"]]
    async with asyncio.timeout(20):
        while looks[-1] != looks[-2]:  # it may be in the middle of one
            await asyncio.sleep(0.2)
            looks.append(encoded["VP8"])


async def test_the_profile_is_the_files_own(tmp_path: Path, opened: Callable[..., PassThroughSource]) -> None:
    high = opened(write(tmp_path / "high.mp4", preset="veryfast"))
    assert high.video.profile_level_id.startswith("6400")
    baseline = opened(write(tmp_path / "baseline.mkv", profile="baseline"))
    assert baseline.video.profile_level_id.startswith("42c0")
    assert baseline.video_feeds["VP8"].profile_level_id == ""
    assert TestPicture().video.profile_level_id == "42e01f"


async def test_sound_comes_with_it(plain: Path, opened: Callable[..., PassThroughSource]) -> None:
    source = opened(plain)
    assert source.audio is not None
    assert list(source.video_feeds) == ["H264", "VP8"]
    taken = await units(source.audio.subscribe(), 10)
    assert [later.timestamp - earlier.timestamp for earlier, later in pairwise(taken)] == [960] * 9


async def test_a_file_that_does_not_loop_ends_all_feeds(
    tmp_path: Path, opened: Callable[..., PassThroughSource]
) -> None:
    source = opened(write(tmp_path / "short.mp4", pictures=12), loop=False)
    h264, vp8 = source.video.subscribe(), source.video_feeds["VP8"].subscribe()
    own, made = await asyncio.gather(units(h264, 30), units(vp8, 30))
    assert len(own) == 12
    assert len(made) <= 12, "on a busy machine fewer, and then the end all the same"
    assert source.audio is None
    await source.aclose()
    await source.aclose()


@pytest.mark.parametrize("name", ["file.mp4", "file.mkv", "file.ts", "file.h264"])
def test_each_keyframe_brings_its_parameter_sets(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    if name != "file.h264":  # which has no times
        assert why_not(path) is None
    with av.open(str(path)) as container:
        found = [EncodedUnit(data, 0, keyframe) for _, (data, keyframe) in access_units(container)]
    assert [number for number, unit in enumerate(found) if unit.keyframe] == [0, 20]
    assert numbers(found) == list(range(40))
    assert numbers(found[20:]) == list(range(20, 40)), "decoding can begin at any keyframe"


def test_what_stands_before_the_first_keyframe_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "file.ts")
    cut = tmp_path / "cut.ts"
    with av.open(str(path)) as original, av.open(str(cut), "w") as container:
        stream = container.add_stream_from_template(original.streams.video[0])
        for packet in list(original.demux(original.streams.video[0]))[5:]:
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    with av.open(str(cut)) as container:
        found = [EncodedUnit(data, 0, keyframe) for _, (data, keyframe) in access_units(container)]
    assert numbers(found) == list(range(20, 40))
    assert why_not(cut) == "it does not begin with a keyframe"


def test_a_damaged_spot_costs_its_pictures_and_not_the_rest_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "file.mp4")
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None]
    data = bytearray(path.read_bytes())
    for place in places[5:8]:
        data[place : place + 4] = b"\xff\xff\xff\xff"  # the length of its first NAL unit
    path.write_bytes(data)
    with av.open(str(path)) as container:
        found = [EncodedUnit(data, 0, keyframe) for _, (data, keyframe) in access_units(container)]
    assert len(found) == 37
    assert numbers(found[-20:]) == list(range(20, 40))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tune": "film", "bf": "3", "preset": "veryfast"}, "B-frames"),
        ({"codec": "mpeg4"}, "mpeg4"),
        ({"g": "400", "pictures": 380}, "12 s"),
        ({"crf": "0", "qp": "0"}, "profile"),
    ],
)
def test_what_webrtc_cannot_carry_is_encoded_anew(tmp_path: Path, options: dict[str, str], reason: str) -> None:
    path = write(tmp_path / "file.mp4", **options)  # type: ignore[arg-type]
    assert reason in (why_not(path) or "")
    with pytest.raises(UnsupportedMedia, match=reason):
        PassThroughSource(path)
    assert isinstance(open_source(str(path)), FileSource)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mka"
    with av.open(str(sound), "w", format="matroska") as container:
        stream = container.add_stream("libopus", rate=48000, layout="stereo")
        container.mux(stream.encode(tone_frame(0, 960)))
        container.mux(stream.encode(None))
    assert why_not(sound) == "it has no video"


def test_the_command_line_takes_the_cheap_way_where_it_can(plain: Path, tmp_path: Path) -> None:
    assert isinstance(open_source(str(plain)), PassThroughSource)
    assert isinstance(open_source(str(plain), bitrate=500_000), FileSource)
    clip = tmp_path / "clip.mp4"
    make_clip(clip, seconds=0.5)
    assert isinstance(open_source(str(clip)), FileSource), "the clip of set-up has B-frames"
    shutil.rmtree(tmp_path)
