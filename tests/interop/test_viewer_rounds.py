"""A viewer that comes and goes leaves nothing behind: no socket, no task, no thread, neither here nor at the camera."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from pathlib import Path

import pytest

from sightline import Viewer
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(180)

ROUNDS = 8


def held() -> dict[str, int]:
    """What this process has of everything."""
    gc.collect()
    return {
        "files and sockets": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
        # The loop's own pool grows as it pleases.
        "threads": sum(thread.name.startswith("sightline") for thread in threading.enumerate()),
    }


async def settled(before: dict[str, int]) -> dict[str, int]:
    """What is held when all that ends has ended."""
    after = held()
    for _ in range(300):
        if all(after[name] <= before[name] for name in before):
            break
        await asyncio.sleep(0.1)
        after = held()
    return after


async def test_rounds_leave_nothing(service: Service) -> None:
    channel = unique_name("rounds")
    link = f"{service.http}/view/{channel}"

    async def look(*, again: bool = False) -> None:
        async with Viewer(link, client_id="coming") as viewer, asyncio.timeout(40):
            await viewer.picture()
            if again:
                viewer.reconnect()
                await viewer.wait_watching()
                await viewer.picture()

    with service.spawn("master", channel, "--create", "--source", "test:320x180@15") as master:
        await asyncio.to_thread(master.wait_for_output, "waiting for viewers", within=60)
        await look(again=True)  # libraries keep something after their first use
        before = held()
        for number in range(ROUNDS):
            await look(again=number % 4 == 0)
        after = await settled(before)
        assert all(after[name] <= before[name] for name in before), f"{before} became {after}"

        def forgotten() -> bool:
            return json.loads(service.run("viewers", channel, "--json").stdout)["viewers"] == []

        assert await asyncio.to_thread(eventually, forgotten, "the camera to know that it left")
