"""What sockets that asked for extras are told, and that nobody else sees any of it."""

from __future__ import annotations

import pytest

from sightline.wire.extras import ViewerRole
from tests.unit.exchange.room import Client, Room

NOTICE, FAREWELL, VIEWER = "sightline/notice", "sightline/farewell", "sightline/viewer"


def told(client: Client) -> list[tuple[object, object, str]]:
    """Type, sender and content of what arrived since the last question."""
    frames = list(client.frames)
    return [
        (frame["messageType"], frame.get("senderClientId"), text)
        for frame, text in zip(frames, client.received(), strict=True)
    ]


def test_a_master_is_told_whose_sockets_are_open() -> None:
    room = Room()
    early = room.viewer("early")
    master = room.master(extras=True)
    assert told(master) == [(VIEWER, "early", '{"open":true,"extras":false}')]
    room.viewer("late", extras=True)
    assert told(master) == [(VIEWER, "late", '{"open":true,"extras":true}')]
    room.leave(early)
    assert told(master) == [(VIEWER, "early", '{"open":false,"extras":false}')]
    assert early.frames == []


def test_a_viewer_that_comes_again_was_never_away() -> None:
    room = Room()
    master, first = room.master(extras=True), room.viewer("v1")
    room.viewer("v1", extras=True)
    room.leave(first)
    assert [text for _, _, text in told(master)] == ['{"open":true,"extras":false}', '{"open":true,"extras":true}']


def test_it_is_told_before_the_offer() -> None:
    room = Room()
    master, viewer = room.master(extras=True), room.viewer("v1")
    room.say(viewer, "offer", action="SDP_OFFER")
    assert [kind for kind, _, _ in told(master)] == [VIEWER, "SDP_OFFER"]


def test_nobody_else_sees_any_of_it() -> None:
    room = Room()
    viewer, master = room.viewer("v1"), room.master()
    other = room.viewer("v2", extras=True)
    room.leave(viewer)
    room.leave(other)
    assert (master.frames, viewer.frames) == ([], [])
    assert other.extras() == [("master", {"present": True, "ours": False})]


def test_a_farewell_and_a_notice_go_between_those_with_extras() -> None:
    room = Room()
    master, viewer = room.master(extras=True), room.viewer("v1", extras=True)
    told(master), told(viewer)
    room.say(viewer, "{}", action=FAREWELL)
    assert told(master) == [(FAREWELL, "v1", "{}")]
    room.say(master, "{}", to="v1", action=NOTICE)
    assert told(viewer) == [(NOTICE, None, "{}")]


@pytest.mark.parametrize(
    ("master_has", "viewer_has", "from_master", "action"),
    [
        (True, False, True, NOTICE),
        (False, True, True, NOTICE),
        (False, True, False, FAREWELL),
        (True, False, False, FAREWELL),
        (True, True, True, FAREWELL),
        (True, True, False, NOTICE),
        (True, True, True, VIEWER),
        (True, True, False, "sightline/presence"),
    ],
)
def test_they_are_refused_otherwise(master_has: bool, viewer_has: bool, from_master: bool, action: str) -> None:
    room = Room()
    master, viewer = room.master(extras=master_has), room.viewer("v1", extras=viewer_has)
    told(master), told(viewer)
    sender, other = (master, viewer) if from_master else (viewer, master)
    room.say(sender, "{}", to="v1", action=action, correlation_id="7")
    assert [status["errorType"] for status in sender.statuses()] == ["InvalidArgumentException"]
    assert other.frames == []


def test_they_do_not_wait_for_an_absent_recipient() -> None:
    room = Room()
    master = room.master(extras=True)
    room.say(master, "{}", to="v1", action=NOTICE, correlation_id="7")
    assert len(master.statuses()) == 1
    assert room.viewer("v1", extras=True).reasons() == []


def test_the_master_of_a_channel_can_be_asked_for() -> None:
    room = Room()
    viewer = room.viewer("v1")
    arn = viewer.connection.channel_arn
    assert room.exchange.master(arn) is None
    master = room.master()
    assert room.exchange.master(arn) is master.connection
    assert room.exchange.master("arn:other") is None


def test_a_viewer_of_ours_that_leaves_takes_its_offer_back() -> None:
    """It offers anew when it comes back; the old answer would meet the new offer."""
    room = Room()
    ours, stock = room.viewer("ours", extras=True), room.viewer("stock")
    room.say(ours, "ours", action="SDP_OFFER")
    room.say(stock, "stock", action="SDP_OFFER")
    room.leave(ours)
    room.leave(stock)
    master = room.master()
    room.later(1)
    assert master.received() == ["stock"]


def test_nothing_is_left_of_a_channel_whose_only_offer_was_taken_back() -> None:
    room = Room()
    viewer = room.viewer("ours", extras=True)
    room.say(viewer, "offer", action="SDP_OFFER")
    room.leave(viewer)
    assert room.is_empty()


def test_a_master_is_told_what_a_viewer_may_do() -> None:
    room = Room()
    early = room.viewer("early", viewer_role=ViewerRole.OPERATOR)
    master = room.master(extras=True)
    assert told(master) == [(VIEWER, "early", '{"open":true,"extras":false,"role":"operator"}')]
    room.viewer("late", viewer_role=ViewerRole.VIEWER)
    assert told(master) == [(VIEWER, "late", '{"open":true,"extras":false,"role":"viewer"}')]
    room.leave(early)
    assert told(master) == [(VIEWER, "early", '{"open":false,"extras":false,"role":"operator"}')]


def test_a_revoked_viewer_has_no_role_any_more() -> None:
    room = Room()
    viewer = room.viewer("v1", viewer_role=ViewerRole.OPERATOR, access_key_id="key")
    master = room.master(extras=True)
    told(master)
    room.exchange.revoke("key")
    room.leave(viewer)
    assert told(master) == [(VIEWER, "v1", '{"open":false,"extras":false}')]


def test_a_viewer_cannot_say_which_role_it_has() -> None:
    room = Room()
    master, viewer = room.master(extras=True), room.viewer("v1", extras=True, viewer_role=ViewerRole.VIEWER)
    told(master), told(viewer)
    room.say(viewer, '{"open":true,"extras":true,"role":"operator"}', action=VIEWER)
    assert told(master) == []
