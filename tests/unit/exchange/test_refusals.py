"""What is refused, who is told, and who is cut off (KVS.md §5.2, §5.3)."""

from __future__ import annotations

import pytest

from sightline.errors import ClientLimitExceeded
from sightline.exchange import ExchangeLimits, Role
from sightline.wire.close_codes import CloseCode

from .room import ARN, Client, Room


def only_status(client: Client) -> dict[str, str]:
    (status,) = client.statuses()
    return status


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"action": ""}, "action ''"),
        ({"action": "GO_AWAY"}, "action 'GO_AWAY'"),
        ({"action": "sdp_offer"}, "SDP_OFFER"),
        ({"action": "x" * 5000}, "x" * 40),
        ({"raw": ""}, "messagePayload is missing"),
        ({"raw": "=="}, "not base64"),
        ({"raw": "v=0\r\n"}, "not base64"),
        ({"raw": "A" * 10_001}, "10001 characters"),
    ],
)
def test_a_wrong_message_is_told_to_who_gave_a_correlation_id(wrong: dict[str, str], says: str) -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(viewer, correlation_id="c-1", **wrong)  # type: ignore[arg-type]
    status = only_status(viewer)
    assert status["correlationId"] == "c-1"
    assert status["errorType"] == "InvalidArgumentException"
    assert status["statusCode"] == "400"
    assert says in status["description"]
    assert len(status["description"]) <= 1000
    room.say(viewer, **wrong)  # type: ignore[arg-type]
    assert viewer.frames == master.frames == []
    assert room.exchange.stats.refused == 2


def test_the_longest_payload_is_good() -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(viewer, raw="A" * 10_000)
    assert master.frames[0]["messagePayload"] == "A" * 10_000


@pytest.mark.parametrize(
    ("recipient", "says"), [("", "missing"), ("a b", "1 to 256"), ("x" * 257, "1 to 256"), ("한", "1 to 256")]
)
def test_a_master_names_the_viewer_it_talks_to(recipient: str, says: str) -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(master, to=recipient, correlation_id="c")
    status = only_status(master)
    assert "recipientClientId" in status["description"]
    assert says in status["description"]
    assert viewer.frames == []


@pytest.mark.parametrize("correlation_id", ["a b", "x" * 257, "ü", '"'])
def test_a_correlation_id_outside_the_rules_is_an_error_too(correlation_id: str) -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.say(viewer, correlation_id=correlation_id)
    status = only_status(viewer)
    assert "correlationId" in status["description"]
    assert status["correlationId"] == correlation_id[:256]
    assert master.frames == []


def test_a_good_message_is_not_acknowledged() -> None:
    room = Room()
    viewer = room.viewer()
    room.say(viewer, correlation_id="c")
    room.master()
    room.say(viewer, correlation_id="c")
    assert viewer.frames == []


def test_nothing_is_heard_from_a_socket_that_is_gone() -> None:
    room = Room()
    master, viewer = room.master(), room.viewer()
    room.leave(viewer)
    room.say(viewer, correlation_id="c")
    room.junk(viewer)
    assert master.frames == viewer.frames == []
    assert room.exchange.stats.malformed == 0


class TestRate:
    def test_a_viewer_may_send_a_burst_of_twice_its_rate(self) -> None:
        room = Room(limits=ExchangeLimits(message_rate=10))
        master, viewer = room.master(), room.viewer()
        for _ in range(21):
            room.say(viewer, correlation_id="c")
        assert len(master.received()) == 20
        status = only_status(viewer)
        assert status["errorType"] == "ClientLimitExceededException"
        assert "10 per second" in status["description"]

    def test_then_its_rate(self) -> None:
        room = Room(limits=ExchangeLimits(message_rate=10))
        master, viewer = room.master(), room.viewer()
        for _ in range(40):
            room.say(viewer)
        master.received()
        for _ in range(50):
            room.now += 0.05
            room.say(viewer)
        assert 24 <= len(master.received()) <= 26
        room.now += 3600
        for _ in range(40):
            room.say(viewer)
        assert len(master.received()) == 20

    def test_one_viewers_flood_is_not_the_others(self) -> None:
        room = Room(limits=ExchangeLimits(message_rate=10))
        master, one, two = room.master(), room.viewer("v1"), room.viewer("v2")
        for _ in range(100):
            room.say(one, "flood")
        room.say(two, "hello")
        assert master.received()[20:] == ["hello"]

    def test_a_master_may_send_that_for_each_of_its_viewers(self) -> None:
        room = Room(limits=ExchangeLimits(message_rate=10))
        master = room.master()
        for number in range(3):
            room.viewer(f"v{number}")
        for _ in range(100):
            room.say(master, to="v0", correlation_id="c")
        assert len(master.statuses()) == 100 - 2 * 10 * (1 + 3)


class TestWhoGoesOn:
    """Reading refused messages costs the others: who sends nothing else is closed with 1008."""

    @pytest.mark.parametrize("kind", ["junk", "wrong"])
    def test_he_is_cut_off(self, kind: str) -> None:
        room = Room(limits=ExchangeLimits(message_rate=1))
        viewer = room.viewer()
        for _ in range(20):
            room.junk(viewer) if kind == "junk" else room.say(viewer, action="x")
        assert viewer.closes == []
        room.junk(viewer) if kind == "junk" else room.say(viewer, action="x")
        assert viewer.codes == [CloseCode.POLICY]
        assert room.exchange.stats.malformed == (21 if kind == "junk" else 0)

    def test_but_not_for_what_he_did_long_ago(self) -> None:
        room = Room(limits=ExchangeLimits(message_rate=1))
        viewer = room.viewer()
        for _ in range(10):
            for _ in range(20):
                room.junk(viewer)
            room.now += 10.1
        assert viewer.closes == []


class TestViewerLimit:
    def test_the_next_viewer_is_refused_until_one_leaves(self) -> None:
        room = Room(limits=ExchangeLimits(max_viewers=2))
        room.master()
        one = room.viewer("v1")
        room.viewer("v2")
        with pytest.raises(ClientLimitExceeded, match="2 viewers"):
            room.viewer("v3")
        with pytest.raises(ClientLimitExceeded):
            room.exchange.check_admission(ARN, Role.VIEWER, "v3")
        assert room.exchange.count(Role.VIEWER) == 2
        room.leave(one)
        room.viewer("v3")

    def test_one_that_replaces_itself_fits_and_so_does_a_master(self) -> None:
        room = Room(limits=ExchangeLimits(max_viewers=1))
        room.viewer("v1")
        room.viewer("v1")
        room.master()
        room.master()
        with pytest.raises(ClientLimitExceeded):
            room.viewer("v2")

    def test_a_refused_one_leaves_nothing_behind(self) -> None:
        room = Room(limits=ExchangeLimits(max_viewers=1))
        one = room.viewer("v1")
        with pytest.raises(ClientLimitExceeded):
            room.viewer("v2")
        room.leave(one)
        assert room.is_empty()
