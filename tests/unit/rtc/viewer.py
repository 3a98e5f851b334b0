"""A viewer for tests: aiortc's peer connection as it comes, without anything of ours."""

from __future__ import annotations

import time

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from sightline.media.bar_code import read_bar_code


class AiortcViewer:
    def __init__(self, *kinds: str, data_channel: bool = False) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.connection.on("track", lambda track: self.tracks.__setitem__(track.kind, track))
        for kind in kinds:
            self.connection.addTransceiver(kind, "recvonly")
        self.channel = self.connection.createDataChannel("chat") if data_channel else None

    async def offer(self) -> str:
        await self.connection.setLocalDescription()
        sdp: str = self.connection.localDescription.sdp
        return sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def numbers(self, count: int) -> list[int | None]:
        """The bar codes of the next pictures."""
        frames = [await self.tracks["video"].recv() for _ in range(count)]
        return [read_bar_code(frame.to_ndarray(format="rgb24")) for frame in frames]  # type: ignore[union-attr]

    async def frames_per_second(self, *, over: int) -> float:
        await self.numbers(5)
        begun = time.monotonic()
        await self.numbers(over)
        return over / (time.monotonic() - begun)

    async def aclose(self) -> None:
        await self.connection.close()
