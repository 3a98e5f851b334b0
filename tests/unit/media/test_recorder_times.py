"""Where frames lie on the time axis of a recording."""

from __future__ import annotations

import pytest

from sightline.media.recorder_times import RunTimes
from tests.unit.media.received_frames import Frame


def video(number: int, *, received: float, capture: float | None = None) -> Frame:
    return Frame(timestamp=90_000 * 5 + number * 3000, received=received, capture=capture, keyframe=number == 0)


def audio(number: int, *, received: float, capture: float | None = None) -> Frame:
    return Frame(kind="audio", codec="opus", timestamp=number * 960, received=received, capture=capture)


def test_frames_are_held_until_it_shows_whether_there_is_sound() -> None:
    times = RunTimes()
    held = [times.push(video(number, received=10 + number / 30)) for number in range(30)]
    assert not any(held)
    placed = times.push(video(30, received=11.0))
    assert len(placed) == 31
    assert times.kinds == {"video"}
    assert [seconds for _, seconds in placed[:3]] == pytest.approx([0, 1 / 30, 2 / 30])
    assert times.push(video(31, received=11.05))[0][1] == pytest.approx(31 / 30)


def test_the_quickest_frame_says_where_the_others_belong() -> None:
    """A keyframe that took its time on the way does not shift the pictures."""
    times = RunTimes()
    times.push(video(0, received=10.2))
    for number in range(1, 30):
        times.push(video(number, received=10 + number / 30))
    placed = times.push(video(36, received=11.2))
    assert placed[0][1] == 0.0
    assert placed[-1][1] == pytest.approx(1.2)


def test_sound_and_picture_lie_as_the_camera_took_them_when_that_is_known() -> None:
    times = RunTimes()
    times.push(video(0, received=10.30, capture=5000.00))  # the picture took 300 ms, the sound 50
    placed = times.push(audio(0, received=10.35, capture=5000.30))
    assert [seconds for _, seconds in placed] == pytest.approx([0.0, 0.3])


def test_the_first_frames_without_capture_follow_from_the_later_ones() -> None:
    times = RunTimes()
    times.push(video(0, received=10.0))
    times.push(audio(0, received=10.0))
    times.push(video(3, received=10.1, capture=5000.1))
    placed = times.push(audio(10, received=10.2, capture=5000.3))
    assert [seconds for _, seconds in placed] == pytest.approx([0.0, 0.1, 0.1, 0.3])


def test_another_run_lies_where_it_came() -> None:
    first = RunTimes()
    first.push(video(0, received=10.0))
    first.release()
    second = RunTimes(first.begun_at)
    second.push(video(0, received=17.0))
    assert [seconds for _, seconds in second.release()] == pytest.approx([7.0])
    assert second.release() == []


def test_sound_that_begins_late_lies_where_it_comes() -> None:
    times = RunTimes()
    times.push(video(0, received=10.0))
    times.release()
    assert times.push(audio(700, received=14.0))[0][1] == pytest.approx(4.0)
    assert times.push(audio(701, received=14.5))[0][1] == pytest.approx(4.02)
