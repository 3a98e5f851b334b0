"""The lobby: who is in which room, under which name, and what goes from whom to whom (MDN_CALL.md, seed 004.2).

Sans-IO as the exchange: each method takes an input and ``now`` (seconds of a steady clock) and returns what the shell
has to do, in order. Who a message is from is the connection that it came on, whatever it says.

Two things hold the traffic of a crowd down. The others learn of changes together, a few times a second at the most; and
whole lists go out ever more seldom as they and the room grow, so that a room never takes more than
``list_bytes`` a second for them.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator
from itertools import count

from ..timers import DEFAULT_TIMERS, Timers
from ..wire.close_codes import CloseCode
from ..wire.lobby import (
    MAX_LOBBY_FRAME,
    CallMessage,
    ChatMessage,
    LobbyReason,
    LobbyRefusal,
    NameClaim,
    Ping,
    another_name,
    call_frame,
    chat_frame,
    decode_lobby_message,
    error_frame,
    id_frame,
    kind_of,
    name_given_frame,
    pong_frame,
    user_changes_frame,
    user_list_frame,
)
from .lobby_limits import LobbyLimits
from .lobby_member import LobbyStats, Member, MemberClose, MemberDrop, MemberOutput, MemberPing, MemberSend, Room

__all__ = ["Lobby"]

_FLOOD = 500
"""A socket whose messages were refused so often within `_FLOOD_TIME` is closed."""
_FLOOD_TIME = 10.0
_ERROR_BURST = 20
"""Beyond so many refusals within that time, only every tenth is told: errors are no way to make traffic either."""


class Lobby:
    """All rooms of a service."""

    def __init__(self, *, limits: LobbyLimits | None = None, timers: Timers = DEFAULT_TIMERS) -> None:
        self.limits = limits or LobbyLimits()
        self.timers = timers
        self._rooms: dict[str, Room] = {}
        self._numbers = count(1)
        self._checked_at = float("-inf")
        self.stats = LobbyStats()

    def __len__(self) -> int:
        """How many sockets are open."""
        return sum(map(len, self._rooms.values()))

    @property
    def rooms(self) -> int:
        """How many rooms somebody is in."""
        return len(self._rooms)

    def members(self) -> Iterator[Member]:
        """All open sockets."""
        for room in self._rooms.values():
            yield from room.sockets()

    def users(self, room: str) -> list[str]:
        """The names in a room, in the order of their coming."""
        found = self._rooms.get(room)
        return list(found.members) if found is not None else []

    # --------------------------------------------------------------------------------- sockets come and go

    def join(self, member: Member) -> list[MemberOutput]:
        """A socket is open. It has no name yet, and nobody sees it. Raises LobbyRefusal when there is no place."""
        found = self._rooms.get(member.room)
        if found is None:
            if len(self._rooms) >= self.limits.max_rooms:
                raise self._no_place(LobbyReason.SERVICE_FULL)
        elif (reason := self._full(found.sockets(), member, spare=self.limits.spare)) is not None:
            raise self._no_place(reason)
        self._rooms.setdefault(member.room, Room()).nameless.add(member)
        member.number = next(self._numbers)
        return [MemberSend(member, id_frame(member.number, member.resume))]

    def _full(self, there: Collection[Member], member: Member, *, spare: int = 0) -> LobbyReason | None:
        """Why there is no place for one more beside those, if there is none."""
        if len(there) >= self.limits.max_members + spare:
            return LobbyReason.ROOM_FULL
        most = self.limits.max_per_link + spare
        if not member.key_id or len(there) < most:
            return None
        return LobbyReason.LINK_FULL if sum(one.key_id == member.key_id for one in there) >= most else None

    def _no_place(self, reason: LobbyReason) -> LobbyRefusal:
        self.stats.count_refusal(reason)
        return LobbyRefusal(reason, about="username")

    def leave(self, member: Member, now: float) -> None:
        """A socket is closed, or about to be. Repeatable.

        The other side of its call is not told: the call goes on without the lobby, and its owner may be back in a
        moment. A page that closes says so itself.
        """
        room = self._rooms.get(member.room)
        if member.closed or room is None:
            return
        member.closed = True
        if member.name:
            room.remove(member.name)
        room.nameless.discard(member)
        if not len(room):
            del self._rooms[member.room]
        elif member.name:
            # The others are told by the next tick: many may leave at once.
            self._set_due(room, now)

    def revoke(self, key_id: str, now: float) -> list[MemberOutput]:
        """Close the sockets of a link that was revoked."""
        outputs: list[MemberOutput] = []
        for member in [member for member in self.members() if member.key_id == key_id]:
            outputs += self._dismiss(member, CloseCode.NOT_ALLOWED, "the link was revoked", now)
        return outputs

    def shut_down(self) -> list[MemberOutput]:
        """Close all sockets: the service stops."""
        members = list(self.members())
        self._rooms.clear()
        for member in members:
            member.closed = True
        return [MemberClose(member, CloseCode.GOING_AWAY, "the service stops") for member in members]

    def _dismiss(self, member: Member, code: CloseCode, reason: str, now: float) -> list[MemberOutput]:
        self.leave(member, now)
        return [MemberClose(member, code, reason)]

    # ------------------------------------------------------------------------------------------- messages

    def seen(self, member: Member, now: float) -> None:
        """A sign of life."""
        member.last_seen = now
        member.pinged = False

    def receive(self, member: Member, frame: bytes | str, now: float) -> list[MemberOutput]:
        """A text frame came. Whatever it holds, only its sender is told of what is wrong with it."""
        if member.closed:
            return []
        self.seen(member, now)
        try:
            if not self._may_send(member, len(frame), now):
                raise LobbyRefusal(LobbyReason.TOO_MANY_REQUESTS)
            message = decode_lobby_message(frame)
            outputs = self._take(self._rooms[member.room], member, message, now)
            self.stats.count_message(kind_of(message))
            return outputs
        except LobbyRefusal as refusal:
            return self._refused(member, refusal, now)

    def _take(
        self, room: Room, member: Member, message: NameClaim | ChatMessage | CallMessage | Ping, now: float
    ) -> list[MemberOutput]:
        if isinstance(message, Ping):
            return [MemberSend(member, pong_frame())]
        if isinstance(message, NameClaim):
            return self._claim(room, member, message, now)
        about = kind_of(message)
        if not member.name:
            raise LobbyRefusal(LobbyReason.NO_NAME, about=about, target=message.target)
        if isinstance(message, ChatMessage):
            return self._chat(room, member, message, now)
        if message.kind == "hang-up":
            return self._hang_up(room, member, message)
        return self._call(room, member, message, now)

    def _may_send(self, member: Member, size: int, now: float) -> bool:
        rate = self.limits.message_rate
        cost = min(max(1.0, size / 1024), rate) if size <= MAX_LOBBY_FRAME else 1.0
        return member.allowance.spend(cost, rate=rate, burst=2 * rate, now=now)

    def _may_address_all(self, member: Member, now: float) -> bool:
        rate = self.limits.chat_rate
        return member.room_allowance.spend(1.0, rate=rate, burst=5 * rate, now=now)

    def _may_offer(self, member: Member, now: float) -> bool:
        rate = self.limits.offer_rate
        return member.offers_allowance.spend(1.0, rate=rate, burst=5 * rate, now=now)

    def _refused(self, member: Member, refusal: LobbyRefusal, now: float) -> list[MemberOutput]:
        if now - member.refused_at > _FLOOD_TIME:
            member.refused, member.refused_at = 0, now
        member.refused += 1
        self.stats.count_refusal(refusal.reason)
        if member.refused >= _FLOOD:
            return self._dismiss(member, CloseCode.POLICY, "too many messages that were refused", now)
        if member.refused > _ERROR_BURST and member.refused % 10:
            return []
        return [MemberSend(member, error_frame(refusal))]

    # ---------------------------------------------------------------------------------------------- names

    def _claim(self, room: Room, member: Member, claim: NameClaim, now: float) -> list[MemberOutput]:
        if not self._may_address_all(member, now):
            raise LobbyRefusal(LobbyReason.TOO_MANY_REQUESTS, about="username")
        outputs: list[MemberOutput] = []
        holder = room.members.get(claim.name)
        if holder is not None and holder is not member and _is_same(claim.resume, holder.resume):
            return self._resume(room, member, holder)
        if not member.name and (reason := self._full(room.members.values(), member)) is not None:
            refusal = self._no_place(reason)
            return [
                MemberSend(member, error_frame(refusal)),
                *self._dismiss(member, CloseCode.TRY_LATER, "there is no place", now),
            ]
        name = claim.name
        if holder is not None and holder is not member:
            number = 1
            while another_name(name, number) in room.members:
                number += 1
            name = another_name(name, number)
            outputs.append(MemberSend(member, name_given_frame(member.number, name)))
        elif claim.asked:
            outputs.append(MemberSend(member, name_given_frame(member.number, name)))
        if member.name == name:
            return [*outputs, self._whole_list(room, member)]
        if member.name:
            room.remove(member.name)
        room.add(name, member)
        return [*outputs, self._whole_list(room, member), *self._tell_soon(room, now)]

    def _resume(self, room: Room, member: Member, holder: Member) -> list[MemberOutput]:
        """The same person on a new socket, the old one being of a network that is gone: same name, place and calls."""
        outputs: list[MemberOutput] = []
        if member.name:
            room.remove(member.name)
            outputs.append(MemberSend(member, name_given_frame(member.number, holder.name)))
        room.nameless.discard(member)
        room.members[holder.name] = member
        member.name, member.peer, member.partners = holder.name, holder.peer, holder.partners
        holder.name, holder.partners, holder.closed = "", {}, True
        return [
            MemberClose(holder, CloseCode.REPLACED, "its owner came back on another connection"),
            *outputs,
            self._whole_list(room, member),
        ]

    # ----------------------------------------------------------------------------------------------- calls

    def _found(self, room: Room, member: Member, about: str, name: str) -> Member:
        target = room.members.get(name)
        if target is None:
            raise LobbyRefusal(LobbyReason.UNKNOWN_TARGET, about=about, target=name)
        if target is member:
            raise LobbyRefusal(LobbyReason.TO_ONESELF, about=about, target=name)
        return target

    def _call(self, room: Room, member: Member, message: CallMessage, now: float) -> list[MemberOutput]:
        target = self._found(room, member, message.kind, message.target or "")
        if message.kind == "video-offer":
            if not self._may_offer(member, now):
                raise LobbyRefusal(LobbyReason.TOO_MANY_REQUESTS, about=message.kind, target=target.name)
            # From either side, also of a call that is up: the sample's callee offers as soon as it has answered.
            member.remember(target.name)
            target.remember(member.name)
        elif not _have_call(member, target):
            raise LobbyRefusal(LobbyReason.NO_CALL, about=message.kind, target=target.name)
        if message.kind != "new-ice-candidate":
            member.peer = target.name
        return [MemberSend(target, call_frame(message, member.name, target.name))]

    def _hang_up(self, room: Room, member: Member, message: CallMessage) -> list[MemberOutput]:
        """Only to somebody with whom there was an offer: the sample ends its call at any hang-up, whoever sent it.

        A hang-up that comes too late is no fault: both sides may end a call at once.
        """
        name = message.target or member.peer
        if not name:
            return []
        if message.target is None and name not in room.members:
            member.forget(name)
            return []
        target = self._found(room, member, message.kind, name)
        if not _have_call(member, target):
            return []
        member.forget(target.name)
        target.forget(member.name)
        return [MemberSend(target, call_frame(message, member.name, target.name))]

    def _chat(self, room: Room, member: Member, message: ChatMessage, now: float) -> list[MemberOutput]:
        if message.target is not None:
            receivers = [self._found(room, member, "message", message.target)]
        elif self._may_address_all(member, now):
            receivers = list(room.members.values())
        else:
            raise LobbyRefusal(LobbyReason.TOO_MANY_REQUESTS, about="message")
        frames = {plain: chat_frame(message, member.name, plain=plain) for plain in {to.extras for to in receivers}}
        return [MemberSend(to, frames[to.extras]) for to in receivers]

    # ------------------------------------------------------------------------------------------------ lists

    def _whole_list(self, room: Room, member: Member) -> MemberOutput:
        member.version = room.version
        return MemberSend(member, user_list_frame(list(room.members)))

    def _tell_soon(self, room: Room, now: float) -> list[MemberOutput]:
        """The others are told of a change: now, or as soon as the last telling is long enough ago."""
        due = self._set_due(room, now)
        return self._tell(room, now) if now >= due else []

    def _set_due(self, room: Room, now: float) -> float:
        if room.due is None:
            room.due = max(now, room.listed_at + self.limits.list_interval)
        return room.due

    def _tell(self, room: Room, now: float) -> list[MemberOutput]:
        whole: bytes | None = None
        changes: bytes | None = None
        outputs: list[MemberOutput] = []
        size = 0
        for member in room.members.values():
            if member.version == room.version:
                continue
            if member.extras:
                changes = changes or user_changes_frame(list(room.left), list(room.joined))
                frame = changes
            else:
                whole = whole or user_list_frame(list(room.members))
                frame = whole
            member.version = room.version
            size += len(frame)
            outputs.append(MemberSend(member, frame))
        room.left.clear()
        room.joined.clear()
        self.stats.list_bytes += size
        # What this cost decides when the next is due.
        room.listed_at = now + max(0.0, size / self.limits.list_bytes - self.limits.list_interval)
        room.due = None
        return outputs

    # ------------------------------------------------------------------------------------------------- time

    def tick(self, now: float) -> list[MemberOutput]:
        """What is due by now; to be called several times a second."""
        outputs: list[MemberOutput] = []
        if now - self._checked_at >= 1.0:
            self._checked_at = now
            for member in list(self.members()):
                outputs += self._checked(member, now)
        for room in self._rooms.values():
            if room.due is not None and now >= room.due:
                outputs += self._tell(room, now)
        return outputs

    def _checked(self, member: Member, now: float) -> list[MemberOutput]:
        if member.until is not None and now >= member.until:
            return self._dismiss(member, CloseCode.NOT_ALLOWED, "the link has expired", now)
        silence = now - member.last_seen
        if silence >= self.timers.dead:
            self.leave(member, now)
            return [MemberDrop(member, "no sign of life")]
        if not member.name and now - member.opened_at >= self.limits.naming:
            return self._dismiss(member, CloseCode.IDLE, "it claimed no name", now)
        if silence >= self.timers.ping and not member.pinged:
            member.pinged = True
            return [MemberPing(member)]
        return []


def _have_call(one: Member, other: Member) -> bool:
    """Whether there was an offer between the two, in either direction; one that came back may have forgotten it."""
    return other.name in one.partners or one.name in other.partners


def _is_same(told: str, resume: str) -> bool:
    return bool(resume) and hmac.compare_digest(told.encode("utf-8", "replace"), resume.encode())
