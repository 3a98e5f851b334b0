"""The collector of `sightline master`: circles are freed while it runs, and it does not look when nothing came."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sightline.cli.collector import collect_now_and_then, quiet_collector

PAUSE = 0.01


class Circle:
    """Something that knows itself, with as many containers as some connections have."""

    def __init__(self) -> None:
        self.itself = self
        self.others: list[list[object]] = [[] for _ in range(3000)]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_circles_are_freed_though_no_generation_is_ever_full() -> None:
    quiet_collector()
    circle = weakref.ref(Circle())
    assert circle() is not None
    task = asyncio.create_task(collect_now_and_then(pause=PAUSE))
    async with asyncio.timeout(10):
        while circle() is not None:  # noqa: ASYNC110 - nobody tells of an end
            await asyncio.sleep(PAUSE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_while_nothing_comes_nothing_is_collected() -> None:
    quiet_collector()
    gc.collect()
    full = gc.get_stats()[2]["collections"]
    task = asyncio.create_task(collect_now_and_then(pause=PAUSE / 10))
    for _ in range(20):
        await asyncio.sleep(PAUSE / 10)
    assert gc.get_stats()[2]["collections"] == full
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
