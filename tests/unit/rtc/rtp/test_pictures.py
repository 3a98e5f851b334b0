"""From an encoder to a decoder: what a viewer sees of it, judged by the pictures' bar codes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby

import av
import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket, unwrap_rtx

from sightline.media.bar_code import read_bar_code
from sightline.media.encoders import VideoEncoder, Vp8Encoder
from sightline.media.picture import MovingPicture
from sightline.media.units import EncodedUnit, VideoFormat
from sightline.rtc.rtp.rtcp import Nack, build
from tests.unit.rtc.rtp.stage import Feed, Loop, Viewer, new_fanout
from tests.unit.rtc.rtp.units import video_stream

PICTURE = MovingPicture(320, 180, title="TEST")


class Camera(Feed):
    """A feed of real pictures."""

    def __init__(self, loop: Loop, codec: str) -> None:
        super().__init__(loop, codec)
        form = VideoFormat(320, 180, 30, codec=codec)
        self.encoder = (VideoEncoder if codec == "H264" else Vp8Encoder)(form, bitrate=1_500_000)

    def publish(self, *, keyframe: bool = False, size: int | None = None) -> None:
        wanted, self.wanted = keyframe or self.wanted, False
        frame = PICTURE.draw(self.number, seconds=self.number / 30, caption="")
        for unit in self.encoder.encode(frame, seconds=self.number / 30, keyframe=wanted):
            for listener in list(self.listeners):
                listener(unit)
        self.number += 1


def shown(packets: Iterable[RtpPacket], codec: str) -> list[int | None]:
    """The bar codes of the pictures that these packets hold, in their order of sequence numbers."""
    decoder = av.CodecContext.create("h264" if codec == "H264" else "vp8", "r")
    ordered = sorted({packet.sequence_number: packet for packet in packets}.items())
    numbers: list[int | None] = []
    for _, group in groupby((packet for _, packet in ordered), key=lambda packet: packet.timestamp):
        if codec == "H264":
            data = b"".join(H264PayloadDescriptor.parse(packet.payload)[1] for packet in group)
        else:
            data = b"".join(VpxPayloadDescriptor.parse(packet.payload)[1] for packet in group)
        for frame in decoder.decode(av.Packet(data)):
            numbers.append(read_bar_code(frame.to_ndarray(format="rgb24")))
    return numbers


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_viewers_see_every_picture_from_when_they_join(codec: str) -> None:
    loop = Loop()
    fanout, camera = new_fanout(loop), Camera(loop, codec)
    early, late = Viewer(loop), Viewer(loop)
    fanout.add(early.outlet, video=camera)
    fanout.start(early.outlet)
    camera.play(20)
    fanout.add(late.outlet, video=camera)
    fanout.start(late.outlet)
    camera.play(20)
    assert shown(early.packets, codec) == list(range(40))
    assert shown(late.packets, codec) == list(range(20, 40))


@pytest.mark.parametrize("rtx", [True, False], ids=["rtx", "repeated"])
def test_a_viewer_that_loses_every_tenth_packet_sees_every_picture(rtx: bool) -> None:
    loop, dice = Loop(), random.Random(1)
    fanout, camera = new_fanout(loop), Camera(loop, "H264")
    viewer = Viewer(loop)
    viewer.video = viewer.outlet.video = video_stream(rtx=rtx)
    fanout.add(viewer.outlet, video=camera)
    fanout.start(viewer.outlet)
    received: dict[int, RtpPacket] = {}
    looked_at = 0
    for _ in range(60):
        camera.play(1)
        packets = viewer.packets
        for packet in packets[looked_at:]:
            if dice.random() < 0.1:
                continue
            original = unwrap_rtx(packet, 102, 0x11111111) if packet.ssrc == 0x22222222 else packet
            received[original.sequence_number] = original
        looked_at = len(packets)
        lost = set(range(100, max(received, default=99) + 1)) - set(received)
        if lost:
            fanout.receive_rtcp(viewer.outlet, build([Nack(9, 0x11111111, tuple(sorted(lost)))]))
    assert viewer.video.counters.repeated_packets > 10
    numbers = shown(received.values(), "H264")
    assert numbers[:58] == list(range(58))


def test_a_viewer_of_a_file_is_at_the_present_at_once() -> None:
    """Eight seconds are held; 0.3 s after joining the viewer is shown what is live."""
    loop = Loop()
    fanout, camera = new_fanout(loop), Camera(loop, "H264")
    camera.makes_keyframes = False
    held: list[EncodedUnit] = []
    camera.listen(held.append)  # type: ignore[arg-type]
    for number in range(250):
        camera.publish(keyframe=number == 0)
        loop.run(1 / 30)
    live = held[-1].timestamp + 3000
    camera.held = [(unit, loop.now + place / 250 * 0.2, live + place * 72) for place, unit in enumerate(list(held))]
    viewer = Viewer(loop)
    fanout.add(viewer.outlet, video=camera)
    fanout.start(viewer.outlet)
    camera.play(9)
    assert shown(viewer.packets, "H264") == list(range(259))
    last = viewer.packets[-1]
    assert last.timestamp - 1000 == held[-1].timestamp
    assert loop.now - viewer.calls[-1][0] <= 1 / 30 + 0.001
