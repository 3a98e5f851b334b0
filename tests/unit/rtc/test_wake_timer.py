"""Judgements by silence wait until what came while we stood still was read; in uvloop, which runs timers first."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import uvloop

from sightline.media.test_picture import TestPicture
from sightline.rtc.rtp.rtcp import ReceiverReport
from sightline.rtc.wake_timer import WakeTimer
from sightline.timers import Timers
from tests.unit.client.fake_signaling import eventually
from tests.unit.rtc.test_engine_restart import Pair

pytestmark = pytest.mark.realtime


def test_a_late_call_comes_after_what_waits_in_sockets() -> None:
    async def happens() -> list[str]:
        seen: list[str] = []
        timer = WakeTimer(lambda: seen.append("judged"))
        (ours, theirs), (paused, pause) = socket.socketpair(), socket.socketpair()

        def read() -> None:
            ours.recv(10)
            seen.append("read")

        def stand_still() -> None:
            paused.recv(10)
            timer.at(time.monotonic() + 0.01)
            theirs.send(b"here I am")
            time.sleep(0.3)

        loop = asyncio.get_running_loop()
        with ours, theirs, paused, pause:
            loop.add_reader(ours, read)
            loop.add_reader(paused, stand_still)
            pause.send(b"now")
            await eventually(lambda: "judged" in seen)
            loop.remove_reader(ours)
            loop.remove_reader(paused)
        assert timer.due is None
        return seen

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(happens()) == ["read", "judged"]


def test_a_call_in_time_comes_once_and_a_cancelled_one_never() -> None:
    async def happens() -> list[str]:
        seen: list[str] = []
        timer, never = WakeTimer(lambda: seen.append("called")), WakeTimer(lambda: seen.append("never"))
        for due in (0.001, -1.0):
            never.at(time.monotonic() + due)
            never.cancel()
        timer.at(time.monotonic() + 3600.0)
        timer.at(time.monotonic() + 0.01)
        await eventually(lambda: bool(seen))
        await asyncio.sleep(0.05)
        assert (timer.due, never.due) == (None, None)
        return seen

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(happens()) == ["called"]


def test_a_master_that_stood_still_keeps_the_viewers_that_were_there_all_the_time() -> None:
    timers = Timers(viewer_disconnected=1.0, viewer_failed=2.0, viewer_failed_without_signaling=2.0, path_check=0.1)

    async def happens() -> list[str]:
        source = TestPicture(160, 90, 30)
        pair = Pair(source, timers)
        stood = asyncio.Event()
        paused, pause = socket.socketpair()

        def stand_still() -> None:
            paused.recv(10)
            pair.viewer.send_rtcp(ReceiverReport(7))
            time.sleep(2.5)
            stood.set()

        with paused, pause:
            await pair.watch()
            # As a socket's reader: what comes meanwhile is seen in the next round of the loop, after its timers.
            asyncio.get_running_loop().add_reader(paused, stand_still)
            pause.send(b"now")
            await stood.wait()
            asyncio.get_running_loop().remove_reader(paused)
            await asyncio.sleep(0.1)
            states = list(pair.states)
        await pair.aclose()
        await source.aclose()
        return states

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert "failed" not in runner.run(happens())
