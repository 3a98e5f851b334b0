"""The lobby in any order of events: what must hold after each, whoever does what (Hypothesis)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sightline.exchange import Lobby, LobbyLimits, Member, MemberClose, MemberDrop, MemberOutput, MemberSend
from sightline.reasons import LobbyReason
from sightline.timers import Timers
from sightline.wire.lobby import LobbyRefusal

LIMITS = LobbyLimits(max_rooms=2, max_members=4, max_per_link=2, spare=1, message_rate=5, chat_rate=2)
NAMES = ("Ann", "Bob", "김 철수", "Ann1", "<b>", "")
TARGETS = st.sampled_from((*NAMES, None, 7))
WHO = st.integers(0, 1000)


class LobbyModel(RuleBasedStateMachine):
    """A lobby, sockets that come and go, and for each what a client that keeps its list would show."""

    def __init__(self) -> None:
        super().__init__()
        self.lobby = Lobby(limits=LIMITS, timers=Timers(ping=20, dead=40))
        self.now = 100.0
        self.open: list[Member] = []
        self.gone: list[Member] = []
        self.shown: dict[Member, list[str]] = {}
        self.offers: set[frozenset[str]] = set()
        self.count = 0

    # -- what is done

    @rule(room=st.sampled_from(("one", "two", "three")), extras=st.booleans())
    def enter(self, room: str, extras: bool) -> None:
        self.count += 1
        member = Member(room, resume=f"secret {self.count}", key_id=f"k{self.count % 3}", extras=extras, now=self.now)
        try:
            outputs = self.lobby.join(member)
        except LobbyRefusal as refusal:
            there = [other for other in self.open if other.room == room]
            by_link = sum(other.key_id == member.key_id for other in there)
            match refusal.reason:
                case LobbyReason.SERVICE_FULL:
                    assert not there
                case LobbyReason.ROOM_FULL:
                    assert len(there) == LIMITS.max_members + LIMITS.spare
                case _:
                    assert by_link == LIMITS.max_per_link + LIMITS.spare
            return
        self.open.append(member)
        self.perform(outputs, by=member)

    @rule(who=WHO, name=st.sampled_from(NAMES), whose=WHO)
    def claim(self, who: int, name: str, whose: int) -> None:
        others = [*self.open, *self.gone]
        if others:
            self.say(who, type="username", name=name, resume=others[whose % len(others)].resume, id=1)

    @rule(who=WHO, kind=st.sampled_from(("video-offer", "video-answer")), to=TARGETS, name=st.sampled_from(NAMES))
    def describe(self, who: int, kind: str, to: object, name: str) -> None:
        self.say(who, type=kind, target=to, name=name, sdp={"type": kind.removeprefix("video-"), "sdp": "v=0"})

    @rule(who=WHO, to=TARGETS)
    def candidate(self, who: int, to: object) -> None:
        self.say(who, type="new-ice-candidate", target=to, candidate={"candidate": "c"})

    @rule(who=WHO, to=TARGETS)
    def hang_up(self, who: int, to: object) -> None:
        self.say(who, type="hang-up", target=to, name="Ann")

    @rule(who=WHO, to=TARGETS)
    def chat(self, who: int, to: object) -> None:
        self.say(who, type="message", target=to, text="hello", name="Ann")

    @rule(who=WHO, frame=st.binary(max_size=20) | st.text(max_size=20) | st.just("x" * 70_000))
    def junk(self, who: int, frame: bytes | str) -> None:
        if self.open:
            member = self.open[who % len(self.open)]
            self.perform(self.lobby.receive(member, frame, self.now), by=member)

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        if self.open:
            self.over(member := self.open[who % len(self.open)])
            self.lobby.leave(member, self.now)
            self.lobby.leave(member, self.now)

    @rule(key=st.sampled_from(("k0", "k1")))
    def revoke(self, key: str) -> None:
        members = [member for member in self.open if member.key_id == key]
        self.perform(self.lobby.revoke(key, self.now))
        assert not any(member in self.open for member in members)

    @rule(seconds=st.sampled_from((0.1, 0.5, 3.0, 15.0)))
    def later(self, seconds: float) -> None:
        self.now += seconds
        self.perform(self.lobby.tick(self.now))

    # -- what becomes of it

    def say(self, who: int, **message: object) -> None:
        if self.open:
            member = self.open[who % len(self.open)]
            self.perform(self.lobby.receive(member, json.dumps(message), self.now), by=member)

    def over(self, member: Member) -> None:
        self.open.remove(member)
        self.gone.append(member)

    def perform(self, outputs: list[MemberOutput], *, by: Member | None = None) -> None:
        for output in outputs:
            assert output.to in self.open, "something for a socket that is gone"
            if isinstance(output, MemberClose | MemberDrop):
                self.over(output.to)
            elif isinstance(output, MemberSend):
                self.told(output.to, json.loads(output.frame), by)

    def told(self, member: Member, frame: dict[str, Any], by: Member | None) -> None:
        kind = frame["type"]
        if kind in ("id", "rejectusername", "error"):
            assert member is by, "somebody else's trouble"
        elif kind == "userlist":
            self.shown[member] = frame["users"]
        elif kind == "users":
            assert member.extras
            changed = {*frame["left"], *frame["joined"]}
            self.shown[member] = [name for name in self.shown[member] if name not in changed] + frame["joined"]
        else:
            # Whatever it said, the sender is the connection, of the same room; and it is for whom it says.
            assert by is not None
            assert (by.room, frame["name"]) == (member.room, by.name)
            assert frame.get("target") in (None, member.name)
            self.check_call(kind, member, by)

    def check_call(self, kind: str, member: Member, by: Member) -> None:
        pair = frozenset((f"{member.room}/{member.name}", f"{by.room}/{by.name}"))
        if kind == "video-offer":
            self.offers.add(pair)
        elif kind != "message":
            assert member is not by
            assert pair in self.offers, "something of a call that nobody offered"

    # -- what always holds

    @invariant()
    def names_are_right(self) -> None:
        for room in ("one", "two", "three"):
            here = [member for member in self.open if member.room == room]
            names = self.lobby.users(room)
            assert sorted(names) == sorted(member.name for member in here if member.name)
            assert len(set(names)) == len(names)
            assert "<b>" not in names
            assert len(names) <= LIMITS.max_members
        assert len(self.lobby) == len(self.open)

    @invariant()
    def all_lists_become_right(self) -> None:
        """Those who know the newest version show it, in its order; the others are told before long."""
        for member in self.open:
            if member.name and member.version == self.lobby._rooms[member.room].version:
                assert self.shown[member] == self.lobby.users(member.room)

    def teardown(self) -> None:
        self.now += 1.0
        self.perform(self.lobby.tick(self.now))
        for member in self.open:
            if member.name:
                assert self.shown[member] == self.lobby.users(member.room)


TestLobby = LobbyModel.TestCase
TestLobby.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
