"""What leaves when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.pacer import Pacer
from tests.unit.rtc.rtp.units import audio_stream, packets, sound, video_stream


class Line:
    """A pacer of 8 Mbit/s, which is 1 kB per millisecond, and its streams."""

    def __init__(self, rate: float = 8e6) -> None:
        self.pacer = Pacer(rate)
        self.video, self.audio = video_stream(), audio_stream()
        self.now = 100.0
        self.number = 0

    def push(self, size: int, *, keyframe: bool = False, urgent: bool = False) -> int:
        self.number += 1
        unit = packets(self.number, size=size, keyframe=keyframe)
        return self.pacer.push_video(self.video, unit, self.now, urgent=urgent)

    def take(self) -> int:
        """Bytes that leave now."""
        return sum(map(len, self.pacer.take_video(self.now)))

    def drain(self) -> list[tuple[float, int]]:
        """Until nothing waits: milliseconds from now, and bytes."""
        begun, left = self.now, []
        while (again := self.pacer.next_time(self.now)) is not None:
            self.now = again
            left.append((round((self.now - begun) * 1000, 1), self.take()))
        return left


def test_an_ordinary_picture_leaves_at_once() -> None:
    line = Line()
    assert line.pacer.next_time(line.now) is None
    line.push(8000)
    assert line.take() > 8000
    assert line.pacer.next_time(line.now) is None


def test_a_large_one_leaves_in_parts_at_the_rate() -> None:
    line = Line()
    line.push(50_000)
    assert 14_000 < line.take() < 16_000
    parts = line.drain()
    assert all(size < 13_000 for _, size in parts)
    assert sum(size for _, size in parts) > 34_000
    assert 25 < parts[-1][0] < 45
    assert len(parts) < 8


def test_a_faster_path_takes_larger_parts() -> None:
    line = Line(80e6)
    line.push(100_000)
    assert 90_000 < line.take() < 110_000


def test_no_call_is_made_for_a_few_packets() -> None:
    line = Line()
    line.push(16_000)
    assert line.take() > 16_000


def test_sound_waits_for_nothing() -> None:
    line = Line()
    line.push(100_000)
    line.take()
    line.pacer.push_audio(line.audio, sound(1), line.now)
    assert line.pacer.next_time(line.now) == line.now
    assert len(line.pacer.take_audio(line.now)) == 1
    assert line.pacer.waiting == 1


def test_a_keyframe_makes_a_backlog_obsolete_but_not_what_was_begun() -> None:
    line = Line(1e6)
    line.push(30_000)
    line.take()
    line.push(5000)
    line.push(5000)
    assert line.push(30_000, keyframe=True) == 2
    assert line.pacer.waiting == 2
    line.drain()
    assert line.video.counters.frames == 2


def test_a_short_backlog_is_sent_before_the_keyframe() -> None:
    """Another viewer's request costs nobody a picture."""
    line = Line()
    line.push(30_000)
    line.take()
    line.push(5000)
    assert line.push(30_000, keyframe=True) == 0
    line.drain()
    assert line.video.counters.frames == 3


def test_who_waits_for_a_second_is_stuck() -> None:
    line = Line(100_000)
    assert not line.pacer.is_stuck(line.now)
    line.push(50_000)
    line.push(500)
    line.take()
    line.now += 0.9
    assert not line.pacer.is_stuck(line.now)
    line.now += 0.2
    assert line.pacer.is_stuck(line.now)
    assert line.pacer.drop_video() == 1
    assert line.pacer.waiting == 1


def test_repeats_count_for_the_rate() -> None:
    line = Line()
    line.take()
    line.pacer.charge(20_000)
    line.push(3000)
    assert line.take() == 0
    ((after, size),) = line.drain()
    assert 5 < after < 10
    assert size > 3000


def test_a_large_debt_is_forgiven_soon() -> None:
    line = Line()
    line.take()
    line.pacer.charge(10_000_000)
    line.push(3000)
    line.take()
    assert line.drain()[-1][0] < 25


def test_what_has_its_own_plan_does_not_wait_for_the_rate() -> None:
    line = Line(100_000)
    for _ in range(10):
        line.push(20_000, urgent=True)
    assert line.take() > 200_000


@given(
    st.lists(st.tuples(st.integers(1, 60_000), st.booleans(), st.floats(0, 0.2)), min_size=1, max_size=30),
    st.floats(3e5, 1e8),
)
def test_everything_that_is_not_dropped_leaves_whole_in_order_and_not_too_fast(
    steps: list[tuple[int, bool, float]], rate: float
) -> None:
    line = Line(rate)
    built: list[bytes] = []
    dropped = 0
    begun = line.now
    for size, keyframe, pause in steps:
        dropped += line.push(size, keyframe=keyframe)
        built += line.pacer.take_video(line.now)
        line.now += pause
    while (again := line.pacer.next_time(line.now)) is not None:
        assert again > line.now
        line.now = again
        built += line.pacer.take_video(line.now)
    assert line.video.counters.frames == len(steps) - dropped
    numbers = [int.from_bytes(packet[2:4], "big") for packet in built]
    assert numbers == list(range(100, 100 + len(numbers)))
    markers = sum(packet[1] >> 7 for packet in built)
    assert markers == len(steps) - dropped
    allowed = max(14_400, rate / 800) + (line.now - begun) * rate / 8
    strays = (line.now - begun) / 0.005 + len(steps) + 2
    assert sum(map(len, built)) <= allowed + strays * 4 * 1200
