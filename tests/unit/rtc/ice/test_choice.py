"""Where a session sends and what state it tells, with a fake clock."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sightline.rtc.ice.choice import Choice, Decision
from sightline.rtc.ice.config import IceTimes

TIMES = IceTimes(connect=30, bicast=0.5, disconnected=3, failed=10, consent=1, backup=5, reap=1)


class FakePath(msgspec.Struct, eq=False):
    """A path by its name, with what was heard on it."""

    name: str
    heard: float = 0.0
    answered: float = 0.0
    closed: bool = False

    def hears(self, now: float) -> None:
        self.heard = now

    def answers(self, now: float) -> None:
        self.heard = self.answered = now


def names(decision: Decision[FakePath]) -> list[str]:
    return [path.name for path in decision.targets]


def connected(*, others: int = 0) -> tuple[Choice[FakePath], list[FakePath]]:
    """A session whose first generation was nominated at time 0."""
    choice: Choice[FakePath] = Choice(TIMES)
    choice.started(1)
    paths = [FakePath("first"), *(FakePath(f"other{number}") for number in range(others))]
    choice.paths_changed(1, paths, nominated=True, now=0.0)
    return choice, paths


def test_before_anything_it_is_new() -> None:
    choice: Choice[FakePath] = Choice(TIMES)
    assert choice.update(0.0) == Decision("new", (), (), None)


def test_from_checking_over_connected_to_completed() -> None:
    choice: Choice[FakePath] = Choice(TIMES)
    path = FakePath("only")
    choice.started(1)
    assert choice.update(0.0).state == "checking"
    choice.paths_changed(1, [path], nominated=False, now=0.0)
    decision = choice.update(0.0)
    assert (decision.state, names(decision)) == ("connected", ["only"])
    choice.paths_changed(1, [path], nominated=True, now=0.1)
    decision = choice.update(0.1)
    assert (decision.state, names(decision)) == ("completed", ["only"])


def test_a_first_generation_that_finds_nothing_has_failed() -> None:
    choice: Choice[FakePath] = Choice(TIMES)
    choice.started(1)
    choice.ended(1)
    assert choice.update(1.0) == Decision("failed", (), (1,), None)


def test_a_restart_sends_on_both_until_nomination_and_then_reaps() -> None:
    choice, (old,) = connected()
    choice.started(2)
    decision = choice.update(1.0)
    assert (decision.state, names(decision)) == ("checking", ["first"])
    new = FakePath("new", heard=1.2, answered=1.2)
    old.hears(1.2)
    choice.paths_changed(2, [new], nominated=False, now=1.2)
    decision = choice.update(1.2)
    assert (decision.state, names(decision)) == ("checking", ["first", "new"])
    old.hears(3.0)
    choice.paths_changed(2, [new], nominated=True, now=3.0)
    new.hears(3.0)
    decision = choice.update(3.0)
    assert (decision.state, names(decision), decision.reap) == ("completed", ["new"], ())
    new.hears(3.99)
    assert choice.update(3.99).reap == ()
    decision = choice.update(4.0)
    assert (decision.reap, names(decision)) == ((1,), ["new"])


def test_a_restart_after_the_old_path_died_sends_on_the_new_one_at_once() -> None:
    choice, _ = connected()
    choice.started(2)
    choice.paths_changed(2, [FakePath("new", heard=8.0, answered=8.0)], nominated=False, now=8.0)
    assert names(choice.update(8.0)) == ["first", "new"]


def test_a_restart_of_a_restart_supersedes_it() -> None:
    choice, (old,) = connected()
    choice.started(2)
    choice.started(3)
    assert choice.update(0.1).reap == (2,)
    choice.paths_changed(2, [FakePath("too late")], nominated=True, now=0.2)
    choice.paths_changed(3, [FakePath("newest", heard=0.2)], nominated=True, now=0.2)
    old.hears(0.2)
    decision = choice.update(0.2)
    assert (decision.state, names(decision)) == ("completed", ["newest"])


def test_a_superseded_restart_that_has_found_a_way_is_sent_on_meanwhile() -> None:
    choice, (_old,) = connected()
    choice.started(2)
    second, third = FakePath("second"), FakePath("third")
    choice.paths_changed(2, [second], nominated=False, now=0.1)
    choice.started(3)
    decision = choice.update(0.2)
    assert (names(decision), decision.reap) == (["first", "second"], ())
    choice.paths_changed(3, [third], nominated=True, now=0.3)
    assert names(choice.update(0.3)) == ["third"]
    # A nomination of what is retired comes too late to count.
    choice.paths_changed(2, [second], nominated=True, now=0.35)
    assert names(choice.update(0.35)) == ["third"]
    third.hears(1.4)
    assert set(choice.update(1.4).reap) == {1, 2}


def test_a_restart_that_fails_leaves_the_old_path() -> None:
    choice, (old,) = connected()
    choice.started(2)
    choice.ended(2)
    old.hears(5.0)
    decision = choice.update(5.0)
    assert (decision.state, names(decision), decision.reap) == ("completed", ["first"], (2,))


def test_when_the_active_generation_ends_the_pending_one_stands_in() -> None:
    choice, _ = connected()
    choice.started(2)
    choice.paths_changed(2, [FakePath("new", heard=0.1)], nominated=False, now=0.1)
    choice.ended(1)
    decision = choice.update(0.2)
    assert (decision.state, names(decision)) == ("connected", ["new"])


def test_when_the_active_generation_ends_before_the_pending_one_has_a_way_it_waits() -> None:
    choice, _ = connected()
    choice.started(2)
    choice.ended(1)
    decision = choice.update(0.2)
    assert (decision.state, names(decision)) == ("checking", [])
    choice.paths_changed(2, [FakePath("new", heard=0.3)], nominated=True, now=0.3)
    assert names(choice.update(0.3)) == ["new"]


def test_silence_is_disconnected_and_then_failed() -> None:
    choice, (path,) = connected()
    path.hears(100.0)
    assert choice.update(102.9).state == "completed"
    assert choice.update(103.0).state == "disconnected"
    path.hears(104.0)
    assert choice.update(104.1).state == "completed"
    decision = choice.update(114.0)
    assert (decision.state, names(decision), decision.reap) == ("failed", [], (1,))
    assert choice.update(115.0) == Decision("failed", (), (), None)
    assert choice.last_heard == 104.0


def test_any_path_of_any_generation_is_a_sign_of_life() -> None:
    choice, (old,) = connected()
    choice.started(2)
    new = FakePath("new", heard=1.0)
    choice.paths_changed(2, [new], nominated=True, now=1.0)
    old.hears(1.5)
    choice.update(1.5)
    choice.update(2.1)  # the old one is reaped
    assert choice.last_heard == 1.5
    assert choice.update(4.4).state == "completed"
    assert choice.update(4.5).state == "disconnected"


def test_a_failed_session_is_revived_by_a_restart() -> None:
    choice, _ = connected()
    assert choice.update(20.0).state == "failed"
    choice.started(2)
    assert choice.update(20.1).state == "checking"
    choice.paths_changed(2, [FakePath("new", heard=20.2)], nominated=True, now=20.2)
    assert choice.update(20.2).state == "completed"


def test_a_session_put_to_sleep_has_failed() -> None:
    choice, _ = connected()
    choice.slept()
    assert choice.update(0.0) == Decision("failed", (), (1,), None)


def test_during_a_restart_silence_does_not_fail_it() -> None:
    choice, _ = connected()
    choice.started(2)
    assert choice.update(20.0).state == "checking"
    choice.ended(2)
    assert choice.update(20.0).state == "failed"


def test_in_silence_other_pairs_that_answer_are_sent_on_too() -> None:
    choice, (first, a, b) = connected(others=2)
    first.hears(100.0)
    a.answers(99.0)
    b.answers(99.0)
    assert names(choice.update(100.49)) == ["first"]
    a.answers(100.45)
    assert names(choice.update(100.5)) == ["first", "other0"]
    b.answers(100.9)
    assert names(choice.update(101.0)) == ["first", "other1", "other0"]
    # The first one answers no more: it falls behind the time in which an answer counts.
    b.answers(102.0)
    assert names(choice.update(102.0)) == ["first", "other1"]
    first.hears(102.1)
    assert names(choice.update(102.2)) == ["first"]


def test_in_silence_no_more_than_three_others_are_sent_on() -> None:
    choice, (_, *others) = connected(others=6)
    for path in others:
        path.answers(0.9)
    assert len(names(choice.update(1.0))) == 4


def test_a_retired_generation_that_answers_helps_in_silence() -> None:
    choice, (old,) = connected()
    choice.started(2)
    new = FakePath("new", heard=1.0, answered=1.0)
    choice.paths_changed(2, [new], nominated=True, now=1.0)
    old.answers(1.6)
    assert names(choice.update(1.7)) == ["new", "first"]


def test_a_path_that_is_closed_is_not_sent_on() -> None:
    choice, (first, other) = connected(others=1)
    first.closed = True
    other.answers(0.1)
    assert names(choice.update(0.2)) == ["other0"]
    other.closed = True
    assert names(choice.update(0.3)) == []


def test_the_end_is_the_end() -> None:
    choice, _ = connected()
    choice.closed()
    assert choice.update(1.0) == Decision("closed", (), (1,), None)
    choice.paths_changed(1, [FakePath("late")], nominated=True, now=1.0)
    choice.ended(1)
    assert choice.update(2.0) == Decision("closed", (), (), None)


def test_it_wakes_when_something_can_change() -> None:
    choice, (path, _) = connected(others=1)
    assert choice.update(0.0).wake == 0.5  # silence on the selected pair
    path.hears(0.4)
    assert choice.update(0.5).wake == pytest.approx(0.4)
    assert choice.update(1.0).wake == pytest.approx(0.1)  # during silence other pairs may answer at any time


def test_a_pair_that_is_alone_wakes_nobody_before_the_state_can_change() -> None:
    choice, (path,) = connected()
    assert choice.update(0.0).wake == 3.0
    path.hears(1.0)
    assert choice.update(1.0).wake == 3.0


class Sessions(RuleBasedStateMachine):
    """Whatever happens in whatever order: some promises always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.choice: Choice[FakePath] = Choice(TIMES)
        self.now = 0.0
        self.count = 0
        self.paths: dict[int, list[FakePath]] = {}
        self.reaped: set[int] = set()
        self.closed = False

    @rule()
    def start(self) -> None:
        self.count += 1
        self.paths[self.count] = []
        if not self.closed:
            self.choice.started(self.count)

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.5, 1.0, 3.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.count)
    @rule(data=st.data(), nominated=st.booleans())
    def valid(self, data: st.DataObject, nominated: bool) -> None:
        number = data.draw(st.integers(1, self.count))
        self.paths[number].append(FakePath(f"{number}", heard=self.now, answered=self.now))
        self.choice.paths_changed(number, tuple(self.paths[number]), nominated=nominated, now=self.now)

    @precondition(lambda self: any(self.paths.values()))
    @rule(data=st.data(), answer=st.booleans(), close=st.booleans())
    def hear(self, data: st.DataObject, answer: bool, close: bool) -> None:
        path = data.draw(st.sampled_from([path for paths in self.paths.values() for path in paths]))
        (path.answers if answer else path.hears)(self.now)
        path.closed = path.closed or close

    @precondition(lambda self: self.count)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.choice.ended(data.draw(st.integers(1, self.count)))

    @rule()
    def sleep(self) -> None:
        self.choice.slept()

    @precondition(lambda self: self.count > 3)
    @rule()
    def close(self) -> None:
        self.closed = True
        self.choice.closed()

    @invariant()
    def promises(self) -> None:
        decision = self.choice.update(self.now)
        assert not self.reaped & set(decision.reap), "a generation is reaped once"
        self.reaped |= set(decision.reap)
        assert len(set(map(id, decision.targets))) == len(decision.targets), "nothing is sent twice on one path"
        assert not any(path.closed for path in decision.targets)
        assert not {int(path.name) for path in decision.targets} & self.reaped, "reaped generations are not sent on"
        assert (decision.state == "closed") == self.closed
        if decision.state in ("failed", "closed", "new"):
            assert not decision.targets
            assert decision.wake is None
        if decision.state in ("connected", "completed"):
            assert self.now - self.choice.last_heard < TIMES.disconnected
        if decision.wake is not None:
            assert decision.wake > 0
        assert self.choice.update(self.now).state == decision.state, "asking changes nothing"


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=40, stateful_step_count=25)
