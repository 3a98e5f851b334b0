"""Pictures and sound come out of the decoder's thread, as soon as they can be, and never late without bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from sightline.media.bar_code import read_bar_code
from sightline.media.decoder import AudioFrame, Decoder, VideoFrame
from tests.unit.media.received_frames import Frame, pictures, sounds


class Screen:
    """What the decoder says."""

    def __init__(self) -> None:
        self.pictures: list[VideoFrame] = []
        self.sounds: list[AudioFrame] = []
        self.asked = 0
        self.now = 0.0
        self.decoder = Decoder(
            on_picture=self.pictures.append, on_sound=self.sounds.append, request_keyframe=self.ask, clock=self.clock
        )

    def ask(self) -> None:
        self.asked += 1

    def clock(self) -> float:
        return self.now

    @property
    def numbers(self) -> list[int | None]:
        return [read_bar_code(picture.to_ndarray()) for picture in self.pictures]

    async def has(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.pictures) + len(self.sounds) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
async def screen() -> AsyncIterator[Screen]:
    screen = Screen()
    yield screen
    await screen.decoder.aclose()


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_each_picture_comes_at_once_with_what_is_known_of_it(screen: Screen, codec: str) -> None:
    for count, frame in enumerate(pictures(8, codec=codec), start=1):  # type: ignore[arg-type]
        screen.decoder.push(frame)
        await screen.has(count)  # it holds none back
        picture = screen.pictures[-1]
        assert (picture.timestamp, picture.received) == (frame.timestamp, frame.received)
    assert screen.numbers == list(range(8))
    assert screen.pictures[0].to_ndarray().shape == (180, 320, 3)
    assert (screen.pictures[0].width, screen.pictures[0].height, screen.pictures[0].keyframe) == (320, 180, True)
    assert screen.pictures[0].delay is None


async def test_sound_comes_as_samples(screen: Screen) -> None:
    for frame in sounds(0.2):
        screen.decoder.push(frame)
    await screen.has(9)
    samples = screen.sounds[-1].to_ndarray()
    assert samples.shape == (960, 2)
    assert samples.dtype == np.int16
    assert np.abs(samples).max() > 1000


async def test_before_a_keyframe_nothing_is_decoded_and_one_is_asked_for_now_and_then(screen: Screen) -> None:
    frames = list(pictures(20, keyframes=15))
    for frame in frames[3:10]:
        screen.decoder.push(frame)
    assert screen.asked == 1
    screen.now = 0.6
    screen.decoder.push(frames[10])
    assert screen.asked == 2
    for frame in frames[11:]:
        screen.decoder.push(frame)
    await screen.has(5)
    assert screen.numbers == [15, 16, 17, 18, 19]


async def test_a_decoder_that_is_behind_goes_on_at_a_keyframe(screen: Screen) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    decode = screen.decoder._conveyor._work

    def slowly(frame: Frame) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        decode(frame)

    screen.decoder._conveyor._work = slowly  # type: ignore[assignment]
    frames = list(pictures(120, keyframes=100))
    for frame in frames:
        screen.decoder.push(frame)
    assert screen.decoder.skipped > 50
    gate.set()
    await screen.has(120 - screen.decoder.skipped)
    assert screen.asked == 1


async def test_damage_asks_for_a_keyframe(screen: Screen) -> None:
    good = list(pictures(3, keyframes=2))
    screen.decoder.push(good[0])
    screen.decoder.push(Frame(data=b"\0\0\0\1\x65" + bytes(range(200)), timestamp=5, received=0.0))
    async with asyncio.timeout(10):
        while not screen.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    screen.decoder.push(good[1])  # is not built on what we have
    screen.decoder.push(good[2])
    await screen.has(2)
    assert screen.numbers == [0, 2]


async def test_after_the_end_nothing_comes(screen: Screen) -> None:
    for frame in pictures(10):
        screen.decoder.push(frame)
    await screen.decoder.aclose()
    seen = len(screen.pictures)
    screen.decoder.push(next(pictures(1)))
    await asyncio.sleep(0.01)
    assert len(screen.pictures) == seen
    await screen.decoder.aclose()
