"""Our viewer's connection against another stack's master: aiortc as it comes."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from sightline.rtc.certificates import Certificate
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.peer import ConnectionState
from sightline.rtc.viewer_peer import EncodedFrame, ViewerPeer
from tests.unit.client import fake_signaling

pytestmark = pytest.mark.realtime

eventually = partial(fake_signaling.eventually, within=20)


async def test_a_master_of_aiortc() -> None:
    master = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    master.addTrack(VideoStreamTrack())
    master.addTrack(AudioStreamTrack())
    heard: list[object] = []
    master.on("datachannel", lambda channel: channel.on("message", heard.append))
    viewer = ViewerPeer(ice=IceConfig(), certificate=Certificate.make())
    frames: list[EncodedFrame] = []
    viewer.on_frame = frames.append
    await master.setRemoteDescription(RTCSessionDescription(await viewer.offer(), "offer"))
    await master.setLocalDescription(await master.createAnswer())
    await viewer.accept(master.localDescription.sdp)
    await eventually(lambda: {frame.kind for frame in frames} == {"video", "audio"})
    assert next(frame for frame in frames if frame.kind == "video").keyframe
    await eventually(lambda: frames[-1].capture is not None)
    assert viewer.connection_state is ConnectionState.CONNECTED
    viewer.channels.open("chat")
    await eventually(lambda: "chat" in viewer.channels.labels)
    viewer.channels.send("hello")
    await eventually(lambda: heard == ["hello"])
    await asyncio.gather(master.close())
    await eventually(lambda: viewer.connection_state is ConnectionState.CLOSED)
    await viewer.aclose()
