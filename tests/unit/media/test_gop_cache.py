"""What a viewer of a stream without keyframes on request begins with."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sightline.media.feed import Feed
from sightline.media.gop_cache import CATCH_UP, GopCache
from sightline.media.units import EncodedUnit, VideoFormat

FRAME = 3000


def filled(pictures: int, *, size: int = 8000, keyframe: int = 60_000, **limits: float) -> GopCache:
    """A cache after so many pictures at 30 per second, the first being a keyframe; the last comes at ``1000``."""
    cache = GopCache(90_000, **limits)  # type: ignore[arg-type]
    for number in range(pictures):
        unit = EncodedUnit(bytes(size if number else keyframe), number * FRAME, number == 0)
        cache.push(unit, 1000 - (pictures - 1 - number) / 30)
    return cache


def test_it_holds_the_newest_group_only() -> None:
    cache = GopCache(90_000)
    for number in range(25):
        cache.push(EncodedUnit(b"x", number * FRAME, number % 10 == 4), 0.0)
    assert [unit.timestamp // FRAME for unit in cache.units] == list(range(24, 25))
    cache.push(EncodedUnit(b"x", 25 * FRAME, False), 0.0)
    assert [unit.timestamp // FRAME for unit in cache.units] == [24, 25]
    assert cache.octets == 2


def test_nothing_is_held_before_a_keyframe() -> None:
    cache = GopCache(90_000)
    cache.push(EncodedUnit(b"x", 0, False), 0.0)
    assert cache.units == []
    assert cache.replay(0.0) == []


def test_what_is_too_much_is_not_held_until_the_next_keyframe() -> None:
    large = filled(30, size=8000, max_bytes=100_000)
    assert (large.units, large.octets) == ([], 0)
    large.push(EncodedUnit(b"x", 31 * FRAME, True), 1001.0)
    assert len(large.units) == 1
    assert filled(12 * 30 + 1).units != []
    assert filled(12 * 30 + 2).units == []
    assert filled(9, size=1024 * 1024, keyframe=0).units != []
    assert filled(9, size=1024 * 1024, keyframe=1).units == []


def test_a_clock_that_goes_back_ends_the_group() -> None:
    cache = filled(10)
    cache.push(EncodedUnit(b"x", -5, False), 1001.0)
    assert cache.units == []


def test_ten_seconds_are_over_in_a_fifth_of_one() -> None:
    plan = filled(300).replay(1000.02)
    assert [unit.timestamp // FRAME for unit, _, _ in plan] == list(range(300))
    dues = [due - 1000.02 for _, due, _ in plan]
    assert dues[0] == 0
    assert 0.19 < dues[-1] < CATCH_UP
    stamps = [timestamp for _, _, timestamp in plan]
    live = 299 * FRAME + 1800
    assert stamps[0] == live
    assert live + 0.19 * 90_000 < stamps[-1] < live + CATCH_UP * 90_000
    assert all(after > before for before, after in pairwise(stamps))
    sent = [0.0] * 20
    for unit, due, _ in plan[1:]:
        sent[int((due - 1000.02) / CATCH_UP * 20)] += len(unit.data)
    assert max(sent[1:]) < 1.2 * 2_400_000 / 20, "no burst but the keyframe's own"


def test_a_small_group_takes_no_longer_than_it_must() -> None:
    plan = filled(3, size=2000, keyframe=20_000).replay(1000.0)
    assert plan[-1][1] - 1000 < 0.01


def test_a_keyframe_alone_leaves_at_once() -> None:
    assert [(due, stamp) for _, due, stamp in filled(1).replay(1000.01)] == [(1000.01, 900)]


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=300), st.floats(0, 0.5))
def test_a_replay_is_in_order_and_in_time(sizes: list[int], later: float) -> None:
    cache = GopCache(90_000)
    for number, size in enumerate(sizes):
        cache.push(EncodedUnit(bytes(size), number * FRAME, number == 0), number / 30)
    now = len(sizes) / 30 + later
    plan = cache.replay(now)
    assert [unit for unit, _, _ in plan] == cache.units
    assert all(0 <= due - now <= CATCH_UP for _, due, _ in plan)
    assert all(a <= b for a, b in pairwise(due for _, due, _ in plan))
    assert all(a < b for a, b in pairwise(stamp for _, _, stamp in plan))


def test_a_feed_with_a_cache_says_so() -> None:
    feed = Feed(VideoFormat(640, 360, 30), gop=GopCache(90_000), clock=lambda: 50.0)
    assert not feed.makes_keyframes
    heard: list[EncodedUnit] = []
    feed.listen(heard.append)
    feed.publish(EncodedUnit(b"k", 0, True))
    feed.publish(EncodedUnit(b"p", FRAME, False))
    assert [unit.data for unit, _, _ in feed.replay(50.0)] == [b"k", b"p"]
    assert [unit.data for unit in heard] == [b"k", b"p"]
    plain = Feed(VideoFormat(640, 360, 30))
    assert plain.makes_keyframes
    assert list(plain.replay(0.0)) == []


async def test_a_subscriber_begins_with_what_is_held() -> None:
    feed = Feed(VideoFormat(640, 360, 30), gop=GopCache(90_000))
    for number in range(100):
        feed.publish(EncodedUnit(b"x", number, number == 20))
    late = feed.subscribe(limit=5)
    assert (await late.next()) == EncodedUnit(b"x", 20, True)
    feed.publish(EncodedUnit(b"x", 100, False))
    assert [unit.timestamp for unit in [await late.next() for _ in range(80)] if unit] == list(range(21, 101))
    assert late.dropped == 0
