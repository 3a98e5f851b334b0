"""Who watches, as `sightline viewers` tells it: pages that open and close, viewers that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.harness.access import listed
from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium
from tests.harness.commands import who_watches
from tests.harness.kvs import Kvs, decode, encode, unique_name
from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, Command, Service


@contextmanager
def watching(service: Service, channel: str) -> Iterator[Callable[[], list[tuple[float, list[str]]]]]:
    """`sightline viewers --watch`: what it has printed so far, as times and the states of all viewers then."""
    command = service.spawn("viewers", channel, "--watch", "--json")
    seen: list[tuple[float, list[str]]] = []

    def states() -> list[tuple[float, list[str]]]:
        for line in command.json_lines[len(seen) :]:
            seen.append((time.monotonic(), [viewer["connectionState"] for viewer in line["viewers"]]))
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
        with kvs.viewer(arn) as socket:
            socket.send("SDP_OFFER", encode(json.loads(process.stdout.readline())))
            message = socket.receive()
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
    master = camera(channel)
    master.wait_for_output("waiting for viewers")
    eventually(
        lambda: service.run("viewers", channel).stdout.startswith("Nobody watches"),
        "the camera's first report",
        within=30,
    )
    with chromium.page(f"{service.http}/view/{channel}") as page:
        wait_for_picture(page)
        eventually(lambda: [one["connectionState"] for one in listed(service, channel)] == ["connected"], "the page")
        (seen,) = who_watches(service, channel)
        assert seen["wasConnected"]
        assert seen["candidatePair"]
        table = service.run("viewers", channel).stdout.splitlines()
        assert table[0].split()[:3] == ["VIEWER", "ROLE", "STATE"]
        assert table[1].split()[:3] == [seen["clientId"], "operator", "connected"]
    eventually(lambda: who_watches(service, channel) == [], "the page's farewell", every=0.2)
    assert f"{seen['clientId']} connected → closed" in master.output, "at once, and not after seconds of silence"


def test_a_killed_viewer_is_disconnected_after_3_s_and_gone_after_10_or_after_3_when_its_signaling_is_gone_too(
    service: Service, kvs: Kvs, camera: Callable[..., Command]
) -> None:
    channel = unique_name()
    arn = kvs.create(channel)
    camera(channel)
    with watching(service, channel) as states, killable(kvs, arn) as process:
        with killable(kvs, arn):
            eventually(lambda: states() and states()[-1][1] == ["connected", "connected"], "both viewers")
            process.kill()
            begun = time.monotonic()
        eventually(lambda: states()[-1][1] == ["disconnected"], "one silent, the other freed")
        disconnected = time.monotonic() - begun
        eventually(lambda: states()[-1][1] == [], "the end")
        gone = time.monotonic() - begun
    # 3 and 10 s of silence, which may begin a little before the end, on a machine that may be busy.
    assert 1 < disconnected < 9
    assert 6 < gone < 20
