"""One viewer's bad line is nobody else's business."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.harness.kvs import unique_name
from tests.harness.network import Host, Line
from tests.network.conftest import World

SECONDS = 12
RATE = 30
MOST = 0.7
"""Of the frames: a camera leaves out those for which its machine has no time. What has been sent arrives, to the last
packet; and whoever was held up by the slow one, or waited for keyframes, would have seen a third."""
SLOW = {
    "a quarter of what the stream needs": Line(delay=0.02, rate=200_000, queue=0.3),
    "half of its packets lost": Line(delay=0.02, loss=0.5),
    "nothing comes through any more": Line(silent=True),
}


@contextmanager
def watching(world: World, host: Host, channel: str, count: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Light viewers on a host."""
    urls = [world.viewer_url(channel, unique_name(host.name)) for _ in range(count)]
    command = host.command(sys.executable, "-m", "tests.harness.watcher", str(seconds), *urls)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "connected\n", process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


def counted(process: subprocess.Popen[str]) -> Sequence[dict[str, Any]]:
    said, errors = process.communicate(timeout=40)
    assert process.returncode == 0, errors
    seen: list[dict[str, Any]] = json.loads(said)
    return seen


@pytest.mark.timeout(150)
@pytest.mark.parametrize("line", SLOW.values(), ids=SLOW.keys())
def test_a_slow_viewer_costs_the_others_no_frame(world: World, channel: str, line: Line) -> None:
    neighbour = world.lab.host(unique_name("neighbour"))
    neighbour.connect("eth0", Line(delay=0.01))
    for host in (world.phone, neighbour):
        world.signaling(host)
    with watching(world, world.phone, channel, 1, SECONDS + 5):
        world.wifi.set(line)
        with watching(world, neighbour, channel, 3, SECONDS) as others:
            for seen in counted(others):
                print(f"beside a viewer with {line}: {seen}")
                assert seen["missing"] == 0
                assert seen["frames"] >= MOST * RATE * SECONDS
    world.quiet()
