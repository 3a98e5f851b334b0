"""One channel's clients, and what those with extras are told of each other (``wire.extras``)."""

from __future__ import annotations

from collections import deque

from ..reasons import Reason
from ..wire.close_codes import CloseCode
from ..wire.extras import Extra, MasterState, SocketState, master_payload, notice_frame, viewer_socket_payload
from ..wire.messages import encode_relayed
from .connection import Close, Connection, Output, Role, Send
from .pending import PendingQueue

__all__ = ["MASTER", "Channel", "dismissed", "told"]

MASTER = ""
"""The id under which a channel's master stands; a viewer's is never empty."""


class Channel:
    """The connected clients of one channel, by client id, the master under ``MASTER``."""

    __slots__ = ("arn", "askers", "evictions", "members", "muted", "pending", "ttl")

    def __init__(self, arn: str, ttl: float) -> None:
        self.arn = arn
        self.ttl = ttl
        self.members: dict[str, Connection] = {}
        self.muted: dict[str, list[Connection]] = {}
        self.pending: dict[str, PendingQueue] = {}
        self.evictions: dict[str, deque[float]] = {}
        self.askers: set[Connection] = set()
        """Which viewers wait for a sign of life of the master."""

    def viewers(self) -> int:
        """How many viewers are connected and heard."""
        return len(self.members) - (MASTER in self.members)

    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.members or self.muted or self.pending)

    def all_connections(self) -> list[Connection]:
        """The open sockets, the muted ones too."""
        return [*self.members.values(), *(loser for losers in self.muted.values() for loser in losers)]

    # -- what a master is told of its viewers

    def sockets_told(self, connection: Connection) -> list[Output]:
        """Whose sockets are open, for a master that came; or that this viewer's is, for the master that is there."""
        if connection.role is Role.VIEWER:
            return self.socket_told(connection, is_open=True)
        viewers = [member for key, member in self.members.items() if key != MASTER]
        return [output for viewer in viewers for output in self.socket_told(viewer, is_open=True)]

    def socket_told(self, viewer: Connection, *, is_open: bool) -> list[Output]:
        """That a viewer's socket opened or closed."""
        master = self.members.get(MASTER)
        if master is None or not master.extras:
            return []
        state = SocketState(open=is_open, extras=viewer.extras, role=viewer.viewer_role)
        return [Send(master, encode_relayed(Extra.VIEWER.value, viewer_socket_payload(state), viewer.client_id))]

    # -- what viewers are told of their master

    def master_told(self, viewer: Connection) -> list[Output]:
        """Whether the master is there, for one viewer."""
        return [Send(viewer, self._master_frame())] if viewer.extras else []

    def master_told_to_all(self) -> list[Output]:
        """The same for all viewers."""
        frame = self._master_frame()
        return [Send(member, frame) for key, member in self.members.items() if key != MASTER and member.extras]

    def _master_frame(self) -> bytes:
        master = self.members.get(MASTER)
        state = MasterState(present=master is not None, ours=master is not None and master.extras)
        return encode_relayed(Extra.MASTER.value, master_payload(state), MASTER)


def told(connection: Connection, reason: Reason, message: str = "") -> list[Output]:
    """A notice, for a socket that understands it."""
    return [Send(connection, notice_frame(reason, message))] if connection.extras else []


def dismissed(connection: Connection, reason: Reason, code: CloseCode, message: str) -> list[Output]:
    """Close a socket; one with extras is told why before."""
    return [*told(connection, reason), Close(connection, code, message)]
