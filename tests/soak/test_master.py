"""Ten minutes of a camera with twenty viewers, most of whom come and go: `make soak`.

SOAK_SECONDS makes it shorter or longer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from aiortc import RTCCertificate

from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import eventually
from tests.harness.service import REGION, Command, Service
from tests.harness.signing import presign
from tests.harness.watcher import Watcher

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
STAYING, COMING_AND_GOING = 5, 15
STAY = (0.5, 20.0)
"""Seconds, at least and at most, that somebody stays who does not stay to the end."""
KILLED = 0.3
"""Share of those who leave without a goodbye."""
LOOK_EVERY = 2.0
GROWTH = 8 << 20
"""Bytes by which the master may grow from the second fifth of the run to the last: one fifth is for warming up."""
MIN_RATE = 25
"""Frames per second: the source leaves out what a busy machine would be late with."""
SOCKETS = 6
"""What a master without viewers has at most: signaling, the loop's own."""


@pytest.mark.timeout(SECONDS + 120)
async def test_twenty_viewers_come_and_go(service: Service, kvs: Kvs, clip: Path) -> None:
    channel = unique_name("busy")
    arn = await asyncio.to_thread(kvs.create, channel)
    endpoint = (await asyncio.to_thread(kvs.endpoints, arn))["WSS"]
    certificate = RTCCertificate.generateCertificate()

    def watcher() -> Watcher:
        name = unique_name("soak")
        query = {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": name}
        return Watcher(presign(endpoint, query, key=service.admin, region=REGION), certificate, name=name)

    with service.spawn("master", channel, "--source", str(clip)) as master:
        await asyncio.to_thread(master.wait_for_output, "waiting for viewers")
        staying = [watcher() for _ in range(STAYING)]
        await asyncio.gather(*(each.open() for each in staying))
        await asyncio.gather(*(each.viewer.started.wait() for each in staying))
        before = [each.viewer.counted.frames for each in staying]
        begun = time.monotonic()
        memory: list[int] = []
        async with asyncio.TaskGroup() as tasks:
            guests = [tasks.create_task(come_and_go(watcher, begun + SECONDS)) for _ in range(COMING_AND_GOING)]
            tasks.create_task(look(master, memory, begun + SECONDS))
        joined = sum(task.result() for task in guests)
        seconds = time.monotonic() - begun
        frames = [each.viewer.counted.frames - early for each, early in zip(staying, before, strict=True)]
        missing = [len(each.viewer.counted.missing) for each in staying]
        await asyncio.gather(*(each.close() for each in staying))
        await all_gone(master)

    fifth = max(1, len(memory) // 5)
    early, late = statistics.median(memory[fifth : 2 * fifth]), statistics.median(memory[-fifth:])
    print(
        f"{joined} joined in {seconds:.0f} s; those who stayed got {min(frames)} to {max(frames)} frames and missed "
        f"{sum(missing)} packets; the master had {early / 2**20:.1f} MiB early and {late / 2**20:.1f} MiB late"
    )
    assert joined > SECONDS / STAY[1] * COMING_AND_GOING / 2
    assert missing == [0] * STAYING
    assert max(frames) - min(frames) <= 2, "some got frames that others did not"
    assert min(frames) >= MIN_RATE * seconds
    assert late - early <= GROWTH


async def come_and_go(watcher: Callable[[], Watcher], until: float) -> int:
    """One place that many viewers take, one after the other: how many."""
    for number in itertools.count():
        left = until - time.monotonic()
        if left < STAY[0]:
            return number
        guest = watcher()
        await guest.open()
        await asyncio.sleep(min(left, random.uniform(*STAY)))
        await guest.close(goodbye=random.random() > KILLED)
    return 0


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def look(master: Command, memory: list[int], until: float) -> None:
    """Write down how much memory the master has, and say so every minute."""
    begun = said = time.monotonic()
    while (now := time.monotonic()) < until:
        memory.append(resident_bytes(master.process.pid))
        if now >= said:
            said += 60
            print(f"{now - begun:4.0f} s of {until - begun:.0f} s: {memory[-1] / 2**20:.1f} MiB", flush=True)
        await asyncio.sleep(LOOK_EVERY)


async def all_gone(master: Command) -> None:
    """With the last viewer's keys gone, the master has no more sockets than a fresh one."""

    def sockets() -> int:
        found = 0
        for entry in Path(f"/proc/{master.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in between
                found += str(entry.readlink()).startswith("socket:")
        return found

    await asyncio.to_thread(eventually, lambda: sockets() <= SOCKETS, "the viewers' sockets to be closed", within=90)
