"""A viewer that is given another rendition: at a keyframe, in one stream, and nobody else notices."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sightline.rtc.rtp.bandwidth import Bandwidth
from sightline.rtc.rtp.fanout import Fanout
from tests.unit.rtc.rtp.stage import Feed, Loop, Viewer, new_fanout
from tests.unit.rtc.rtp.units import FRAME

TOP, LOW = 3_000, 400
"""Bytes of a picture, by which a test tells the renditions apart."""


class Told(Bandwidth):
    """A path of which the test says what is known."""

    def __init__(self) -> None:
        super().__init__()
        self.knows: int | None = None
        self.is_full = False

    def available(self, now: float) -> int | None:
        return self.knows

    def limited(self, now: float) -> bool:
        return self.is_full


class Source:
    """Renditions on one timeline."""

    def __init__(self, loop: Loop, *, passes: bool = False, codec: str = "H264", rungs: int = 2) -> None:
        self.loop = loop
        sizes = (TOP, LOW, LOW // 2)[:rungs]
        self.feeds = [
            Feed(
                loop,
                codec,
                makes_keyframes=number > 0 or not passes,
                size=size,
                label=f"rung {number}",
                bitrate=size * 8 * 30,
            )
            for number, size in enumerate(sizes)
        ]
        self.lag = 0
        """Frames by which the lower ones come later."""

    def play(self, count: int, *, keyframe: bool = False) -> None:
        for _ in range(count):
            for number, feed in enumerate(self.feeds):
                if number:
                    feed.number = self.feeds[0].number - 1 - self.lag
                feed.publish(keyframe=keyframe and number == 0)
            self.loop.run(1 / 30)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def fanout(loop: Loop) -> Fanout:
    return new_fanout(loop)


def watching(fanout: Fanout, source: Source) -> tuple[Viewer, Told]:
    viewer, path = Viewer(source.loop), Told()
    viewer.outlet.bandwidth = path
    fanout.add(viewer.outlet, video=source.feeds[0], renditions=source.feeds)
    fanout.start(viewer.outlet)
    return viewer, path


def seen(viewer: Viewer) -> list[tuple[int, int]]:
    """Number and bytes of each picture that was sent, in order."""
    pictures: dict[int, int] = {}
    for packet in viewer.packets:
        pictures[packet.timestamp] = pictures.get(packet.timestamp, 0) + len(packet.payload)
    return [((timestamp - 1000) // FRAME, size) for timestamp, size in pictures.items()]


def sizes(viewer: Viewer) -> list[str]:
    """The renditions in order, each once for each time."""
    names = ["top" if size > TOP * 0.8 else "low" for _, size in seen(viewer)]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def narrow(path: Told, bitrate: int) -> None:
    path.knows, path.is_full = bitrate, True


def wide(path: Told, bitrate: int = 20_000_000) -> None:
    path.knows, path.is_full = bitrate, False


def test_who_has_room_gets_the_greatest_and_nothing_else_is_made(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    viewer, path = watching(fanout, source)
    wide(path)
    source.play(300)
    assert sizes(viewer) == ["top"]
    assert source.feeds[1].listeners == []
    assert fanout.rendition(viewer.outlet) == "rung 0"


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_down_and_up_in_one_stream(loop: Loop, fanout: Fanout, codec: str) -> None:
    source = Source(loop, codec=codec)
    viewer, path = watching(fanout, source)
    source.play(60)
    narrow(path, 150_000)
    source.play(90)
    assert fanout.rendition(viewer.outlet) == "rung 1"
    assert source.feeds[0].listeners == [], "nobody takes the greatest any more: it is made no more"
    wide(path)
    source.play(300)
    assert fanout.rendition(viewer.outlet) == "rung 0"
    assert source.feeds[1].listeners == []
    assert sizes(viewer) == ["top", "low", "top"]
    viewer.assert_contiguous()
    numbers = [number for number, _ in seen(viewer)]
    assert sorted(set(numbers)) == list(range(450)), "every picture, in one size or the other"
    stamps = list(dict.fromkeys(packet.timestamp for packet in viewer.packets))
    assert all(sooner < later for sooner, later in pairwise(stamps))
    assert viewer.video.counters.frames_dropped == 0
    assert not viewer.errors


def test_within_about_a_second_and_the_old_one_goes_on_until_the_keyframe(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    viewer, path = watching(fanout, source)
    source.play(60)
    narrow(path, 150_000)
    begun, changed = loop.now, 0.0
    while loop.now < begun + 3 and not changed:
        before = len(viewer.calls)
        source.play(1)
        assert len(viewer.calls) > before, "a picture each time"
        if sizes(viewer) == ["top", "low"]:
            changed = loop.now
    assert 0 < changed - begun < 1.7


def test_who_is_late_with_its_pictures_costs_none(loop: Loop, fanout: Fanout) -> None:
    """A lower rendition takes time to make: the pictures go back by as much, and their timestamps do not."""
    source = Source(loop)
    source.lag = 3
    viewer, path = watching(fanout, source)
    source.play(60)
    narrow(path, 150_000)
    source.play(90)
    assert sizes(viewer) == ["top", "low"]
    stamps = list(dict.fromkeys(packet.timestamp for packet in viewer.packets))
    assert all(sooner < later for sooner, later in pairwise(stamps))
    assert max(later - sooner for sooner, later in pairwise(stamps)) <= FRAME
    viewer.assert_contiguous()


def test_one_viewers_path_is_nobody_elses(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    viewer, path = watching(fanout, source)
    others = [watching(fanout, source)[0] for _ in range(5)]
    source.play(30)
    narrow(path, 150_000)
    source.play(120)
    assert sizes(viewer) == ["top", "low"]
    for other in others:
        assert sizes(other) == ["top"]
        assert [number for number, _ in seen(other)] == list(range(150))
        other.assert_contiguous()


def test_up_to_what_is_passed_through_waits_for_its_own_keyframe(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop, passes=True)
    viewer, path = watching(fanout, source)
    source.play(1, keyframe=True)
    source.play(59)
    narrow(path, 150_000)
    source.play(90)
    assert sizes(viewer) == ["top", "low"]
    wide(path)
    source.play(300)
    assert sizes(viewer) == ["top", "low"], "it waits"
    assert fanout.rendition(viewer.outlet) == "rung 1"
    numbers = [number for number, _ in seen(viewer)]
    assert numbers[-1] >= 448, "and the smaller one goes on"
    source.play(1, keyframe=True)
    source.play(30)
    assert sizes(viewer) == ["top", "low", "top"]
    viewer.assert_contiguous()


def test_who_asks_for_a_keyframe_on_the_way_gets_one(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    viewer, path = watching(fanout, source)
    source.play(60)
    narrow(path, 150_000)
    source.play(30)
    viewer.outlet.keyframes.ask()
    fanout.request_keyframe(viewer.outlet)
    source.play(60)
    assert sizes(viewer) == ["top", "low"]
    assert viewer.outlet.keyframes.next_time is None


def test_the_lowest_is_told_what_the_narrowest_of_its_viewers_leaves(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    one, two = watching(fanout, source), watching(fanout, source)
    three = watching(fanout, source)
    wide(three[1])
    source.play(30)
    narrow(one[1], 300_000)
    narrow(two[1], 150_000)
    source.play(60)
    low = source.feeds[1]
    assert low.limits[-1] is not None
    assert 110_000 < low.limits[-1] < 150_000
    assert low.limits[0] is not None, "before its first picture"
    wide(two[1], 10_000)
    source.play(30)
    assert low.limits[-1] is not None
    assert low.limits[-1] > 110_000, "a figure that only tells what is known is no reason to take less"
    fanout.remove(two[0].outlet)
    source.play(30)
    assert low.limits[-1] is not None
    assert 230_000 < low.limits[-1] < 300_000
    assert source.feeds[0].limits == []


def test_who_leaves_or_pauses_on_the_way_leaves_nothing_behind(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop, passes=True)
    viewer, path = watching(fanout, source)
    source.play(1, keyframe=True)
    narrow(path, 150_000)
    source.play(90)
    wide(path)
    source.play(300)  # on its way up, which waits for a keyframe
    assert len(source.feeds[0].listeners) == 1
    fanout.pause(viewer.outlet)
    source.play(3)
    fanout.start(viewer.outlet)
    source.play(30)
    assert sizes(viewer) == ["top", "low"]
    fanout.remove(viewer.outlet)
    assert source.feeds[0].listeners == source.feeds[1].listeners == []
    source.play(3, keyframe=True)


def test_a_renegotiation_changes_nothing(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop)
    viewer, path = watching(fanout, source)
    source.play(30)
    narrow(path, 150_000)
    source.play(90)
    assert fanout.rendition(viewer.outlet) == "rung 1"
    fanout.change(viewer.outlet, video=source.feeds[0], renditions=source.feeds)
    assert fanout.rendition(viewer.outlet) == "rung 1"
    source.play(30)
    assert sizes(viewer) == ["top", "low"]
    other = Source(loop, codec="VP8")
    fanout.change(viewer.outlet, video=other.feeds[0], renditions=other.feeds)
    assert fanout.rendition(viewer.outlet) == "rung 0"
    fanout.change(viewer.outlet)
    assert fanout.rendition(viewer.outlet) is None


def test_three_sizes_and_the_one_that_fits(loop: Loop, fanout: Fanout) -> None:
    source = Source(loop, rungs=3)
    viewer, path = watching(fanout, source)
    source.play(60)
    narrow(path, 300_000)
    source.play(60)
    assert fanout.rendition(viewer.outlet) == "rung 1"
    narrow(path, 20_000)
    source.play(60)
    assert fanout.rendition(viewer.outlet) == "rung 2"
    wide(path)
    source.play(180)
    assert fanout.rendition(viewer.outlet) == "rung 0", "not one after the other when there is room"
