"""A ``Peer`` on aiortc's RTCPeerConnection, which only passes on what the source has encoded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial

import av
from aioice import Candidate, Connection
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from ..errors import InvalidSdp
from .candidates import parse_candidate
from .offer import Offer, OfferedMedia, parse_offer
from .outgoing import OutgoingFeed, OutgoingMedia
from .peer import ConnectionState, IceServer, StateListener

__all__ = ["AiortcPeer"]

log = logging.getLogger(__name__)

_CONNECT_DEADLINE = 30.0
"""Seconds from the answer to ``connected``: twice what our viewers wait, then nobody is there."""

_GATHER_LIMIT = 2
"""Seconds that a STUN or TURN server may take. The answer waits for it: this engine cannot trickle."""

_MAX_REMOTE_CANDIDATES = 100

_H264_PROFILES = ("42e01f", "42001f")
"""In the order in which they are preferred; what is sent is constrained baseline and fits both."""


class AiortcPeer:
    """See ``Peer``. Everything happens in the event loop's thread."""

    def __init__(
        self,
        source: OutgoingMedia,
        *,
        ice_servers: Sequence[IceServer] = (),
        connect_deadline: float = _CONNECT_DEADLINE,
    ) -> None:
        """``connect_deadline``: seconds from the answer until the connection counts as failed."""
        self.on_state: StateListener | None = None
        self._source = source
        self._connect_deadline = connect_deadline
        self._deadline: asyncio.TimerHandle | None = None
        self._state = ConnectionState.NEW
        self._offer: Offer | None = None
        self._early: list[Mapping[str, object]] = []
        self._candidates_seen = 0
        # Never None: aiortc would ask a public STUN server then.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=list(_usable_servers(ice_servers))))
        self._connection.on("connectionstatechange", self._follow_state)
        self._closed = False

    @property
    def connection_state(self) -> ConnectionState:
        """The state now. This engine never says ``disconnected``: it finds silence after 30 s, as ``failed``."""
        return self._state

    async def answer(self, offer_sdp: str) -> str:
        """See ``Peer``."""
        try:
            offer = parse_offer(offer_sdp)
            self._add_senders(offer)
            with _as_invalid_sdp():
                await self._connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            self._offer = offer
            for candidate in offer.candidates:
                await self._add(candidate.text, mid=candidate.mid)
            early, self._early = self._early, []
            for message in early:
                await self.add_remote_candidate(message)
            self._limit_gathering()
            with _as_invalid_sdp():
                await self._connection.setLocalDescription()
        except BaseException:
            await self.aclose()
            raise
        if not self._state.is_final:
            self._deadline = asyncio.get_running_loop().call_later(self._connect_deadline, self._give_up)
        return self._connection.localDescription.sdp

    async def add_remote_candidate(self, candidate: Mapping[str, object]) -> None:
        """See ``Peer``."""
        if self._offer is None:
            if len(self._early) < _MAX_REMOTE_CANDIDATES:
                self._early.append(candidate)
            return
        text, mid, index = candidate.get("candidate"), candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
        if not isinstance(text, str):
            return
        if not isinstance(mid, str) and isinstance(index, int) and 0 <= index < len(self._offer.media):
            mid = self._offer.media[index].mid
        await self._add(text, mid=mid if isinstance(mid, str) else "")

    async def aclose(self) -> None:
        """See ``Peer``."""
        if self._closed:
            return
        self._closed = True
        self._cancel_deadline()
        try:
            await self._connection.close()
        except Exception as error:
            # After an offer that it could only half read, aiortc stumbles over its own state.
            log.debug("closing by hand after %r", error)
            for agent in self._agents():
                await agent.close()
        finally:
            for transceiver in self._connection.getTransceivers():
                # Those whose sender never started still hold their subscription.
                if transceiver.sender.track is not None:
                    transceiver.sender.track.stop()
            self._set_state(ConnectionState.CLOSED)

    def _add_senders(self, offer: Offer) -> None:
        """Prepare one transceiver per section, in the offer's order, which is how aiortc finds them."""
        feeds = {"video": self._source.video, "audio": self._source.audio}
        for section in offer.media:
            if section.kind not in feeds:
                continue
            feed = feeds[section.kind]
            if feed is None or not section.receives or not section.usable:
                self._connection.addTransceiver(section.kind, direction="inactive")
                continue
            feeds[section.kind] = None  # One section of a kind gets the track.
            transceiver = self._connection.addTransceiver(_FeedTrack(section.kind, feed), direction="sendonly")
            transceiver.setCodecPreferences(_codec_preferences(section.kind))
            if section.kind == "video":
                # aiortc only remembers PLI and FIR for an encoder of its own; ours sits in the source.
                transceiver.sender._send_keyframe = self._source.request_keyframe  # type: ignore[method-assign]
        if self._source.video is not None and _wants_unusable_video(offer.media):
            raise InvalidSdp("The viewer offers no H.264 for video, and the master has nothing else to send.")

    async def _add(self, text: str, *, mid: str) -> None:
        candidate = parse_candidate(text)
        self._candidates_seen += 1
        if candidate is None or self._offer is None or self._closed or self._candidates_seen > _MAX_REMOTE_CANDIDATES:
            return
        await self._connection.addIceCandidate(
            RTCIceCandidate(
                component=1,
                foundation=candidate.foundation,
                ip=candidate.address,
                port=candidate.port,
                priority=candidate.priority,
                protocol="udp",
                type=candidate.type,
                # A bundle has one transport, whatever section the candidate names (RFC 9143 §7.3).
                sdpMid=self._offer.bundled_under or mid,
            )
        )

    def _limit_gathering(self) -> None:
        for agent in self._agents():
            setattr(agent, "get_component_candidates", partial(_gather, agent))  # noqa: B010

    def _agents(self) -> Iterator[Connection]:
        transports = [transceiver.receiver.transport for transceiver in self._connection.getTransceivers()]
        if self._connection.sctp is not None:
            transports.append(self._connection.sctp.transport)
        for dtls in dict.fromkeys(transports):
            if dtls is not None:
                yield dtls.transport.iceGatherer._connection

    def _follow_state(self) -> None:
        state = ConnectionState(self._connection.connectionState)
        if state is ConnectionState.CONNECTED:
            self._cancel_deadline()
        self._set_state(state)

    def _give_up(self) -> None:
        self._set_state(ConnectionState.FAILED)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _set_state(self, state: ConnectionState) -> None:
        # From "failed" only "closed" follows; aiortc's own timers may still report this and that.
        allowed = not self._state.is_final or (self._state, state) == (ConnectionState.FAILED, ConnectionState.CLOSED)
        if state is not self._state and allowed:
            self._state = state
            if self.on_state is not None:
                self.on_state(state)


@contextmanager
def _as_invalid_sdp() -> Iterator[None]:
    """aiortc has no error of its own for an offer: what is wrong with it shows as ValueError, KeyError and others."""
    try:
        yield
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise InvalidSdp(f"The offer cannot be answered: {reason}.") from error


class _FeedTrack(MediaStreamTrack):
    """Gives a sender the feed's units as packets, which aiortc does not encode again."""

    def __init__(self, kind: str, feed: OutgoingFeed) -> None:
        super().__init__()
        self.kind = kind
        self._subscription = feed.subscribe()
        self._time_base = Fraction(1, feed.clock_rate)

    async def recv(self) -> av.Packet[av.stream.Stream]:
        """Called for the first time when DTLS is up: from then on the subscription is read, from a keyframe on."""
        unit = await self._subscription.next()
        if unit is None:
            self.stop()
            raise MediaStreamError
        packet = av.Packet(unit.data)
        packet.pts, packet.time_base = unit.timestamp, self._time_base
        return packet

    def stop(self) -> None:
        """End the subscription."""
        self._subscription.close()
        super().stop()


async def _gather(agent: Connection, component: int, addresses: list[str], timeout: int = 0) -> list[Candidate]:
    # aioice leaves out loopback, so a machine without any network would have no candidate for its own browser.
    return await Connection.get_component_candidates(agent, component, addresses or ["127.0.0.1"], _GATHER_LIMIT)


def _usable_servers(servers: Sequence[IceServer]) -> Iterator[RTCIceServer]:
    for server in servers:
        for url in server.urls:
            try:
                parse_stun_turn_uri(url)
            except ValueError as error:
                log.warning("ICE server %s is left out: %s", url, error)
            else:
                yield RTCIceServer(url, server.username, server.credential)


def _codec_preferences(kind: str) -> list[RTCRtpCodecCapability]:
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    if kind == "audio":
        return [codec for codec in codecs if codec.mimeType == "audio/opus"]
    by_profile = {codec.parameters.get("profile-level-id"): codec for codec in codecs if codec.name == "H264"}
    return [*(by_profile[profile] for profile in _H264_PROFILES), *(codec for codec in codecs if codec.name == "rtx")]


def _wants_unusable_video(media: Sequence[OfferedMedia]) -> bool:
    wanted = [section for section in media if section.kind == "video" and section.receives]
    return bool(wanted) and not any(section.usable for section in wanted)
