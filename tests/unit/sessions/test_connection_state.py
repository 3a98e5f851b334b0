"""A viewer's six states by a clock that the test moves: 3 s, 10 s, 60 s, and all that ends a connection sooner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.sessions.connection_state import (
    ConnectionMachine,
    ConnectionState,
    Held,
    Reason,
    Transition,
)

NEW, CONNECTING, CONNECTED, DISCONNECTED, FAILED, CLOSED = ConnectionState


def connected(at: float = 0.0) -> ConnectionMachine:
    machine = ConnectionMachine(at)
    machine.answered(at)
    machine.path_valid(at)
    machine.keys_agreed(at)
    assert machine.state is CONNECTED
    return machine


def run(machine: ConnectionMachine, until: float) -> list[tuple[float, ConnectionState, Reason]]:
    """Let time pass; when the machine went into which state, and why."""
    seen = []
    while (due := machine.next_deadline()) is not None and due <= until:
        transition = machine.tick(due)
        assert transition is not None, "a deadline without anything to do"
        seen.append((due, transition.after, transition.reason))
    return seen


def test_it_connects_when_it_has_a_path_and_keys() -> None:
    machine = ConnectionMachine(5.0)
    assert (machine.state, machine.since, machine.next_deadline()) == (NEW, 5.0, None)
    assert machine.answered(6.0) == Transition(NEW, CONNECTING, Reason.ANSWERED)
    assert machine.answered(6.5) is None, "a renegotiation is no new beginning"
    assert machine.path_valid(7.0) is None
    assert machine.tick(7.5) is None
    assert machine.keys_agreed(8.0) == Transition(CONNECTING, CONNECTED, Reason.CONNECTED)
    assert (machine.state, machine.since, machine.reason) == (CONNECTED, 8.0, Reason.CONNECTED)
    assert machine.held is Held.EVERYTHING


def test_silence_is_disconnected_at_3_failed_at_10_closed_at_70() -> None:
    machine = connected()
    assert machine.tick(2.99) is None
    assert run(machine, 1000) == [
        (3.0, DISCONNECTED, Reason.SILENT),
        (10.0, FAILED, Reason.SILENT),
        (70.0, CLOSED, Reason.SLEPT),
    ]
    assert machine.tick(2000) is None


def test_what_is_held_in_each_state() -> None:
    machine = connected()
    held = [machine.held]
    for due in (3.0, 10.0, 70.0):
        machine.tick(due)
        held.append(machine.held)
    assert held == [Held.EVERYTHING, Held.EVERYTHING, Held.KEYS, Held.NOTHING]


def test_anything_heard_keeps_it_connected() -> None:
    machine = connected()
    for second in range(1, 60):
        assert machine.heard(second) is None
        assert run(machine, second + 0.5) == []


def test_disconnected_recovers_by_itself() -> None:
    machine = connected()
    run(machine, 5)
    assert machine.heard(2.0) is None, "news that are older than the silence are none"
    assert machine.heard(6.0) == Transition(DISCONNECTED, CONNECTED, Reason.HEARD)
    assert [entry[:2] for entry in run(machine, 17)] == [(9.0, DISCONNECTED), (16.0, FAILED)]


def test_a_closed_signaling_socket_only_shortens_the_wait() -> None:
    machine = connected()
    machine.signaling(is_open=False)
    for second in range(1, 100):
        machine.heard(second)
    assert machine.state is CONNECTED, "some clients close it when media flows"
    assert run(machine, 110) == [(102.0, DISCONNECTED, Reason.SILENT), (102.0, FAILED, Reason.SILENT)]
    assert machine.held is Held.KEYS


def test_signaling_that_closes_during_silence_frees_at_once_and_one_that_comes_back_does_not() -> None:
    machine, other = connected(), connected()
    run(machine, 5)
    machine.signaling(is_open=False)
    assert machine.next_deadline() == 3.0
    assert machine.tick(5.0) == Transition(DISCONNECTED, FAILED, Reason.SILENT)
    other.signaling(is_open=False)
    other.signaling(is_open=True)
    assert [entry[:2] for entry in run(other, 12)] == [(3.0, DISCONNECTED), (10.0, FAILED)]


@pytest.mark.parametrize("reason", [Reason.CLOSE_NOTIFY, Reason.BYE, Reason.FAREWELL, Reason.REPLACED, Reason.ENDED])
@pytest.mark.parametrize("until", [0.0, 4.0, 20.0])
def test_a_goodbye_frees_at_once_from_any_state(reason: Reason, until: float) -> None:
    machine = connected()
    run(machine, until)
    before = machine.state
    assert machine.ended(reason, until) == Transition(before, CLOSED, reason)
    assert machine.held is Held.NOTHING
    assert machine.ended(Reason.ENDED, until) is None
    assert machine.next_deadline() is None


def test_a_late_restart_revives_a_sleeper() -> None:
    machine = connected()
    run(machine, 60)
    assert machine.restart(60.0) == Transition(FAILED, CONNECTING, Reason.RESTART)
    assert machine.held is Held.EVERYTHING
    assert machine.path_valid(61.0) == Transition(CONNECTING, CONNECTED, Reason.CONNECTED)
    assert [entry[0] for entry in run(machine, 80)] == [64.0, 71.0]


def test_a_restart_that_finds_no_path_lets_it_sleep_again() -> None:
    machine = connected()
    run(machine, 60)
    machine.restart(60.0)
    assert run(machine, 1000) == [(90.0, FAILED, Reason.NO_PATH), (150.0, CLOSED, Reason.SLEPT)]


def test_a_restart_after_the_end_is_too_late() -> None:
    machine = connected()
    run(machine, 100)
    assert machine.restart(100.0) is None
    assert machine.state is CLOSED


def test_a_restart_gives_a_disconnected_one_time_for_its_new_path() -> None:
    machine = connected()
    run(machine, 9)
    assert machine.restart(9.0) is None
    assert machine.state is DISCONNECTED, "an offer through signaling is no path"
    assert machine.next_deadline() == 19.0
    assert machine.path_valid(9.5) == Transition(DISCONNECTED, CONNECTED, Reason.HEARD)


def test_a_restart_of_a_connected_one_does_not_hide_silence() -> None:
    machine = connected()
    assert machine.restart(1.0) is None
    assert machine.next_deadline() == 3.0


def test_nobody_comes_after_the_answer() -> None:
    machine = ConnectionMachine(0.0)
    machine.answered(0.0)
    assert run(machine, 100) == [(30.0, FAILED, Reason.NO_PATH), (30.0, CLOSED, Reason.SLEPT)]


def test_a_path_without_a_handshake_is_told_apart_and_leaves_nothing_to_keep() -> None:
    machine = ConnectionMachine(0.0)
    machine.answered(0.0)
    machine.path_valid(1.0)
    assert machine.tick(30.0) == Transition(CONNECTING, FAILED, Reason.NO_KEYS)
    assert machine.held is Held.NOTHING
    assert machine.restart(31.0) is None


def test_all_checks_failed() -> None:
    machine = ConnectionMachine(0.0)
    machine.answered(0.0)
    assert machine.no_path(4.0) == Transition(CONNECTING, FAILED, Reason.NO_PATH)
    assert machine.no_path(5.0) is None
    assert ConnectionMachine(0.0).no_path(1.0) is None


def test_ice_gives_up_a_moment_before_our_own_clock() -> None:
    machine = connected()
    run(machine, 9)
    assert machine.no_path(9.99) == Transition(DISCONNECTED, FAILED, Reason.SILENT)
    assert machine.held is Held.KEYS


def test_keys_that_break_are_not_kept() -> None:
    machine, handshaking = connected(), ConnectionMachine(0.0)
    assert machine.no_keys(1.0) == Transition(CONNECTED, FAILED, Reason.NO_KEYS)
    assert machine.held is Held.NOTHING
    assert machine.no_keys(1.0) is None
    assert run(machine, 1) == [(1.0, CLOSED, Reason.SLEPT)]
    handshaking.answered(0.0)
    assert handshaking.no_keys(1.0) == Transition(CONNECTING, FAILED, Reason.NO_KEYS)


_INPUTS = st.sampled_from(
    [
        "answered",
        "path_valid",
        "keys_agreed",
        "heard",
        "restart",
        "no_path",
        "no_keys",
        "open",
        "closed",
        "ended",
        "tick",
    ]
)


@given(st.lists(st.tuples(_INPUTS, st.floats(0, 20)), max_size=40))
def test_whatever_comes_the_states_follow_the_drawing(inputs: list[tuple[str, float]]) -> None:
    allowed = {
        NEW: {CONNECTING, FAILED, CLOSED},
        CONNECTING: {CONNECTED, FAILED, CLOSED},
        CONNECTED: {DISCONNECTED, FAILED, CLOSED},
        DISCONNECTED: {CONNECTED, FAILED, CLOSED},
        FAILED: {CONNECTING, CLOSED},
        CLOSED: set(),
    }
    machine, now = ConnectionMachine(0.0), 0.0
    for name, pause in inputs:
        now += pause
        before, transition = machine.state, None
        if name in ("open", "closed"):
            machine.signaling(is_open=name == "open")
        elif name == "ended":
            transition = machine.ended(Reason.ENDED, now)
        else:
            transition = getattr(machine, name)(now)
        if transition is None:
            assert machine.state is before
            continue
        assert (transition.before, transition.after) == (before, machine.state)
        assert machine.state in allowed[before]
        assert machine.since == now
        assert (machine.held is Held.EVERYTHING) is not machine.state.is_final
