"""Which rendition a viewer gets: against paths of every kind, by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.rtp.rung_choice import RungChoice

NEEDS = (3.3e6, 0.9e6, 0.2e6)
STEP = 0.2


@dataclass
class Path:
    """A viewer's path: what it carries at a time, and a sender's knowledge of that, as `Bandwidth` has it."""

    capacity: Callable[[float], float]
    probes: bool = True
    knows: float | None = None
    trouble: float = float("-inf")
    history: list[tuple[float, int]] = field(default_factory=list)
    probed: list[float] = field(default_factory=list)

    def run(self, seconds: float, *, choice: RungChoice | None = None) -> RungChoice:
        choice = choice or RungChoice()
        now, sent = 100.0, choice.rung
        self.history.append((0.0, sent))
        probe_at: tuple[float, int] | None = None
        while now < 100 + seconds:
            at, carries = now - 100, self.capacity(now - 100)
            if NEEDS[sent] > carries:
                self.trouble, self.knows = now, 0.85 * carries
            elif self.knows is not None:
                # As far as it is used, and half as much again: more is not known to be there.
                self.knows = max(min(self.knows * 1.08**STEP, NEEDS[sent] * 1.5), NEEDS[sent])
            if probe_at is not None and now >= probe_at[0]:
                self.knows, probe_at = min(probe_at[1], carries), None
            probe = choice.step(now, needs=NEEDS, available=self.knows, limited=now - self.trouble < 5, starved=False)
            if probe is not None:
                self.probed.append(at)
                choice.probed(now, possible=self.probes)
                if self.probes:
                    probe_at = (now + 0.5, probe)
            if choice.rung != sent:
                sent = choice.rung
                self.history.append((at, sent))
                choice.switched(now)
            now += STEP
        return choice


def test_a_wide_path_has_the_greatest_and_is_never_probed() -> None:
    path = Path(lambda at: 20e6)
    assert path.run(120).rung == 0
    assert path.history == [(0.0, 0)]
    assert path.probed == []


@pytest.mark.parametrize(("carries", "rung"), [(1.5e6, 1), (0.4e6, 2), (0.05e6, 2)])
def test_down_within_about_a_second_to_what_fits(carries: float, rung: int) -> None:
    path = Path(lambda at: 20e6 if at < 10 else carries)
    path.run(13)
    assert [wanted for _, wanted in path.history] == [0, rung]
    assert path.history[1][0] - 10 <= 1.2


def test_a_step_back_of_the_estimator_alone_is_no_reason() -> None:
    choice = RungChoice()
    for number in range(600):
        now = number * STEP
        back = now % 10 < 2.0
        choice.step(
            now, needs=NEEDS, available=0.85 * NEEDS[0] if back else 1.2 * NEEDS[0], limited=True, starved=False
        )
    assert choice.rung == 0


def test_a_path_that_is_a_little_too_narrow_for_long_is_too_narrow() -> None:
    choice = RungChoice()
    for number in range(20):
        choice.step(number * STEP, needs=NEEDS, available=0.9 * NEEDS[0], limited=True, starved=False)
    assert choice.rung == 1


def test_a_low_estimate_without_a_full_path_is_no_reason() -> None:
    choice = RungChoice()
    for number in range(300):
        choice.step(number * STEP, needs=NEEDS, available=0.1e6, limited=False, starved=False)
    assert choice.rung == 0


def test_pictures_that_cannot_be_sent_are_a_reason_whatever_the_estimate() -> None:
    choice = RungChoice()
    for number in range(6):
        choice.step(number * STEP, needs=NEEDS, available=None, limited=False, starved=True)
    assert choice.rung == 2, "nothing is known of the path but that this does not go through"


@pytest.mark.parametrize("probes", [True, False])
def test_up_again_when_the_path_is_wide_again(probes: bool) -> None:
    path = Path(lambda at: 0.4e6 if 10 < at < 30 else 20e6, probes=probes)
    path.run(120)
    rungs = [wanted for _, wanted in path.history]
    assert rungs[-1] == 0
    risen = path.history[-1][0]
    assert 30 < risen < (60 if probes else 100)
    after = [at for at, wanted in path.history if at > 36]
    assert after == sorted(after)


def test_probes_harm_nobody_on_a_path_that_stays_narrow() -> None:
    path = Path(lambda at: 0.4e6)
    path.run(300)
    assert [wanted for _, wanted in path.history] == [0, 2], "no trial at the viewer's expense"
    assert path.probed
    assert all(later - sooner >= 0.99 for sooner, later in pairwise(path.probed))


def test_trials_become_rare_on_a_path_that_stays_narrow() -> None:
    path = Path(lambda at: 0.4e6, probes=False)
    path.run(600)
    rises = [at for (_, before), (at, after) in pairwise(path.history) if after < before]
    assert len(rises) <= 9
    gaps = [later - sooner for sooner, later in pairwise(rises)]
    assert all(later > sooner * 1.3 for sooner, later in pairwise(gaps[:4])), gaps
    assert gaps[-1] >= 100


def test_what_is_not_known_is_tried() -> None:
    """A source that is passed through tells what it takes only when it has been sent."""
    choice = RungChoice(1)
    for number in range(60):
        choice.step(number * STEP, needs=(None, 0.3e6), available=0.5e6, limited=False, starved=False)
    assert choice.rung == 0


def test_fewer_renditions_than_before() -> None:
    choice = RungChoice(2)
    choice.step(0.0, needs=(1e6,), available=None, limited=False, starved=False)
    assert choice.rung == 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.5, 40), st.floats(5e4, 1e7)), min_size=1, max_size=6),
    st.booleans(),
)
def test_no_path_makes_it_go_to_and_fro(phases: list[tuple[float, float]], probes: bool) -> None:
    """It goes down when it must, and up only after a stable while and from one that held."""
    ends, total = [], 0.0
    for seconds, carries in phases:
        total += seconds
        ends.append((total, carries))

    def capacity(at: float) -> float:
        return next((carries for end, carries in ends if at < end), ends[-1][1])

    path = Path(capacity, probes=probes)
    path.run(total + 60)
    assert all(0 <= rung < len(NEEDS) for _, rung in path.history)
    for (before_at, before), (at, after) in pairwise(path.history[1:]):
        if after < before:
            assert at - before_at >= 4, "a rise comes only after a stable while"
    rises = [at for (_, before), (at, after) in pairwise(path.history) if after < before]
    falls = [at for (_, before), (at, after) in pairwise(path.history) if after > before]
    for rise in rises:
        assert not any(0 < fall - rise < 2 for fall in falls), "what is heard right after is of the one before"
    last = ends[-1][1]
    if last < NEEDS[0] * 0.6:
        assert any(rung for _, rung in path.history)
        assert not probes or [rung for at, rung in path.history if at < total + 8][-1] != 0, "8 s are enough to know"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 3), st.one_of(st.none(), st.floats(0, 1e7)), st.booleans(), st.booleans(), st.booleans()
        ),
        max_size=80,
    ),
    st.lists(st.one_of(st.none(), st.floats(1e4, 1e7)), min_size=1, max_size=4),
)
def test_whatever_is_heard_it_stays_within_the_renditions(
    steps: list[tuple[float, float | None, bool, bool, bool]], needs: list[float | None]
) -> None:
    choice, now = RungChoice(), 0.0
    for pause, available, limited, starved, possible in steps:
        now += pause
        before = choice.rung
        probe = choice.step(now, needs=needs, available=available, limited=limited, starved=starved)
        assert 0 <= choice.rung < len(needs)
        if probe is not None:
            assert before > 0
            assert probe > 0
            choice.probed(now, possible=possible)
            assert 0 <= choice.rung <= before
        elif choice.rung < before:
            assert not limited
            assert not starved
