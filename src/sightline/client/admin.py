"""What only a Sightline has: keys with roles, links to pages, who watches (``/sightline/v1/…``, SigV4-signed)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from ..errors import ConfigError
from ..wire.extras import ViewerPresence
from .api_client import ApiClient
from .refusals import NotAService
from .target import Target

__all__ = ["Admin", "ChannelViewers", "Link", "LinkInfo", "NewKey", "SigningKey"]

T = TypeVar("T")


class NewKey(msgspec.Struct, frozen=True, rename="camel"):
    """A key that was just made. The secret is told this once."""

    access_key_id: str
    secret_access_key: str
    role: str
    channel: str
    expires_at: float | None = None
    """Epoch seconds; None: never."""

    def __repr__(self) -> str:
        return f"NewKey({self.access_key_id!r}, …)"


class SigningKey(msgspec.Struct, frozen=True, rename="camel"):
    """A key as the service lists it."""

    access_key_id: str
    role: str
    channel: str
    state: str
    """active, expired or revoked"""
    created_at: float = 0.0
    expires_at: float | None = None
    note: str = ""


class Link(msgspec.Struct, frozen=True, rename="camel"):
    """A link to a page. Whoever has the token may do what it says until it expires."""

    token: str
    link_id: str
    channel: str
    role: str
    expires_at: float
    urls: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Link({self.link_id!r}, …)"


class LinkInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A link as the service lists it."""

    link_id: str
    channel: str
    role: str
    expires_at: float
    state: str = ""


class ChannelViewers(msgspec.Struct, frozen=True, rename="camel"):
    """Who watches a channel, as its master reported it last."""

    channel: str
    master_connected: bool
    reported_at: float | None = None
    """Epoch seconds by the service's clock; None when there is no master, or one that reports nothing (not ours)."""
    total: int = 0
    """How many there are; over about 300 not all of them are listed."""
    viewers: tuple[ViewerPresence, ...] = ()


class _Keys(msgspec.Struct):
    credentials: tuple[SigningKey, ...]


class _Links(msgspec.Struct):
    links: tuple[LinkInfo, ...]


class _Revoked(msgspec.Struct, rename="camel"):
    closed_sockets: int = 0


class Admin(ApiClient):
    """Talks to one Sightline as its administrator. Arguments as for `ControlPlane`; raises ConnectError."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        target: Target | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(endpoint, target=target, clock=clock)
        if self.target.is_aws:
            raise ConfigError("AWS has no links and no keys of Sightline's kind; name the endpoint of a Sightline.")

    async def create_credentials(
        self, *, role: str, channel: str = "*", expires_in: float | None = None, note: str = ""
    ) -> NewKey:
        """A new key. `role` is admin, master, viewer or operator; `channel` a pattern with ``*`` and ``?``;
        `expires_in` seconds, None for never."""
        body = {"role": role, "channel": channel, "expiresIn": expires_in, "note": note}
        return await self._post("credentials/create", body, NewKey)

    async def list_credentials(self) -> Sequence[SigningKey]:
        """All keys, without their secrets."""
        return (await self._post("credentials/list", {}, _Keys)).credentials

    async def revoke_credentials(self, access_key_id: str) -> int:
        """Ends a key; the number of its sockets that are closed."""
        body = {"accessKeyId": access_key_id}
        return (await self._post("credentials/revoke", body, _Revoked)).closed_sockets

    async def create_link(self, channel: str, *, role: str = "viewer", expires_in: float = 8 * 3600) -> Link:
        """A link to the channel's page. `role` is viewer, operator, master, or caller (then `channel` is the room);
        `expires_in` at most 86400 seconds."""
        body = {"channel": channel, "role": role, "expiresIn": expires_in}
        return await self._post("links/create", body, Link)

    async def list_links(self) -> Sequence[LinkInfo]:
        """All links that have not ended long ago."""
        return (await self._post("links/list", {}, _Links)).links

    async def revoke_link(self, link_id: str) -> int:
        """Ends a link; the number of its sockets that are closed."""
        return (await self._post("links/revoke", {"linkId": link_id}, _Revoked)).closed_sockets

    async def viewers(self, channel: str) -> ChannelViewers:
        """Who watches the channel (name or ARN). Not for administrators only: the channel's master and viewers may
        ask too, and viewers learn no addresses."""
        return await self._post("viewers", {"channel": channel}, ChannelViewers)

    async def _post(self, path: str, body: Mapping[str, object], answer: type[T]) -> T:
        def post() -> T:
            members = self._api.post(f"/sightline/v1/{path}", body)
            try:
                return msgspec.convert(members, answer)
            except msgspec.ValidationError as error:
                raise NotAService(
                    f"{self.target.endpoint} gave an answer that this version does not understand ({error}). "
                    "Use the same version of Sightline on both sides."
                ) from error

        return await self._worker.run(post)
