"""The encoding loop, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from sightline.media.pacing import Pacer
from sightline.media.pump import Pump, Step
from sightline.media.units import EncodedUnit


class Clock:
    def __init__(self) -> None:
        self.now = 50.0
        self.stop_at = float("inf")

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.stop_at


class Encoding:
    """Steps at 10 per second whose encoding takes `cost` seconds of the clock."""

    def __init__(self, clock: Clock, *, steps: int, cost: float = 0.0) -> None:
        self.clock, self.count, self.cost = clock, steps, cost
        self.published: list[tuple[float, int]] = []

    def steps(self) -> Iterator[Step]:
        for number in range(self.count):
            yield Step(number / 10, partial(self.encode, number))

    def encode(self, number: int) -> list[EncodedUnit]:
        self.clock.now += self.cost
        return [EncodedUnit(b"", number)]

    def run(self, *, may_drop: bool = True) -> bool:
        pump = Pump(
            "test",
            steps=self.steps,
            publish=lambda unit: self.published.append((round(self.clock.now - 50, 3), unit.timestamp)),
            ended=lambda: None,
            may_drop=may_drop,
        )
        return pump.run(Pacer(50.0), now=lambda: self.clock.now, wait=self.clock.wait)


def test_units_come_out_in_real_time() -> None:
    encoding = Encoding(Clock(), steps=4)
    assert encoding.run()
    assert encoding.published == [(0.0, 0), (0.1, 1), (0.2, 2), (0.3, 3)]


def test_stopping_ends_it_between_two_frames() -> None:
    clock = Clock()
    clock.stop_at = 50.15
    encoding = Encoding(clock, steps=10)
    assert not encoding.run()
    assert [number for _, number in encoding.published] == [0, 1]


def test_a_slow_machine_shows_fewer_pictures_and_stays_in_time() -> None:
    encoding = Encoding(Clock(), steps=100, cost=0.25)
    assert encoding.run()
    assert len(encoding.published) < 60
    assert all(time - number / 10 < 0.6 for time, number in encoding.published)


def test_a_source_that_is_always_late_is_seen_all_the_same() -> None:
    class Late(Encoding):
        def steps(self) -> Iterator[Step]:
            for number, step in enumerate(super().steps()):
                self.clock.now = max(self.clock.now, 50.6 + number / 10)
                yield step

    encoding = Late(Clock(), steps=100)
    assert encoding.run()
    times = [time for time, _ in encoding.published]
    assert times[0] < 1
    assert max(later - earlier for earlier, later in pairwise(times)) <= 1.2


def test_sound_is_never_left_out() -> None:
    encoding = Encoding(Clock(), steps=20, cost=0.15)
    assert encoding.run(may_drop=False)
    assert [number for _, number in encoding.published] == list(range(20))
