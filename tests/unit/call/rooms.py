"""Rooms of a real lobby, and people in them: what the tests of ``sightline.Call`` have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import numpy as np

from sightline.call import Call, CallSession, Ring
from sightline.media.bar_code import read_bar_code
from sightline.media.tone import TONE_HZ
from sightline.service.lobby import perform_lobby
from tests.unit.client import fake_signaling
from tests.unit.service.inside import Inside, inside

WAIT = 30.0
until = partial(fake_signaling.eventually, within=WAIT)
TEST = "test:320x180@15"


@asynccontextmanager
async def running(**settings: object) -> AsyncIterator[Inside]:
    """A service whose clock goes."""
    async with inside(**settings) as service:
        clock, lobby = service.clock, service.context.lobby
        began, clock.wall = time.monotonic(), time.time()
        steady = clock.steady

        async def go() -> None:
            while True:
                await asyncio.sleep(0.05)
                clock.steady = steady + time.monotonic() - began
                perform_lobby(lobby.tick(clock.steady))

        going = asyncio.create_task(go())
        try:
            yield service
        finally:
            going.cancel()
            await asyncio.wait([going])


def member(service: Inside, name: str, source: str | None = None, **more: Any) -> Call:
    return Call(name, endpoint=f"http://localhost:{service.port}", source=source, **more)


@asynccontextmanager
async def room(service: Inside, *names: str, source: str | None = None) -> AsyncIterator[list[Call]]:
    """All of them in the room, and knowing of each other."""
    async with AsyncExitStack() as stack:
        calls = [await stack.enter_async_context(member(service, name, source)) for name in names]
        for call in calls:
            await until(lambda call=call: len(call.users) == len(names) - 1)
        yield calls


async def next_ring(call: Call) -> Ring:
    async with asyncio.timeout(WAIT):
        return await anext(call.incoming())


async def connected(caller: Call, callee: Call) -> tuple[CallSession, CallSession]:
    async with asyncio.timeout(WAIT):
        placing = asyncio.create_task(caller.place(callee.name))
        ring = await next_ring(callee)
        assert ring.peer == caller.name
        return await asyncio.gather(placing, ring.accept())


async def ended(session: CallSession) -> str:
    async with asyncio.timeout(WAIT):
        return await session.wait_ended()


async def assert_moves(session: CallSession) -> None:
    """The picture is the other side's test picture, and it counts up."""
    numbers: list[int] = []
    async with asyncio.timeout(WAIT):
        async for frame in session.video:
            number = read_bar_code(frame.to_ndarray())
            if number is not None:
                numbers.append(number)
            if len(numbers) == 5:
                break
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 5


async def assert_sounds(session: CallSession) -> None:
    """The sound becomes the other side's tone: at its beginning, and where a busy machine leaves gaps, it clicks."""
    samples: list[Any] = []
    loudest = 0.0
    async with asyncio.timeout(WAIT):
        async for frame in session.audio:
            samples = [*samples[-24:], frame.to_ndarray()[:, 0]]
            if len(samples) == 25:
                wave = np.concatenate(samples).astype(float)
                spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
                loudest = float(np.fft.rfftfreq(len(wave), 1 / 48_000)[int(spectrum.argmax())])
            if abs(loudest - TONE_HZ) < 10:
                break
    assert abs(loudest - TONE_HZ) < 10
