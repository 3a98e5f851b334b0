"""Chromium talks with a camera over data channels, and takes an ICE restart that the camera begins."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.harness.browser import Chromium
from tests.harness.kvs import unique_name
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.harness.service import Service

PROGRAM = Path(__file__).parent / "programs" / "talking_master.py"
NUMBERS = 1 << 16


@pytest.fixture(scope="module")
def channel(service: Service) -> Iterator[str]:
    """A channel with the talking camera."""
    name = unique_name("talking")
    command = [sys.executable, str(PROGRAM), name]
    log = service.folder / "talking.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            env=service.client_environment(),
            cwd=service.folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "on air\n", log.read_text()
            yield name
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
    assert "Traceback" not in log.read_text()


@contextmanager
def talking(chromium: Chromium, service: Service, channel: str, **wanted: Any) -> Iterator[PlainViewer]:
    """A viewer whose data channel is open on both sides."""
    with chromium.page(f"{service.http}/healthz") as page:
        viewer = PlainViewer(in_page(page), channel, data="control", **wanted)
        eventually(lambda: viewer.ask("() => viewer.dataChannel.readyState === 'open'"), "the data channel")
        # Chromium's is open before the camera knows of it; from its first answer on both do.
        say(viewer, "is this on?")
        assert heard(viewer) == ["is this on?"]
        viewer.ask("() => { viewer.notes.messages.length = 0; }")
        yield viewer


def in_page(page: Page) -> Callable[[str, Any], Any]:
    return lambda script, argument: page.evaluate(script, argument)


def say(viewer: PlainViewer, message: str) -> None:
    viewer.ask("(message) => viewer.dataChannel.send(message)", message)


def heard(viewer: PlainViewer, count: int = 1) -> list[Any]:
    """The messages so far, once there are so many."""
    return eventually(
        lambda: messages if len(messages := viewer.ask("() => viewer.notes.messages")) >= count else None,
        f"{count} messages",
    )


def test_messages_come_back(chromium: Chromium, service: Service, channel: str) -> None:
    long = "\N{SNOWMAN}" * 20_000
    with talking(chromium, service, channel) as viewer:
        for message in ("hello", "", long):
            say(viewer, message)
        assert heard(viewer, 3) == ["hello", "", long]
        viewer.wait_for_picture()
        binary = viewer.ask(
            """async () => {
              viewer.dataChannel.binaryType = "arraybuffer";
              const answer = new Promise((resolve) => viewer.dataChannel.addEventListener("message", resolve));
              viewer.dataChannel.send(new Uint8Array([0, 1, 254, 255]));
              return [...new Uint8Array((await answer).data)];
            }"""
        )
        assert binary == [0, 1, 254, 255]


def test_questions_are_answered(chromium: Chromium, service: Service, channel: str) -> None:
    with talking(chromium, service, channel) as viewer:
        say(viewer, json.dumps({"id": "7", "request": {"pan": 30, "zoom": [1, 2]}}))
        say(viewer, json.dumps({"id": "8", "request": "impossible"}))
        answers = [json.loads(message) for message in heard(viewer, 2)]
        assert answers == [
            {"id": "7", "reply": {"you": viewer.client_id, "asked": {"pan": 30, "zoom": [1, 2]}}},
            {"id": "8", "error": "That cannot be done."},
        ]


def test_everybody_hears_a_broadcast(chromium: Chromium, service: Service, channel: str) -> None:
    with talking(chromium, service, channel) as first, talking(chromium, service, channel) as second:
        say(first, "everybody")
        for viewer in (first, second):
            assert heard(viewer) == [f"{first.client_id} says hello"]


def test_the_camera_begins_an_ice_restart(chromium: Chromium, service: Service, channel: str) -> None:
    with talking(chromium, service, channel) as viewer:
        viewer.wait_for_picture()
        viewer.watch(1)
        fragments = {fragment(viewer)}
        for _ in range(2):
            say(viewer, "restart")
            seen = viewer.watch(2)
            assert seen.longest_gap < 1.2, "pictures stop while the path is changed"
            eventually(lambda: fragment(viewer) not in fragments, "another generation of ICE")
            fragments.add(fragment(viewer))
            say(viewer, "still there?")
        assert heard(viewer, 2) == ["still there?"] * 2
        assert viewer.states() == ["connecting", "connected"]
        eventually(lambda: viewer.stats["video"]["packetsLost"] == 0, "all packets")  # some come over the old path


def fragment(viewer: PlainViewer) -> str:
    """Of the generation of ICE that is in use."""
    return str(viewer.stats["transport"]["iceLocalUsernameFragment"])
