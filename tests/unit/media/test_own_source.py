"""Pictures and sound of one's own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest

import sightline
from sightline.errors import UnsupportedMedia
from sightline.media import own_source as own_source_module

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]


async def test_arrays_become_pictures_and_sound_and_what_fails_is_begun_anew() -> None:
    begun = 0

    async def pictures() -> AsyncIterator[np.ndarray]:
        nonlocal begun
        begun += 1
        for number in range(20):
            yield np.full((180, 320, 3), 10 * number, np.uint8)
            await asyncio.sleep(0.02)
        raise RuntimeError("the camera's own trouble")

    async def sounds() -> AsyncIterator[np.ndarray]:
        while True:
            yield np.zeros((960, 2), np.int16)
            await asyncio.sleep(0.02)

    source = sightline.Source(pictures, width=320, height=180, sounds=sounds)
    told: list[str | None] = []
    source.follow(told.append)
    try:
        subscription = source.video.subscribe()
        assert source.audio is not None
        hearing = source.audio.subscribe()
        decoder = av.CodecContext.create("h264", "r")
        async with asyncio.timeout(40):
            assert (await hearing.next()) is not None
            shades = []
            while begun < 2 or len(shades) < 15:
                unit = await subscription.next()
                assert unit is not None
                shades += [
                    int(frame.to_ndarray(format="gray").mean()) for frame in decoder.decode(av.Packet(unit.data))
                ]
            while told[-1:] != [None]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert max(shades) > min(shades) + 20, "a busy machine leaves some out"
        assert told[0] is not None
        assert "RuntimeError" in told[0]
    finally:
        await source.aclose()
        await source.aclose()


GOOD = np.full((180, 320, 3), 200, np.uint8)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((180, 320, 3), np.float32),
        np.zeros((180, 320), np.uint8),
        np.zeros((180, 320, 4), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        None,
        "a picture",
    ],
    ids=["float", "gray", "rgba", "empty", "none", "text"],
)
async def test_pictures_that_cannot_be_used_are_told_once_and_the_next_good_one_is_seen(
    wrong: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def pictures() -> AsyncIterator[object]:
        for _ in range(5):
            yield wrong
            await asyncio.sleep(0.02)
        while True:
            yield GOOD
            await asyncio.sleep(0.02)

    source = sightline.Source(pictures, width=320, height=180)
    told: list[str | None] = []
    source.follow(told.append)
    try:
        async with asyncio.timeout(30):
            assert await source.video.subscribe().next() is not None
            while told[-1:] != [None]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await source.aclose()
    assert len(told) == 2
    assert "(height, width, 3) uint8" in (told[0] or "")
    assert len([record for record in caplog.records if "cannot be used" in record.getMessage()]) == 1


async def test_a_generator_that_stalls_is_told_and_goes_on_when_it_yields_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(own_source_module, "READ_LIMIT", 2.0)  # machines stand still for a moment now and then
    go_on = asyncio.Event()

    async def pictures() -> AsyncIterator[object]:
        yield GOOD
        await go_on.wait()
        while True:
            yield GOOD
            await asyncio.sleep(0.02)

    source = sightline.Source(pictures, width=320, height=180)
    told: asyncio.Queue[str | None] = asyncio.Queue()
    source.follow(told.put_nowait)
    try:
        async with asyncio.timeout(40):
            subscription = source.video.subscribe()
            assert await subscription.next() is not None
            assert "no picture for 2 s" in str(await told.get())
            go_on.set()
            assert await told.get() is None
            assert await subscription.next() is not None
    finally:
        await source.aclose()
    assert "the source is lost" in caplog.text


async def test_a_slow_source_is_not_lost_and_its_last_picture_is_there_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_source_module, "READ_LIMIT", 0.2)
    monkeypatch.setattr(own_source_module, "_REPEATED_AFTER", 0.1)

    async def pictures() -> AsyncIterator[object]:
        yield GOOD
        await asyncio.Event().wait()

    source = sightline.Source(pictures, width=320, height=180, frame_rate=0.01)
    told: list[str | None] = []
    source.follow(told.append)
    try:
        async with asyncio.timeout(40):
            early = source.video.subscribe()
            assert await early.next() is not None
            late = source.video.subscribe()
            taken = [await late.next() for _ in range(8)]
    finally:
        await source.aclose()
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in taken if unit is not None for frame in decoder.decode(av.Packet(unit.data))]
    assert len(frames) == 8
    assert all(abs(float(frame.to_ndarray(format="rgb24").mean()) - 200) < 4 for frame in frames)
    assert told == []


async def test_a_generator_that_never_waits_holds_up_nobody() -> None:
    async def pictures() -> AsyncIterator[object]:
        while True:
            yield GOOD

    source = sightline.Source(pictures, width=320, height=180)
    try:
        async with asyncio.timeout(30):
            subscription = source.video.subscribe()
            for _ in range(5):
                assert await subscription.next() is not None
    finally:
        await source.aclose()


async def test_sound_that_is_yielded_by_the_tenth_of_a_second_is_whole() -> None:
    async def pictures() -> AsyncIterator[object]:
        while True:
            yield GOOD
            await asyncio.sleep(0.05)

    async def sounds() -> AsyncIterator[object]:
        for _ in range(13):
            for _ in range(5):
                yield np.zeros((960, 2), np.int16)
            await asyncio.sleep(0.1)
        await asyncio.Event().wait()

    source = sightline.Source(pictures, width=320, height=180, sounds=sounds)
    assert source.audio is not None
    try:
        async with asyncio.timeout(40):
            subscription = source.audio.subscribe()
            units = [await subscription.next() for _ in range(60)]
    finally:
        await source.aclose()
    stamps = [unit.timestamp for unit in units if unit is not None]
    assert len(stamps) == 60
    assert all(later - earlier >= 960 for earlier, later in pairwise(stamps))


@pytest.mark.parametrize("wrong", [{"width": 321}, {"height": 8}, {"frame_rate": 0.0}, {"frame_rate": float("nan")}])
def test_what_cannot_be_encoded_is_refused(wrong: dict[str, float]) -> None:
    async def nothing() -> AsyncIterator[np.ndarray]:
        return
        yield

    options: dict[str, Any] = {"width": 320, "height": 180, **wrong}
    with pytest.raises(UnsupportedMedia):
        sightline.Source(nothing, **options)
