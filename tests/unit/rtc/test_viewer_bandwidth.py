"""Our viewer behind a path of so many bits per second, against our master: what the master learns of that path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest

from sightline.media.test_picture import TestPicture
from sightline.rtc.rtp.outlet import OutletStats
from tests.unit.client import fake_signaling
from tests.unit.rtc.test_viewer_peer import Pair

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=30)


class Path:
    """A queue before the viewer; ``capacity`` in bits per second, None for any."""

    capacity: float | None = None
    free_at = 0.0

    def __call__(self, datagram: bytes, number: int) -> float | None:
        if self.capacity is None or not 128 <= datagram[0] <= 191:
            return 0.0
        now = time.monotonic()
        begin = max(now, self.free_at)
        if begin - now > 0.5:
            return None
        self.free_at = begin + len(datagram) * 8 / self.capacity
        return self.free_at - now


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(320, 180, 30)
    yield picture
    await picture.aclose()


def sent(pair: Pair) -> OutletStats:
    stats = pair.peer.statistics()
    assert stats.sent is not None
    assert stats.available_bitrate == stats.sent.estimate
    return stats.sent


async def test_the_master_knows_what_our_viewer_s_path_carries(source: TestPicture) -> None:
    pair, path = Pair(source), Path()
    pair.viewer.plan = path
    try:
        await pair.watch()
        await asyncio.sleep(1.0)
        await eventually(lambda: (sent(pair).estimate or 0) > 0.5 * sent(pair).bitrate)
        wide, bitrate = sent(pair).estimate, sent(pair).bitrate
        assert wide is not None
        path.capacity = bitrate / 2
        await eventually(lambda: sent(pair).congested and (sent(pair).estimate or wide) < 0.8 * bitrate)
        received = pair.viewer.statistics().received
        assert received is not None
        assert received.malformed == received.strangers == 0
    finally:
        await pair.aclose()
