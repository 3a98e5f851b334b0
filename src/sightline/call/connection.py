"""The connection of one call, and what is to be done with it, one thing after the other.

It decides nothing. What happens goes out as inputs of the call's machine, what is to be done comes in as calls.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, Literal

from ..errors import SightlineError
from ..observe.log import bind
from ..rtc.call_peer import CallPeer
from ..rtc.operations import OperationsChain
from ..rtc.peer import ConnectionState, Reason
from ..rtc.rtp.incoming import EncodedFrame
from ..rtc.stats import PeerStatistics
from ..sessions.call import messages as machine
from .lobby import LobbyClient
from .outgoing import Outgoing, Sending, read_sending

__all__ = ["CHAT", "CallConnection"]

log = logging.getLogger(__name__)

CHAT: Final = "chat"
"""Label of the data channel that both sides write lines on; whoever offers first opens it."""
_STATUS: Final = "status"
"""Label of the one on which pages tell each other what they send."""


class CallConnection:
    """From its making to ``aclose``. After that it tells nobody anything."""

    def __init__(
        self,
        to: str,
        *,
        lobby: LobbyClient,
        offers: bool,
        make_peer: Callable[[], Awaitable[CallPeer]],
        take: Callable[[machine.Input], None],
        on_frame: Callable[[EncodedFrame], None],
        on_text: Callable[[str], None],
        on_sending: Callable[[Sending], None],
        outgoing: Outgoing,
    ) -> None:
        """``offers``: whether the first offer is ours; ``take``: the call's machine; ``outgoing``: what is sent.

        ``on_sending``: the other side says what it sends.
        """
        self.peer: CallPeer | None = None
        self._to = to
        self._lobby = lobby
        self._offers = offers
        self._make_peer = make_peer
        self._take = take
        self._on_frame = on_frame
        self._on_text = on_text
        self._on_sending = on_sending
        self._outgoing = outgoing
        self._log = bind(log, channel="call", client_id=to)
        self._state = ConnectionState.NEW
        self._said: tuple[Literal["offer", "answer"], str] | None = None
        self._candidates: list[Mapping[str, object]] = []
        """Of our last description."""
        self._over = False
        self._operations = OperationsChain(failed=self._stumbled, name="call")
        self._operations.add(self._begin())

    # -- what is to be done

    def perform(self, output: machine.Output) -> None:
        """What the machine wants of a connection."""
        match output:
            case machine.MakeOffer(restart=restart):
                self._operations.add(self._offer(restart=restart))
            case machine.Repeat():
                self._operations.add(self._repeat())
            case machine.AcceptOffer(description=description):
                self._operations.add(self._answer(description.sdp))
            case machine.AcceptAnswer(description=description):
                self._operations.add(self._accept(description.sdp))
            case machine.AddCandidate(candidate=candidate):
                self._operations.add(self._add_candidate(candidate))

    def send_text(self, text: str) -> bool:
        """Whether it went out, on the data channel."""
        return self.peer is not None and self.peer.channels.send(text, CHAT) > 0

    def sending_changed(self) -> None:
        """What is sent is not what it was: from now on, and as soon as both sides agree to what was not sent before."""
        if self.peer is not None:
            self.peer.source_changed()
            self._tell_status(_STATUS)
            self._negotiate()

    def request_keyframe(self) -> None:
        """Ask the other side for one."""
        if self.peer is not None and self.peer.connection_state is ConnectionState.CONNECTED:
            self.peer.request_keyframe()

    def statistics(self) -> PeerStatistics | None:
        """The figures of now."""
        return self.peer.statistics() if self.peer is not None else None

    @property
    def addresses(self) -> Iterator[str]:
        """The other side's IP address, as far as it is known."""
        ice = self.peer.statistics().ice if self.peer is not None else None
        if ice is not None and ice.selected is not None:
            yield ice.selected.remote[0]

    def silence(self) -> None:
        """It is another call's turn: nothing that happens here counts any more."""
        self._over = True
        self._operations.stop()

    async def aclose(self) -> None:
        """Let go of everything, in the order of seed 001.7. Idempotent."""
        self._over = True
        await self._operations.aclose()
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.on_change = peer.on_candidate = peer.on_frame = None
            peer.channels.on_message = peer.channels.on_open = None
            await peer.aclose()

    # -- one after the other

    def _stumbled(self, error: Exception) -> None:
        if isinstance(error, SightlineError):
            self._log.warning("the call stumbled: %s", error)
        else:  # somebody's message reached a spot that did not expect it
            self._log.exception("the call stumbled")
        self._say(machine.Broken())

    async def _begin(self) -> None:
        peer = self.peer = await self._make_peer()
        peer.on_change = self._follow
        peer.on_candidate = lambda candidate: self._operations.add(self._send_candidate(candidate))
        peer.on_frame = lambda frame: None if self._over else self._on_frame(frame)
        peer.channels.on_message = self._message
        peer.channels.on_open = self._tell_status

    async def _offer(self, *, restart: bool) -> None:
        if self.peer is None:
            return
        if self._state is ConnectionState.NEW:
            sdp = await self.peer.offer()
        else:
            # Each later one is for a new path too: what was on its way when it was taken back may have been one.
            self._log.info("another path is asked for" if restart else "a further offer is made")
            sdp = await self.peer.restart(ice_servers=await self._lobby.ice_servers())
        self._send("offer", sdp)

    async def _answer(self, sdp: str) -> None:
        if self.peer is not None:
            answer = await self.peer.answer(sdp, ice_servers=await self._lobby.ice_servers())
            self._send("answer", answer)

    async def _accept(self, sdp: str) -> None:
        if self.peer is not None:
            await self.peer.accept(sdp)

    async def _add_candidate(self, candidate: Mapping[str, object]) -> None:
        if self.peer is not None:
            await self.peer.add_remote_candidate(candidate)

    async def _repeat(self) -> None:
        if self._said is not None:
            candidates = self._candidates
            self._send(*self._said)
            for candidate in candidates:
                await self._send_candidate(candidate)

    def _send(self, kind: Literal["offer", "answer"], sdp: str) -> None:
        self._said, self._candidates = (kind, sdp), []
        if kind == "offer":
            self._lobby.send_offer(self._to, sdp)
        else:
            self._lobby.send_answer(self._to, sdp)

    async def _send_candidate(self, candidate: Mapping[str, object]) -> None:
        self._candidates.append(candidate)
        self._lobby.send_candidate(self._to, candidate)

    # -- what comes along

    def _follow(self) -> None:
        peer = self.peer
        if peer is None or peer.connection_state is self._state:
            return
        self._log.info("connection %s → %s", self._state, peer.connection_state)
        self._state = state = peer.connection_state
        if state in (ConnectionState.DISCONNECTED, ConnectionState.FAILED):
            self._lobby.check()
        if state is ConnectionState.CONNECTED and self._offers and not peer.channels.labels:
            self._open_chat(peer)
        if state is ConnectionState.CLOSED and peer.reason is Reason.CLOSE_NOTIFY:
            # They end it: what they say in the lobby takes the longer way.
            self._say(machine.RemoteHangUp(self._to))
        else:
            self._say(machine.Peer(state.value))
        if state is ConnectionState.CONNECTED:
            self._negotiate()  # something may have changed while it rang

    def _negotiate(self) -> None:
        if self.peer is not None and self.peer.wants_offer:
            self._say(machine.NegotiationNeeded())

    def _tell_status(self, label: str) -> None:
        if label == _STATUS and self.peer is not None and not self._over:
            self.peer.channels.send(self._outgoing.status, _STATUS)

    def _open_chat(self, peer: CallPeer) -> None:
        try:
            for label in (CHAT, _STATUS):
                peer.channels.open(label)
        except ConnectionError:
            self._log.info("%s takes no data channel: lines go through the lobby", self._to)

    def _message(self, label: str, content: str | bytes) -> None:
        if self._over or not isinstance(content, str):
            return
        if label != _STATUS:
            self._on_text(content)
        elif (sending := read_sending(content)) is not None:
            self._on_sending(sending)

    def _say(self, message: machine.Input) -> None:
        if not self._over:
            self._take(message)
