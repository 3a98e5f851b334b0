"""The connections of somebody's calls, one after the other: what is sent over them, and what they may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..media.source import Source, open_source
from ..rtc.call_peer import CallPeer
from ..rtc.certificates import Certificate
from ..rtc.engine import Engine
from ..rtc.ice.config import IceConfig
from ..timers import DEFAULT_TIMERS, Timers
from ..viewer.peers import ice_of_session
from .failure import CallError
from .lobby import LobbyClient
from .outgoing import Outgoing

__all__ = ["Peers"]


class Peers:
    """``open``, then ``make`` for each call, then ``aclose``."""

    def __init__(self, source: Source | str | None, *, ice: IceConfig, timers: Timers = DEFAULT_TIMERS) -> None:
        """``source``: a text is opened, and closed in the end; anything else is somebody's own."""
        self.outgoing = Outgoing()
        self._wanted = source
        self._ice = ice
        self._timers = timers
        self._owned: Source | None = None
        self._engine: Engine | None = None
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Open the source; it works only while there is a call. Raises ConfigError and MediaError."""
        self.outgoing.source, self._owned = await _opened(self._wanted)
        self._engine = Engine(self.outgoing, timers=self._timers)

    async def change(self, source: Source | str | None, changed: Callable[[], None]) -> None:
        """Another source from now on; the one before is closed if it was opened here. ``changed`` is called between.

        Raises ConfigError and MediaError, and all stays as it was; CallError when it is closed.
        """
        async with self._changing:  # each closes what the one before opened
            new, owned = await _opened(source)
            if self._engine is None:
                if owned is not None:
                    await owned.aclose()
                raise CallError("The room is not entered, or left again: there is nobody to send anything to.")
            before, self._owned = self._owned, owned
            self.outgoing.source = new
            changed()
            if before is not None:
                await before.aclose()

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


async def _opened(source: Source | str | None) -> tuple[Source | None, Source | None]:
    """The source, and the same once more if it is ours to close."""
    if not isinstance(source, str):
        return source, None
    opened = await asyncio.to_thread(open_source, source)
    return opened, opened
