"""Which viewers a master has: client id to session, one at a time for each (seed 000.3)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..errors import InvalidSdp, NoCommonCodec
from ..reasons import REASONS
from ..reasons import Reason as NoticeReason
from ..rtc.identity import offer_identity
from ..rtc.peer import ConnectionState, IceConnectionState, IceServer, PeerEngine, Reason
from ..rtc.rtp.incoming import EncodedFrame
from ..sessions.early_candidates import EarlyCandidates
from ..sessions.negotiation import Memory, OfferIdentity, OfferMeaning, meaning_of
from ..sessions.roster import Roster, Viewer, ViewerEvent
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import SocketState
from .viewer_session import CommandCallback, MessageCallback, RequestCallback, SendToViewer, ViewerSession
from .voices import Voices

__all__ = ["Registry"]

log = logging.getLogger(__name__)

_NO_COMMON_CODEC = (
    "The camera and this viewer have no video format in common. {} "
    "Use another browser or program, or set the camera to H.264 or VP8."
)
_BAD_OFFER = "The camera cannot use this viewer's offer. {} Offer to receive video with a current browser or program."


class Registry:
    """Makes, keeps, replaces and forgets sessions. Their tasks belong to the task group given to it."""

    def __init__(
        self,
        channel: str,
        *,
        engine: PeerEngine,
        tasks: asyncio.TaskGroup,
        send: SendToViewer,
        notify: Callable[[str, NoticeReason, str], None],
        publish: Callable[[Sequence[ViewerEvent]], None],
        on_message: MessageCallback | None = None,
        on_request: RequestCallback | None = None,
        on_command: CommandCallback | None = None,
        voices: Voices | None = None,
        max_viewers: int | None = None,
        timers: Timers = DEFAULT_TIMERS,
    ) -> None:
        """``notify`` tells a viewer that understands it why it gets no answer; ``publish`` tells what happened."""
        self._channel = channel
        self._engine = engine
        self._tasks = tasks
        self._send = send
        self._notify = notify
        self._publish = publish
        self._on_message = on_message
        self._on_request = on_request
        self._on_command = on_command
        self._voices = voices or Voices()
        self._roster = Roster(max_viewers=max_viewers)
        self._memory = Memory(timers=timers)
        self._early = EarlyCandidates()
        self._sessions: dict[str, ViewerSession] = {}
        self._sockets: dict[str, SocketState] = {}

    # -- who is there

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """Those who watch: they were ``connected`` and are not gone."""
        return tuple(self._sessions[client_id].viewer for client_id in self._roster.viewers)

    @property
    def sessions(self) -> tuple[Viewer, ...]:
        """The viewers, and those who are still connecting."""
        return tuple(self._sessions[client_id].viewer for client_id in self._roster.sessions)

    def is_connected(self, client_id: str) -> bool:
        """Whether this viewer is connected now (seed 000.4)."""
        return self._roster.is_connected(client_id)

    def session(self, client_id: str) -> ViewerSession | None:
        """The viewer's session, unless it is gone."""
        return self._sessions.get(client_id) if client_id in self._roster.sessions else None

    def client_of(self, trace_id: str) -> str | None:
        """The viewer whose session has this trace id."""
        return next((name for name, session in self._sessions.items() if session.trace_id == trace_id), None)

    # -- what comes through signaling

    def offer(self, client_id: str, sdp: str, *, servers: Sequence[IceServer]) -> None:
        """Answer an offer, as what it is (``sessions.negotiation``). ``servers``: the STUN and TURN servers of now."""
        try:
            identity = offer_identity(sdp)
        except InvalidSdp as error:
            self._refused(client_id, error)
            return
        session = self._sessions.get(client_id)
        meaning = meaning_of(identity, session.identity if session is not None else None)
        if session is None or meaning is OfferMeaning.REPLACEMENT:
            self._drop(client_id, Reason.REPLACED)
            session = self._begin(client_id, identity, servers)
        elif not self._has_room(client_id):
            return  # it slept, and others have come meanwhile
        if session is not None:
            session.offer(sdp, identity, servers=servers)
            for candidate in self._early.take(client_id, now=time.monotonic()):
                if session.takes(candidate):
                    session.add_candidate(candidate)

    def answer(self, client_id: str, sdp: str) -> None:
        """A viewer's answer to an offer of ours."""
        session = self._sessions.get(client_id)
        if session is not None:
            session.answer(sdp)

    def candidate(self, client_id: str, candidate: Mapping[str, object]) -> None:
        """Hand a candidate to the viewer's session, or keep it for the offer that it belongs to."""
        session = self._sessions.get(client_id)
        if session is not None and session.takes(candidate):
            session.add_candidate(candidate)
        else:
            self._early.keep(client_id, candidate, now=time.monotonic())

    def signaling(self, client_id: str, state: SocketState) -> None:
        """The service tells of a viewer's signaling socket."""
        if state.open:
            self._sockets[client_id] = state
        else:
            self._sockets.pop(client_id, None)
        session = self._sessions.get(client_id)
        if session is not None:
            session.signaling(is_open=state.open, role=state.role)

    def forget_signaling(self) -> None:
        """We connected to the service anew: what it told before may no longer hold, and is told again."""
        self._sockets.clear()
        for session in list(self._sessions.values()):
            session.signaling_unknown()

    def farewell(self, client_id: str) -> None:
        """A viewer leaves for good: its page closes."""
        self._drop(client_id, Reason.FAREWELL)

    # -- what the program asks for

    def restart(self, client_id: str, *, servers: Sequence[IceServer]) -> bool:
        """Look for a new path to a viewer; whether there is such a viewer."""
        session = self.session(client_id)
        if session is not None:
            session.restart(servers=servers)
        return session is not None

    def send(self, client_id: str, message: str | bytes, *, label: str | None = None) -> bool:
        """Send to one viewer through its data channels; whether it went out."""
        session = self.session(client_id)
        return session is not None and session.peer.channels.send(message, label) > 0

    def broadcast(self, message: str | bytes, *, label: str | None = None) -> int:
        """Send to all viewers that have a data channel; to how many it went out."""
        return sum(self.send(client_id, message, label=label) for client_id in self._roster.sessions)

    def tell_all(self, reason: NoticeReason, text: str) -> None:
        """Give a notice to all sessions' viewers that take notices."""
        for client_id in self._roster.sessions:
            if self._understands(client_id):
                self._notify(client_id, reason, text)

    def close(self) -> None:
        """End all sessions; their tasks say goodbye and close the connections."""
        for client_id in list(self._sessions):
            self._drop(client_id, Reason.ENDED)

    # -- inside

    def _begin(self, client_id: str, identity: OfferIdentity, servers: Sequence[IceServer]) -> ViewerSession | None:
        now = time.monotonic()
        if not self._has_room(client_id):
            return None
        if self._understands(client_id) and self._memory.is_gone(identity, now=now):
            self._tell(client_id, NoticeReason.SESSION_GONE)
            return None
        certificate = self._memory.certificate_for(identity, now=now)
        role = self._sockets[client_id].role if client_id in self._sockets else None
        hears = self._voices.may_talk(role)
        peer = self._engine.new_peer(ice_servers=servers, certificate=certificate, hears=hears)
        session = self._sessions[client_id] = ViewerSession(
            client_id,
            identity,
            peer=peer,
            certificate=certificate,
            send=self._send,
            log=log,
            channel=self._channel,
            on_change=self._follow,
            on_refused=self._refused,
            on_message=self._on_message,
            on_request=self._on_request,
            on_command=self._on_command,
            role=role,
        )
        if hears:
            peer.on_frame = partial(self._hear, session)
        self._publish(self._roster.update(session.viewer))
        session.start(self._tasks, ended=self._follow)
        return session

    def _has_room(self, client_id: str) -> bool:
        """Whether a viewer may come, or come back; one that may not is told so."""
        if self._roster.has_room(client_id):
            return True
        log.warning("%s is refused: %d viewers are as many as there may be", client_id, self._roster.max_viewers)
        self._tell(client_id, NoticeReason.VIEWER_LIMIT)
        return False

    def _hear(self, session: ViewerSession, sound: EncodedFrame) -> None:
        if self._voices.may_talk(session.role):  # which may have been taken from it
            self._voices.hear(session.client_id, sound)

    def _understands(self, client_id: str) -> bool:
        """Whether the viewer takes notices."""
        return client_id in self._sockets and self._sockets[client_id].extras

    def _refused(self, client_id: str, error: InvalidSdp) -> None:
        """An offer cannot be answered."""
        log.warning("an offer of %s cannot be answered: %s", client_id, error)
        if isinstance(error, NoCommonCodec):
            self._tell(client_id, NoticeReason.NO_COMMON_CODEC, _NO_COMMON_CODEC.format(error))
        else:
            self._tell(client_id, NoticeReason.BAD_OFFER, _BAD_OFFER.format(error))

    def _tell(self, client_id: str, reason: NoticeReason, text: str = "") -> None:
        if self._understands(client_id):
            log.info("%s gets no answer: %s", client_id, reason)
            self._notify(client_id, reason, text or REASONS[reason].message)

    def _follow(self, session: ViewerSession) -> None:
        """A session's state changed. One that failed leaves the roster, and sleeps until it is closed."""
        if self._sessions.get(session.client_id) is not session:
            return  # replaced: the place belongs to its successor
        self._publish(self._roster.update(session.viewer))
        if session.connection_state is ConnectionState.CLOSED:
            self._drop(session.client_id, Reason.ENDED)

    def _drop(self, client_id: str, reason: Reason) -> None:
        session = self._sessions.pop(client_id, None)
        if session is None:
            return
        session.peer.on_frame = None
        self._voices.leave(client_id)
        if session.answered:
            self._memory.forget_session(session.identity, session.certificate, now=time.monotonic())
        session.end(reason)
        closed = Viewer(
            client_id=client_id,
            connection_state=ConnectionState.CLOSED,
            ice_connection_state=IceConnectionState.CLOSED,
            since=time.time(),
            reason=reason,
        )
        self._publish(self._roster.remove(closed))
