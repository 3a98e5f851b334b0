"""Two connections of one id: the newest wins, and two that fight do not go on for ever (KVS.md §5.5)."""

from __future__ import annotations

import pytest

from sightline.exchange import ExchangeLimits
from sightline.timers import Timers
from sightline.wire.close_codes import CloseCode

from .room import Client, Room


def obey(room: Room, *clients: Client) -> None:
    """Those who were told to close do."""
    for client in clients:
        if client.closes and not client.connection.closed:
            room.leave(client)


@pytest.mark.parametrize("role", ["master", "viewer"])
def test_the_newest_wins_and_the_other_is_closed(role: str) -> None:
    room = Room()
    old = room.master() if role == "master" else room.viewer()
    new = room.master() if role == "master" else room.viewer()
    assert old.codes == [CloseCode.REPLACED]
    assert new.closes == []
    peer = room.viewer("peer") if role == "master" else room.master()
    room.say(peer, "hello", to="v1")
    assert new.received() == ["hello"]
    assert old.frames == []
    assert room.exchange.stats.evicted == 1


def test_the_old_one_is_not_heard_even_before_its_close() -> None:
    room = Room()
    old, peer = room.master(), room.viewer()
    room.master()
    room.say(old, "hello", to="v1", correlation_id="c")
    assert peer.frames == []
    (status,) = old.statuses()
    assert "taken over" in status["description"]


def test_the_goodbye_of_the_old_one_does_not_harm_the_new_one() -> None:
    room = Room()
    old = room.viewer()
    new = room.viewer()
    room.leave(old)
    room.leave(old)
    assert len(room.exchange) == 1
    room.say(room.master(), "hello", to="v1")
    assert new.received() == ["hello"]


def fight(room: Room, rounds: int, *, pause: float = 1.0) -> list[Client]:
    """Two clients of one id that come back whenever they are closed, as the C SDK does."""
    clients = [room.viewer()]
    for _ in range(rounds):
        room.later(pause)
        clients.append(room.viewer())
        obey(room, *clients)
    return clients


def test_the_third_eviction_within_a_minute_mutes_the_loser() -> None:
    room = Room()
    clients = fight(room, 3)
    assert [client.codes for client in clients] == [[4409], [4409], [], []]
    loser, winner = clients[2:]
    assert [muted.seconds for muted in loser.mutes] == [60.0]
    assert winner.mutes == []
    assert room.exchange.stats.muted == 1
    master = room.master()
    room.say(loser, "from the loser", correlation_id="c")
    room.say(winner, "from the winner")
    assert master.received() == ["from the winner"]
    assert len(loser.statuses()) == 1
    room.say(master, "hello", to="v1")
    assert loser.frames == []
    assert winner.received() == ["hello"]
    assert len(room.exchange) == 3


def test_evictions_that_are_far_apart_mute_nobody() -> None:
    room = Room()
    clients = fight(room, 6, pause=30.0)
    assert room.exchange.stats.muted == 0
    assert all(client.codes == [4409] for client in clients[:-1])


def test_at_the_end_of_its_mute_the_loser_is_closed() -> None:
    room = Room()
    loser = fight(room, 3)[2]
    for _ in range(59):
        room.exchange.seen(loser.connection, room.now, active=False)
        room.live(1)
    assert loser.closes == []
    room.live(1)
    assert loser.codes == [CloseCode.REPLACED]
    assert loser.drops == []


def test_a_short_mute_ends_in_time() -> None:
    room = Room(timers=Timers(mute=5))
    loser = fight(room, 3)[2]
    room.live(4.9)
    assert loser.closes == []
    room.live(0.2)
    assert loser.codes == [CloseCode.REPLACED]


def test_when_the_winner_leaves_the_newest_loser_is_closed_so_that_it_comes_back() -> None:
    room = Room()
    clients = fight(room, 4)
    first, second, winner = clients[2:]
    assert room.exchange.stats.muted == 2
    room.leave(winner)
    assert first.closes == []
    assert second.codes == [CloseCode.REPLACED]
    room.leave(second)
    back = room.viewer()
    room.say(room.master(), "hello", to="v1")
    assert back.received() == ["hello"]
    assert len(room.exchange) == 3


def test_what_is_said_while_only_losers_are_there_waits() -> None:
    room = Room()
    _, _, loser, winner = fight(room, 3)
    room.leave(winner)
    master = room.master()
    room.say(master, "hello", to="v1")
    assert loser.frames == []
    room.leave(loser)
    assert room.viewer().received() == ["hello"]


def test_a_fight_that_is_over_is_forgotten() -> None:
    room = Room()
    for client in fight(room, 2):
        room.leave(client)
    assert room.is_empty()
    clients = fight(room, 2)
    assert room.exchange.stats.muted == 0
    assert [client.codes for client in clients] == [[4409], [4409], []]


def test_a_fight_is_forgotten_also_while_others_stay() -> None:
    room = Room()
    room.master()
    for client in fight(room, 2):
        room.leave(client)
    fight(room, 2)
    assert room.exchange.stats.muted == 0


def test_a_fight_goes_on_while_a_loser_is_still_there() -> None:
    room = Room()
    _, _, loser, winner = fight(room, 3)
    room.leave(winner)
    assert not loser.connection.closed
    last = room.viewer()
    room.viewer()
    assert last.mutes
    assert last.closes == []


def test_losers_do_not_pile_up() -> None:
    room = Room(limits=ExchangeLimits(muted_per_id=2))
    clients = [room.viewer()]
    for _ in range(30):
        clients.append(room.viewer())
        obey(room, *clients)
    assert len(room.exchange) <= 4
    assert clients[-1].closes == []
    assert CloseCode.REPLACED in clients[5].codes


def test_the_losers_go_one_by_one() -> None:
    room = Room()
    clients = fight(room, 5)
    losers = clients[2:5]
    for loser in losers:
        room.leave(loser)
        assert loser.connection not in list(room.exchange.connections())
    assert len(room.exchange) == 1
    room.leave(clients[-1])
    assert room.is_empty()


def test_ids_of_other_channels_and_roles_are_others() -> None:
    room = Room()
    first = room.viewer()
    room.viewer("v1", arn="arn:aws:kinesisvideo:us-west-2:000000000000:channel/b/1700000000123")
    room.viewer("V1")
    room.master()
    assert first.closes == []
    assert room.exchange.stats.evicted == 0
