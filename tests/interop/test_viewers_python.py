"""Our Python viewer watches masters that are not `sightline master`: the JavaScript SDK's, and a program's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from tests.harness.bar_code import read_bar_code
from tests.harness.browser import Chromium
from tests.harness.kvs import Kvs, unique_name
from tests.harness.service import CHECKOUT, Service
from tests.harness.web import Site
from tests.interop.test_javascript_webrtc import START_MASTER, settings

pytestmark = pytest.mark.timeout(120)

PROGRAMS = Path(__file__).parent / "programs"


def codes(path: Path) -> list[int | None]:
    """The bar codes of all pictures that play."""
    with av.open(str(path)) as container:
        return [read_bar_code(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def test_the_javascript_sdks_master_is_watched_and_recorded(
    chromium: Chromium, service: Service, kvs: Kvs, site: Site
) -> None:
    channel = unique_name("yard")
    kvs.create(channel)
    with chromium.page(site.url("peer.html")) as master:
        master.evaluate(START_MASTER, settings(service, channel))
        done = service.run("view", channel, "--record", "yard.mkv", "--seconds", "3", "--json", timeout=60)
        clients: list[str] = master.evaluate("() => [...peer.connections.keys()]")
    assert done.returncode == 0, done.stderr
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    (recording,) = [event for event in events if event["type"] == "recording"]
    read = [code for file in recording["files"] for code in codes(service.folder / file)]
    assert len(read) >= 20
    assert sum(code is None for code in read) <= len(read) // 10, f"bar codes unreadable: {read}"
    assert len(clients) == 1


def test_a_program_looks_asks_and_talks(service: Service) -> None:
    channel = unique_name("talking")
    environment = service.client_environment()
    master = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "talking_master.py"), channel],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert master.stdout is not None
        assert master.stdout.readline() == "on air\n"
        seen = subprocess.run(
            [sys.executable, str(PROGRAMS / "talking_viewer.py"), channel],
            env=environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        master.terminate()
        master.wait(30)
        if master.stdout is not None:
            master.stdout.close()
    assert seen.returncode == 0, seen.stderr
    told = json.loads(seen.stdout)
    assert told["shape"] == [240, 320, 3]
    assert told["answer"] == {"you": "program", "asked": {"battery": None}}
    assert told["said"] == "hello"
    assert told["after"] >= 8, "pictures went on while the camera looked for another path"
    assert told["connections"] == 1
    assert told["state"] == "closed"
