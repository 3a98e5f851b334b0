"""Python's garbage collector, kept from holding up the pictures."""

from __future__ import annotations

import asyncio
import gc

__all__ = ["collect_now_and_then", "quiet_collector"]

_PAUSE = 20.0
"""Seconds between two looks."""

_MANY = 2000
"""New containers that nobody has freed, from which a collection is worth it: what half a dozen viewers leave behind."""

_YOUNG = 50_000


def quiet_collector() -> None:
    """What is here now stays: looking at all of it again and again would hold the pictures up for 30 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)


async def collect_now_and_then(*, pause: float = _PAUSE) -> None:
    """Free what viewers have left behind, until cancelled; beside `quiet_collector`.

    A connection's parts know each other in circles, and with those thresholds they would lie there for ever: 80 KiB
    for each viewer that was there. While nobody comes or goes, nothing is done; else it takes some milliseconds.
    """
    while True:
        await asyncio.sleep(pause)
        young, rounds, _ = gc.get_count()
        if rounds * _YOUNG + young >= _MANY:
            gc.collect()
