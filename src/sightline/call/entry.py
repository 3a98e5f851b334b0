"""The way into a room: by a link, by an open lobby, or by a key, with which a link is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from ..client.admin import Admin, Link
from ..client.control import IceServer
from ..client.link import PageIceServer, ask_for_session, ice_servers_of, without_token
from ..client.refusals import LinkRefused, NotAllowed
from ..client.target import Target, find_target
from ..errors import ConfigError, ConnectError
from ..reasons import Reason
from ..wire.ids import is_name
from ..wire.sigv4 import Credentials

__all__ = ["CallLink", "KeyedEntry", "RoomSession", "SessionProvider", "enter_by_link", "read_call_link"]

_OPEN_ROOM: Final = "lobby"
"""The room of those who name none."""

_LINK_LIFE: Final = 8 * 3600.0
"""Seconds of a link that a key's owner makes for the own use; it is made anew when it has expired."""


class RoomSession(msgspec.Struct, frozen=True):
    """What one connection to a room's lobby needs."""

    url: str
    """Of the socket, with a ticket that is good for a minute."""
    room: str
    ice_servers: tuple[IceServer, ...] = ()
    ca_files: tuple[Path, ...] = ()
    """Certificates to trust beside the system's."""

    def __repr__(self) -> str:
        return f"RoomSession({self.room!r}, …)"


SessionProvider = Callable[[], Awaitable[RoomSession]]
"""Raises ConnectError."""


class CallLink(msgspec.Struct, frozen=True):
    """``https://HOST/call?room=ROOM#TOKEN`` in its parts."""

    service: str
    """Where the service is, without a trailing slash."""
    room: str
    """Empty: the link's own, or ``lobby``."""
    token: str
    """A secret: whoever has it may enter. Empty for an open lobby."""

    def __repr__(self) -> str:
        return f"CallLink({self.service!r}, {self.room!r}, …)"


def read_call_link(url: str, room: str | None = None) -> CallLink:
    """Take a link to a room apart; raises ConfigError for text that is none, and for one to another ``room``."""
    parts = urlsplit(url.strip())
    path = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or not path.endswith("/call"):
        shown = without_token(url)
        raise ConfigError(f"That is no link to a room: it reads https://HOST/call?room=ROOM#TOKEN, not {shown}.")
    named = (parse_qs(parts.query).get("room") or [""])[0]
    if room and named and room != named:
        raise ConfigError(f"The link is to the room {named!r}, and not to {room!r}. Leave --room out.")
    service = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/call')}"
    return CallLink(service, _checked(named or room or ""), parts.fragment)


def enter_by_link(link: CallLink) -> SessionProvider:
    """Asks with the link's token."""
    return lambda: _session(link)


class KeyedEntry:
    """Asks without a link, as an open lobby allows; where it is not open, with a link that the key makes for itself."""

    def __init__(
        self,
        room: str | None = None,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
        target: Target | None = None,
    ) -> None:
        """``endpoint``, ``region`` and ``credentials`` default as ``client.target.find_target`` says."""
        self._room = _checked(room or _OPEN_ROOM)
        self._where = (endpoint, region, credentials)
        self._target = target
        self._admin: Admin | None = None
        self._link: Link | None = None

    async def __call__(self) -> RoomSession:
        """See ``SessionProvider``. Raises ConfigError when no service can be meant."""
        target = await self._find()
        place = CallLink(target.endpoint, self._room, self._link.token if self._link is not None else "")
        try:
            return await _session(place)
        except LinkRefused as error:
            ours_has_expired = self._link is not None and error.reason is Reason.LINK_EXPIRED
            if not (ours_has_expired or error.reason is Reason.LINK_REQUIRED) or target.credentials is None:
                raise
            self._link = await self._make_link(target, error)
        return await _session(CallLink(target.endpoint, self._room, self._link.token))

    async def _make_link(self, target: Target, wanted: LinkRefused) -> Link:
        if self._admin is None:
            self._admin = Admin(target=target)
        try:
            return await self._admin.create_link(self._room, role="caller", expires_in=_LINK_LIFE)
        except NotAllowed:
            raise wanted from None  # this key may make no links: somebody else has to

    async def aclose(self) -> None:
        """Give back a link that was made. Idempotent."""
        admin, self._admin = self._admin, None
        link, self._link = self._link, None
        if admin is None:
            return
        try:
            if link is not None:
                await admin.revoke_link(link.link_id)
        except ConnectError:
            pass  # it ends by itself, in hours
        finally:
            await admin.aclose()

    async def _find(self) -> Target:
        if self._target is None:
            endpoint, region, credentials = self._where
            self._target = await asyncio.to_thread(find_target, endpoint, region=region, credentials=credentials)
        if self._target.is_aws:
            raise ConfigError("AWS has no rooms to call in; name the endpoint of a Sightline, or give a link.")
        return self._target


class _Answer(msgspec.Struct, rename="camel"):
    url: str
    room: str
    ice_servers: list[PageIceServer]


async def _session(link: CallLink) -> RoomSession:
    wanted = {"room": link.room} if link.room else {}
    answer, ca_files = await ask_for_session(link.service, "call-session", wanted, token=link.token, form=_Answer)
    return RoomSession(answer.url, answer.room, ice_servers_of(answer.ice_servers), ca_files)


def _checked(room: str) -> str:
    if room and not is_name(room):
        raise ConfigError(f"{room[:40]!r} is no name of a room: it has letters, digits, '.', '_' or '-'.")
    return room
