"""What the service does to sockets: channels deleted, keys revoked, the end (KVS.md §5.3, §5.6)."""

from __future__ import annotations

import pytest

from sightline.exchange import Close, Send
from sightline.timers import Timers
from sightline.wire.close_codes import CloseCode

from .room import ARN, OTHER, Room


def test_a_deleted_channel_closes_its_sockets_and_forgets_what_waits() -> None:
    room = Room()
    master, viewer, elsewhere = room.master(), room.viewer(), room.viewer(arn=OTHER)
    loser = [room.viewer("v2") for _ in range(4)][2]
    room.say(master, "waits", to="absent")
    room.perform(room.exchange.close_channel(ARN))
    assert master.codes == viewer.codes == loser.codes == [CloseCode.CHANNEL_GONE]
    assert elsewhere.closes == []
    assert room.viewer("absent").received() == []


def test_a_deleted_channel_on_which_nobody_is_forgets_what_waits() -> None:
    room = Room()
    viewer = room.viewer()
    room.say(viewer, "waits")
    room.leave(viewer)
    assert room.exchange.close_channel(ARN) == []
    assert room.is_empty()
    assert room.exchange.close_channel(ARN) == []


def test_a_revoked_key_closes_its_sockets_everywhere() -> None:
    room = Room()
    mine = [room.master(access_key_id="A"), room.viewer(arn=OTHER, access_key_id="A")]
    others = [room.viewer("v2", access_key_id="B"), room.viewer("v3")]
    muted = [room.viewer("v9", access_key_id="A") for _ in range(4)][2]
    room.perform(room.exchange.revoke("A"))
    assert [client.codes for client in mine] == [[CloseCode.NOT_ALLOWED]] * 2
    assert muted.codes == [CloseCode.NOT_ALLOWED]
    assert [client.closes for client in others] == [[], []]
    assert room.exchange.revoke("C") == []


class TestShuttingDown:
    def test_all_are_closed_with_1001_over_some_time(self) -> None:
        room = Room()
        clients = [room.viewer(f"v{number}") for number in range(10)]
        outputs = room.exchange.shut_down()
        room.perform(outputs)
        assert all(client.codes == [CloseCode.GOING_AWAY] for client in clients)
        assert all(client.frames == [] for client in clients)
        assert sorted(client.closes[0].after for client in clients) == pytest.approx([0.3 * n for n in range(10)])

    def test_those_who_obey_are_told_and_closed_last(self) -> None:
        """Others ignore GO_AWAY or crash on it."""
        room = Room(timers=Timers(shutdown_spread=2.0))
        polite = room.master(obeys_go_away=True)
        other = room.viewer()
        outputs = room.exchange.shut_down()
        assert isinstance(outputs[0], Send)
        room.perform(outputs)
        assert polite.frames == [{"messageType": "GO_AWAY"}]
        assert other.frames == []
        assert (polite.closes[0].after, other.closes[0].after) == (2.0, 0.0)

    def test_the_muted_ones_too(self) -> None:
        room = Room()
        for _ in range(4):
            room.viewer()
        closes = [output for output in room.exchange.shut_down() if isinstance(output, Close)]
        assert len(closes) == len(room.exchange) == 4

    def test_with_nobody_there_is_nothing_to_do(self) -> None:
        assert Room().exchange.shut_down() == []
