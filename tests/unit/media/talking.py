"""Viewers who whistle, each at a pitch of its own, in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from tests.unit.media.test_mixer import opus, tone

Put = Callable[[str, bytes, int, float], None]
"""Takes a talker's packet, its timestamp and when it came."""


async def talk(put: Put, pitches: Mapping[str, float], *, seconds: float = 40.0) -> None:
    """All at once, until it is cancelled or the time is over. ``pitches`` in whole hertz."""
    spoken = {talker: opus(tone(hertz, 1.0)) for talker, hertz in pitches.items()}
    begun = time.monotonic()
    for number in range(round(seconds * 50)):
        await asyncio.sleep(max(0.0, begun + number * 0.02 - time.monotonic()))
        for talker, packets in spoken.items():
            put(talker, packets[number % len(packets)], number * 960, time.monotonic())
