"""Reports of masters: the latest counts, too many are refused, and they end with the socket."""

from __future__ import annotations

import pytest

from sightline.errors import ClientLimitExceeded, InvalidArgument, MalformedMessage
from sightline.exchange import PresenceBoard
from sightline.wire.extras import ViewerPresence, encode_presence
from tests.unit.exchange.room import Client, Room


def report(*client_ids: str) -> bytes:
    return encode_presence(
        tuple(
            ViewerPresence(client_id=name, connection_state="connected", ice_connection_state="completed", since=1)
            for name in client_ids
        )
    )


def names(board: PresenceBoard, master: Client) -> list[str]:
    found = board.of(master.connection)
    return [] if found is None else [viewer.client_id for viewer in found.presence.viewers]


@pytest.fixture
def board() -> PresenceBoard:
    return PresenceBoard()


@pytest.fixture
def master() -> Client:
    return Room().master(extras=True)


def test_the_latest_report_is_kept_until_the_socket_is_gone(board: PresenceBoard, master: Client) -> None:
    assert board.of(master.connection) is None
    assert board.of(None) is None
    board.put(master.connection, report("a"), now=0, wall=1000.0)
    board.put(master.connection, report("a", "b"), now=1, wall=1001.0)
    assert names(board, master) == ["a", "b"]
    found = board.of(master.connection)
    assert found is not None
    assert found.at == 1001.0
    board.forget(master.connection)
    board.forget(master.connection)
    assert names(board, master) == []
    assert len(board) == 0


def test_a_wrong_report_leaves_the_one_before(board: PresenceBoard, master: Client) -> None:
    board.put(master.connection, report("a"), now=0, wall=0)
    with pytest.raises(MalformedMessage):
        board.put(master.connection, b'{"action":"sightline/presence","viewers":[1],"total":1}', now=1, wall=1)
    assert names(board, master) == ["a"]


def test_more_than_four_per_second_are_too_many(board: PresenceBoard, master: Client) -> None:
    for _ in range(8):
        board.put(master.connection, report("a"), now=0, wall=0)
    with pytest.raises(ClientLimitExceeded):
        board.put(master.connection, report("b"), now=0, wall=0)
    board.put(master.connection, report("c"), now=0.25, wall=0)
    with pytest.raises(ClientLimitExceeded):
        board.put(master.connection, report("d"), now=0.3, wall=0)
    assert names(board, master) == ["c"]
    assert len(board) == 1


def test_only_a_master_with_extras_reports(board: PresenceBoard) -> None:
    room = Room()
    wrong = [room.viewer("v1", extras=True), room.master()]
    gone = room.master(extras=True)
    room.leave(gone)
    for client in [*wrong, gone]:
        with pytest.raises(InvalidArgument):
            board.put(client.connection, report("a"), now=0, wall=0)
    assert len(board) == 0
