"""The thread of a client: results and errors come back, in order, and its end waits for nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from sightline.client.worker import Worker

pytestmark = pytest.mark.realtime

HANGS = """
import asyncio, threading
from sightline.client.worker import Worker

async def main():
    worker, begun = Worker("dead"), threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    asyncio.get_running_loop().create_task(worker.run(hang))
    await asyncio.to_thread(begun.wait)
    await worker.aclose(lambda: None)

asyncio.run(main())
print("ended")
"""


async def test_calls_are_made_in_order_in_one_thread_and_errors_come_back() -> None:
    worker, made = Worker("one"), list[tuple[int, str]]()

    def note(number: int) -> int:
        made.append((number, threading.current_thread().name))
        if number == 2:
            raise ValueError("two")
        return number * 10

    results = await asyncio.gather(*(worker.run(note, number) for number in range(4)), return_exceptions=True)
    assert [result for result in results if not isinstance(result, BaseException)] == [0, 10, 30]
    assert isinstance(results[2], ValueError)
    assert made == [(number, "one") for number in range(4)]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    await worker.aclose(lambda: loop.call_soon_threadsafe(ended.set) and None)
    async with asyncio.timeout(30):
        await ended.wait()
    with pytest.raises(RuntimeError, match="closed"):
        await worker.run(note, 5)


async def test_one_who_was_cancelled_disturbs_nobody() -> None:
    worker, go = Worker("two"), threading.Event()
    waiting = asyncio.ensure_future(worker.run(go.wait))
    never = asyncio.ensure_future(worker.run(pytest.fail, "it was cancelled before its turn"))
    after = asyncio.ensure_future(worker.run(lambda: "here"))
    await asyncio.sleep(0)
    for task in (waiting, never):
        task.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await after == "here"
    await worker.aclose(lambda: None)


def test_a_program_ends_though_a_call_hangs() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == "ended\n"
