"""ICE restarts of both sides, silence, and goodbyes: with a viewer that counts every packet."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from sightline.media.test_picture import TestPicture
from sightline.rtc.dtls import DtlsState
from sightline.rtc.engine import Engine
from sightline.rtc.engine_peer import EnginePeer
from sightline.rtc.peer import ConnectionState, IceConnectionState, Reason
from sightline.rtc.rtp.rtcp import Goodbye, ReceiverReport
from sightline.timers import Timers
from tests.unit.client.fake_signaling import eventually
from tests.unit.rtc.engine_viewer import EngineViewer

pytestmark = pytest.mark.realtime

QUICK = Timers(
    viewer_disconnected=0.7, viewer_failed=3.0, viewer_failed_without_signaling=1.2, viewer_sleep=2.0, path_check=0.1
)

AT_ONCE = 2.0
"""Seconds: less than any silence would take, and room for a machine that stands still for a moment."""


class Pair:
    """A viewer and its peer, with signaling in between that takes no time."""

    def __init__(self, source: TestPicture, timers: Timers) -> None:
        self.engine = Engine(source, timers=timers)
        self.peer = self.engine.new_peer()
        self.viewer = EngineViewer()
        self.states: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.peer.on_change = self._note

    def _note(self) -> None:
        if not self.states or self.states[-1] != self.peer.connection_state:
            self.states.append(self.peer.connection_state)

    async def negotiate(self, peer: EnginePeer | None = None) -> None:
        await self.viewer.accept(await (peer or self.peer).answer(await self.viewer.offer()))

    async def watch(self) -> None:
        await self.negotiate()
        await eventually(lambda: self.viewer.packets > 5)

    async def aclose(self) -> None:
        await self.viewer.aclose()
        await self.peer.aclose()
        await self.engine.aclose()


@pytest.fixture
async def source() -> AsyncIterator[TestPicture]:
    picture = TestPicture(320, 180, 30)
    yield picture
    assert picture.video.subscribers == 0
    await picture.aclose()


@pytest.fixture
async def pair(source: TestPicture) -> AsyncIterator[Pair]:
    pair = Pair(source, Timers())
    yield pair
    await pair.aclose()


@pytest.fixture
async def quick(source: TestPicture) -> AsyncIterator[Pair]:
    pair = Pair(source, QUICK)
    yield pair
    await pair.aclose()


async def test_a_restart_of_the_viewer_loses_nothing(pair: Pair) -> None:
    await pair.watch()
    srtp = pair.peer._transport.srtp
    for _ in range(3):
        before = pair.viewer.packets
        await pair.negotiate()
        assert pair.peer.ice_connection_state is IceConnectionState.CHECKING
        assert pair.peer.connection_state is ConnectionState.CONNECTED
        await eventually(lambda: pair.peer.ice_connection_state is IceConnectionState.COMPLETED)
        await eventually(lambda before=before: pair.viewer.packets > before + 10)  # type: ignore[misc]
    assert pair.viewer.missing == 0
    assert pair.states == ["connecting", "connected"]
    assert pair.peer._transport.srtp is srtp, "the keys are those from before"
    sent = pair.peer.statistics().sent
    assert sent is not None
    assert sent.video is not None
    assert sent.video.keyframes >= 4, "one at the start, and one on each new path"


async def test_a_restart_of_ours_loses_nothing(pair: Pair) -> None:
    await pair.watch()
    before = pair.viewer.packets
    offer = await pair.peer.restart()
    viewer = pair.viewer
    # The viewer answers: its part is the same as in a restart of its own, the other way round.
    answer = await viewer.answer(offer)
    await pair.peer.accept(answer)
    await eventually(lambda: pair.peer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: viewer.packets > before + 20)
    assert viewer.missing == 0
    assert pair.states == ["connecting", "connected"]
    await pair.peer.accept(answer)
    assert pair.peer.connection_state is ConnectionState.CONNECTED, "a second answer is ignored"


async def test_both_begin_at_once_and_the_viewers_offer_wins(pair: Pair) -> None:
    await pair.watch()
    await pair.peer.restart()
    before = pair.viewer.packets
    await pair.negotiate()
    await eventually(lambda: pair.peer.ice_connection_state is IceConnectionState.COMPLETED)
    await eventually(lambda: pair.viewer.packets > before + 10)
    assert pair.viewer.missing == 0


async def test_the_old_path_is_dead(quick: Pair) -> None:
    await quick.watch()
    took = [1.0]
    while len(took) < 5 and min(took) >= 0.5:  # the machine may have been busy with something else
        quick.viewer.go_silent()
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        await quick.negotiate()
        await eventually(lambda begun=begun: quick.viewer.arrivals[-1] > begun)  # type: ignore[misc]
        took.append(next(at for at in quick.viewer.arrivals if at > begun) - begun)
    assert min(took) < 0.5, took
    await eventually(lambda: quick.peer.connection_state is ConnectionState.CONNECTED)


async def test_silence_then_sleep_then_a_late_restart(quick: Pair) -> None:
    await quick.watch()
    await eventually(lambda: quick.peer.connection_state is ConnectionState.CONNECTED)
    quick.states.clear()
    quick.viewer.go_silent()
    await eventually(lambda: quick.peer.connection_state is ConnectionState.FAILED)
    assert QUICK.viewer_failed - 0.05 < time.monotonic() - quick.peer._ice.last_heard < QUICK.viewer_failed + 3.0
    assert quick.states[-2:] == ["disconnected", "failed"]
    assert quick.peer.reason is Reason.SILENT
    assert quick.peer._ice.active is None, "its sockets are closed"
    sent = quick.peer.statistics().sent
    assert sent is not None
    assert sent.video is not None
    frames = sent.video.frames
    await asyncio.sleep(0.2)
    assert sent.video.frames == frames, "nothing is sent to a sleeper"
    before = quick.viewer.packets
    quick.states.clear()
    await quick.negotiate()
    await eventually(lambda: quick.viewer.packets > before + 10)
    assert quick.states[:2] == ["connecting", "connected"]
    assert quick.viewer.dtls is not None
    assert quick.viewer.dtls.state is DtlsState.CONNECTED


async def test_a_sleeper_is_closed_in_the_end(source: TestPicture) -> None:
    pair = Pair(source, Timers(viewer_disconnected=0.7, viewer_failed=1.5, viewer_sleep=0.3, path_check=0.1))
    await pair.watch()
    pair.viewer.go_silent()
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED)
    assert pair.states[:2] == ["connecting", "connected"]
    assert pair.states[-3:] == ["disconnected", "failed", "closed"]
    assert source.video.subscribers == 0
    await pair.aclose()


async def test_a_closed_signaling_socket_shortens_the_wait(quick: Pair) -> None:
    await quick.watch()
    quick.peer.signaling(is_open=False)
    await asyncio.sleep(QUICK.viewer_failed_without_signaling + 0.3)
    await eventually(lambda: quick.peer.connection_state is ConnectionState.CONNECTED)  # alone it frees nothing
    begun = time.monotonic()
    quick.viewer.go_silent()
    await eventually(lambda: quick.peer.connection_state is ConnectionState.FAILED)
    assert time.monotonic() - begun < QUICK.viewer_failed - 0.2


async def test_close_notify_frees_at_once(pair: Pair) -> None:
    await pair.watch()
    pair.viewer.say_goodbye()
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED, within=AT_ONCE)
    assert pair.peer.reason is Reason.CLOSE_NOTIFY


async def test_rtcp_bye_frees_at_once(pair: Pair) -> None:
    await pair.watch()
    pair.viewer.send_rtcp(ReceiverReport(7), Goodbye((7,), "closing"))
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED, within=AT_ONCE)
    assert pair.peer.reason is Reason.BYE


async def test_it_is_heard_every_half_second_even_when_the_source_is_silent(source: TestPicture, pair: Pair) -> None:
    await pair.watch()
    stop = source.video._listeners[:]
    source.video._listeners = []  # the camera hangs
    count = len(pair.viewer.sender_reports())
    await eventually(lambda: len(pair.viewer.sender_reports()) >= count + 5)
    pauses = [after - before for before, after in pairwise(pair.viewer.sender_reports()[count:])]
    assert statistics.median(pauses) < 0.6
    assert max(pauses) < 1.5, "a machine stands still now and then"
    source.video._listeners = stop


async def test_malformed_packets_are_counted_and_harm_nobody(pair: Pair) -> None:
    await pair.watch()
    for packet in (b"\x81\xc9\x00\xff" + bytes(8), b"\x8f\xcb\x00\x01" + bytes(4), b"\x81\xce\x00\x05" + bytes(20)):
        pair.viewer.send_rtcp_bytes(packet)
    for junk in (
        b"",
        b"\x16",
        b"\x16\xfe\xfd" + bytes(60),
        b"\x80" * 40,
        b"\x80\xc8" * 30,
        b"\x30" * 1400,
        b"\x00" * 20,
    ):
        pair.viewer.ice.send([junk])
    before = pair.viewer.packets
    await eventually(lambda: pair.viewer.packets > before + 10)
    assert pair.peer.connection_state is ConnectionState.CONNECTED
    assert pair.peer.statistics().malformed >= 2


async def test_a_defect_ends_this_viewer_alone(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    other = EngineViewer()
    peer = pair.engine.new_peer()
    await other.accept(await peer.answer(await other.offer()))
    await pair.watch()

    def broken(packet: bytes) -> None:
        raise RuntimeError("a defect")

    pair.peer._transport._on_rtcp = broken
    pair.viewer.send_rtcp(ReceiverReport(7))
    await eventually(lambda: pair.peer.connection_state is ConnectionState.CLOSED)
    assert pair.peer.reason is Reason.BROKEN
    assert "a defect" in caplog.text
    before = other.packets
    await eventually(lambda: other.packets > before + 10)
    await other.aclose()
    await peer.aclose()


async def test_the_other_certificate_makes_a_new_association(source: TestPicture) -> None:
    pair = Pair(source, Timers())
    await pair.watch()
    await pair.peer.aclose()
    stranger = pair.engine.new_peer(certificate=1)
    before = pair.viewer.packets
    await pair.negotiate(stranger)
    await eventually(lambda: stranger.connection_state is ConnectionState.CONNECTED)
    await eventually(lambda: pair.viewer.packets > before + 10)
    await stranger.aclose()
    await pair.aclose()
