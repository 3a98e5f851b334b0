"""Figures out of the frames that come; and names."""

from __future__ import annotations

import pytest

from sightline.sessions.viewer.messages import ViewerState
from sightline.viewer.failure import ViewerFailed
from sightline.viewer.names import client_id_of, new_client_id
from sightline.viewer.statistics import Meter, ViewerStatistics
from sightline.wire.ids import check_client_id
from tests.unit.media.received_frames import Frame
from tests.unit.viewer.camera import encoded


def figures(meter: Meter, now: float, state: ViewerState = ViewerState.WATCHING) -> ViewerStatistics:
    return meter.statistics(None, state=state, client_id="alice", connections=1, first_picture=None, now=now)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter()
    assert figures(meter, 1.0).frame_rate == 0
    for number in range(90):
        meter.came(encoded(Frame(received=10 + number / 30)), wall=0)
    assert figures(meter, 12.97).frame_rate == pytest.approx(30, abs=1)
    assert figures(meter, 14.0).frame_rate == pytest.approx(15, abs=1)
    assert figures(meter, 20.0).frame_rate == 0
    assert figures(meter, 20.0).pictures == 90


def test_the_rate_is_right_from_the_first_second() -> None:
    meter = Meter()
    for number in range(30):
        meter.came(encoded(Frame(received=10 + number / 30)), wall=0)
    assert figures(meter, 11.0).frame_rate == pytest.approx(30, abs=1)


def test_the_delay_is_from_the_camera_to_here_unless_a_clock_is_wrong() -> None:
    meter = Meter()
    meter.came(encoded(Frame(received=1, capture=1_000_000.0)), wall=1_000_000.08)
    assert figures(meter, 1).picture_delay == pytest.approx(0.08)
    assert figures(meter, 1, ViewerState.RECOVERING).picture_delay is None
    meter.came(encoded(Frame(received=1, capture=1_000_000.0)), wall=2_000_000.0)
    assert figures(meter, 1).picture_delay is None


def test_names_are_fresh_allowed_and_counted() -> None:
    assert check_client_id(new_client_id()) != new_client_id()
    assert [client_id_of("alice", number) for number in (1, 2, 3)] == ["alice", "alice-2", "alice-3"]
    assert len(check_client_id(client_id_of("x" * 256, 12))) == 256


def test_a_failure_has_a_sentence_whatever_is_known() -> None:
    assert "did not answer" in str(ViewerFailed("no-answer"))
    assert str(ViewerFailed("no-answer", "The camera sleeps.")) == "The camera sleeps."
    assert str(ViewerFailed("of-the-future")) == "of-the-future"
