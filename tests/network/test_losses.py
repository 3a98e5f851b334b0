"""Chromium watches a camera over bad lines for half a minute."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.network import Line
from tests.harness.plain_viewer import PlainViewer
from tests.network.conftest import World

SECONDS = 30
RATE = 30
"""Frames per second of the clip."""
FROZEN = 4.5
"""Seconds: three times what issue 3 permits."""
TRIALS = 3
"""A busy machine adds to what the line does: its camera leaves out frames, its browser shows some too late."""
BAD = {
    "5 % lost, jitter of 200 ms that reorders": Line(delay=0.01, jitter=0.2, loss=0.05),
    "5 % lost, jitter of 200 ms in bunches": Line(delay=0.01, jitter=0.2, in_order=True, loss=0.05),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
def test_a_bad_line_still_shows_pictures(world: World, viewer: Callable[..., PlainViewer], line: Line) -> None:
    world.wifi.set(line, up=Line(delay=0.01, loss=0.05))
    for trial in range(1, TRIALS + 1):
        watching = viewer()
        watching.wait_for_picture()
        watching.watch(3)  # the jitter buffer has to learn what the line is like
        before = watching.stats["video"]
        counted = world.wifi.count()["down"]
        seen = watching.watch(SECONDS)
        after = watching.stats["video"]
        sent = world.wifi.count()["down"]
        watching.close()
        decoded = (after["framesDecoded"] - before["framesDecoded"]) / (seen.seconds * RATE)
        grown = {key: round(after.get(key, 0) - before.get(key, 0), 2) for key in REPORTED}
        print(f"decoded {decoded:.0%}, frozen {seen.frozen:.2f} s of {seen.seconds:.0f} s, browser's counters: {grown}")
        lost = (sent["lost"] - counted["lost"]) / (
            sent["lost"] - counted["lost"] + sent["delivered"] - counted["delivered"]
        )
        assert 0.03 < lost < 0.07, "the line is not what this test is about"
        if decoded >= 0.8 and seen.frozen <= FROZEN:
            return
        assert trial < TRIALS, f"decoded {decoded:.0%}, frozen {seen.frozen:.2f} s, and no better before"


REPORTED = (
    "framesReceived",
    "framesDropped",
    "freezeCount",
    "totalFreezesDuration",
    "packetsLost",
    "nackCount",
    "pliCount",
    "keyFramesDecoded",
    "retransmittedPacketsReceived",
)
