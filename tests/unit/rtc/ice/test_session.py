"""What a session's user sees: connected, restarted without a gap, silent, gone."""

from __future__ import annotations

import asyncio
import time

import pytest
from aioice import Candidate

from sightline.rtc.ice.config import IceConfig, IceTimes
from tests.unit.rtc.ice.peers import LOOPBACK, QUICK, Party, eventually, two_parties

pytestmark = pytest.mark.realtime

HERE = IceConfig(interfaces=LOOPBACK)


def packet(number: int) -> bytes:
    return b"\x80" + number.to_bytes(4, "big") + bytes(1000)


async def test_two_sessions_talk() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        assert a.session.send([packet(1), packet(2), packet(3)]) == 3
        assert b.session.send([packet(4)]) == 1
        await eventually(lambda: len(b.received) == 3 and len(a.received) == 1)
        assert b.received == [packet(1), packet(2), packet(3)]
        assert a.states == ["checking", "connected", "completed"] or a.states == ["checking", "completed"]
        stats = a.session.stats()
        assert stats.selected is not None
        assert (stats.selected.local_kind, stats.generations) == ("host", 1)
        await eventually(lambda: (s := a.session.stats().selected) is not None and s.rtt is not None)
    assert a.session.ice_connection_state == "closed"
    assert a.session.send([packet(5)]) == 0


@pytest.mark.parametrize("delay", [0.0, 0.1])
@pytest.mark.parametrize("restarting", ["controlling", "controlled"])
async def test_a_restart_loses_no_datagram_while_the_old_path_lives(restarting: str, delay: float) -> None:
    async with two_parties(HERE, HERE, delay=delay) as (a, b):
        restarts = a if restarting == "controlling" else b
        numbers = iter(range(1_000_000))

        async def stream() -> int:
            last = -1
            while not done.is_set():
                last = next(numbers)
                a.session.send([packet(last)])
                b.session.send([packet(last)])
                await asyncio.sleep(0.002)
            return last

        done = asyncio.Event()
        sending = asyncio.create_task(stream())
        before = a.session.active
        a.states.clear()
        b.states.clear()
        await restarts.offer()
        await eventually(lambda: a.states == b.states == ["checking", "completed"])
        assert a.session.active is not before
        await asyncio.sleep(0.3)  # the old generation is reaped meanwhile
        done.set()
        last = await sending
        everything = {packet(number) for number in range(last + 1)}
        await eventually(lambda: everything <= set(a.received) and everything <= set(b.received))
        await eventually(lambda: len(a.session._agents) == len(b.session._agents) == 1)


async def test_the_switch_is_told_so_that_a_keyframe_can_be_sent() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        before = b.session.new_paths
        await a.offer()
        await eventually(lambda: b.session.new_paths > before)


async def test_silence_is_told_and_ends_when_the_peer_is_heard_again() -> None:
    async with two_parties(HERE, HERE) as (a, _b):
        swallow(a)
        await eventually(lambda: a.session.ice_connection_state == "disconnected")
        swallow(a, again=False)
        await eventually(lambda: a.session.ice_connection_state == "completed")


async def test_a_peer_that_stays_silent_fails_and_a_restart_revives_the_session() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        await b.session.sleep()
        assert b.session.ice_connection_state == "failed"
        await eventually(lambda: a.session.ice_connection_state == "failed")
        assert a.states[-2:] == ["disconnected", "failed"]
        assert a.session.send([packet(1)]) == 0
        await a.offer()
        await eventually(lambda: a.session.ice_connection_state == b.session.ice_connection_state == "completed")
        a.session.send([packet(2)])
        await eventually(lambda: packet(2) in b.received)


async def test_a_session_without_any_way_fails() -> None:
    a = Party(controlling=True, config=HERE, times=IceTimes(connect=0.3))
    agent = a.session.restart()
    try:
        await agent.gather()
        a.session.start(agent, "nobody", "a-password-of-nobody-at-all")
        assert a.session.ice_connection_state == "checking"
        await eventually(lambda: a.session.ice_connection_state == "failed")
    finally:
        await a.session.aclose()


async def test_closing_in_the_middle_of_everything_leaves_nothing() -> None:
    a = Party(controlling=True, config=HERE)
    b = Party(controlling=False, config=HERE)
    a.other, b.other = b, a
    await a.offer()
    await asyncio.sleep(0.003)
    await asyncio.gather(a.session.aclose(), b.session.aclose(), a.session.aclose())
    assert a.session.ice_connection_state == "closed"
    with pytest.raises(RuntimeError):
        a.session.restart()


async def test_candidates_that_come_before_their_description_are_kept() -> None:
    a = Party(controlling=True, config=HERE)
    b = Party(controlling=False, config=HERE)
    try:
        ours, theirs = a.session.restart(), b.session.restart()
        await asyncio.gather(ours.gather(), theirs.gather())
        for candidate in theirs.local_candidates:
            await a.session.add_remote_candidate(candidate, ufrag=theirs.local_ufrag)
        for candidate in ours.local_candidates:
            await b.session.add_remote_candidate(candidate)
        a.session.start(ours, theirs.local_ufrag, theirs.local_password)
        b.session.start(theirs, ours.local_ufrag, ours.local_password)
        await eventually(lambda: a.session.ice_connection_state == b.session.ice_connection_state == "completed")
    finally:
        await asyncio.gather(a.session.aclose(), b.session.aclose())


async def test_an_offer_that_is_never_answered_changes_nothing() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        path = a.session.targets()
        unanswered = a.session.restart()
        await unanswered.gather()
        assert a.session.ice_connection_state == "completed"
        a.session.abandon(unanswered)
        assert a.session.targets() == path
        a.session.send([packet(7)])
        await eventually(lambda: packet(7) in b.received)


async def test_a_restart_that_finds_no_way_leaves_the_old_one_as_it_was() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        agent = a.session.restart()
        a.session.start(agent, "nobody", "a-password-of-nobody-at-all")
        assert a.session.ice_connection_state == "checking"
        a.session.abandon(agent)
        assert a.session.ice_connection_state == "completed"
        a.session.send([packet(8)])
        await eventually(lambda: packet(8) in b.received)


async def test_the_last_sign_of_life_is_known() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        b.session.send([packet(1)])
        await eventually(lambda: a.received)
        assert time.monotonic() - a.session.last_heard < 3.0
        heard = a.session.last_heard
        await a.session.sleep()
        assert a.session.last_heard >= heard


def swallow(party: Party, *, again: bool = True) -> None:
    """Make a party deaf, as a dead link does; or let it hear again."""
    agent = party.session.active
    assert agent is not None
    for protocol in agent._gatherer._sockets:
        if again:
            protocol.datagram_received = lambda data, addr: None  # type: ignore[method-assign]
        else:
            del protocol.datagram_received


async def test_when_the_selected_pair_dies_silently_the_other_one_carries_on() -> None:
    """libwebrtc needs seconds to nominate another pair: until then we send on all that answer."""
    async with two_parties(HERE, HERE) as (a, b):
        await eventually(lambda: all(len(p.session.active.paths()) == 2 for p in (a, b) if p.session.active))
        selected = b.session.targets()[0]
        cut(a, selected.local)
        cut(b, selected.remote)
        begun = time.monotonic()
        numbers = iter(range(1_000_000))
        a.received.clear()
        while not any(datagram for datagram in a.received):
            b.session.send([packet(next(numbers))])
            await asyncio.sleep(0.005)
            assert time.monotonic() - begun < 5
        assert time.monotonic() - selected.heard >= QUICK.bicast, "not before it counts as silence"
        assert selected in b.session.targets(), "and still on the old one, should it come back"
        assert b.session.ice_connection_state == "completed"


async def test_a_restart_over_a_new_path_while_the_old_one_is_dead() -> None:
    """Wi-Fi is gone, LTE is there: all that stands between is signaling there and back, and one check."""
    delay = 0.05
    async with two_parties(HERE, HERE, delay=delay) as (a, b):
        took: list[float] = []
        while len(took) < 5 and (not took or min(took) >= 2 * delay + 0.5):  # the machine may stand still for a moment
            for party in (a, b):
                swallow(party)
            a.received.clear()
            begin = time.monotonic()
            await a.offer()
            sent = 0
            while not a.received:
                b.session.send([packet(sent)])
                sent += 1
                await asyncio.sleep(0.002)
            took.append(time.monotonic() - begin)
            await eventually(lambda: a.session.ice_connection_state == b.session.ice_connection_state == "completed")
        assert min(took) < 2 * delay + 0.5, took  # on an idle machine some 10 ms above; neighbours take their share


def cut(party: Party, remote: tuple[str, int]) -> None:
    """Make a party deaf to one address of its peer."""
    agent = party.session.active
    assert agent is not None
    for protocol in agent._gatherer._sockets:
        original = protocol.datagram_received

        def filtered(data: bytes | str, addr: tuple[object, ...], original: object = original) -> None:
            if addr[:2] != remote:
                original(data, addr)  # type: ignore[operator]

        protocol.datagram_received = filtered  # type: ignore[method-assign]


async def test_candidates_reach_the_generation_of_their_description() -> None:
    async with two_parties(HERE, HERE) as (a, b):
        first = a.session.active
        assert first is not None
        waiting = a.session.restart()  # its description has not come yet
        stray = Candidate("1", 1, "udp", 1, "127.0.0.1", 9, "host")
        await a.session.add_remote_candidate(stray, ufrag=first.remote_ufrag)
        assert 9 in [candidate.port for candidate in first._connection.remotes()]
        early = Candidate("1", 1, "udp", 1, "127.0.0.1", 11, "host")
        await a.session.add_remote_candidate(early, ufrag="tobe")
        assert 11 not in [candidate.port for candidate in first._connection.remotes()]
        a.session.start(waiting, "tobe", "a-password-of-nobody-at-all")
        await eventually(lambda: [candidate.port for candidate in waiting._connection.remotes()] == [11])
        assert not a.session.has_path
        a.session.abandon(waiting)
        assert a.session.has_path
        b.session.send([packet(1)])
        await eventually(lambda: packet(1) in a.received)


async def test_a_second_offer_of_ours_takes_the_first_back() -> None:
    async with two_parties(HERE, HERE) as (a, _):
        unanswered = a.session.restart()
        assert a.session.restart() is not unanswered
        await eventually(lambda: unanswered.closed)
        assert a.session.ice_connection_state == "completed"
