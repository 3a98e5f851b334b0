"""The lobby: names, calls, lists; what one client does is never another one's trouble."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from sightline.exchange import Lobby, LobbyLimits, Member, MemberClose, MemberDrop, MemberOutput, MemberPing, MemberSend
from sightline.reasons import LobbyReason
from sightline.wire.close_codes import CloseCode
from sightline.wire.lobby import LobbyRefusal


@dataclass
class Hall:
    """A lobby with a clock; collects what each member is told."""

    lobby: Lobby = field(default_factory=Lobby)
    now: float = 1000.0
    frames: dict[Member, list[dict[str, Any]]] = field(default_factory=dict)
    closed: dict[Member, CloseCode] = field(default_factory=dict)
    dropped: list[Member] = field(default_factory=list)
    pinged: list[Member] = field(default_factory=list)
    bytes: int = 0

    def perform(self, outputs: list[MemberOutput]) -> None:
        for output in outputs:
            if isinstance(output, MemberSend):
                last_words = any(isinstance(other, MemberClose) and other.to is output.to for other in outputs)
                assert last_words or not output.to.closed, "a frame for a socket that is gone"
                self.frames.setdefault(output.to, []).append(json.loads(output.frame))
                self.bytes += len(output.frame)
            elif isinstance(output, MemberClose):
                self.closed[output.to] = output.code
            elif isinstance(output, MemberDrop):
                self.dropped.append(output.to)
            else:
                assert isinstance(output, MemberPing)
                self.pinged.append(output.to)

    def enter(self, name: str = "", *, room: str = "r", extras: bool = False, key_id: str = "") -> Member:
        number = len(self.frames)
        member = Member(room, resume=f"resume-{number}", extras=extras, key_id=key_id, now=self.now)
        self.perform(self.lobby.join(member))
        if name:
            self.say(member, type="username", name=name)
        return member

    def say(self, member: Member, **message: object) -> None:
        self.perform(self.lobby.receive(member, json.dumps(message), self.now))

    def offer(self, member: Member, target: str) -> None:
        self.say(member, type="video-offer", target=target, sdp={"type": "offer", "sdp": "v=0"})

    def answer(self, member: Member, target: str) -> None:
        self.say(member, type="video-answer", target=target, sdp={"type": "answer", "sdp": "v=0"})

    def hang_up(self, member: Member, target: str | None = None) -> None:
        self.say(member, type="hang-up", target=target)

    def leave(self, member: Member) -> None:
        self.lobby.leave(member, self.now)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.perform(self.lobby.tick(self.now))

    def told(self, member: Member, *types: str) -> list[dict[str, Any]]:
        """What arrived since the last question; only those types, where any are named."""
        frames = self.frames.pop(member, [])
        self.frames[member] = []
        return [frame for frame in frames if not types or frame["type"] in types]

    def quiet(self, *members: Member) -> None:
        self.later(10.0)
        for member in members:
            self.lobby.seen(member, self.now)
            self.told(member)

    def error(self, member: Member) -> str:
        (frame,) = self.told(member)
        assert frame["type"] == "error", frame
        return str(frame["reason"])


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def three(hall: Hall) -> tuple[Member, Member, Member]:
    members = hall.enter("Ann"), hall.enter("Bob"), hall.enter("Cid")
    hall.quiet(*members)
    return members


def test_a_socket_ends_with_its_link() -> None:
    hall = Hall()
    ann = Member("r", resume="s", key_id="k", until=hall.now + 20, now=hall.now)
    hall.perform(hall.lobby.join(ann))
    hall.say(ann, type="username", name="Ann")
    hall.later(19)
    assert hall.closed == {}
    hall.later(1)
    assert hall.closed == {ann: CloseCode.NOT_ALLOWED}
    assert hall.lobby.users("r") == []


def test_a_name_that_was_bettered_is_told() -> None:
    hall = Hall()
    ann = hall.enter(" Ann  O. ")
    assert [frame.get("name") for frame in hall.told(ann, "rejectusername")] == ["Ann O."]
    assert hall.lobby.users("r") == ["Ann O."]


def test_large_messages_count_for_several() -> None:
    hall = Hall()
    ann, bob = hall.enter("Ann"), hall.enter("Bob")
    for _ in range(100):
        hall.say(ann, type="video-offer", target="Bob", sdp={"type": "offer", "sdp": "v" * 60_000})
    assert len(hall.told(bob, "video-offer")) == 3, "200 kB at once, and no more"
    assert {error["reason"] for error in hall.told(ann, "error")} == {"too-many-requests"}
    hall.later(1)
    hall.offer(ann, "Bob")
    assert len(hall.told(bob, "video-offer")) == 1


def test_what_happens_is_counted() -> None:
    hall = Hall()
    ann = hall.enter("Ann")
    hall.enter("Bob", room="other")
    hall.offer(ann, "Ann")
    hall.offer(ann, "Nobody")
    hall.say(ann, type="ping")
    stats = hall.lobby.stats
    assert (len(hall.lobby), hall.lobby.rooms) == (2, 2)
    assert stats.messages == {"username": 2, "ping": 1}
    assert stats.refusals == {"to-oneself": 1, "unknown-target": 1}
    hall.enter("Cem")
    hall.later(1)
    assert stats.list_bytes > 0


def test_whoever_asks_is_told_that_the_service_is_there_with_a_name_or_without() -> None:
    hall = Hall()
    for member in (hall.enter(), hall.enter("Ann")):
        hall.told(member)
        hall.say(member, type="ping")
        assert hall.told(member) == [{"type": "pong"}]


def test_it_begins_as_the_sample_expects(hall: Hall) -> None:
    ann = hall.enter("Ann")
    first, second = hall.told(ann)
    assert first["type"] == "id"
    assert isinstance(first["id"], int)
    assert second == {"type": "userlist", "users": ["Ann"]}


def test_a_name_that_is_taken_is_given_with_a_number_and_before_the_list(hall: Hall) -> None:
    hall.enter("Ann")
    other = hall.enter("Ann")
    assert [(frame["type"], frame.get("name")) for frame in hall.told(other)][1:] == [
        ("rejectusername", "Ann1"),
        ("userlist", None),
    ]
    assert hall.lobby.users("r") == ["Ann", "Ann1"]


def test_claiming_the_name_one_has_changes_nothing(hall: Hall, three: tuple[Member, ...]) -> None:
    hall.say(three[0], type="username", name="Ann")
    assert hall.told(three[0]) == [{"type": "userlist", "users": ["Ann", "Bob", "Cid"]}]
    hall.later(5)
    assert not hall.told(three[1])


def test_the_connection_decides_whose_name_is_changed(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, _ = three
    hall.say(ann, type="username", name="Eve", id=bob.number)
    assert hall.lobby.users("r") == ["Bob", "Cid", "Eve"]
    hall.later(5)
    assert hall.told(bob) == [{"type": "userlist", "users": ["Bob", "Cid", "Eve"]}]


def test_a_whole_call_of_the_sample_with_its_second_offer_from_the_callee(
    hall: Hall, three: tuple[Member, ...]
) -> None:
    ann, bob, cid = three
    hall.offer(ann, "Bob")
    hall.answer(bob, "Ann")
    hall.offer(bob, "Ann")
    hall.answer(ann, "Bob")
    candidate = {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": None}
    hall.say(bob, type="new-ice-candidate", target="Ann", candidate=candidate)
    assert [frame["type"] for frame in hall.told(bob)] == ["video-offer", "video-answer"]
    got = hall.told(ann)
    assert [frame["type"] for frame in got] == ["video-answer", "video-offer", "new-ice-candidate"]
    assert all(frame["name"] == "Bob" and frame["target"] == "Ann" for frame in got)
    hall.hang_up(ann)
    assert hall.told(bob) == [{"type": "hang-up", "name": "Ann", "target": "Bob"}]
    assert not hall.told(ann)
    assert not hall.told(cid)


def test_a_hang_up_says_why_where_the_sender_does(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, _ = three
    hall.offer(ann, "Bob")
    hall.told(bob)
    hall.say(bob, type="hang-up", target="Ann", reason="declined", name="Cid")
    assert hall.told(ann) == [{"type": "hang-up", "name": "Bob", "target": "Ann", "reason": "declined"}]


def test_nobody_ends_the_call_of_others(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, cid = three
    hall.offer(ann, "Bob")
    hall.answer(bob, "Ann")
    hall.told(ann)
    hall.told(bob)
    hall.hang_up(cid, "Ann")
    hall.hang_up(cid)
    hall.answer(cid, "Ann")
    hall.say(cid, type="new-ice-candidate", target="Bob", candidate=None)
    assert not hall.told(ann)
    assert not hall.told(bob)
    assert [frame["reason"] for frame in hall.told(cid)] == ["no-call", "no-call"]


def test_both_may_hang_up_at_once(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, _ = three
    hall.offer(ann, "Bob")
    hall.answer(bob, "Ann")
    hall.told(ann)
    hall.told(bob)
    hall.hang_up(ann)
    hall.hang_up(bob)
    assert [frame["type"] for frame in hall.told(bob)] == ["hang-up"]
    assert not hall.told(ann)


@pytest.mark.parametrize("kind", ["video-offer", "message", "hang-up"])
def test_unknown_targets_and_oneself(hall: Hall, three: tuple[Member, ...], kind: str) -> None:
    sdp = {"type": "offer", "sdp": "v=0"}
    for target, reason in (("Zoe", "unknown-target"), ("Ann", "to-oneself")):
        hall.say(three[0], type=kind, target=target, sdp=sdp, text="x")
        (error,) = hall.told(three[0])
        assert (error["reason"], error["about"], error["target"]) == (reason, kind, target)


def test_who_has_no_name_is_not_seen_and_not_heard(hall: Hall, three: tuple[Member, ...]) -> None:
    stranger = hall.enter()
    hall.told(stranger)
    for message in ({"type": "message", "text": "x"}, {"type": "hang-up", "target": "Ann"}):
        hall.say(stranger, **message)
        assert hall.error(stranger) == "no-name"
    hall.later(1)
    assert not any(hall.told(member) for member in three)


def test_rooms_do_not_hear_each_other(hall: Hall) -> None:
    ann, other = hall.enter("Ann", room="one"), hall.enter("Ann", room="two")
    hall.quiet(ann, other)
    hall.say(ann, type="message", text="hello")
    assert not hall.told(other)
    hall.offer(ann, "Bob")
    assert hall.told(ann, "error")[0]["reason"] == "unknown-target"


def test_a_line_for_all_comes_back_and_one_for_somebody_does_not(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, cid = three
    hall.say(ann, type="message", text="<i>hi</i>", name="Bob", id=bob.number)
    assert all(hall.told(member) == [{"type": "message", "text": "hi", "name": "Ann"}] for member in three)
    hall.say(ann, type="message", text="psst", target="Bob")
    assert hall.told(bob) == [{"type": "message", "text": "psst", "name": "Ann", "target": "Bob"}]
    assert not hall.told(ann)
    assert not hall.told(cid)


def test_a_flood_is_dropped_told_and_at_last_ended(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, _ = three
    hall.offer(ann, "Bob")
    hall.told(bob)
    for _ in range(1000):
        hall.say(ann, type="new-ice-candidate", target="Bob", candidate=None)
    assert len(hall.told(bob, "new-ice-candidate")) <= 200
    assert hall.closed == {ann: CloseCode.POLICY}
    assert {frame["reason"] for frame in hall.told(ann)} == {"too-many-requests"}
    assert hall.lobby.users("r") == ["Bob", "Cid"]


def test_nobody_is_kept_busy_refusing_calls(hall: Hall, three: tuple[Member, ...]) -> None:
    """Whoever is in a call hangs up on each offer of another: as many of them would cost it its socket."""
    ann, bob, cid = three
    hall.offer(bob, "Cid")
    hall.answer(cid, "Bob")
    hall.told(bob)
    for _ in range(500):
        hall.offer(ann, "Bob")
        for offer in hall.told(bob, "video-offer"):
            hall.hang_up(bob, offer["name"])
            hall.say(bob, type="ping")
        hall.now += 0.011
    assert bob not in hall.closed
    assert not hall.told(bob, "error")
    refusals = hall.told(ann, "error")
    assert {(refusal["reason"], refusal["about"]) for refusal in refusals} == {("too-many-requests", "video-offer")}


def test_lines_for_all_have_a_pace_of_their_own(hall: Hall, three: tuple[Member, ...]) -> None:
    for _ in range(30):
        hall.say(three[0], type="message", text="x")
    assert len(hall.told(three[1])) <= 10
    hall.now += 10
    hall.say(three[0], type="message", text="x")
    assert len(hall.told(three[1])) == 1


def test_who_comes_back_on_another_network_keeps_name_place_and_call(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, cid = three
    hall.offer(ann, "Bob")
    hall.answer(bob, "Ann")
    hall.quiet(*three)
    again = hall.enter()
    hall.say(again, type="username", name="Ann", resume=ann.resume)
    assert hall.closed == {ann: CloseCode.REPLACED}
    assert hall.told(again, "userlist", "rejectusername") == [{"type": "userlist", "users": ["Ann", "Bob", "Cid"]}]
    hall.leave(ann)
    hall.later(5)
    assert not hall.told(bob)
    assert not hall.told(cid)
    hall.hang_up(again)
    assert [frame["type"] for frame in hall.told(bob)] == ["hang-up"]


def test_a_call_goes_on_over_a_socket_that_was_lost_and_made_anew(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, _ = three
    hall.offer(ann, "Bob")
    hall.leave(ann)
    again = hall.enter("Ann")
    hall.quiet(again, bob)
    hall.hang_up(bob, "Ann")
    assert [frame["type"] for frame in hall.told(again)] == ["hang-up"]


def test_nobody_takes_a_name_without_its_secret(hall: Hall, three: tuple[Member, ...]) -> None:
    for resume in ("", "resume-1", "é", 7):
        thief = hall.enter()
        hall.told(thief)
        hall.say(thief, type="username", name="Ann", resume=resume)
        assert hall.told(thief)[0]["type"] == "rejectusername"
    assert not hall.closed


def test_changes_come_together_and_whole_lists_to_the_sample_alone(hall: Hall, three: tuple[Member, ...]) -> None:
    ours = hall.enter("Dan", extras=True)
    hall.quiet(ours, *three)
    guests = [hall.enter(f"g{number}") for number in range(20)]
    hall.leave(guests[3])
    hall.later(0.1)
    first = hall.told(ours)
    hall.later(1.0)
    frames = first + hall.told(ours)
    assert {frame["type"] for frame in frames} == {"users"}
    assert len(frames) <= 2
    seen = ["Ann", "Bob", "Cid", "Dan"]
    for frame in frames:
        gone = {*frame["left"], *frame["joined"]}
        seen = [name for name in seen if name not in gone] + frame["joined"]
    assert seen == hall.lobby.users("r")
    lists = hall.told(three[0])
    assert len(lists) <= 2
    assert lists[-1]["users"] == hall.lobby.users("r")


def test_one_that_came_in_between_learns_who_left_in_between(hall: Hall) -> None:
    hall.enter("Ann")
    short, ours = hall.enter("Short", extras=True), hall.enter("Dan", extras=True)
    assert "Short" in hall.told(ours, "userlist")[0]["users"]
    hall.leave(short)
    hall.later(5)
    assert hall.told(ours)[-1]["left"] == ["Short"]


def test_a_room_and_a_service_may_be_full() -> None:
    hall = Hall(Lobby(limits=LobbyLimits(max_rooms=1, max_members=2, spare=1)))
    ann, bob = hall.enter("Ann"), hall.enter("Bob")
    with pytest.raises(LobbyRefusal) as caught:
        hall.enter("Cid", room="another")
    assert caught.value.reason is LobbyReason.SERVICE_FULL
    cid = hall.enter("Cid")
    assert [told["reason"] for told in hall.told(cid, "error")] == ["room-full"]
    assert hall.closed == {cid: CloseCode.TRY_LATER}
    assert hall.lobby.users("r") == ["Ann", "Bob"]
    # Whoever is in may come back on another network, and change the name.
    again = hall.enter()
    with pytest.raises(LobbyRefusal) as caught:
        hall.enter()
    assert caught.value.reason is LobbyReason.ROOM_FULL, "more sockets than places and some to spare"
    hall.say(again, type="username", name="Bob", resume=bob.resume)
    hall.say(ann, type="username", name="Anna")
    assert hall.lobby.users("r") == ["Bob", "Anna"]
    assert hall.lobby.stats.refusals == {LobbyReason.SERVICE_FULL: 1, LobbyReason.ROOM_FULL: 2}
    hall.leave(ann)
    hall.enter("Cid")
    assert hall.lobby.users("r") == ["Bob", "Cid"], "there is a place again"


def test_one_link_does_not_fill_a_room() -> None:
    hall = Hall(Lobby(limits=LobbyLimits(max_members=4, max_per_link=2, spare=1)))
    hall.enter("Ann", key_id="one")
    bob = hall.enter("Bob", key_id="one")
    cid = hall.enter("Cid", key_id="one")
    assert [told["reason"] for told in hall.told(cid, "error")] == ["link-full"]
    hall.enter("Dan", key_id="two")
    hall.enter(key_id="one")
    with pytest.raises(LobbyRefusal) as caught:
        hall.enter(key_id="one")
    assert caught.value.reason is LobbyReason.LINK_FULL
    hall.leave(bob)
    hall.enter("Eva", key_id="one")
    assert hall.lobby.users("r") == ["Ann", "Dan", "Eva"]


def test_dead_sockets_go_and_silent_ones_are_asked_once(hall: Hall, three: tuple[Member, ...]) -> None:
    ann, bob, cid = three
    hall.later(21)
    assert set(hall.pinged) == {ann, bob, cid}
    hall.lobby.seen(ann, hall.now)
    hall.later(5)
    assert len(hall.pinged) == 3
    hall.later(15)
    assert set(hall.dropped) == {bob, cid}
    assert hall.lobby.users("r") == ["Ann"]


def test_one_without_a_name_does_not_stay(hall: Hall) -> None:
    stranger = hall.enter()
    for _ in range(7):
        hall.later(9)
        hall.lobby.seen(stranger, hall.now)
    assert hall.closed == {stranger: CloseCode.IDLE}
    assert not len(hall.lobby)


def test_a_revoked_link_ends_its_sockets_alone(hall: Hall) -> None:
    ann, bob = hall.enter("Ann", key_id="k1"), hall.enter("Bob", key_id="k2")
    hall.perform(hall.lobby.revoke("k1", hall.now))
    assert hall.closed == {ann: CloseCode.NOT_ALLOWED}
    hall.leave(ann)
    hall.later(5)
    assert hall.told(bob)[-1]["users"] == ["Bob"]


def test_a_stop_closes_everybody(hall: Hall, three: tuple[Member, ...]) -> None:
    hall.perform(hall.lobby.shut_down())
    assert set(hall.closed) == set(three)
    assert not len(hall.lobby)
    hall.leave(three[0])


def test_the_cost_of_a_crowd_is_bounded() -> None:
    """200 of the sample come within ten seconds: quadratic would be 200 lists to each of them."""
    hall = Hall()
    members = []
    for number in range(200):
        members.append(hall.enter(f"user {number:04}"))
        hall.later(0.05)
    hall.later(20)
    lists = [len(hall.told(member, "userlist")) for member in members]
    assert max(lists) <= 10 / 0.4 + 3
    assert hall.lobby.users("r") == [f"user {number:04}" for number in range(200)]
