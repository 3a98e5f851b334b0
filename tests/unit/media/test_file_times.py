"""The timeline of a file's streams, over its end and over jumps in its times."""

from __future__ import annotations

import pytest

from sightline.media.file_times import FileTimes


def times(*, start: float = 0.0, period: float = 3.0, measured: float = 3.0) -> FileTimes:
    return FileTimes(start=start, period=period, measured=lambda: measured)


def test_a_file_that_begins_at_a_million_seconds_begins_at_zero() -> None:
    video = times(start=1e6).stream(0.04)
    assert [video.at(1e6), video.at(1e6 + 0.04), video.at(None)] == pytest.approx([0.0, 0.04, 0.08])


def test_both_streams_begin_the_next_round_together_however_often() -> None:
    file = times()
    video, audio = file.stream(0.04), file.stream(0.02)
    for round in range(100):
        assert video.at(0.0) == pytest.approx(audio.at(0.0), abs=0.002), f"round {round}"
        video.at(2.98)
        audio.at(2.999)
        (first, second) = (video, audio) if round % 2 else (audio, video)
        first.begin_again()
        second.begin_again()


def test_a_jump_back_is_taken_for_the_next_moment_by_both_streams() -> None:
    file = times()
    video, audio = file.stream(0.04), file.stream(0.02)
    assert [video.at(at) for at in (2.92, 2.96, 0.0, 0.04)] == pytest.approx([2.92, 2.96, 3.0, 3.04])
    assert [audio.at(at) for at in (2.96, 2.98, 0.0, 0.04)] == pytest.approx([2.96, 2.98, 3.0, 3.04])
    video.begin_again()
    audio.begin_again()
    assert [video.at(0.0), audio.at(0.0)] == pytest.approx([3.08, 3.08], abs=0.002)


def test_a_leap_of_days_is_no_pause_of_days() -> None:
    file = times(period=1e6)
    video = file.stream(0.04)
    assert [video.at(at) for at in (0.0, 1e6, 1e6 + 0.04)] == pytest.approx([0.0, 0.04, 0.08])
    video.begin_again()
    assert video.at(0.0) == pytest.approx(0.12)


def test_a_slide_is_shown_as_long_as_the_file_says() -> None:
    video = times(period=700.0).stream(1.0)
    assert [video.at(at) for at in (0.0, 600.0)] == [0.0, 600.0]


def test_a_file_that_is_cut_off_is_not_waited_for() -> None:
    video = times(period=3600.0, measured=2.5).stream(0.04)
    video.at(2.0)
    video.begin_again()
    assert video.at(0.0) == pytest.approx(2.5)


def test_time_never_runs_backwards() -> None:
    video = times().stream(0.04)
    seconds = [video.at(at) for at in (0.0, 0.2, 0.16, 0.12, 0.24)]
    assert seconds == sorted(set(seconds))
