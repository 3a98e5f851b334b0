"""The viewer's signaling socket comes and goes; nobody who watches notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from sightline import Viewer
from sightline.sessions.viewer import ViewerOptions
from sightline.viewer import StateChanged, ViewerState
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.service import Command, Service

pytestmark = pytest.mark.timeout(180)

BUSY = ViewerOptions(silence=5, stall=10)
"""A busy machine's pauses are not what is tested here."""


async def output(command: Command, pattern: str) -> None:
    await asyncio.to_thread(command.wait_for_output, pattern, within=60)


async def watch(viewer: Viewer, until: Callable[[], bool], *, within: float = 60) -> list[float]:
    """When pictures came, until something has happened."""
    times = []
    async with asyncio.timeout(within):
        async for _ in viewer.video:
            times.append(time.monotonic())
            if until():
                break
    return times


async def test_a_service_that_wants_new_sockets_gets_them_without_a_pause(
    start_service: Callable[..., Service],
) -> None:
    service = await asyncio.to_thread(start_service, environment={"SIGHTLINE_SOCKET_LIFETIME": "3"})
    channel = unique_name("moved")
    states: list[ViewerState] = []
    with service.spawn("master", channel, "--create", "--source", "test:320x180@15") as master:
        await output(master, "waiting for viewers")
        async with Viewer(
            f"{service.http}/view/{channel}",
            client_id="patient",
            options=BUSY,
            on_event=lambda event: states.append(event.after) if isinstance(event, StateChanged) else None,
        ) as viewer:
            sockets = "viewer connected from"
            times = await watch(viewer, lambda: service.command.output.count(sockets) >= 3)
            assert viewer.statistics().connections == 1
            assert viewer.state is ViewerState.WATCHING
    assert "recovering" not in states
    assert max(after - before for before, after in pairwise(times)) < 5.0


async def test_a_service_that_is_restarted_costs_no_picture(start_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(start_service)
    channel = unique_name("restarted")
    with service.spawn("master", channel, "--create", "--source", "test:320x180@15") as master:
        await output(master, "waiting for viewers")
        async with Viewer(f"{service.http}/view/{channel}", client_id="patient", options=BUSY) as viewer:
            async with asyncio.timeout(40):
                await viewer.picture()
                await viewer.wait_watching()
            over = asyncio.Event()
            watching = asyncio.create_task(watch(viewer, over.is_set))
            service.command.kill()
            again = await asyncio.to_thread(start_service, folder=service.folder, reuse_ports_of=service)
            await output(again.command, "viewer connected from")
            over.set()
            times = await watching
            assert len(times) > 5
            assert viewer.statistics().connections == 1
            assert viewer.state is ViewerState.WATCHING
            assert max(after - before for before, after in pairwise(times)) < 5.0
            listed = await asyncio.to_thread(
                eventually, lambda: "patient" in again.run("viewers", channel).stdout, "the camera's report", within=40
            )
            assert listed
