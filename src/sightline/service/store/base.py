"""The interface of a store. Reads answer from memory at once; writes are durable when their awaitable is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from .records import Channel, Key

__all__ = ["Store"]


class Store(Protocol):
    """Channels, tags, keys and links of one service."""

    @property
    def service_secret(self) -> bytes:
        """A random secret of this service, made once: link tokens and built-in TURN credentials hang on it."""

    def channel(self, arn: str) -> Channel | None:
        """The channel with that ARN."""

    def channel_named(self, name: str) -> Channel | None:
        """The channel with that name."""

    def channels(self) -> Iterable[Channel]:
        """All channels, sorted by name."""

    def key(self, access_key_id: str) -> Key | None:
        """The key with that id, revoked and expired ones too."""

    def all_keys(self) -> Iterable[Key]:
        """All keys and links, oldest first."""

    async def create_channel(self, channel: Channel) -> None:
        """Raises ResourceInUse when the name is taken, AccountChannelLimitExceeded when the service is full."""

    async def update_channel(self, arn: str, *, message_ttl: int, current_version: str, version: str) -> None:
        """Raises ResourceNotFound or VersionMismatch."""

    async def delete_channel(self, arn: str, *, current_version: str | None) -> None:
        """Raises ResourceNotFound or VersionMismatch."""

    async def tag_channel(self, arn: str, *, put: Mapping[str, str], remove: Iterable[str]) -> None:
        """Raises ResourceNotFound or TagsPerResourceExceeded; a refused call changes nothing."""

    async def put_key(self, key: Key) -> None:
        """Add a key, or replace the one with its id."""

    async def aclose(self) -> None:
        """Write what is pending and close. Repeatable."""
