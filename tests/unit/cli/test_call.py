"""`sightline call`: what it prints, and how it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.call import (
    CallEvent,
    CallState,
    CallStateChanged,
    CallStatistics,
    LobbyChanged,
    Recording,
    SendingChanged,
    TextReceived,
    UsersChanged,
)
from sightline.cli import main
from sightline.cli.call_report import Report as _Report
from sightline.errors import ServiceUnreachable

EVENTS: list[tuple[CallEvent, str]] = [
    (LobbyChanged(True, "Door", "family"), "in the room family as Door"),
    (LobbyChanged(False, "Door", "family"), "the way to the room is lost; trying again"),
    (LobbyChanged(False, "Door", "family", "Nothing answers."), "Nothing answers."),
    (LobbyChanged(True, "Door", "family"), "in the room family again as Door"),
    (UsersChanged(("Ann", "Ben"), joined=("Ben",)), "here now: Ann, Ben"),
    (UsersChanged((), left=("Ann",)), "here now: nobody else"),
    (CallStateChanged(CallState.IDLE, CallState.CALLING, "Ann"), "calling Ann"),
    (CallStateChanged(CallState.IDLE, CallState.RINGING, "Ann"), "Ann is calling"),
    (CallStateChanged(CallState.RINGING, CallState.CONNECTING, "Ann"), "connecting to Ann"),
    (CallStateChanged(CallState.CONNECTING, CallState.IN_CALL, "Ann"), "in a call with Ann"),
    (
        CallStateChanged(CallState.IN_CALL, CallState.RECONNECTING, "Ann"),
        "the connection to Ann is interrupted; reconnecting",
    ),
    (CallStateChanged(CallState.IN_CALL, CallState.ENDED, "Ann", "left", "Ann ended the call."), "Ann ended the call."),
    (TextReceived("Ann", "hello"), "Ann: hello"),
    (SendingChanged("Ann", True, "camera"), "Ann sends a picture and sound"),
    (SendingChanged("Ann", False, None), "Ann sends no picture and no sound"),
    (SendingChanged("Ann", True, "screen"), "Ann sends the screen and sound"),
]


def test_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    report = _Report(as_json=False)
    for event, _ in EVENTS:
        report.event(event)
    report.recorded(Recording((Path("a.mp4"), Path("a-2.mp4")), 12.34, 370, 1000))
    report.recorded(Recording())
    report.complain("Ann declined the call.")
    output = capsys.readouterr()
    lines = [line.partition(" ")[2] for line in output.out.splitlines()]
    assert lines == [
        *(line for _, line in EVENTS),
        "recorded 12.3 s into a.mp4, a-2.mp4",
        "nothing came that could be recorded",
    ]
    assert output.err == "sightline: Ann declined the call.\n"


def test_what_scripts_read(capsys: pytest.CaptureFixture[str]) -> None:
    report = _Report(as_json=True)
    for event, _ in EVENTS:
        report.event(event)
    report.failed(ServiceUnreachable("Nothing answers."))
    report.complain("Ann declined the call.")
    output = capsys.readouterr()
    lines = [json.loads(line) for line in output.out.splitlines()]
    assert all(isinstance(line.pop("time"), float) for line in lines)
    kinds = ["lobby"] * 4 + ["users"] * 2 + ["state"] * 6 + ["text", "sending", "sending", "sending", "failed"]
    assert [line["type"] for line in lines] == kinds
    assert lines[11] == {
        "type": "state",
        "before": "in-call",
        "after": "ended",
        "peer": "Ann",
        "reason": "left",
        "message": "Ann ended the call.",
    }
    assert lines[-1] == {"type": "failed", "reason": "connect/unreachable", "message": "Nothing answers."}
    assert output.err == ""


def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    figures = CallStatistics(
        peer="Ann",
        state=CallState.IN_CALL,
        width=640,
        height=360,
        frame_rate=29.97,
        received_bitrate=1_820_000.0,
        sent_bitrate=2_010_000.0,
        picture_delay=0.085,
        round_trip_time=0.021,
        loss=0.015,
        candidate_pair="host 192.0.2.1:5 -> host 192.0.2.2:6",
    )
    _Report(as_json=False).statistics(figures)
    _Report(as_json=False).statistics(CallStatistics(peer="Ann", state=CallState.RECONNECTING))
    _Report(as_json=True).statistics(figures)
    full, none, machine = capsys.readouterr().out.splitlines()
    assert full.partition(" ")[2] == (
        "in-call  640x360 30.0 fps  in 1.82 Mbit/s  out 2.01 Mbit/s  delay 85 ms  rtt 21 ms  loss 1.5%  "
        "host 192.0.2.1:5 -> host 192.0.2.2:6"
    )
    assert none.partition(" ")[2] == "reconnecting"
    assert json.loads(machine)["sentBitrate"] == 2_010_000.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Door",), "--to WHO"),
        (("Door", "--to", "Ann", "--once"), "--once goes with --answer"),
        (("Door", "--answer", "--seconds", "soon"), "not a duration"),
        ((), "NAME"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["call", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_file_that_cannot_be_recorded_into_is_told_before_anybody_is_rung(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "Door", "--to", "Ann", "--record", str(tmp_path / "visit.txt")]) == 1
    assert "sightline: " in capsys.readouterr().err
