"""The timeline of a file's streams, over its end and over jumps in its times."""

from __future__ import annotations

import pytest

from sightline.media.file_times import Round, StreamTimes


def a_round(*, start: float = 0.0, period: float = 3.0, measured: float = 3.0, after: Round | None = None) -> Round:
    begin = 0.0 if after is None or after.end is None else after.end
    return Round(start=start, period=period, measured=lambda: measured, begin=begin)


def stream(round: Round, step: float = 0.04) -> StreamTimes:
    times = StreamTimes(step)
    times.enter(round)
    return times


def test_a_file_that_begins_at_a_million_seconds_begins_at_zero() -> None:
    video = stream(a_round(start=1e6))
    assert [video.at(1e6), video.at(1e6 + 0.04), video.at(None)] == pytest.approx([0.0, 0.04, 0.08])


def test_both_streams_begin_the_next_round_together_however_often() -> None:
    round = a_round()
    video, audio = stream(round), stream(round, 0.02)
    for number in range(100):
        assert video.at(0.0) == pytest.approx(audio.at(0.0), abs=0.002), f"round {number}"
        video.at(2.98)
        audio.at(2.999)
        for first in (video, audio) if number % 2 else (audio, video):
            first.leave()
        round = a_round(after=round)
        video.enter(round)
        audio.enter(round)


def test_a_round_is_as_long_as_the_file_is_then() -> None:
    short = a_round(period=1.0)
    video = stream(short)
    video.at(0.96)
    video.leave()
    long = a_round(period=3.0, after=short)
    video.enter(long)
    assert [video.at(0.0), video.at(2.96)] == pytest.approx([1.0, 3.96])
    video.leave()
    assert long.end == pytest.approx(4.0)


def test_a_round_with_nothing_in_it_ends_when_it_is_given_up() -> None:
    round = a_round()
    stream(round).leave()
    assert round.end is None
    round.give_up(1.0)
    round.give_up(2.0)
    assert round.end == 1.0


def test_a_jump_back_is_taken_for_the_next_moment_by_both_streams() -> None:
    round = a_round()
    video, audio = stream(round), stream(round, 0.02)
    assert [video.at(at) for at in (2.92, 2.96, 0.0, 0.04)] == pytest.approx([2.92, 2.96, 3.0, 3.04])
    assert [audio.at(at) for at in (2.96, 2.98, 0.0, 0.04)] == pytest.approx([2.96, 2.98, 3.0, 3.04])
    video.leave()
    audio.leave()
    assert round.end == pytest.approx(3.08)


def test_a_leap_of_days_is_no_pause_of_days() -> None:
    round = a_round(period=1e6)
    video = stream(round)
    assert [video.at(at) for at in (0.0, 1e6, 1e6 + 0.04)] == pytest.approx([0.0, 0.04, 0.08])
    video.leave()
    assert round.end == pytest.approx(0.12)


def test_a_slide_is_shown_as_long_as_the_file_says() -> None:
    video = stream(a_round(period=700.0), 1.0)
    assert [video.at(at) for at in (0.0, 600.0)] == [0.0, 600.0]


def test_a_file_that_is_cut_off_is_not_waited_for() -> None:
    round = a_round(period=3600.0, measured=2.5)
    video = stream(round)
    video.at(2.0)
    video.leave()
    assert round.end == pytest.approx(2.5)


def test_time_never_runs_backwards() -> None:
    video = stream(a_round())
    seconds = [video.at(at) for at in (0.0, 0.2, 0.16, 0.12, 0.24)]
    assert seconds == sorted(set(seconds))
