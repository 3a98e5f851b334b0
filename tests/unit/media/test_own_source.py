"""Pictures and sound of one's own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest

import sightline
from sightline.errors import UnsupportedMedia

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
        assert shades[0] < shades[8]
        assert told[0] is not None
        assert "RuntimeError" in told[0]
    finally:
        await source.aclose()
        await source.aclose()


def test_a_size_that_cannot_be_encoded_is_refused() -> None:
    async def nothing() -> AsyncIterator[np.ndarray]:
        return
        yield

    with pytest.raises(UnsupportedMedia):
        sightline.Source(nothing, width=321, height=180)
