"""What the store keeps: channels and keys."""

from __future__ import annotations

import fnmatch
from enum import StrEnum

import msgspec

from ...wire.arn import ChannelArn

__all__ = ["OPERATE", "ROLE_ACTIONS", "Channel", "Grant", "Key", "KeyKind", "KeyRole", "KeyState"]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A signaling channel. ``created_ms`` is epoch milliseconds, as in its ARN; ``message_ttl`` is in seconds."""

    arn: str
    name: str
    created_ms: int
    message_ttl: int
    version: str
    tags: dict[str, str]

    @classmethod
    def new(
        cls,
        *,
        region: str,
        account: str,
        name: str,
        created_ms: int,
        message_ttl: int,
        version: str,
        tags: dict[str, str],
    ) -> Channel:
        """A channel with the ARN that belongs to its name and time of creation."""
        arn = str(ChannelArn(region, account, name, created_ms))
        return cls(arn=arn, name=name, created_ms=created_ms, message_ttl=message_ttl, version=version, tags=tags)


class KeyKind(StrEnum):
    """A key is what somebody signs with; a link is a key that only the service itself signs with, for pages."""

    KEY = "key"
    LINK = "link"


class KeyRole(StrEnum):
    """Presets over KVS's own action names."""

    ADMIN = "admin"
    MASTER = "master"
    VIEWER = "viewer"
    OPERATOR = "operator"
    """A viewer whose commands the device obeys."""
    CALLER = "caller"
    """Of links only: for a room of the lobby, whose name stands where others have the channel's."""


class KeyState(StrEnum):
    """Whether a key may still be used."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


_SHARED = (
    "kinesisvideo:DescribeSignalingChannel",
    "kinesisvideo:ListTagsForResource",
    "kinesisvideo:DescribeMediaStorageConfiguration",
    "kinesisvideo:GetSignalingChannelEndpoint",
    "kinesisvideo:GetIceServerConfig",
)
_VIEWER = (*_SHARED, "kinesisvideo:ConnectAsViewer", "kinesisvideo:SendAlexaOfferToMaster")

OPERATE = "sightline:OperateDevice"
"""The action that makes a viewer an operator; an administrator's ``sightline:*`` covers it."""

ROLE_ACTIONS: dict[KeyRole, tuple[str, ...]] = {
    KeyRole.ADMIN: ("kinesisvideo:*", "sightline:*"),
    # The C SDK's master creates its channel when it is not there (KVS.md §2.5).
    KeyRole.MASTER: (
        *_SHARED,
        "kinesisvideo:CreateSignalingChannel",
        "kinesisvideo:ConnectAsMaster",
        "sightline:ListViewers",
    ),
    KeyRole.VIEWER: _VIEWER,
    KeyRole.OPERATOR: (*_VIEWER, OPERATE),
    KeyRole.CALLER: (),
}


class Grant(msgspec.Struct, frozen=True):
    """Actions on the channels whose name matches a pattern of ``*`` and ``?``."""

    actions: tuple[str, ...]
    channels: str

    def allows(self, action: str, channel_name: str | None) -> bool:
        """Whether the action is covered on that channel; None stands for an action on no one channel."""
        if not any(granted == action or fnmatch.fnmatchcase(action, granted) for granted in self.actions):
            return False
        if self.channels == "*":
            return True
        return channel_name is not None and fnmatch.fnmatchcase(channel_name, _literal_brackets(self.channels))


def _literal_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A signing key with what it may do. Times are epoch seconds."""

    access_key_id: str
    secret_access_key: str
    kind: KeyKind
    role: KeyRole
    grant: Grant
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    note: str = ""

    def __repr__(self) -> str:
        return f"<{self.kind} {self.access_key_id} {self.role} {self.grant.channels}>"

    def state(self, now: float) -> KeyState:
        """Active, expired or revoked."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and now >= self.expires_at:
            return KeyState.EXPIRED
        return KeyState.ACTIVE
