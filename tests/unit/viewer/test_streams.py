"""Each reader has a place of its own."""

from __future__ import annotations

import asyncio

import pytest

from sightline.viewer.streams import Broadcast


async def test_a_reader_gets_what_comes_after_it_began() -> None:
    numbers = Broadcast[int](keep=10)
    numbers.put(1)
    stream = numbers.stream()
    numbers.put(2)
    numbers.put(3)
    numbers.end()
    assert [number async for number in stream] == [2, 3]


async def test_a_slow_reader_gets_the_newest() -> None:
    numbers = Broadcast[int](keep=2)
    slow, quick = numbers.stream(), numbers.stream()
    seen = []
    for number in range(5):
        numbers.put(number)
        seen.append(await anext(quick))
    assert seen == [0, 1, 2, 3, 4]
    assert [await anext(slow), await anext(slow)] == [3, 4]
    assert (slow.missed, quick.missed) == (3, 0)


async def test_a_waiting_reader_is_woken_by_the_next_and_by_the_end() -> None:
    numbers = Broadcast[int](keep=1)
    stream = numbers.stream()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    numbers.put(7)
    assert await waiting == 7
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    numbers.end(ValueError("why"))
    with pytest.raises(ValueError, match="why"):
        await waiting
    with pytest.raises(ValueError, match="why"):
        await anext(numbers.stream())


async def test_who_stops_reading_is_forgotten() -> None:
    numbers = Broadcast[int](keep=5)
    assert not numbers.is_wanted

    async def read_one() -> int:
        async for number in numbers.stream():
            return number
        raise AssertionError

    reading = asyncio.ensure_future(read_one())
    await asyncio.sleep(0)
    assert numbers.is_wanted
    numbers.put(1)
    assert await reading == 1
    assert not numbers.is_wanted
