"""aiortc as the other side: it takes our answers and our offers, and we take its."""

from __future__ import annotations

import msgspec
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCConfiguration

from sightline.rtc.sdp import agree, make_answer, make_offer, parse_description, write_description

from .samples import H264, TRANSPORT, VP8, audio, master, video, viewer

THEIRS = msgspec.structs.replace(TRANSPORT, ufrag="them", password="q" * 24)


@pytest.mark.parametrize("codec", [H264, VP8], ids=["h264", "vp8"])
async def test_it_takes_our_answer(codec: object) -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("audio", direction="recvonly")
        connection.createDataChannel("kvs")
        await connection.setLocalDescription(await connection.createOffer())
        offer = parse_description(connection.localDescription.sdp)
        answer = make_answer(offer, master(video(codec), audio()))
        agreed = agree(answer, offer, offerer=False)
        assert agreed.media[0].codec.name == codec.name
        assert [media.sends for media in agreed.media] == [True, True]
        assert agreed.data is not None
        await connection.setRemoteDescription(RTCSessionDescription(write_description(answer), "answer"))
        assert [one.currentDirection for one in connection.getTransceivers()] == ["recvonly", "recvonly"]
    finally:
        await connection.close()


async def test_it_answers_our_offer() -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        connection.addTransceiver("video", direction="sendonly")
        connection.addTransceiver("audio", direction="sendonly")
        offer = make_offer(viewer(THEIRS))
        await connection.setRemoteDescription(RTCSessionDescription(write_description(offer), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        agreed = agree(offer, parse_description(connection.localDescription.sdp), offerer=True)
        assert [media.receives for media in agreed.media] == [True, True]
        assert agreed.media[0].codec.name in ("H264", "VP8")
        assert agreed.data is not None
    finally:
        await connection.close()
