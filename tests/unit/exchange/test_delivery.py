"""What goes to whom, and what waits for whom (KVS.md §5.4)."""

from __future__ import annotations

import pytest

from sightline.exchange import ExchangeLimits, Role

from .room import ARN, OTHER, Client, Room, payload


def test_a_viewer_talks_to_the_master_and_the_master_to_the_viewer_it_names() -> None:
    room = Room()
    master, one, two = room.master(), room.viewer("v1"), room.viewer("v2")
    room.say(one, "offer", action="SDP_OFFER")
    assert master.frames == [{"messagePayload": payload("offer"), "messageType": "SDP_OFFER", "senderClientId": "v1"}]
    room.say(master, "answer", to="v1", action="SDP_ANSWER")
    assert one.frames == [{"messagePayload": payload("answer"), "messageType": "SDP_ANSWER"}]
    assert two.frames == []


@pytest.mark.parametrize("recipient", ["v2", "v1", "", "MASTER", "nobody", "a b", "x" * 999])
def test_a_viewer_talks_to_the_master_whomever_it_names(recipient: str) -> None:
    """C, Python, Android and iOS viewers send recipients that mean nothing (KVS.md §5.2)."""
    room = Room()
    master, one, two = room.master(), room.viewer("v1"), room.viewer("v2")
    room.say(one, "hello", to=recipient)
    assert master.received() == ["hello"]
    assert one.frames == two.frames == []


def test_a_viewer_called_master_is_a_viewer() -> None:
    room = Room()
    viewer = room.viewer("MASTER")
    room.say(viewer, "hello")
    assert viewer.frames == []
    assert room.master().received() == ["hello"]


def test_channels_do_not_hear_of_each_other() -> None:
    room = Room()
    here, there = room.master(), room.master(arn=OTHER)
    viewer = room.viewer("v1", arn=OTHER)
    room.say(viewer, "hello")
    assert there.received() == ["hello"]
    room.say(here, "hello", to="v1")
    assert viewer.frames == here.frames == []


def test_a_master_may_offer_to_a_viewer() -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(master, "offer", to="v1", action="SDP_OFFER")
    assert viewer.frames[0]["messageType"] == "SDP_OFFER"


def test_a_url_safe_payload_is_passed_on_as_standard_base64() -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(viewer, raw="-_-_Pg")
    assert master.frames[0]["messagePayload"] == "+/+/Pg=="


class TestAnAbsentPeer:
    def test_what_was_said_waits_in_order(self) -> None:
        room = Room()
        viewer = room.viewer()
        for text in ("offer", "c1", "c2"):
            room.say(viewer, text, action="SDP_OFFER" if text == "offer" else "ICE_CANDIDATE")
        assert room.master().received() == ["offer", "c1", "c2"]

    def test_a_viewer_that_comes_late_gets_its_own_only(self) -> None:
        room = Room()
        master = room.master()
        room.say(master, "for v1", to="v1")
        room.say(master, "for v2", to="v2")
        assert room.viewer("v2").received() == ["for v2"]
        assert room.viewer("v3").received() == []

    def test_what_was_delivered_is_gone(self) -> None:
        """As with KVS: a master that reloads does not get the offer again (KVS.md §5.4)."""
        room = Room()
        viewer = room.viewer()
        room.say(viewer, "offer", action="SDP_OFFER")
        first = room.master()
        assert first.received() == ["offer"]
        room.leave(first)
        assert room.master().received() == []

    def test_what_waits_outlives_its_sender(self) -> None:
        room = Room()
        viewer = room.viewer()
        room.say(viewer, "offer", action="SDP_OFFER")
        room.leave(viewer)
        master = room.master()
        room.later(1)
        assert master.received() == ["offer"]

    @pytest.mark.parametrize(("age", "there"), [(59.9, True), (60.0, False), (60.1, False)])
    @pytest.mark.parametrize("ticked", [False, True])
    def test_it_waits_as_long_as_the_ttl(self, age: float, there: bool, ticked: bool) -> None:
        room = Room(ttl=60)
        viewer = room.viewer()
        room.say(viewer, "offer")
        room.leave(viewer)
        if ticked:
            room.later(age)
        else:
            room.now += age
        assert room.master().received() == (["offer"] if there else [])
        assert room.exchange.stats.expired == (0 if there else 1)
        assert room.exchange.stats.relayed == (1 if there else 0)

    def test_a_new_ttl_is_for_new_messages(self) -> None:
        room = Room(ttl=60)
        viewer = room.viewer()
        room.say(viewer, "long")
        room.exchange.set_ttl(ARN, 5)
        room.say(viewer, "short")
        room.leave(viewer)
        room.later(10)
        assert room.master().received() == ["long"]

    def test_the_ttl_is_that_of_the_latest_connection(self) -> None:
        room = Room(ttl=60)
        viewer = room.viewer()
        room.ttl = 5
        room.viewer("v2")
        room.say(viewer, "hello")
        room.later(6)
        assert room.master().received() == []

    def test_of_what_waits_only_the_old_goes(self) -> None:
        room = Room(ttl=60)
        viewer = room.viewer()
        for text in ("old", "older"):
            room.say(viewer, text)
        room.now += 30
        room.say(viewer, "young")
        room.leave(viewer)
        room.later(31)
        assert room.exchange.stats.expired == 2
        assert room.master().received() == ["young"]

    def test_a_new_ttl_of_a_channel_without_sockets_is_nothing_to_the_exchange(self) -> None:
        room = Room()
        room.exchange.set_ttl(ARN, 5)
        assert room.is_empty()

    @pytest.mark.parametrize("kind", ["SDP_OFFER", "SDP_ANSWER"])
    def test_a_newer_description_takes_the_place_of_the_waiting_one(self, kind: str) -> None:
        """In its place: candidates never come before their description."""
        room = Room()
        viewer = room.viewer()
        for action, text in ((kind, "old"), ("ICE_CANDIDATE", "c1"), (kind, "new"), ("ICE_CANDIDATE", "c2")):
            room.say(viewer, text, action=action)
        assert room.exchange.stats.overwritten == 1
        assert room.master().received() == ["new", "c1", "c2"]

    def test_an_overwritten_description_has_a_new_ttl(self) -> None:
        room = Room(ttl=60)
        viewer = room.viewer()
        room.say(viewer, "old", action="SDP_OFFER")
        room.now += 40
        room.say(viewer, "new", action="SDP_OFFER")
        room.leave(viewer)
        room.later(40)
        master = room.master()
        room.later(1)
        assert master.received() == ["new"]

    def test_an_offer_does_not_overwrite_an_answer_nor_one_of_somebody_else(self) -> None:
        room = Room()
        one, two = room.viewer("v1"), room.viewer("v2")
        room.say(one, "offer 1", action="SDP_OFFER")
        room.say(one, "answer 1", action="SDP_ANSWER")
        room.say(two, "offer 2", action="SDP_OFFER")
        assert room.exchange.stats.overwritten == 0
        assert room.master().received() == ["offer 1", "answer 1", "offer 2"]

    def test_a_masters_offers_wait_for_each_viewer(self) -> None:
        room = Room()
        master = room.master()
        room.say(master, "for v1", to="v1", action="SDP_OFFER")
        room.say(master, "for v2", to="v2", action="SDP_OFFER")
        assert room.viewer("v1").received() == ["for v1"]
        assert room.viewer("v2").received() == ["for v2"]


class TestLimitsOfWaiting:
    def test_candidates_of_one_sender(self) -> None:
        room = Room(limits=ExchangeLimits(pending_per_sender=3))
        one, two = room.viewer("v1"), room.viewer("v2")
        for text in ("offer", "c1", "c2"):
            room.say(one, text, action="SDP_OFFER" if text == "offer" else "ICE_CANDIDATE")
        room.say(one, "c3", correlation_id="c")
        (status,) = one.statuses()
        assert (status["errorType"], status["statusCode"]) == ("ClientLimitExceededException", "400")
        # A description is never refused for it, and nobody else is.
        room.say(one, "newer offer", action="SDP_OFFER", correlation_id="c")
        room.say(one, "answer", action="SDP_ANSWER", correlation_id="c")
        room.say(two, "of v2", correlation_id="c")
        assert one.frames == two.frames == []
        assert room.master().received() == ["newer offer", "c1", "c2", "answer", "of v2"]

    def test_all_of_a_channel(self) -> None:
        room = Room(limits=ExchangeLimits(pending_per_channel=2))
        master = room.master()
        for viewer in ("v1", "v2", "v3", "v2"):
            room.say(master, viewer, to=viewer, correlation_id="c")
        assert [status["errorType"] for status in master.statuses()] == ["ClientLimitExceededException"] * 2
        assert room.viewer("v3").received() == []
        assert room.viewer("v2").received() == ["v2"]
        # A place is free again.
        room.say(master, "again", to="v4", correlation_id="c")
        assert master.frames == []

    def test_a_refused_message_leaves_nothing_behind(self) -> None:
        room = Room(limits=ExchangeLimits(pending_per_channel=1))
        master = room.master()
        room.say(master, to="v1")
        room.say(master, to="v2")
        room.leave(master)
        room.later(60)
        assert room.is_empty()


def test_an_empty_channel_is_forgotten() -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.leave(master)
    room.say(viewer, "waits")
    room.leave(viewer)
    assert not room.is_empty()
    room.later(60)
    assert room.is_empty()
    room.later(3600)
    assert room.exchange.next_deadline() is None


def test_an_old_deadline_does_not_disturb_a_channel_that_came_again() -> None:
    room = Room(ttl=60)
    viewer = room.viewer()
    room.say(viewer, "first")
    room.leave(viewer)
    room.now += 1
    room.leave(room.master())  # takes what waited, and the channel is forgotten
    assert room.is_empty()
    again = room.viewer()
    room.now += 30
    room.say(again, "second")
    room.later(29)  # the first message's deadline
    assert room.exchange.stats.expired == 0
    assert room.master().received() == ["second"]


def test_what_it_can_say_about_itself() -> None:
    room = Room()
    assert not room.exchange.has_master(ARN)
    viewer = room.viewer()
    assert not room.exchange.has_master(ARN)
    master = room.master()
    room.viewer("v2")
    room.viewer("v1", arn=OTHER)
    assert room.exchange.has_master(ARN)
    assert not room.exchange.has_master(OTHER)
    assert room.exchange.count(Role.MASTER) == 1
    assert room.exchange.count(Role.VIEWER) == 3
    assert len(room.exchange) == 4
    assert {connection.client_id for connection in room.exchange.connections()} == {"", "v1", "v2"}
    assert repr(viewer.connection) == f"<viewer v1 of {ARN}>"
    assert repr(master.connection) == f"<master - of {ARN}>"
    room.say(viewer)
    room.say(master, to="absent")
    stats = room.exchange.stats
    assert (stats.relayed, stats.queued, stats.refused) == (1, 1, 0)


class TestAnAnswerToAnOlderSocket:
    """Seed 001's retry, with the camera coming on in the pause: it answers the first offer, for nobody."""

    def wait_for_answer(self) -> tuple[Room, Client]:
        room = Room()
        first = room.viewer("v1")
        room.say(first, "offer 1", action="SDP_OFFER")
        room.leave(first)
        master = room.master()
        room.later(1)
        assert master.received() == ["offer 1"]
        room.say(master, "answer 1", to="v1", action="SDP_ANSWER")
        room.say(master, "candidate 1", to="v1")
        return room, master

    def test_it_is_not_given_to_a_viewer_that_offers_anew(self) -> None:
        room, master = self.wait_for_answer()
        second = room.viewer("v1")
        room.later(0.5)
        room.say(master, "candidate 2", to="v1")
        room.say(second, "offer 2", action="SDP_OFFER")
        assert master.received() == ["offer 2"]
        room.say(master, "answer 2", to="v1", action="SDP_ANSWER")
        room.later(5)
        assert second.received() == ["answer 2"]

    def test_it_is_given_to_one_that_does_not(self) -> None:
        room, master = self.wait_for_answer()
        second = room.viewer("v1")
        room.say(master, "candidate 2", to="v1")
        room.later(0.9)
        assert second.frames == []
        room.later(0.2)
        assert second.received() == ["answer 1", "candidate 1", "candidate 2"]
        room.say(master, "candidate 3", to="v1")
        assert second.received() == ["candidate 3"]

    def test_candidates_alone_are_given_at_once(self) -> None:
        room = Room()
        room.say(room.master(), "candidate", to="v1")
        assert room.viewer("v1").received() == ["candidate"]


class TestAnOfferOfAViewerThatHasLeft:
    """The same the other way round: a new master is not given it while a newer one is likely to come."""

    def leave_an_offer(self) -> Room:
        room = Room()
        first, other = room.viewer("v1"), room.viewer("v2")
        room.say(first, "offer 1", action="SDP_OFFER")
        room.say(other, "offer of v2", action="SDP_OFFER")
        room.say(first, "candidate 1")
        room.leave(first)
        return room

    def test_a_newer_one_takes_its_place(self) -> None:
        room = self.leave_an_offer()
        master = room.master()
        assert master.received() == ["offer of v2"]
        second = room.viewer("v1")
        room.say(second, "offer 2", action="SDP_OFFER")
        room.say(second, "candidate 2")
        room.later(5)
        assert master.received() == ["offer 2", "candidate 2"]

    def test_without_a_newer_one_it_is_given_a_moment_later(self) -> None:
        room = self.leave_an_offer()
        master = room.master()
        room.later(0.9)
        assert master.received() == ["offer of v2"]
        room.later(0.2)
        assert master.received() == ["offer 1", "candidate 1"]
        assert room.exchange.stats.relayed == 3

    def test_a_viewer_that_comes_back_and_does_not_offer_goes_on(self) -> None:
        room = self.leave_an_offer()
        master = room.master()
        master.received()
        room.say(room.viewer("v1"), "candidate 2")
        assert master.received() == ["offer 1", "candidate 1", "candidate 2"]

    def test_the_moment_does_not_shorten_its_time(self) -> None:
        room = self.leave_an_offer()
        room.later(59.9)
        master = room.master()
        room.later(1)
        assert "offer 1" in master.received()
