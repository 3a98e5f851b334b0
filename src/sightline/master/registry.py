"""Which viewers a master has: client id to session, one at a time for each (seed 000.3)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from ..rtc.peer import ConnectionState, Peer
from ..sessions.early_candidates import EarlyCandidates
from .viewer_session import Viewer, ViewerSession

__all__ = ["Registry", "ViewerCallback"]

log = logging.getLogger(__name__)

ViewerCallback = Callable[[Viewer], None]


class Registry:
    """Makes, replaces and forgets sessions. Their tasks belong to the task group given to ``serve``."""

    def __init__(
        self, channel: str, *, on_joined: ViewerCallback | None = None, on_left: ViewerCallback | None = None
    ) -> None:
        self._channel = channel
        self._on_joined = on_joined
        self._on_left = on_left
        self._sessions: dict[str, ViewerSession] = {}
        self._tasks: dict[ViewerSession, asyncio.Task[None]] = {}
        self._early = EarlyCandidates()

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """Those who watch: they were ``connected`` and are not gone."""
        return tuple(session.snapshot for session in self._sessions.values() if session.was_connected)

    @property
    def sessions(self) -> tuple[Viewer, ...]:
        """The viewers, and those who are still connecting."""
        return tuple(session.snapshot for session in self._sessions.values())

    def is_connected(self, client_id: str) -> bool:
        """Whether this viewer is connected now (seed 000.4)."""
        session = self._sessions.get(client_id)
        return session is not None and session.snapshot.connection_state is ConnectionState.CONNECTED

    def client_of(self, trace_id: str) -> str | None:
        """The viewer whose session has this trace id."""
        return next((name for name, session in self._sessions.items() if session.trace_id == trace_id), None)

    def offer(
        self,
        client_id: str,
        sdp: str,
        *,
        make_peer: Callable[[], Peer],
        tasks: asyncio.TaskGroup,
        send_answer: Callable[[ViewerSession, str], Awaitable[None]],
    ) -> None:
        """Begin a session for an offer. One that the viewer has already ends at once: it asks because it is lost."""
        self._drop(client_id)
        session = ViewerSession(
            client_id, sdp, make_peer=make_peer, log=log, channel=self._channel, on_change=self._follow_state
        )
        self._sessions[client_id] = session
        for candidate in self._early.take(client_id, now=time.monotonic()):
            if session.takes(candidate):
                session.add_candidate(candidate)
        task = tasks.create_task(session.run(send_answer), name=f"viewer {client_id}")
        self._tasks[session] = task
        task.add_done_callback(lambda _: self._tasks.pop(session, None))

    def candidate(self, client_id: str, candidate: Mapping[str, object]) -> None:
        """Hand a candidate to the viewer's session, or keep it for the offer that it belongs to."""
        session = self._sessions.get(client_id)
        if session is not None and session.takes(candidate):
            session.add_candidate(candidate)
        else:
            self._early.keep(client_id, candidate, now=time.monotonic())

    def close(self) -> None:
        """End all sessions; their tasks close the connections."""
        for client_id in list(self._sessions):
            self._drop(client_id)

    def _drop(self, client_id: str) -> None:
        session = self._sessions.pop(client_id, None)
        if session is not None:
            self._tasks[session].cancel()
            self._left(session)

    def _follow_state(self, session: ViewerSession) -> None:
        if self._sessions.get(session.client_id) is not session:
            return  # replaced: the place belongs to its successor
        if session.snapshot.connection_state.is_final:
            del self._sessions[session.client_id]
            self._left(session)
        elif session.snapshot.connection_state is ConnectionState.CONNECTED and not session.was_connected:
            session.was_connected = True
            self._call(self._on_joined, session)

    def _left(self, session: ViewerSession) -> None:
        if session.was_connected:
            self._call(self._on_left, session)

    def _call(self, callback: ViewerCallback | None, session: ViewerSession) -> None:
        if callback is None:
            return
        try:
            callback(session.snapshot)
        except Exception:
            session.log.exception("a callback for %s failed", session.client_id)
