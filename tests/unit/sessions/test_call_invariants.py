"""What holds for a call whatever comes, in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.sessions.call import CallMachine
from sightline.sessions.call.messages import (
    Accept,
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    Answer,
    Begin,
    Broken,
    CallState,
    Candidate,
    Decline,
    Description,
    End,
    HangUp,
    Input,
    MakeOffer,
    Media,
    MediaFailed,
    Name,
    NegotiationNeeded,
    Network,
    Offer,
    Output,
    Peer,
    Place,
    RemoteHangUp,
    Repeat,
    SendHangUp,
    Socket,
    State,
    Undeliverable,
    Users,
)

ME = "Bob"
people = st.sampled_from(["Ann", "Bob", "Cem", ""])
fingerprints = st.sampled_from(["", "a=fingerprint:sha-256 AA\r\n", "a=fingerprint:sha-256 BB\r\n"])
others = st.sampled_from(["Ann", "Cem"])
"""The lobby says who sends, and lets nobody send to himself."""
offers = st.builds(Offer, others, st.builds(Description, st.just("offer"), fingerprints))
answers = st.builds(Answer, others, st.builds(Description, st.just("answer"), fingerprints))
reasons = st.sampled_from([None, "busy", "declined", "no-answer", "no-media", "failed", "another"])
inputs: st.SearchStrategy[Input] = st.one_of(
    st.sampled_from([Accept(), Decline(), HangUp(), Media(), NegotiationNeeded(), Broken(), Network()]),
    st.builds(Place, people),
    st.builds(MediaFailed, st.just("source-not-found")),
    offers,
    answers,
    st.builds(Candidate, st.just({"candidate": "candidate:1"}), st.one_of(people, st.none())),
    st.builds(RemoteHangUp, others, reasons),
    st.builds(Undeliverable, st.one_of(people, st.none())),
    st.builds(Users, st.lists(people, max_size=3).map(tuple)),
    st.builds(Peer, st.sampled_from(["new", "connecting", "connected", "disconnected", "failed", "closed"])),
    st.builds(Socket, st.booleans()),
    st.just(Name(ME)),
)
waits = st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 5.0, 13.0, 31.0, 61.0])
AT_REST = (CallState.IDLE, CallState.ENDED)
FROM_A_CONNECTION = (Peer, NegotiationNeeded, Broken)
NEEDS_A_CONNECTION = (MakeOffer, Repeat, AcceptOffer, AcceptAnswer, AddCandidate)


def play(steps: list[tuple[float, Input]]) -> tuple[CallMachine, list[Output], float]:
    """Everything that comes out, time included. What a connection says is left out while there is none."""
    machine, now, outputs = CallMachine(name=ME), 0.0, list[Output]()
    for wait, message in steps:
        until = now + wait
        for _ in range(100):
            due = machine.next_deadline()
            if due is None or due > until:
                break
            now = max(now, due)
            outputs += machine.tick(now)
        else:
            raise AssertionError("it never comes to rest")
        now = until
        made = [output for output in outputs if isinstance(output, Begin | End)]
        if isinstance(message, FROM_A_CONNECTION) and not (made and isinstance(made[-1], Begin)):
            continue
        outputs += machine.take(message, now)
    return machine, outputs, now


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(waits, inputs), max_size=40))
def test_states_follow_each_other_and_connections_begin_before_they_are_used(steps: list[tuple[float, Input]]) -> None:
    machine, outputs, _ = play(steps)
    state, peer, is_made = CallState.IDLE, None, False
    for output in outputs:
        match output:
            case State(before=before, after=after, peer=who, reason=reason):
                assert before is state
                assert after is not state
                assert who not in ("", ME, None), "nobody calls himself"
                assert before in AT_REST or who == peer, "one call at a time"
                assert (reason is not None) == (after is CallState.ENDED)
                state, peer = after, who
            case Begin():
                is_made = True
            case End():
                is_made = False
            case SendHangUp(to=to):
                assert to != ME
            case _ if isinstance(output, NEEDS_A_CONNECTION):
                assert is_made, output
    assert (machine.state, machine.peer) == (state, peer)
    if machine.state in AT_REST:
        assert not is_made
        assert machine.next_deadline() is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(waits, inputs), max_size=30))
def test_nothing_but_a_call_that_is_up_goes_on_for_ever(steps: list[tuple[float, Input]]) -> None:
    machine, _, now = play(steps)
    for _ in range(200):
        due = machine.next_deadline()
        if due is None:
            break
        now = max(now, due)
        machine.tick(now)
    assert machine.state in (*AT_REST, CallState.IN_CALL)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(waits, inputs), max_size=30))
def test_hanging_up_ends_everything_and_another_call_can_follow(steps: list[tuple[float, Input]]) -> None:
    machine, _, now = play(steps)
    machine.take(HangUp(), now)
    assert machine.state in AT_REST
    machine.take(Socket(True), now)
    machine.take(Place("Ann"), now)
    assert machine.state is CallState.CALLING
    assert [type(output) for output in machine.take(Media(), now)] == [Begin, MakeOffer]
