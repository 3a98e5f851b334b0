"""What holds for a viewer's session whatever comes, in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.reasons import REASONS
from sightline.sessions.viewer import Persistent, RetryOnce, RetryPolicy, ViewerSession
from sightline.sessions.viewer.messages import (
    Answer,
    Begin,
    Close,
    End,
    Failed,
    Failure,
    Frame,
    Heard,
    Input,
    Master,
    Network,
    Notice,
    OfferReady,
    Open,
    Output,
    Peer,
    Reconnect,
    Session,
    SocketClosed,
    SocketOpen,
    State,
    ViewerState,
)

reasons = st.sampled_from([*REASONS, "a reason of a later version"])
inputs: st.SearchStrategy[Input] = st.one_of(
    st.sampled_from([Open(), OfferReady(), SocketOpen(), SocketClosed(), Answer(), Heard(), Frame()]),
    st.sampled_from([Reconnect(), Close()]),
    st.builds(Session, extras=st.booleans()),
    st.builds(Failure, reason=reasons),
    st.builds(Notice, reason=reasons),
    st.builds(Peer, state=st.sampled_from(["connected", "disconnected", "failed"])),
    st.builds(Master, present=st.booleans(), ours=st.booleans()),
    st.builds(Network, online=st.booleans()),
)
waits = st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0, 15.0, 70.0])
policies = st.sampled_from([RetryOnce(), RetryOnce(retries=0), Persistent(roll=lambda: 0.5)])
AT_REST = (ViewerState.IDLE, ViewerState.FAILED, ViewerState.CLOSED)


def run(steps: list[tuple[float, Input]], policy: RetryPolicy) -> tuple[ViewerSession, list[Output]]:
    session, now, outputs = ViewerSession(policy=policy), 0.0, list[Output]()
    for wait, message in [(0.0, Open()), *steps]:
        until = now + wait
        for _ in range(400):
            due = session.next_deadline()
            if due is None or due > until:
                break
            assert due >= now, "a deadline lies behind"
            now = due
            outputs += session.tick(now)
        else:
            raise AssertionError("it never comes to rest")
        now = until
        outputs += session.take(message, now)
        assert (session.next_deadline() is None) or session.state not in AT_REST
    return session, outputs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(waits, inputs), max_size=40), policies)
def test_one_attempt_at_a_time_and_states_that_follow_each_other(
    steps: list[tuple[float, Input]], policy: RetryPolicy
) -> None:
    session, outputs = run(steps, policy)
    running, state = False, ViewerState.IDLE
    for output in outputs:
        match output:
            case Begin(client_id_number=number):
                assert not running
                assert number >= 1
                running = True
            case End():
                assert running
                running = False
            case State(before=before, after=after):
                assert before is state is not after
                state = after
            case Failed(reason=reason):
                assert reason
                assert state is ViewerState.FAILED
    assert state is session.state
    assert running is (state not in (*AT_REST, ViewerState.WAITING))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(waits, inputs), max_size=40), policies)
def test_nobody_waits_for_ever_without_a_word(steps: list[tuple[float, Input]], policy: RetryPolicy) -> None:
    """A picture, an end, or something is yet to happen: a deadline, or the camera of which the person knows."""
    session, outputs = run(steps, policy)
    if session.state not in AT_REST and session.next_deadline() is None:
        assert session.state is ViewerState.RECOVERING
        assert any(getattr(output, "reason", None) for output in outputs)
