"""What the lobby knows of one socket and of one room, and what it asks the shell to do."""

from __future__ import annotations

import math

import msgspec

from ..reasons import LobbyReason
from ..wire.close_codes import CloseCode

__all__ = ["LobbyStats", "Member", "MemberClose", "MemberDrop", "MemberOutput", "MemberPing", "MemberSend", "Room"]

MAX_PARTNERS = 64
"""So many are remembered with whom there was an offer; nobody has more than one call at a time."""


class Allowance:
    """How much a socket may still do now: so much a second, and what it saved up, up to a burst. Full at first."""

    __slots__ = ("_left", "_since")

    def __init__(self, now: float) -> None:
        self._left = math.inf
        self._since = now

    def spend(self, cost: float, *, rate: float, burst: float, now: float) -> bool:
        """Whether there is enough for ``cost``, which is then spent."""
        self._left = min(burst, self._left + (now - self._since) * rate)
        self._since = now
        if self._left < cost:
            return False
        self._left -= cost
        return True


class Member:
    """One socket in a room."""

    __slots__ = (
        "allowance",
        "closed",
        "extras",
        "key_id",
        "last_seen",
        "name",
        "number",
        "offers_allowance",
        "opened_at",
        "partners",
        "peer",
        "pinged",
        "refused",
        "refused_at",
        "resume",
        "room",
        "room_allowance",
        "shell",
        "until",
        "version",
    )

    def __init__(
        self,
        room: str,
        *,
        resume: str,
        key_id: str = "",
        until: float | None = None,
        extras: bool = False,
        now: float,
        shell: object = None,
    ) -> None:
        """``resume`` is not to be guessed: with it a later socket takes this one's name over. ``until``: when its link
        runs out. ``shell`` is the I/O side's own object, never touched here."""
        self.room = room
        self.resume = resume
        self.key_id = key_id
        self.until = until
        self.extras = extras
        """It wants changes of the list instead of the list, and text as it was written."""
        self.shell = shell
        self.number = 0
        self.name = ""
        self.peer = ""
        """To whom its last offer or answer went: whom a hang-up without a target means."""
        self.partners: dict[str, None] = {}
        """The names with whom there was an offer in either direction."""
        self.version = -1
        """Of the list that it was told last."""
        self.opened_at = self.last_seen = now
        self.pinged = False
        self.allowance = Allowance(now)
        self.room_allowance = Allowance(now)
        self.offers_allowance = Allowance(now)
        self.refused = 0
        self.refused_at = now
        self.closed = False

    def __repr__(self) -> str:
        return f"<{self.name or 'nobody'} in {self.room}>"

    def remember(self, name: str) -> None:
        """There was an offer between the two."""
        self.partners.pop(name, None)
        self.partners[name] = None
        if len(self.partners) > MAX_PARTNERS:
            del self.partners[next(iter(self.partners))]

    def forget(self, name: str) -> None:
        """What was between the two is over."""
        self.partners.pop(name, None)
        if self.peer == name:
            self.peer = ""


class Room:
    """The sockets of one room."""

    __slots__ = ("due", "joined", "left", "listed_at", "members", "nameless", "version")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        """Those with a name, in the order of their coming."""
        self.nameless: set[Member] = set()
        self.version = 0
        """Counts the changes of the list."""
        self.left: dict[str, None] = {}
        """Names that went since the others were told last."""
        self.joined: dict[str, None] = {}
        """Names that came since the others were told last."""
        self.listed_at = float("-inf")
        self.due: float | None = None
        """When the others are told."""

    def __len__(self) -> int:
        return len(self.members) + len(self.nameless)

    def sockets(self) -> list[Member]:
        """All of them."""
        return [*self.members.values(), *self.nameless]

    def add(self, name: str, member: Member) -> None:
        """The member has that name from now on."""
        self.nameless.discard(member)
        self.members[name] = member
        member.name = name
        self.joined.pop(name, None)
        self.joined[name] = None
        self.version += 1

    def remove(self, name: str) -> None:
        """Nobody has that name any more."""
        del self.members[name]
        self.joined.pop(name, None)
        # Also one that came since: who came later got a list with it.
        self.left[name] = None
        self.version += 1


class LobbyStats:
    """Counters since the start."""

    def __init__(self) -> None:
        self.messages: dict[str, int] = {}
        """What was taken, by type."""
        self.refusals: dict[LobbyReason, int] = {}
        self.list_bytes = 0
        """Of all lists of who is there, and of their changes."""

    def count_message(self, kind: str) -> None:
        """One was taken."""
        self.messages[kind] = self.messages.get(kind, 0) + 1

    def count_refusal(self, reason: LobbyReason) -> None:
        """One was not."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1


class MemberSend(msgspec.Struct, frozen=True, gc=False):
    """Send this text frame."""

    to: Member
    frame: bytes


class MemberClose(msgspec.Struct, frozen=True, gc=False):
    """Close with a WebSocket close code."""

    to: Member
    code: CloseCode
    reason: str


class MemberPing(msgspec.Struct, frozen=True, gc=False):
    """Send a WebSocket ping."""

    to: Member


class MemberDrop(msgspec.Struct, frozen=True, gc=False):
    """The peer is dead: cut the connection without a handshake."""

    to: Member
    reason: str


MemberOutput = MemberSend | MemberClose | MemberPing | MemberDrop
