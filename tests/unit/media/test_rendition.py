"""Encodings on demand: one per codec for all who take it, none when nobody does."""

from __future__ import annotations

import av
import pytest

from sightline.media.bar_code import read_bar_code
from sightline.media.encoders import Vp8Encoder
from sightline.media.picture import MovingPicture
from sightline.media.rendition import Rendition
from sightline.media.units import EncodedUnit, VideoFormat

FORMAT = VideoFormat(320, 180, 30, codec="VP8")
PICTURE = MovingPicture(320, 180, title="TEST")


class Camera:
    """Gives a rendition its pictures; counts the calls of libvpx."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.encoders = 0
        self.number = 0
        self.changes = 0
        self.rendition = Rendition(FORMAT, bitrate=None, on_demand_change=self.changed)
        self.encoding = self.rendition.begin()
        encode, make = Vp8Encoder.encode, Vp8Encoder.__init__

        def counted(encoder: Vp8Encoder, *args: object, **options: object) -> object:
            self.calls += 1
            return encode(encoder, *args, **options)  # type: ignore[arg-type]

        def made(encoder: Vp8Encoder, *args: object, **options: object) -> None:
            self.encoders += 1
            make(encoder, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Vp8Encoder, "encode", counted)
        monkeypatch.setattr(Vp8Encoder, "__init__", made)

    def changed(self) -> None:
        self.changes += 1

    def shoot(self, count: int) -> list[EncodedUnit]:
        units = []
        for _ in range(count):
            seconds = self.number / 30
            frame = PICTURE.draw(self.number, seconds=seconds, caption="")
            for feed, unit in self.encoding.encode(frame, seconds=seconds):
                assert feed is self.rendition.feed
                feed.publish(unit)
                units.append(unit)
            self.number += 1
        return units


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Camera:
    return Camera(monkeypatch)


def numbers(units: list[EncodedUnit]) -> list[int | None]:
    decoder = av.CodecContext.create("vp8", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]


def test_nobody_takes_it_nothing_is_encoded(camera: Camera) -> None:
    assert camera.shoot(5) == []
    assert (camera.calls, camera.encoders) == (0, 0)


@pytest.mark.parametrize("viewers", [1, 20])
def test_as_many_encodings_as_the_source_has_frames(camera: Camera, viewers: int) -> None:
    heard: list[list[EncodedUnit]] = [[] for _ in range(viewers)]
    for one in heard:
        camera.rendition.feed.listen(one.append)
    units = camera.shoot(30)
    assert (camera.calls, camera.encoders) == (30, 1)
    assert all(one == units for one in heard)
    assert numbers(units) == list(range(30))
    assert [unit.timestamp for unit in units] == [number * 3000 for number in range(30)]
    assert [unit.keyframe for unit in units] == [True] + [False] * 29


def test_who_comes_after_nobody_begins_with_a_keyframe(camera: Camera) -> None:
    stop = camera.rendition.feed.listen(lambda unit: None)
    camera.shoot(3)
    stop()
    assert camera.shoot(3) == []
    camera.rendition.feed.listen(lambda unit: None)
    units = camera.shoot(2)
    assert [unit.keyframe for unit in units] == [True, False]
    assert numbers(units) == [6, 7]
    assert camera.changes == 3


def test_a_keyframe_on_request(camera: Camera) -> None:
    camera.rendition.feed.listen(lambda unit: None)
    camera.shoot(5)
    camera.rendition.feed.request_keyframe()
    units = camera.shoot(5)
    assert [unit.keyframe for unit in units] == [True, False, False, False, False]
    assert numbers(units) == [5, 6, 7, 8, 9]


def test_a_new_timeline_is_a_new_encoder(camera: Camera) -> None:
    camera.rendition.feed.listen(lambda unit: None)
    camera.shoot(5)
    camera.number = 0
    camera.encoding = camera.rendition.begin()
    assert [(unit.keyframe, unit.timestamp) for unit in camera.shoot(2)] == [(True, 0), (False, 3000)]


def test_two_threads_never_share_an_encoder(camera: Camera) -> None:
    """One that ends goes on for a picture while the next one has begun; PyAV's encoders are not to be shared."""
    camera.rendition.feed.listen(lambda unit: None)
    camera.shoot(2)
    ending, camera.encoding = camera.encoding, camera.rendition.begin()
    camera.shoot(1)
    frame = PICTURE.draw(3, seconds=0.1, caption="")
    late = [unit for _, unit in ending.encode(frame, seconds=0.1)]
    assert [unit.keyframe for unit in late] == [False], "it goes on with its own encoder"
    assert camera.encoders == 2


@pytest.mark.parametrize("name", ["h264_nvenc", "h264_qsv"])
def test_where_the_hardware_has_no_room_libx264_goes_on(name: str) -> None:
    rendition = Rendition(VideoFormat(320, 180, 30), bitrate=None, on_demand_change=lambda: None)
    rendition.encoder = name  # this machine has no such hardware, and FFmpeg says so with the first picture
    rendition.feed.subscribe()
    encoding = rendition.begin()
    units = []
    for number in range(5):
        frame = PICTURE.draw(number, seconds=number / 30, caption="")
        units += [unit for _, unit in encoding.encode(frame, seconds=number / 30)]
    assert [unit.keyframe for unit in units] == [True, False, False, False, False]
    decoder = av.CodecContext.create("h264", "r")
    shown = [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    assert [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in shown] == list(range(len(shown)))
    assert shown
