"""Viewers that are Python programs on other people's WebRTC: libwebrtc (package `wrtc`) and aiortc."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

import numpy as np

from tests.harness.bar_code import read_bar_code
from tests.harness.viewer_signaling import ViewerSignaling

PATIENCE = 15.0
"""Seconds for the pictures that a test asks for."""


class Viewer(ABC):
    """Use as `async with`: connected to the signaling of a channel, it offers to receive video of one codec."""

    def __init__(self, url: str, *, codec: str) -> None:
        self._signaling = ViewerSignaling(url)
        self._codec = codec
        self._trickle: asyncio.Task[None] | None = None

    @abstractmethod
    async def connect(self, signaling: ViewerSignaling) -> None:
        """Offer and take the answer."""

    @abstractmethod
    async def add_candidate(self, candidate: Any) -> None:
        """One of the master's."""

    @abstractmethod
    async def next_number(self) -> int | None:
        """The bar code of the next picture."""

    @abstractmethod
    async def close(self) -> None:
        """End the connection."""

    async def numbers(self, count: int) -> list[int | None]:
        """The bar codes of the next pictures."""
        async with asyncio.timeout(PATIENCE):
            return [await self.next_number() for _ in range(count)]

    async def __aenter__(self) -> Self:
        await self._signaling.__aenter__()
        try:
            await self.connect(self._signaling)
        except BaseException:
            await self._signaling.__aexit__(None, None, None)
            raise
        self._trickle = asyncio.create_task(self._take_candidates())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._trickle is not None:
            self._trickle.cancel()
        await self.close()
        await self._signaling.__aexit__(kind, error, trace)

    async def _take_candidates(self) -> None:
        while True:
            await self.add_candidate(await self._signaling.next_candidate())


class LibwebrtcViewer(Viewer):
    """Chrome's engine without Chrome."""

    async def connect(self, signaling: ViewerSignaling) -> None:
        import webrtc

        self._webrtc = webrtc
        self._connection = webrtc.RTCPeerConnection()
        transceiver = self._connection.add_transceiver("video", webrtc.RTCRtpTransceiverInit(direction="recvonly"))
        codecs = webrtc.RTCRtpReceiver.get_capabilities("video").codecs
        transceiver.set_codec_preferences([codec for codec in codecs if codec.mime_type == self._codec])
        track = transceiver.receiver.track
        init = webrtc.MediaStreamTrackProcessorInit(track, max_buffer_size=30)
        self._frames = aiter(webrtc.MediaStreamTrackProcessor(init).readable)
        sending: set[asyncio.Task[None]] = set()

        def trickle(event: Any) -> None:
            if event.candidate is not None and event.candidate.candidate:
                message = {
                    "candidate": event.candidate.candidate,
                    "sdpMid": event.candidate.sdp_mid,
                    "sdpMLineIndex": event.candidate.sdp_m_line_index,
                }
                sending.add(asyncio.ensure_future(signaling.send_candidate(message)))

        self._sending = sending
        self._connection.on("icecandidate", trickle)
        offer = await self._connection.create_offer()
        await self._connection.set_local_description(offer)
        answer = await signaling.exchange(self._connection.local_description.sdp)
        await self._connection.set_remote_description(webrtc.RTCSessionDescriptionInit(type="answer", sdp=answer))

    async def add_candidate(self, candidate: Any) -> None:
        made = self._webrtc.RTCIceCandidateInit(
            candidate=candidate["candidate"], sdp_mid=candidate.get("sdpMid"), sdp_m_line_index=0
        )
        await self._connection.add_ice_candidate(made)

    async def next_number(self) -> int | None:
        frame = await anext(self._frames)
        try:
            pixels = bytearray(frame.allocation_size())
            layout = (await frame.copy_to(pixels))[0]
            plane = np.frombuffer(pixels, np.uint8, layout.stride * frame.coded_height, layout.offset)
            return read_bar_code(plane.reshape(frame.coded_height, layout.stride)[:, : frame.coded_width])
        finally:
            frame.close()

    async def close(self) -> None:
        self._connection.close()


class AiortcViewer(Viewer):
    """aiortc's RTCPeerConnection as it comes."""

    async def connect(self, signaling: ViewerSignaling) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = self._connection.addTransceiver("video", "recvonly")
        codecs = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType in (self._codec, "video/rtx")])
        await self._connection.setLocalDescription()
        answer = await signaling.exchange(self._connection.localDescription.sdp)
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        self._track = transceiver.receiver.track

    async def add_candidate(self, candidate: Any) -> None:
        from aiortc.sdp import candidate_from_sdp

        made = candidate_from_sdp(candidate["candidate"].partition(":")[2])
        made.sdpMid = candidate.get("sdpMid")
        await self._connection.addIceCandidate(made)

    async def next_number(self) -> int | None:
        frame: Any = await self._track.recv()
        return read_bar_code(frame.to_ndarray(format="gray"))

    async def close(self) -> None:
        await self._connection.close()
