"""What viewers with extras learn of their camera: whether it is there, whether it lives, and why there is no answer."""

from __future__ import annotations

import pytest

from sightline.exchange import ExchangeLimits
from sightline.timers import Timers
from sightline.wire.close_codes import CloseCode
from tests.unit.exchange.room import OTHER, Client, Room

ASK = "sightline/ask"
GONE = ("master", {"present": False, "ours": False})
OURS = ("master", {"present": True, "ours": True})
STOCK = ("master", {"present": True, "ours": False})


def ask(room: Room, viewer: Client, *, raw: str = "") -> None:
    room.say(viewer, action=ASK, raw=raw)


# ------------------------------------------------------------------------------------------------------- there or not


@pytest.mark.parametrize(("ours", "told"), [(True, OURS), (False, STOCK)])
def test_a_viewer_learns_at_once_whether_its_camera_is_there(ours: bool, told: object) -> None:
    room = Room()
    early = room.viewer("early", extras=True)
    assert early.extras() == [GONE]
    master = room.master(extras=ours)
    late = room.viewer("late", extras=True)
    assert (early.extras(), late.extras()) == ([told], [told])
    room.leave(master)
    assert (early.extras(), late.extras()) == ([GONE], [GONE])


def test_it_is_the_first_that_a_viewer_hears() -> None:
    room = Room(timers=Timers(stale_hold=0))
    master = room.master()
    room.say(master, "answer", to="v1", action="SDP_ANSWER")
    viewer = room.viewer("v1", extras=True)
    assert [frame["messageType"] for frame in viewer.frames] == ["sightline/master", "SDP_ANSWER"]


def test_other_viewers_and_other_channels_learn_nothing() -> None:
    room = Room()
    plain, elsewhere = room.viewer("plain"), room.viewer("v1", arn=OTHER, extras=True)
    assert elsewhere.extras() == [GONE]
    room.leave(room.master(extras=True))
    assert (plain.frames, elsewhere.frames) == ([], [])


def test_a_camera_in_another_s_place_is_gone_and_here_again() -> None:
    """What the one before was told, the new one does not know: its viewers offer anew."""
    room = Room()
    room.master(extras=True)
    viewer = room.viewer("v1", extras=True)
    viewer.extras()
    first = room.exchange.master(viewer.connection.channel_arn)
    room.master()
    assert viewer.extras() == [GONE, STOCK]
    assert first is not None
    room.leave(first.shell)  # type: ignore[arg-type]
    assert viewer.extras() == [], "the one that has lost does not count any more"


# ---------------------------------------------------------------------------------------------- offers without a camera


def test_an_offer_to_an_absent_camera_waits_and_its_viewer_is_told() -> None:
    room = Room()
    viewer, plain = room.viewer("v1", extras=True), room.viewer("v2")
    viewer.extras()
    room.say(viewer, "offer", action="SDP_OFFER")
    room.say(plain, "plain", action="SDP_OFFER")
    room.say(viewer, "candidate")
    assert viewer.reasons() == ["camera-offline"]
    assert (viewer.frames, plain.frames) == ([], [])
    master = room.master()
    room.later(1)
    assert master.received() == ["plain", "offer", "candidate"]


def test_a_viewer_that_offers_anew_when_its_camera_comes_has_one_session() -> None:
    room = Room()
    viewer = room.viewer("v1", extras=True)
    for text in ("offer", "candidate"):
        room.say(viewer, text, action="SDP_OFFER" if text == "offer" else "ICE_CANDIDATE")
    master = room.master()
    room.say(viewer, "late candidate")
    assert master.received() == [], "it is about to offer anew"
    room.say(viewer, "offer again", action="SDP_OFFER")
    room.say(viewer, "candidate again")
    room.later(5)
    assert master.received() == ["offer again", "candidate again"]


def test_a_viewer_that_has_offered_nothing_yet_is_not_held_up() -> None:
    room = Room()
    first, second = room.viewer("v1", extras=True), room.viewer("v2", extras=True)
    room.say(first, "offer", action="SDP_OFFER")
    master = room.master()
    room.say(second, "candidate")
    assert master.received() == ["candidate"]


@pytest.mark.parametrize(
    ("limits", "action", "raw", "reason"),
    [
        (ExchangeLimits(), "SDP_OFFER", "***", "bad-offer"),
        (ExchangeLimits(), "SDP_OFFER", "A" * 10_004, "bad-offer"),
        (ExchangeLimits(), "SDP_OFFER", "", "bad-offer"),
        (ExchangeLimits(message_rate=0.1), "SDP_OFFER", "QUJD", "too-many-requests"),
        (ExchangeLimits(pending_per_channel=0), "SDP_OFFER", "QUJD", "too-many-requests"),
        (ExchangeLimits(), "ICE_CANDIDATE", "***", None),
    ],
)
def test_an_offer_that_the_service_refuses(limits: ExchangeLimits, action: str, raw: str, reason: str | None) -> None:
    room = Room(limits=limits)
    viewer, plain = room.viewer("v1", extras=True), room.viewer("v2")
    room.say(viewer, action=action, raw=raw)
    room.say(plain, action=action, raw=raw)
    assert viewer.reasons() == ([reason] if reason else [])
    assert (viewer.frames, plain.frames) == ([], [])


# ----------------------------------------------------------------------------------------------------------- asking


@pytest.mark.parametrize("raw", ["", "e30="])
def test_who_asks_hears_at_once_and_the_camera_is_pinged(raw: str) -> None:
    room = Room()
    master, viewer = room.master(), room.viewer("v1", extras=True)
    viewer.extras()
    ask(room, viewer, raw=raw)
    assert (viewer.extras(), master.pings, master.frames) == ([STOCK], 1, [])


def test_a_camera_that_does_not_reply_is_silent_and_then_gone() -> None:
    room = Room()
    master, other = room.master(extras=True), room.viewer("v2", extras=True)
    viewer = room.viewer("v1", extras=True)
    master.frames.clear()
    viewer.extras(), other.extras()
    room.live(5)
    ask(room, viewer)
    room.live(1.9)
    assert (viewer.extras(), master.drops) == ([OURS], [])
    room.live(0.2)
    assert viewer.reasons() == ["camera-silent"]
    assert (len(master.drops), other.extras(), room.exchange.stats.dead) == (1, [], 1)
    room.leave(master)  # as its shell does then
    assert (viewer.extras(), other.extras()) == ([GONE], [GONE])


@pytest.mark.parametrize("sign", ["pong", "ping", "message", "junk"])
def test_any_sign_of_life_will_do(sign: str) -> None:
    room = Room()
    master, viewer = room.master(), room.viewer("v1", extras=True)
    ask(room, viewer)
    room.live(1.9)
    match sign:
        case "message":
            room.say(master, "candidate", to="v1")
        case "junk":
            room.junk(master)
        case _:
            room.exchange.seen(master.connection, room.now, active=sign == "ping")
    room.live(10)
    assert (viewer.reasons(), master.drops) == ([], [])


def test_many_that_ask_cost_the_camera_one_ping() -> None:
    room = Room()
    master = room.master()
    viewers = [room.viewer(f"v{number}", extras=True) for number in range(20)]
    for viewer in viewers:
        viewer.extras()
        for _ in range(3):
            ask(room, viewer)
    assert master.pings == 1
    room.live(2)
    assert all(viewer.reasons() == ["camera-silent"] for viewer in viewers)
    assert len(master.drops) == 1


def test_only_those_are_told_that_asked_this_time() -> None:
    room = Room()
    master, first, second = room.master(), room.viewer("v1", extras=True), room.viewer("v2", extras=True)
    left, replaced = room.viewer("v3", extras=True), room.viewer("v4", extras=True)
    ask(room, first)
    room.exchange.seen(master.connection, room.now, active=False)
    room.live(1)
    for viewer in (second, left, replaced):
        ask(room, viewer)
    room.leave(left)
    room.viewer("v4", extras=True)
    room.live(2)
    assert master.pings == 2
    assert (first.reasons(), second.reasons(), replaced.reasons()) == ([], ["camera-silent"], ["client-id-in-use"])


def test_the_next_camera_is_not_blamed() -> None:
    room = Room()
    old, viewer = room.master(), room.viewer("v1", extras=True)
    ask(room, viewer)
    new = room.master()
    room.live(3)
    assert (viewer.reasons(), new.drops) == ([], [])
    room.leave(old)
    room.leave(new)
    assert room.exchange.next_deadline() is not None
    room.leave(viewer)
    room.live(100)
    assert room.exchange.next_deadline() is None


def test_a_question_without_a_camera_has_its_answer() -> None:
    room = Room()
    viewer = room.viewer("v1", extras=True)
    viewer.extras()
    ask(room, viewer)
    room.live(3)
    assert viewer.extras() == [GONE]


def test_only_viewers_with_extras_may_ask() -> None:
    room = Room()
    master, plain = room.master(extras=True), room.viewer("v1")
    for client in (master, plain):
        client.frames.clear()
        room.say(client, action=ASK, to="v1", correlation_id="7")
        assert [status["errorType"] for status in client.statuses()] == ["InvalidArgumentException"]
    assert master.pings == 0


def test_questions_are_messages_and_limited_as_such() -> None:
    room = Room(limits=ExchangeLimits(message_rate=1))
    room.master()
    viewer = room.viewer("v1", extras=True)
    viewer.extras()
    for _ in range(5):
        ask(room, viewer)
    assert viewer.extras() == [STOCK] * 2


def test_the_usual_care_goes_on_after_a_question() -> None:
    room = Room(timers=Timers(ping=20, dead=40))
    master, viewer = room.master(), room.viewer("v1", extras=True)
    ask(room, viewer)
    room.exchange.seen(master.connection, room.now, active=False)
    room.live(21)
    assert master.pings == 2
    room.live(20)
    assert len(master.drops) == 1


# ------------------------------------------------------------------------------------------------- why a socket ends


def test_who_loses_its_id_is_told_before_it_is_closed() -> None:
    room = Room()
    old, plain = room.viewer("v1", extras=True), room.viewer("v2")
    room.viewer("v1")
    room.viewer("v2")
    assert (old.reasons(), old.codes, plain.frames) == (["client-id-in-use"], [CloseCode.REPLACED], [])


def test_who_is_muted_is_told_so() -> None:
    room = Room()
    clients = [room.viewer("v1", extras=True) for _ in range(4)]
    assert [client.reasons() for client in clients] == [["client-id-in-use"]] * 3 + [[]]
    muted = clients[2]
    assert (len(muted.mutes), muted.codes) == (1, [])
    room.say(muted, "offer", action="SDP_OFFER")
    assert muted.reasons() == ["client-id-in-use"]
    room.master()
    assert muted.extras() == [], "it hears nothing of what goes on"


def test_a_camera_that_loses_its_place_is_told_so_in_its_own_words() -> None:
    room = Room()
    old = room.master(extras=True)
    room.master()
    ((name, content),) = old.extras()
    assert (name, content["reason"]) == ("notice", "client-id-in-use")
    assert "camera" in str(content["message"])


def test_the_deleted_channel_and_the_revoked_key_are_told() -> None:
    room = Room()
    clients = [room.master(extras=True), room.viewer("v1", extras=True, access_key_id="K"), room.viewer("v2")]
    for client in clients:
        client.frames.clear()
    room.perform(room.exchange.revoke("K"))
    assert [client.reasons() for client in clients] == [[], ["not-allowed"], []]
    room.perform(room.exchange.close_channel(clients[0].connection.channel_arn))
    assert [client.reasons() for client in clients] == [["unknown-channel"]] * 2 + [[]]
    assert [client.frames for client in clients] == [[]] * 3


def test_who_floods_is_told_why_it_is_cut() -> None:
    room = Room(limits=ExchangeLimits(message_rate=1))
    viewer, plain = room.viewer("v1", extras=True), room.viewer("v2")
    for client in (viewer, plain):
        for _ in range(21):
            room.junk(client)
    assert (viewer.reasons(), viewer.codes, plain.frames) == (["too-many-requests"], [CloseCode.POLICY], [])


def test_a_camera_that_lost_its_place_owes_no_sign_of_life() -> None:
    """Muted, as the third in a minute is: nobody asks it any more, and its silence says nothing of the new one."""
    room = Room()
    cameras = [room.master() for _ in range(3)]
    viewer = room.viewer("v1", extras=True)
    ask(room, viewer)
    viewer.frames.clear()
    room.master()
    room.live(3)
    assert "camera-silent" not in viewer.reasons()
    assert [len(camera.drops) for camera in cameras] == [0, 0, 0]
