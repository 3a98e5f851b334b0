"""The connections of somebody's calls, one after the other: what is sent over them, and what they may use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ..media.source import Source, open_source
from ..rtc.call_peer import CallPeer
from ..rtc.certificates import Certificate
from ..rtc.engine import Engine
from ..rtc.ice.config import IceConfig
from ..rtc.rtp.fanout import Feed
from ..timers import DEFAULT_TIMERS, Timers
from ..viewer.peers import ice_of_session
from .lobby import LobbyClient

__all__ = ["Nothing", "Peers"]


class Nothing:
    """What somebody sends who only looks and listens, see ``rtc.outgoing.OutgoingMedia``."""

    @property
    def video_feeds(self) -> Mapping[str, Feed]:
        """None at all."""
        return {}

    def renditions(self, codec: str) -> Sequence[Feed]:
        """None."""
        return ()

    @property
    def audio(self) -> Feed | None:
        """None."""
        return None


class Peers:
    """``open``, then ``make`` for each call, then ``aclose``."""

    def __init__(self, source: Source | str | None, *, ice: IceConfig, timers: Timers = DEFAULT_TIMERS) -> None:
        """``source``: a text is opened, and closed in the end; anything else is somebody's own."""
        self._wanted = source
        self._ice = ice
        self._timers = timers
        self._owned: Source | None = None
        self._engine: Engine | None = None

    async def open(self) -> None:
        """Open the source; it works only while there is a call. Raises ConfigError and MediaError."""
        source = self._wanted
        if isinstance(source, str):
            source = self._owned = await asyncio.to_thread(open_source, source)
        self._engine = Engine(source if source is not None else Nothing(), timers=self._timers)

    async def make(self, lobby: LobbyClient, *, offers: bool) -> CallPeer:
        """A connection with the room's ICE servers of now. ``offers``: whether the first offer is ours."""
        assert self._engine is not None
        servers = await lobby.ice_servers()  # asks for a session, if need be
        ca_files = lobby.session.ca_files if lobby.session is not None else ()
        return CallPeer(
            self._engine.fanout,
            self._engine.source,
            offers=offers,
            ice=await ice_of_session(self._ice, servers, ca_files),
            # One for each call: by another fingerprint the other side knows that it is another call.
            certificate=Certificate.make(),
            timers=self._timers,
        )

    async def aclose(self) -> None:
        """To be called when all that were made are closed. Idempotent."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.aclose()
        owned, self._owned = self._owned, None
        if owned is not None:
            await owned.aclose()
