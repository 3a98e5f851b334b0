"""Tells a Sightline service how this master's viewers are, so that anybody may ask there (``sightline viewers``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ..sessions.connection_state import ConnectionState
from ..sessions.roster import Viewer
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import ViewerPresence, encode_presence

__all__ = ["PresenceReporter", "presence_of"]


class PresenceReporter:
    """Reports a change of state at once, a crowd of changes together, and figures every few seconds.

    Nothing is reported until ``enable``: AWS, and a service that does not say that it is Sightline, are told nothing.
    """

    def __init__(
        self,
        *,
        sessions: Callable[[], Sequence[Viewer]],
        send: Callable[[bytes], Awaitable[bool]],
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``send`` sends a frame now or not at all, and says which."""
        self._sessions = sessions
        self._send = send
        self._timers = timers
        self._enabled = False
        self._wanted = asyncio.Event()
        self._told_nobody = False

    def enable(self, *, enabled: bool) -> None:
        """A connection to the service stands; whether it is a Sightline."""
        self._enabled = enabled
        self._told_nobody = False
        self._wanted.set()

    def changed(self) -> None:
        """Something happened to a viewer."""
        self._wanted.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timers.presence):
                    await self._wanted.wait()
            self._wanted.clear()
            await self._report()
            await asyncio.sleep(self._timers.presence_spacing)

    async def _report(self) -> None:
        viewers = self._sessions()
        if not self._enabled or (not viewers and self._told_nobody):
            return
        if await self._send(encode_presence(tuple(map(presence_of, viewers)))):
            self._told_nobody = not viewers


def presence_of(viewer: Viewer) -> ViewerPresence:
    """A viewer as it is reported, within the bounds that the service checks."""
    return ViewerPresence(
        client_id=viewer.client_id,
        connection_state=viewer.connection_state.value,
        ice_connection_state=viewer.ice_connection_state.value,
        since=round(viewer.since, 3),
        was_connected=viewer.connection_state in (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED),
        reason=viewer.reason,
        candidate_pair=viewer.candidate_pair[:200] if viewer.candidate_pair is not None else None,
        round_trip_time=_within(viewer.round_trip_time, 3600, 5),
        loss=_within(viewer.loss, 1, 4),
        bitrate=_within(viewer.bitrate, 1e12, 0),
        available_bitrate=_within(viewer.available_bitrate, 1e12, 0),
        rendition=viewer.rendition or None,
        role=viewer.role,
    )


def _within(value: float | None, most: float, digits: int) -> float | None:
    return None if value is None else round(min(max(0.0, value), most), digits)
