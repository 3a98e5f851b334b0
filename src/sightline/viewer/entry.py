"""The way to a channel: by a link, or by a key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..client.control import ControlPlane
from ..client.link import link_session, read_link
from ..client.target import find_target
from ..wire.sigv4 import Credentials
from .link import SessionInfo

__all__ = ["Entry", "SessionProvider"]

SessionProvider = Callable[[str], Awaitable[SessionInfo]]
"""Given the client id; raises ConnectError."""


class Entry:
    """``open``, then ask it for sessions, then ``aclose``."""

    def __init__(
        self,
        channel: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """``channel``: name, ARN or link; the others default as ``client.target.find_target`` says.

        Raises ConfigError for a link that is none.
        """
        self._link = read_link(channel) if channel.startswith(("https://", "http://")) else None
        self.channel = self._link.channel if self._link is not None else channel
        """Its name or ARN, also where a link was given."""
        self._where = (endpoint, region, credentials)
        self._control: ControlPlane | None = None

    async def open(self) -> None:
        """Raises ConfigError when no service can be meant."""
        if self._link is None:
            endpoint, region, credentials = self._where
            target = await asyncio.to_thread(find_target, endpoint, region=region, credentials=credentials)
            self._control = ControlPlane(target=target)

    async def __call__(self, client_id: str) -> SessionInfo:
        """See ``SessionProvider``."""
        if self._link is not None:
            return await link_session(self._link, client_id)
        assert self._control is not None
        return await self._control.viewer_session(self.channel, client_id)

    async def aclose(self) -> None:
        """Idempotent."""
        if self._control is not None:
            await self._control.aclose()
