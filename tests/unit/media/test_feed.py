"""Fan-out: what one subscriber does is its own affair."""

from __future__ import annotations

import asyncio

import pytest

from sightline.media.feed import Feed, Subscription
from sightline.media.units import EncodedUnit, VideoFormat

FORMAT = VideoFormat(640, 360, 30)


class Source:
    def __init__(self) -> None:
        self.keyframe_requests = 0
        self.demand: list[int] = []
        self.feed = Feed(FORMAT, request_keyframe=self.request, on_demand_change=self.changed)
        self.next = 0

    def request(self) -> None:
        self.keyframe_requests += 1

    def changed(self) -> None:
        self.demand.append(self.feed.subscribers)

    def publish(self, count: int = 1, *, keyframe: bool = False) -> None:
        for _ in range(count):
            self.feed.publish(EncodedUnit(b"x", self.next, keyframe))
            self.next += 1


async def start_reading(subscription: Subscription) -> asyncio.Task[EncodedUnit | None]:
    task = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    return task


@pytest.fixture
def source() -> Source:
    return Source()


async def test_a_viewer_begins_with_a_keyframe_made_for_it(source: Source) -> None:
    subscription = source.feed.subscribe()
    source.publish(keyframe=True)
    assert source.keyframe_requests == 0, "nobody reads yet"
    first = await start_reading(subscription)
    assert source.keyframe_requests == 1
    source.publish(3)
    assert not first.done(), "nothing can be decoded before a keyframe"
    source.publish(keyframe=True)
    source.publish()
    assert (await first) == EncodedUnit(b"x", 4, True)
    assert (await subscription.next()) == EncodedUnit(b"x", 5, False)
    assert subscription.dropped == 0


async def test_a_slow_viewer_loses_up_to_the_next_keyframe_and_others_lose_nothing(source: Source) -> None:
    slow, quick = source.feed.subscribe(limit=5), source.feed.subscribe(limit=5)
    first_slow, first_quick = await start_reading(slow), await start_reading(quick)
    source.publish(keyframe=True)
    received = [await first_quick]
    await first_slow
    for _ in range(20):
        source.publish()
        received.append(await quick.next())
    assert [unit.timestamp for unit in received if unit] == list(range(21))
    asked = source.keyframe_requests
    again = await start_reading(slow)
    assert source.keyframe_requests == asked + 1, "it reads again and needs a keyframe"
    source.publish(keyframe=True)
    unit = await again
    assert unit is not None
    assert unit.keyframe
    assert slow.dropped == 20
    assert quick.dropped == 0


async def test_a_viewer_that_is_stuck_asks_for_nothing(source: Source) -> None:
    stuck = source.feed.subscribe(limit=5)
    first = await start_reading(stuck)
    source.publish(keyframe=True)
    await first
    source.publish(1000)
    assert source.keyframe_requests == 1


async def test_an_overflow_at_a_keyframe_goes_on_with_it(source: Source) -> None:
    subscription = source.feed.subscribe(limit=3)
    first = await start_reading(subscription)
    source.publish(keyframe=True)
    await first
    source.publish(3)
    source.publish(keyframe=True)
    unit = await subscription.next()
    assert unit is not None
    assert (unit.timestamp, subscription.dropped) == (4, 3)


async def test_the_source_hears_of_the_first_and_the_last_viewer(source: Source) -> None:
    one, two = source.feed.subscribe(), source.feed.subscribe()
    one.close()
    one.close()
    two.close()
    assert source.demand == [1, 0]


async def test_closing_wakes_who_reads(source: Source) -> None:
    subscription = source.feed.subscribe()
    reading = await start_reading(subscription)
    subscription.close()
    assert await reading is None
    assert await subscription.next() is None


async def test_the_end_comes_after_what_is_queued(source: Source) -> None:
    subscription = source.feed.subscribe()
    reading = await start_reading(subscription)
    source.publish(2, keyframe=True)
    source.feed.end()
    assert (await reading) is not None
    assert (await subscription.next()) is not None
    assert (await subscription.next()) is None
    assert source.demand == [1, 0]
    assert await source.feed.subscribe().next() is None


def test_a_listener_hears_every_unit_at_once_and_counts_as_demand(source: Source) -> None:
    heard: list[int] = []
    stop = source.feed.listen(lambda unit: heard.append(unit.timestamp))
    again = source.feed.listen(lambda unit: heard.append(-unit.timestamp))
    source.publish(2)
    assert heard == [0, 0, 1, -1]
    assert source.demand == [1]
    stop()
    stop()
    source.publish()
    assert heard[4:] == [-2]
    assert source.feed.subscribers == 1
    again()
    assert source.demand == [1, 0]


def test_a_listener_may_leave_while_it_is_called(source: Source) -> None:
    heard: list[str] = []

    def leave(unit: EncodedUnit) -> None:
        heard.append("first")
        stop()

    stop = source.feed.listen(leave)
    source.feed.listen(lambda unit: heard.append("second"))
    source.publish(2)
    assert heard == ["first", "second", "second"]


def test_the_end_is_the_end_for_listeners_too(source: Source) -> None:
    heard: list[EncodedUnit] = []
    stop = source.feed.listen(heard.append)
    source.feed.end()
    assert source.demand == [1, 0]
    stop()
    source.feed.listen(heard.append)
    assert source.demand == [1, 0]
    assert source.feed.codec == "H264"
