"""Pings, dead peers, idle and old sockets: all of it in fake time."""

from __future__ import annotations

import pytest

from sightline.timers import Timers
from sightline.wire.close_codes import CloseCode

from .room import Client, Room


def keep_up(room: Room, client: Client, seconds: int) -> None:
    """It answers every ping."""
    for _ in range(seconds):
        pings = client.pings
        room.live(1)
        if client.pings > pings:
            room.exchange.seen(client.connection, room.now, active=False)


def test_a_silent_socket_is_pinged_once_and_then_given_up() -> None:
    room = Room()
    client = room.viewer()
    room.live(19.9)
    assert client.pings == 0
    room.live(0.2)
    assert client.pings == 1
    room.live(19.8)
    assert (client.pings, client.drops) == (1, [])
    room.live(0.2)
    assert [drop.reason for drop in client.drops] == ["no sign of life for 40 s"]
    assert client.pings == 1
    assert client.closes == []
    assert room.exchange.stats.dead == 1
    room.leave(client)
    assert room.is_empty()
    assert room.exchange.next_deadline() is None


def test_one_that_answers_lives_for_ever() -> None:
    room = Room()
    client = room.viewer()
    keep_up(room, client, 600)
    assert client.drops == client.closes == []
    assert 25 <= client.pings <= 31


def test_who_talks_is_not_pinged() -> None:
    room = Room()
    client = room.viewer()
    for _ in range(60):
        room.live(10)
        room.say(client)
    for _ in range(60):
        room.live(10)
        room.junk(client)
    for _ in range(60):
        room.live(10)
        room.exchange.seen(client.connection, room.now, active=True)
    assert client.pings == 0
    assert client.drops == []


def test_a_late_tick_loses_nothing() -> None:
    room = Room()
    client = room.viewer()
    room.later(25)
    assert client.pings == 1
    room.later(100)
    assert len(client.drops) == 1


def test_a_silence_noticed_too_late_is_the_end_at_once() -> None:
    room = Room()
    client = room.viewer()
    room.later(41)
    assert client.pings == 0
    assert len(client.drops) == 1


def test_limits_of_idle_time_and_age_are_off_by_default() -> None:
    room = Room()
    client = room.viewer()
    keep_up(room, client, 2 * 3600)
    assert client.closes == []


def test_an_idle_socket_is_closed_though_it_answers_pings() -> None:
    """KVS's rule: a browser idles out after 10 minutes, since it cannot send pings (KVS.md §5.6)."""
    room = Room(timers=Timers(idle=600))
    client = room.viewer()
    keep_up(room, client, 599)
    assert client.closes == []
    keep_up(room, client, 1)
    assert client.codes == [CloseCode.IDLE]


def test_pings_and_messages_of_a_client_keep_it_from_idling_out() -> None:
    room = Room(timers=Timers(idle=30))
    pings, talks, junk = room.viewer("v1"), room.viewer("v2"), room.viewer("v3")
    for _ in range(30):
        room.live(10)
        room.exchange.seen(pings.connection, room.now, active=True)
        room.say(talks)
        room.junk(junk)
    assert pings.closes == talks.closes == junk.closes == []
    room.live(31)
    assert pings.codes == talks.codes == junk.codes == [CloseCode.IDLE]


def test_a_socket_as_old_as_it_may_be_is_closed_whatever_it_does() -> None:
    room = Room(timers=Timers(lifetime=3600))
    client = room.viewer()
    for _ in range(359):
        room.live(10)
        room.say(client)
    assert client.closes == []
    room.live(10)
    assert client.codes == [CloseCode.LIFETIME]
    assert "connect again" in client.closes[0].reason


def test_an_old_socket_that_obeys_is_asked_to_go_and_has_time_to_open_another() -> None:
    room = Room(timers=Timers(lifetime=3600, go_away=60))
    client, other = room.viewer("v1", obeys_go_away=True), room.viewer("v2")
    room.say(client)
    for _ in range(366):
        room.live(10)
        for each in (client, other):
            room.exchange.seen(each.connection, room.now, active=True)
        if room.now == 1000 + 3600:
            assert (client.frames, client.codes) == ([{"messageType": "GO_AWAY"}], [])
            assert (other.frames, other.codes) == ([], [CloseCode.LIFETIME])
            room.leave(other)
        if room.now == 1000 + 3650:
            assert (len(client.frames), client.codes) == (1, [])
    assert (len(client.frames), client.codes) == (1, [CloseCode.LIFETIME])


def test_one_that_went_is_not_asked_twice() -> None:
    room = Room(timers=Timers(lifetime=30, go_away=60))
    old = room.viewer("v1", obeys_go_away=True)
    room.live(30)
    new = room.viewer("v1", obeys_go_away=True)
    assert old.codes == [CloseCode.REPLACED]
    room.leave(old)
    assert new.frames == []
    room.live(29)
    assert new.frames == []
    room.live(1)
    assert new.frames == [{"messageType": "GO_AWAY"}]


@pytest.mark.parametrize("timers", [Timers(), Timers(idle=7), Timers(lifetime=7), Timers(idle=25, lifetime=27)])
def test_the_next_deadline_is_never_missed(timers: Timers) -> None:
    """Between two deadlines there is nothing to do: a shell that sleeps until the next one is in time."""
    room = Room(timers=timers)
    client = room.viewer()
    while not (client.closes or client.drops):
        due = room.exchange.next_deadline()
        assert due is not None
        assert due > room.now
        assert room.exchange.tick((room.now + due) / 2) == []
        room.later(due - room.now)
    expected = min(timer for timer in (timers.idle, timers.lifetime, timers.dead) if timer)
    assert room.now - 1000 == pytest.approx(expected)


def test_deadlines_of_sockets_that_are_gone_do_nothing() -> None:
    room = Room(timers=Timers(idle=600, lifetime=3600))
    for number in range(10):
        room.leave(room.viewer(f"v{number}"))
    room.later(10_000)
    assert room.exchange.next_deadline() is None
    assert room.exchange.stats.dead == 0
