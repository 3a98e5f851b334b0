"""Picture and sound of a live source are in step: the camera's tone bursts begin with the pictures they belong to."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import av
import numpy as np
import pytest

from sightline.media.bar_code import read_bar_code
from sightline.media.feed import Feed
from sightline.media.live_input import live_input
from sightline.media.live_source import LiveSource
from sightline.media.units import EncodedUnit
from tests.harness.rtsp import RATE, RtspCamera

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


async def taken(feed: Feed, count: int) -> list[EncodedUnit]:
    subscription = feed.subscribe()
    async with asyncio.timeout(40):
        found = [await subscription.next() for _ in range(count)]
    subscription.close()
    return [unit for unit in found if unit is not None]


async def test_a_cameras_tone_bursts_are_within_80_ms_of_their_pictures() -> None:
    with RtspCamera(sound=True) as camera:
        input = live_input(camera.url)
        assert input is not None
        source = await asyncio.to_thread(LiveSource, input)
        try:
            assert source.audio is not None
            pictures, sounds = await asyncio.gather(taken(source.video, 75), taken(source.audio, 125))
        finally:
            await source.aclose()
    decoder = av.CodecContext.create("h264", "r")
    begins = []  # when our timeline had the camera's zero, by each picture
    for unit in pictures:
        for frame in decoder.decode(av.Packet(unit.data)):
            number = read_bar_code(frame.to_ndarray(format="rgb24"))
            assert number is not None
            begins.append(unit.timestamp / 90_000 - number / RATE)
    hearing = av.CodecContext.create("libopus", "r")
    levels = []
    for unit in sounds:
        for frame in hearing.decode(av.Packet(unit.data)):
            samples = frame.to_ndarray().astype(float)
            levels.append((unit.timestamp / 48_000, float(np.abs(samples).mean())))
    loud = (min(level for _, level in levels) + max(level for _, level in levels)) / 2
    bursts = [at for (_, before), (at, level) in pairwise(levels) if before < loud <= level]
    assert bursts, "a tone burst begins each second"
    zero = float(np.median(begins))
    for burst in bursts:
        off = (burst - zero + 0.5) % 1.0 - 0.5
        assert abs(off) < 0.080, f"sound is {off * 1000:.0f} ms off its picture"
