"""One peer connection, whoever offers: ICE, DTLS, the media's streams and the data channels, held together (MEDIA.md).

Every decision is made elsewhere: ``sessions.connection_state`` says how the connection is and what is kept of it,
``ice.session`` where to send, ``sdp`` what was agreed. Here datagrams, times and calls go from one to the other. What
arrives is handled in the call that brings it, and one timer wakes what has to be woken.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence

import msgspec
from aioice import Candidate

from ..errors import InvalidSdp, PeerError
from ..sessions.connection_state import (
    ConnectionMachine,
    ConnectionState,
    Held,
    IceConnectionState,
    Reason,
    Transition,
)
from ..timers import Timers
from .candidates import candidate_ufrag, parse_candidate
from .certificates import Certificate
from .datachannel import DataChannels
from .dtls import DtlsState
from .ice.agent import IceAgent
from .ice.config import IceConfig, IceTimes
from .ice.session import IceSession
from .identity import read_offer
from .link_media import LinkMedia
from .peer import CandidateListener, IceServer
from .rtp.incoming import EncodedFrame
from .sdp import (
    Agreement,
    Description,
    LocalTransport,
    Origin,
    Ours,
    Setup,
    agree,
    make_answer,
    make_restart_offer,
    parse_description,
    write_description,
)
from .transport import SecureTransport
from .wake_timer import WakeTimer

__all__ = ["PeerLink"]

log = logging.getLogger(__name__)


class PeerLink(ABC):
    """What ``EnginePeer`` and ``ViewerPeer`` have in common. Everything happens in the event loop's thread."""

    def __init__(
        self,
        *,
        controlling: bool,
        ice: IceConfig,
        certificate: Certificate,
        timers: Timers,
        extensions: tuple[str, ...],
        data_channels: bool = True,
        takes_media: bool = False,
    ) -> None:
        """``controlling``: our ICE role towards a peer that makes checks too (an ``ice-lite`` one does not);
        ``extensions``: header extensions that we write or read; ``takes_media``: whether RTP of the peer is wanted.
        """
        self.on_change: Callable[[], None] | None = None
        self.on_candidate: CandidateListener | None = None
        self.on_frame: Callable[[EncodedFrame], None] | None = None
        """Gets each frame that the peer sends, at once. What it raises is logged, and the frame is lost."""
        self._machine = ConnectionMachine(time.monotonic(), timers=timers)
        self._controlling = controlling
        self._config = ice
        self._ice = IceSession(
            controlling=controlling,
            config=ice,
            on_datagram=self._receive,
            on_candidate=self._found_candidate,
            on_change=self._follow_ice,
            times=IceTimes.of(timers),
        )
        self._transport = SecureTransport(
            self._ice,
            certificate,
            on_rtp=self._receive_rtp if takes_media else None,
            on_rtcp=self._receive_rtcp,
            on_data=self._pass_data,
            on_change=self._follow_dtls,
        )
        self._channels = DataChannels(self._transport.send_data)
        self._extensions = extensions
        self._data_channels = data_channels
        self._ice_state = self._ice.ice_connection_state
        self._paths_seen = 0
        self._origin = Origin(str(secrets.randbits(62)), 1)
        self._local: Description | None = None
        self._agreement: Agreement | None = None
        self._offered: tuple[Description, IceAgent] | None = None
        self._published: set[str] = set()
        self._malformed = 0
        self._freed = False
        self._timer = WakeTimer(self._wake)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what is different

    @property
    @abstractmethod
    def _media(self) -> LinkMedia:
        """What flows over it."""

    @abstractmethod
    def _receive_rtp(self, packet: bytes) -> None:
        """A decrypted RTP packet."""

    @abstractmethod
    def _receive_rtcp(self, packet: bytes) -> None:
        """A decrypted RTCP packet."""

    @abstractmethod
    def _tick(self, now: float) -> None:
        """Do what is due."""

    @abstractmethod
    def _next_deadline(self) -> float | None:
        """When ``_tick`` has something to do, None for never."""

    def _may_revive(self) -> bool:
        """Whether something is under way that may bring a connection without paths back, within the machine's times."""
        # The answer to a restart of ours may come any moment, and must find the generation that it is for.
        return self._offered is not None

    # -- how it is

    @property
    def connection_state(self) -> ConnectionState:
        """See ``Peer``."""
        return self._machine.state

    @property
    def ice_connection_state(self) -> IceConnectionState:
        """See ``Peer``."""
        return self._ice.ice_connection_state

    @property
    def reason(self) -> Reason | None:
        """See ``Peer``."""
        return self._machine.reason

    @property
    def channels(self) -> DataChannels:
        """See ``Peer``."""
        return self._channels

    # -- negotiation

    async def answer(self, offer_sdp: str, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """See ``Peer``. Known ICE credentials mean a renegotiation, which keeps the path."""
        offer = read_offer(offer_sdp)
        remote = self._agreement.remote if self._agreement is not None else None
        agent = self._ice.active
        renewed = remote is None or (remote.ufrag, remote.password) != (offer.ufrag, offer.password)
        if renewed or agent is None:
            self._withdraw()  # both of us began at once: the peer's offer wins
            # One that only answers checks leaves it to us to make them and to choose (RFC 8445 §6.1.1).
            self._ice.controlling = self._controlling or offer.ice_lite
            agent = await self._new_agent(ice_servers)
        try:
            description = make_answer(offer, self._ours(agent))
            agreement = agree(description, offer, offerer=False)
            if remote is None and not description.carries:
                # Later it is a pause, at first a mistake, which its author would look for behind a black picture.
                raise InvalidSdp("Nothing would flow: the offer wants nothing that is here, and gives nothing wanted.")
        except InvalidSdp:
            if renewed:
                self._ice.abandon(agent)
            raise
        await self._settle(description, offer, agreement, agent)
        return write_description(description)

    async def restart(self, *, ice_servers: Sequence[IceServer] | None = None) -> str:
        """See ``Peer``. Media goes on over the old path until the new one is there."""
        if self._local is None or self._agreement is None:
            raise PeerError("There is nothing to restart: no offer was answered yet.")
        agent = await self._new_agent(ice_servers)
        held = make_restart_offer(self._local, origin=self._next_origin(), transport=self._local_transport(agent))
        offer = self._reoffered(held)
        self._offered = offer, agent
        return write_description(offer)

    def _reoffered(self, offer: Description) -> Description:
        """A later offer of ours, before it goes out: what we send may be something else by now."""
        return offer

    async def accept(self, answer_sdp: str) -> None:
        """See ``Peer``. An answer to an offer that another one has overtaken is ignored."""
        answer = parse_description(answer_sdp)
        if self._offered is not None:
            offer, agent = self._offered
            agreement = agree(offer, answer, offerer=True)
            self._offered = None
            await self._settle(offer, answer, agreement, agent)

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        """See ``Peer``."""
        text = candidate.get("candidate")
        found = parse_candidate(text) if isinstance(text, str) else None
        if found is not None:
            await self._ice.add_remote_candidate(
                Candidate(found.foundation, 1, "udp", found.priority, found.address, found.port, found.type),
                ufrag=candidate_ufrag(candidate),
            )

    async def _new_agent(self, servers: Sequence[IceServer] | None) -> IceAgent:
        if servers is not None:
            self._config = msgspec.structs.replace(self._config, servers=tuple(servers))
        self._check_alive()
        agent = self._ice.restart(self._config)
        await agent.gather()
        self._check_alive()
        return agent

    def _ours(self, agent: IceAgent) -> Ours:
        is_client = self._transport.is_client
        return Ours(
            origin=self._next_origin(),
            transport=self._local_transport(agent),
            media=tuple(self._media.wishes()),
            setup=None if is_client is None else Setup.ACTIVE if is_client else Setup.PASSIVE,
            data_channels=self._data_channels,
            extensions=self._extensions,
        )

    def _local_transport(self, agent: IceAgent) -> LocalTransport:
        self._published.add(agent.local_ufrag)
        return LocalTransport(
            ufrag=agent.local_ufrag,
            password=agent.local_password,
            fingerprint=self._transport.certificate.fingerprint,
            candidates=tuple(f"candidate:{candidate.to_sdp()}" for candidate in agent.local_candidates),
            end_of_candidates=agent.gathered,
        )

    def _next_origin(self) -> Origin:
        self._origin = self._origin.next()
        return self._origin

    async def _settle(self, local: Description, remote: Description, agreement: Agreement, agent: IceAgent) -> None:
        """Both descriptions are known: from now on it is as they say."""
        is_first, now = self._agreement is None, time.monotonic()
        is_new_path = agent.remote_ufrag is None
        self._local, self._agreement = local, agreement
        self._apply(self._machine.answered(now) if is_first else self._machine.restart(now) if is_new_path else None)
        self._ice.start(agent, agreement.remote.ufrag, agreement.remote.password)
        self._transport.begin(now, client=agreement.client, fingerprints=agreement.remote.fingerprints)
        self._media.agreed(agreement)
        self._open_channels()
        for text in remote.candidates:
            await self.add_remote_candidate({"candidate": text, "usernameFragment": agreement.remote.ufrag})
        self._arrange()

    def _open_channels(self) -> None:
        data = self._agreement.data if self._agreement is not None else None
        if data is not None and self._transport.state is DtlsState.CONNECTED:
            self._channels.start(data, client=bool(self._transport.is_client))

    def _withdraw(self) -> None:
        if self._offered is not None:
            self._ice.abandon(self._offered[1])
            self._offered = None

    def _check_alive(self) -> None:
        if self._machine.state is ConnectionState.CLOSED:
            raise PeerError("The connection is closed.")

    # -- what happens

    def signaling(self, *, is_open: bool) -> None:
        """See ``Peer``."""
        self._machine.signaling(is_open=is_open)
        self._arrange()

    def _found_candidate(self, candidate: Candidate | None, ufrag: str) -> None:
        # Those that came before the description stand in it.
        if candidate is None or ufrag not in self._published or self._local is None or self.on_candidate is None:
            return
        tagged = self._local.tagged
        self.on_candidate(
            {
                "candidate": f"candidate:{candidate.to_sdp()}",
                "sdpMid": tagged.mid,
                "sdpMLineIndex": self._local.sections.index(tagged),
                "usernameFragment": ufrag,
            }
        )

    def _follow_ice(self) -> None:
        ice, now = self._ice, time.monotonic()
        if ice.has_path:
            self._transport.path_found(now)
            # It is called for other changes too, and those are no sign of life.
            self._apply(self._machine.path_valid(min(now, ice.last_heard)))
        if ice.ice_connection_state is IceConnectionState.FAILED and not self._may_revive():
            self._apply(self._machine.no_path(now))
        if ice.new_paths != self._paths_seen:
            self._paths_seen = ice.new_paths
            self._media.path_changed()
        self._wake()
        if ice.ice_connection_state is not self._ice_state:
            self._ice_state = ice.ice_connection_state
            self._tell()

    def _follow_dtls(self) -> None:
        now = time.monotonic()
        match self._transport.state:
            case DtlsState.CONNECTED:
                if self._transport.srtp is not None:
                    self._media.keys(self._transport.srtp)
                self._open_channels()
                self._apply(self._machine.keys_agreed(now))
            case DtlsState.CLOSED:
                self._apply(self._machine.ended(Reason.CLOSE_NOTIFY, now))
            case DtlsState.FAILED:
                self._apply(self._machine.no_keys(now))

    def _receive(self, datagram: bytes) -> None:
        """Whatever a peer sends ends at most its own connection."""
        try:
            self._transport.receive(datagram, time.monotonic())
            self._arrange()
        except Exception as error:
            self._break(error)

    def _pass_data(self, data: bytes) -> None:
        self._channels.receive(data)

    def _hand_over(self, frame: EncodedFrame) -> None:
        """For what receives media."""
        if self.on_frame is None:
            return
        try:
            self.on_frame(frame)
        except Exception:
            log.exception("a frame was not taken")

    def _break(self, error: Exception) -> None:
        log.error("a connection broke, which it should not: %r", error, exc_info=error)
        self._apply(self._machine.ended(Reason.BROKEN, time.monotonic()))

    # -- time and state

    def _wake(self) -> None:
        """Do what is due, and see to be woken for what comes next."""
        now = time.monotonic()
        try:
            self._transport.tick(now)
            self._tick(now)
            self._apply(self._machine.heard(min(now, self._ice.last_heard)))
            while (transition := self._machine.tick(now)) is not None:
                self._apply(transition)
        except Exception as error:
            self._break(error)
        self._arrange()

    def _arrange(self) -> None:
        times = (self._machine.next_deadline(), self._transport.next_timeout(), self._next_deadline())
        due = min((time for time in times if time is not None), default=None)
        if due is None:
            self._timer.cancel()
        elif self._timer.due is None or due < self._timer.due:
            self._timer.at(due)  # else it comes early, finds nothing to do, and arranges the next one

    def _apply(self, transition: Transition | None) -> None:
        """Follow a change of state: start or stop sending, let go of what is no longer held, tell."""
        if transition is None:
            return
        if transition.before is ConnectionState.CONNECTING and transition.after is ConnectionState.CONNECTED:
            self._media.start()
        match self._machine.held:
            case Held.KEYS:
                self._offered = None  # its generation ends with the others
                self._media.pause()
                self._spawn(self._ice.sleep())
            case Held.NOTHING:
                self._let_go()
        self._tell()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _let_go(self) -> None:
        """Everything ends; who owns the peer awaits the rest by ``aclose``."""
        if self._freed:
            return
        self._freed = True
        if self._machine.reason not in (Reason.CLOSE_NOTIFY, Reason.BYE):
            self._media.goodbye()
        self._media.close()
        self._spawn(self._close_all())

    async def _close_all(self) -> None:
        await self._channels.aclose()
        self._transport.close()
        await self._ice.aclose()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self, reason: Reason = Reason.ENDED) -> None:
        """See ``Peer``."""
        self._apply(self._machine.ended(reason, time.monotonic()))
        self._timer.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
