"""How a viewer is reported: within the bounds that the service checks."""

from __future__ import annotations

import asyncio

import pytest

from sightline.master.presence import PresenceReporter, presence_of
from sightline.sessions.connection_state import ConnectionState, IceConnectionState
from sightline.sessions.roster import Viewer
from sightline.timers import Timers
from sightline.wire.extras import decode_presence, encode_presence
from tests.unit.client.fake_signaling import eventually

pytestmark = pytest.mark.realtime

VIEWER = Viewer(
    client_id="viewer-123",
    connection_state=ConnectionState.DISCONNECTED,
    ice_connection_state=IceConnectionState.CHECKING,
    since=1790000000.123456,
    reason="silent",
    candidate_pair="host " + "x" * 300,
    round_trip_time=-0.1,
    loss=1.2,
    bitrate=1e15,
    role="operator",
)


def test_whatever_the_figures_are_the_service_takes_the_report() -> None:
    (seen,) = decode_presence(encode_presence((presence_of(VIEWER),))).viewers
    assert (seen.client_id, seen.connection_state, seen.ice_connection_state) == (
        "viewer-123",
        "disconnected",
        "checking",
    )
    assert (seen.was_connected, seen.since, seen.reason) == (True, 1790000000.123, "silent")
    assert seen.role == "operator"
    assert (seen.round_trip_time, seen.loss, seen.bitrate, seen.available_bitrate) == (0, 1, 1e12, None)


async def test_a_crowd_of_changes_is_one_report() -> None:
    sent: list[int] = []
    viewers: list[Viewer] = []
    up = True

    async def send(frame: bytes) -> bool:
        sent.append(decode_presence(frame).total)
        return up

    reporter = PresenceReporter(sessions=lambda: viewers, send=send, timers=Timers(presence=60, presence_spacing=0.02))
    running = asyncio.create_task(reporter.run())
    reporter.changed()
    await asyncio.sleep(0.05)
    assert sent == [], "nobody is told anything before the service has said what it is"
    reporter.enable(enabled=True)
    await eventually(lambda: sent == [0])
    for _ in range(100):
        viewers.append(VIEWER)
        reporter.changed()
    await eventually(lambda: len(sent) > 1)
    await asyncio.sleep(0.05)
    assert sent == [0, 100]
    reporter.enable(enabled=False)
    reporter.changed()
    await asyncio.sleep(0.05)
    assert sent == [0, 100]
    running.cancel()
    await asyncio.wait([running])


async def test_figures_come_now_and_then_and_that_nobody_watches_is_said_until_it_is_heard() -> None:
    sent: list[int] = []
    viewers = [VIEWER]
    up = True

    async def send(frame: bytes) -> bool:
        sent.append(decode_presence(frame).total)
        return up

    reporter = PresenceReporter(sessions=lambda: viewers, send=send, timers=Timers(presence=0.1, presence_spacing=0.02))
    running = asyncio.create_task(reporter.run())
    reporter.enable(enabled=True)
    await eventually(lambda: sent == [1] * 3)
    viewers.clear()
    up = False
    await eventually(lambda: sent[-3:] == [0] * 3)
    up = True
    said = len(sent)
    await eventually(lambda: len(sent) > said)
    await asyncio.sleep(0.3)
    assert sent[said:] == [0], "and then not again"
    running.cancel()
    await asyncio.wait([running])
