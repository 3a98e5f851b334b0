"""What `sightline view` prints, and what it refuses before anything happens."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.cli.view_report import Report, recording_line, statistics_line
from sightline.media.recorder import Recording
from sightline.sessions.viewer.messages import ViewerState
from sightline.viewer import NoticeGiven, StateChanged, ViewerEvent, ViewerFailed, ViewerStatistics
from sightline.viewer.streams import Broadcast
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_kvs import FakeKvs

WATCHING = ViewerStatistics(
    state=ViewerState.WATCHING,
    client_id="alice",
    width=1280,
    height=720,
    codec="H264",
    frame_rate=29.97,
    bitrate=1_820_000.0,
    round_trip_time=0.021,
    loss=0.015,
    picture_delay=0.085,
)
RECORDING = Recording((Path("out.mp4"), Path("out-2.mp4")), 12.34, 370, 1_234_567)


@pytest.fixture(autouse=True)
def _leave_logging_alone() -> Iterator[None]:
    """The command sets up the logs of its process, which here are those of the tests."""
    root, own = logging.getLogger(), logging.getLogger("sightline")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before


class Screen(io.StringIO):
    """A terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class FakeViewer:
    """A viewer that says what the test wants."""

    def __init__(self) -> None:
        self.broadcast = Broadcast[ViewerEvent](keep=100)
        self.notice: NoticeGiven | None = None
        self.figures = WATCHING

    def events(self) -> Any:
        return self.broadcast.stream()

    def statistics(self) -> ViewerStatistics:
        return self.figures


def report(*, terminal: bool = False, **more: bool) -> tuple[Report, FakeViewer, Screen]:
    viewer, screen = FakeViewer(), Screen(terminal=terminal)
    return Report(viewer, output=screen, **more), viewer, screen  # type: ignore[arg-type]


def test_a_line_of_figures_has_what_is_known() -> None:
    line = statistics_line(WATCHING, RECORDING)
    for part in (
        "watching",
        "1280x720",
        "30.0 fps",
        "1.82 Mbit/s",
        "delay 85 ms",
        "rtt 21 ms",
        "loss 1.5%",
        "out-2.mp4",
    ):
        assert part in line
    early = ViewerStatistics(state=ViewerState.OFFERING, client_id="alice")
    assert statistics_line(early) == "offering  asking the camera for its picture"


def test_a_recording_in_words() -> None:
    assert recording_line(RECORDING) == "out.mp4, out-2.mp4: 12.3 s, 370 pictures, 1.2 MB"
    assert "nothing was recorded" in recording_line(Recording())


async def test_each_change_is_a_line_that_says_what_is_being_done() -> None:
    shown, viewer, screen = report()
    viewer.broadcast.put(StateChanged(ViewerState.WATCHING, ViewerState.RECOVERING))
    viewer.broadcast.put(NoticeGiven("connection-lost", "The connection was lost."))
    viewer.broadcast.put(NoticeGiven(None, ""))
    viewer.broadcast.end(ViewerFailed("no-answer"))
    await asyncio.wait_for(shown.run(), 5)
    lines = [line.partition(" ")[2] for line in screen.getvalue().splitlines()]
    assert lines == [
        "recovering: looking for the way back to the camera",
        "connection-lost: The connection was lost.",
        "all is well again",
    ]


async def test_json_is_a_value_in_each_line() -> None:
    shown, viewer, screen = report(terminal=True, as_json=True)
    viewer.broadcast.put(StateChanged(ViewerState.CONNECTING, ViewerState.WATCHING))
    viewer.broadcast.end()
    await asyncio.wait_for(shown.run(), 5)
    shown.statistics()
    shown.wrote_snapshot(Path("photo.jpg"))
    shown.wrote_recording(RECORDING)
    values = [json.loads(line) for line in screen.getvalue().splitlines()]
    assert [value["type"] for value in values] == ["state", "statistics", "snapshot", "recording"]
    assert values[0]["after"] == "watching"
    assert (values[1]["width"], values[1]["frameRate"]) == (1280, 29.97)
    assert values[3]["files"] == ["out.mp4", "out-2.mp4"]
    assert all(value["time"] > 0 for value in values)


async def test_on_a_terminal_one_line_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sightline.cli.view_report._REFRESH", 0.01)
    shown, viewer, screen = report(terminal=True)
    viewer.notice = NoticeGiven("camera-offline", "The camera is not connected to the service, and that for long.")
    running = asyncio.create_task(shown.run())
    async with asyncio.timeout(5):
        while "camera is not connected" not in screen.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    viewer.broadcast.end()
    await running
    shown.clear()
    assert "\n" not in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")
    lines = [line for line in screen.getvalue().split("\r\x1b[K") if line]
    assert {len(line) for line in lines} == {59}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "CHANNEL or --link"),
        (("porch", "--link", "https://h/view/porch#T"), 2, "CHANNEL or --link"),
        (("porch", "--record", "out.avi"), 1, ".mp4 or .mkv"),
        (("porch", "--snapshot", "out.gif"), 1, ".jpg, .jpeg or .png"),
        (("porch", "--record", "/no/such/folder/out.mp4"), 1, "no folder"),
        (("porch", "--client-id", "a b"), 1, "client id"),
        (("--link", "https://h/porch"), 1, "no link"),
        (("https://h/porch",), 1, "no link"),
        (("porch", "--seconds", "never"), 2, "duration"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_happens(
    run: Run, kvs: FakeKvs, arguments: tuple[str, ...], code: int, said: str
) -> None:
    outcome = run("view", *arguments)
    assert outcome[0] == code
    assert said in outcome[2]
    assert kvs.requests == []


def test_help_has_examples(run: Run) -> None:
    code, out, _ = run("view", "--help")
    assert code == 0
    assert "--record porch.mp4" in out
    assert "view" in run("--help")[1]


def test_an_unknown_channel_is_one_sentence_and_exit_code_1(run: Run, kvs: FakeKvs) -> None:
    code, out, err = run("view", "nowhere", "--json")
    assert code == 1
    assert "no channel 'nowhere'" in err
    *states, end = [json.loads(line) for line in out.splitlines()]
    assert [event["after"] for event in states] == ["opening", "failed"]
    assert (end["type"], end["reason"]) == ("failed", "unknown-channel")
