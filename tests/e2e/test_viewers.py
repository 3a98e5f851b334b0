"""Who watches, as `sightline viewers` tells it: pages that open and close, viewers that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium
from tests.harness.kvs import Kvs, decode, encode, unique_name
from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, Command, Service

pytestmark = pytest.mark.timeout(120)


def viewers(service: Service, channel: str) -> list[dict[str, Any]]:
    asked = service.run("viewers", channel, "--json")
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)["viewers"]
    return found


@contextmanager
def watching(service: Service, channel: str) -> Iterator[Callable[[], list[tuple[float, list[str]]]]]:
    """`sightline viewers --watch`: what it has printed so far, as times and the states of all viewers then."""
    command = service.spawn("viewers", channel, "--watch", "--json")
    seen: list[tuple[float, list[str]]] = []

    def states() -> list[tuple[float, list[str]]]:
        lines = command.output.splitlines()
        for line in lines[len(seen) :]:
            seen.append((time.monotonic(), [viewer["connectionState"] for viewer in json.loads(line)["viewers"]]))
        return seen

    try:
        yield states
    finally:
        assert command.stop() == 0


@contextmanager
def killable(kvs: Kvs, arn: str) -> Iterator[subprocess.Popen[str]]:
    """A viewer process that watches; its signaling is ours and stays open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.killable_viewer"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with kvs.viewer(arn, "viewer-123") as socket:
            socket.send("SDP_OFFER", encode(json.loads(process.stdout.readline())))
            message = socket.receive(within=10)
            assert message["messageType"] == "SDP_ANSWER"
            process.stdin.write(json.dumps(decode(message["messagePayload"])) + "\n")
            process.stdin.flush()
            assert any(int(line) > 5 for line in process.stdout), "it sees pictures"
            yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_page_that_is_open_is_listed_and_one_that_is_closed_is_not(
    service: Service, camera: Callable[..., Command], chromium: Chromium
) -> None:
    channel = unique_name()
    camera(channel)
    eventually(lambda: service.run("viewers", channel).stdout.startswith("Nobody watches"), "the camera's first report")
    with chromium.page(f"{service.http}/view/{channel}") as page:
        wait_for_picture(page)
        eventually(lambda: [one["connectionState"] for one in viewers(service, channel)] == ["connected"], "the page")
        (seen,) = viewers(service, channel)
        assert seen["wasConnected"]
        assert seen["candidatePair"]
        table = service.run("viewers", channel).stdout.splitlines()
        assert table[0].split()[:2] == ["VIEWER", "STATE"]
        assert table[1].split()[:2] == [seen["clientId"], "connected"]
    begun = time.monotonic()
    eventually(lambda: viewers(service, channel) == [], "the page's farewell")
    assert time.monotonic() - begun < 2.5, "at once, and not after seconds of silence"


def test_a_killed_viewer_is_disconnected_after_3_s_and_gone_after_10(
    service: Service, kvs: Kvs, camera: Callable[..., Command]
) -> None:
    channel = unique_name()
    arn = kvs.create(channel)
    camera(channel)
    with watching(service, channel) as states, killable(kvs, arn) as process:
        eventually(lambda: states() and states()[-1][1] == ["connected"], "the viewer")
        process.kill()
        begun = time.monotonic()
        eventually(lambda: states()[-1][1] == ["disconnected"], "the silence", within=6)
        disconnected = time.monotonic() - begun
        eventually(lambda: states()[-1][1] == [], "the end", within=12)
        gone = time.monotonic() - begun
    assert 2 < disconnected < 4.5
    assert 9 < gone < 11.5


def test_one_whose_signaling_is_gone_too_is_freed_after_3_s(
    service: Service, kvs: Kvs, camera: Callable[..., Command]
) -> None:
    channel = unique_name()
    arn = kvs.create(channel)
    camera(channel)
    with watching(service, channel) as states:
        with killable(kvs, arn):
            eventually(lambda: states() and states()[-1][1] == ["connected"], "the viewer")
        begun = time.monotonic()
        eventually(lambda: states()[-1][1] == [], "the end", within=6)
        assert 2 < time.monotonic() - begun < 4.5
