"""`sightline viewers`: for people, for scripts, and while somebody looks on."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import threading

import pytest

from sightline.cli import viewers
from sightline.client.admin import ChannelViewers
from sightline.errors import ServiceUnreachable
from tests.harness.polling import eventually
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_kvs import FakeKvs

pytestmark = pytest.mark.realtime


def test_viewers_for_people(run: Run, kvs: FakeKvs) -> None:
    code, out, _ = run("viewers", "porch")
    header, first, second, more = out.splitlines()
    assert code == 0
    assert header.split() == ["VIEWER", "ROLE", "STATE", "SINCE", "ICE", "RTT", "LOSS", "BITRATE", "SIZE", "PATH"]
    assert first.split()[:3] == ["viewer-1", "operator", "connected"]
    assert "20 ms" in first
    assert "1.5%" in first
    assert "1.82 Mbit/s" in first
    assert first.endswith("host a -> host b")
    assert (second.split()[1], second.split()[-1]) == ("-", "-")
    assert more == "… and 1 more"


@pytest.mark.parametrize(
    ("channel", "said"), [("empty", "No master is connected"), ("foreign", "does not report"), ("quiet", "Nobody")]
)
def test_why_there_is_nobody(run: Run, kvs: FakeKvs, channel: str, said: str) -> None:
    code, out, _ = run("viewers", channel)
    assert code == 0
    assert said in out


def test_viewers_for_scripts(run: Run, kvs: FakeKvs) -> None:
    found = json.loads(run("viewers", "porch", "--json")[1])
    assert [viewer["clientId"] for viewer in found["viewers"]] == ["viewer-1", "viewer-2"]
    assert (found["total"], found["masterConnected"]) == (3, True)


async def test_watching_goes_on_after_a_restart_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    there = ChannelViewers(channel="porch", master_connected=True, reported_at=1.0, total=0, viewers=())
    gone = ServiceUnreachable("Nothing answers.")
    answers: list[ChannelViewers | Exception] = [there, gone, gone, there]

    async def ask() -> ChannelViewers:
        if not answers:
            raise asyncio.CancelledError
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(asyncio.CancelledError):
        await viewers._watch(argparse.Namespace(json=True, watch=True), ask)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == "sightline: Nothing answers. Waiting for it.\n"
    answers = [gone]
    with pytest.raises(ServiceUnreachable):
        await viewers._watch(argparse.Namespace(json=True, watch=True), ask)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_watching_prints_once_until_something_changes_and_ends_with_ctrl_c(
    run: Run, kvs: FakeKvs, more: list[str]
) -> None:
    def stop() -> None:
        # Not before it looks on, however long a busy machine takes to get there: Ctrl-C would end these tests.
        with contextlib.suppress(AssertionError):
            eventually(lambda: len(kvs.requests) >= 3, "its third look")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    code, out, _ = run("viewers", "quiet", "--watch", *more)
    thread.join()
    assert code == 0
    assert len(out.strip().splitlines()) == (1 if more else 2)
