"""How long-running commands and their children end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.cli.child import Child
from sightline.cli.stopping import stop_on_signals

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_block_and_its_cleaning_up_is_not_disturbed(number: signal.Signals) -> None:
    steps = []
    loop = asyncio.get_running_loop()
    with stop_on_signals():
        try:
            loop.call_soon(os.kill, os.getpid(), number)
            await asyncio.sleep(30)
        finally:
            os.kill(os.getpid(), number)  # somebody presses Ctrl-C again
            await asyncio.sleep(0.05)
            steps.append("cleaned up")
    steps.append("went on")
    await asyncio.sleep(0)  # the task is not cancelled any more
    assert steps == ["cleaned up", "went on"]


async def test_another_cancellation_passes_through() -> None:
    async def body() -> None:
        with stop_on_signals():
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await body()


async def test_an_error_passes_through_and_the_handlers_go() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="x"), stop_on_signals():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGTERM) == before


def dead_endpoint() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://localhost:{sock.getsockname()[1]}"


def camera_arguments(tmp_path: Path) -> list[str]:
    """A camera that waits for a service that never comes."""
    return ["master", "demo", "--source", "test", "--endpoint", dead_endpoint(), "--data-dir", str(tmp_path)]


def camera_environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
        "SIGHTLINE_ACCESS_KEY_ID": "x",
        "SIGHTLINE_SECRET_ACCESS_KEY": "y",
    }


async def test_a_child_ends_when_asked(tmp_path: Path) -> None:
    async with Child(camera_arguments(tmp_path), environment=camera_environment(tmp_path)) as child:
        await child.start()
        assert child.exit_code is None
        child.terminate()
        await asyncio.wait_for(child.ended(), 30)
        child.terminate()
    await child.aclose()


PARENT = """
import asyncio, json, os, sys
from sightline.cli.child import Child

async def main():
    child = Child(json.loads(sys.argv[1]), environment=json.loads(sys.argv[2]))
    await child.start()
    print(child._process.pid, flush=True)
    await child.ended()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see other processes")
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    import json

    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PARENT,
            json.dumps(camera_arguments(tmp_path)),
            json.dumps(camera_environment(tmp_path)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **camera_environment(tmp_path)},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)
