"""What the exchange knows of one signaling socket, and what it asks the shell to do."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..wire.close_codes import CloseCode
from ..wire.extras import ViewerRole

__all__ = ["Close", "Connection", "Drop", "Muted", "Output", "Ping", "Role", "Send"]


class Role(StrEnum):
    """Who is at the other end; decided by the path of the socket (KVS.md §5.1)."""

    MASTER = "MASTER"
    VIEWER = "VIEWER"


class Connection:
    """One socket. Ten thousand of them may be open, hence the slots and nothing that could be computed."""

    __slots__ = (
        "access_key_id",
        "asked_until",
        "channel_arn",
        "check_due",
        "client_id",
        "closed",
        "extras",
        "held_until",
        "last_active",
        "last_seen",
        "leaves_at",
        "muted_until",
        "obeys_go_away",
        "opened_at",
        "refused",
        "refused_since",
        "role",
        "shell",
        "tokens",
        "tokens_at",
        "viewer_role",
    )

    def __init__(
        self,
        channel_arn: str,
        role: Role,
        client_id: str,
        *,
        access_key_id: str = "",
        obeys_go_away: bool = False,
        extras: bool = False,
        viewer_role: ViewerRole | None = None,
        now: float,
        shell: object = None,
    ) -> None:
        """``client_id`` is empty for a master. ``shell`` is the I/O side's own object, never touched here."""
        self.channel_arn = channel_arn
        self.role = role
        self.client_id = client_id
        self.access_key_id = access_key_id
        self.obeys_go_away = obeys_go_away
        """It asked for extras, or is the C SDK: others ignore GO_AWAY or crash on it (KVS.md §5.3)."""
        self.extras = extras
        """It asked for what ``wire.extras`` has."""
        self.viewer_role = viewer_role
        """What its master is told of a viewer; None for a master, and when its key was revoked."""
        self.shell = shell
        self.opened_at = self.last_seen = self.last_active = now
        self.muted_until = 0.0
        self.held_until = 0.0
        """Until then what waits for it is held back, because it is likely to be stale; 0 when nothing is."""
        self.asked_until = 0.0
        """By then it must give a sign of life, because somebody asked for it; 0 when nobody did."""
        self.leaves_at = 0.0
        """When it is closed for its age; 0 as long as it is not old, or was not yet told to go."""
        self.closed = False
        self.check_due = 0.0
        self.tokens = -1.0
        """Messages it may send now; -1 before the first."""
        self.tokens_at = now
        self.refused = 0
        self.refused_since = now

    def __repr__(self) -> str:
        return f"<{self.role.lower()} {self.client_id or '-'} of {self.channel_arn}>"


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send this text frame."""

    to: Connection
    frame: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close with a WebSocket close code, ``after`` seconds."""

    to: Connection
    code: CloseCode
    reason: str
    after: float = 0.0


class Drop(msgspec.Struct, frozen=True, gc=False):
    """The peer is dead: cut the connection without a handshake."""

    to: Connection
    reason: str


class Ping(msgspec.Struct, frozen=True, gc=False):
    """Send a WebSocket ping."""

    to: Connection


class Muted(msgspec.Struct, frozen=True, gc=False):
    """For the log: two clients fight for one id; this one stays open and unheard for ``seconds``."""

    to: Connection
    seconds: float


Output = Send | Close | Drop | Ping | Muted
