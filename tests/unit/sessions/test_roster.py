"""Who counts as a viewer, and what is told of it."""

from __future__ import annotations

from sightline.sessions.connection_state import ConnectionState, IceConnectionState
from sightline.sessions.roster import Happening, Roster, Viewer

NEW, CONNECTING, CONNECTED, DISCONNECTED, FAILED, CLOSED = ConnectionState


def viewer(state: ConnectionState, client_id: str = "viewer-123", **fields: object) -> Viewer:
    return Viewer(client_id=client_id, connection_state=state, **fields)  # type: ignore[arg-type]


def go(roster: Roster, *states: ConnectionState) -> list[Happening]:
    return [event.kind for state in states for event in roster.update(viewer(state))]


def test_a_viewer_counts_from_connected_until_it_is_gone() -> None:
    roster = Roster()
    assert go(roster, CONNECTING) == [Happening.CHANGED]
    assert (list(roster.sessions), list(roster.viewers)) == (["viewer-123"], [])
    assert go(roster, CONNECTED) == [Happening.JOINED]
    assert roster.is_connected("viewer-123")
    assert go(roster, DISCONNECTED) == [Happening.CHANGED]
    assert list(roster.viewers) == ["viewer-123"], "it keeps its place"
    assert not roster.is_connected("viewer-123"), "and counts as not connected"
    assert go(roster, CONNECTED, CONNECTED) == [Happening.CHANGED]
    assert go(roster, FAILED, CLOSED) == [Happening.LEFT]
    assert (roster.sessions, roster.viewers) == ({}, {})


def test_one_that_never_connected_neither_joined_nor_left() -> None:
    roster = Roster()
    assert go(roster, CONNECTING, FAILED) == [Happening.CHANGED, Happening.CHANGED]
    assert roster.sessions == {}


def test_a_revived_one_joins_again() -> None:
    roster = Roster()
    go(roster, CONNECTED, FAILED)
    assert go(roster, CONNECTING, CONNECTED) == [Happening.CHANGED, Happening.JOINED]


def test_figures_are_kept_and_are_no_event() -> None:
    roster = Roster()
    go(roster, CONNECTED)
    assert roster.update(viewer(CONNECTED, loss=0.1)) == []
    assert roster.viewers["viewer-123"].loss == 0.1
    restarting = viewer(CONNECTED, ice_connection_state=IceConnectionState.CHECKING)
    assert [event.kind for event in roster.update(restarting)] == [Happening.CHANGED]


def test_as_many_as_there_may_be() -> None:
    roster = Roster(max_viewers=1)
    assert roster.has_room("viewer-123")
    go(roster, CONNECTING)
    assert not roster.has_room("viewer-124")
    assert roster.has_room("viewer-123"), "who comes again takes its own place"
    go(roster, CLOSED)
    assert roster.has_room("viewer-124")
    assert not roster.is_connected("viewer-124")
    assert Roster().has_room("viewer-124")
