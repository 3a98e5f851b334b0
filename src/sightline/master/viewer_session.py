"""One viewer of a master: its peer connection from the offer to the end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from ..errors import SightlineError
from ..observe.log import bind
from ..rtc.candidates import candidate_ufrag
from ..rtc.offer import offered_ufrag
from ..rtc.peer import ConnectionState, Peer

__all__ = ["Viewer", "ViewerSession"]

_CLOSE_LIMIT = 5.0
"""Seconds in which a peer connection must have closed."""


class Viewer(msgspec.Struct, frozen=True):
    """A viewer as it is now. ``since``: when it came into this state, in epoch seconds."""

    client_id: str
    connection_state: ConnectionState
    since: float


class ViewerSession:
    """Answers one offer and feeds the peer with candidates, in order, until the connection ends.

    Whatever goes wrong with one viewer is logged and ends this session, nothing else.
    """

    def __init__(
        self,
        client_id: str,
        offer_sdp: str,
        *,
        make_peer: Callable[[], Peer],
        log: logging.Logger,
        channel: str,
        on_change: Callable[[ViewerSession], None],
    ) -> None:
        """``on_change`` is called after each change of state."""
        self.client_id = client_id
        self.trace_id = secrets.token_hex(6)
        self.log = bind(log, channel=channel, client_id=client_id, trace_id=self.trace_id)
        self.was_connected = False
        """Set by who keeps the registry, once the viewer has been reported as joined."""
        self._state = ConnectionState.NEW
        self._since = time.time()
        self._offer_sdp = offer_sdp
        self._ufrag = offered_ufrag(offer_sdp)
        self._make_peer = make_peer
        self._on_change = on_change
        self._inbox: asyncio.Queue[Mapping[str, object] | None] = asyncio.Queue()

    @property
    def snapshot(self) -> Viewer:
        """The viewer as it is now."""
        return Viewer(self.client_id, self._state, self._since)

    def takes(self, candidate: Mapping[str, object]) -> bool:
        """Whether a candidate is for this session, and not for another offer of the same viewer."""
        ufrag = candidate_ufrag(candidate)
        return ufrag is None or self._ufrag is None or ufrag == self._ufrag

    def add_candidate(self, candidate: Mapping[str, object]) -> None:
        """Hand on a candidate; those that come before the answer wait for it."""
        self._inbox.put_nowait(candidate)

    async def run(self, send_answer: Callable[[ViewerSession, str], Awaitable[None]]) -> None:
        """The whole session; returns when the connection is over. Cancel it to end it."""
        try:
            peer = self._make_peer()
            peer.on_state = self._follow_state
            try:
                await send_answer(self, await peer.answer(self._offer_sdp))
                while (candidate := await self._inbox.get()) is not None:
                    await peer.add_remote_candidate(candidate)
            finally:
                async with asyncio.timeout(_CLOSE_LIMIT):
                    await peer.aclose()
        except SightlineError as error:
            self.log.warning("%s cannot be served: %s", self.client_id, error)
        except Exception:
            # A viewer's input reached a spot that did not expect it: a defect, but not the other viewers'.
            self.log.exception("%s ended unexpectedly", self.client_id)
        finally:
            self._follow_state(ConnectionState.CLOSED)

    def _follow_state(self, state: ConnectionState) -> None:
        before = self._state
        if state is before:
            return
        self._state, self._since = state, time.time()
        self.log.info("%s %s → %s", self.client_id, before, state)
        if state.is_final:
            self._inbox.put_nowait(None)
        self._on_change(self)
