"""Units and packets for these tests, and an SRTP that changes nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass

from aiortc.rtp import RtpPacket

from sightline.rtc.rtp.packetize import Packets, packetizer
from sightline.rtc.rtp.stream import OutgoingStream, Rtx, StreamSettings
from sightline.rtc.rtp.transport_wide import SentPackets

WIDE = 5
"""The id of the transport-wide count."""

FRAME = 3000
"""Ticks of a frame at 30 per second."""


@dataclass(frozen=True)
class Picture:
    data: bytes
    timestamp: int = 0
    keyframe: bool = False


_NOISE = bytes(random.Random(1).choices(range(1, 256), k=1 << 18))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes without zeros, so that no start code can be among them; ``size`` up to 128 KiB."""
    begin = seed * 977 % (1 << 17)
    return _NOISE[begin : begin + size]


def picture(number: int, *, size: int = 3000, keyframe: bool = False) -> Picture:
    """The H.264 picture of that number."""
    data = b"\x00\x00\x00\x01" + (b"\x65" if keyframe else b"\x41") + noise(size, number)
    return Picture(data, number * FRAME, keyframe)


def packets(number: int, *, size: int = 3000, keyframe: bool = False) -> Packets:
    """The same, packetised."""
    return packetizer("H264")(picture(number, size=size, keyframe=keyframe))


def sound(number: int) -> Packets:
    """An Opus packet of 20 ms."""
    return packetizer("opus")(Picture(noise(160, number), number * 960, True))


def clear(packet: bytes) -> bytes:
    """Protects nothing."""
    return packet


def video_stream(
    *, rtx: bool = False, mid: str = "", sequence: int = 100, wide: SentPackets | None = None
) -> OutgoingStream:
    settings = StreamSettings(
        ssrc=0x11111111,
        payload_type=102,
        clock_rate=90_000,
        rtx=Rtx(0x22222222, 103) if rtx else None,
        mid=mid,
        mid_extension=4 if mid else None,
        wide_extension=None if wide is None else WIDE,
    )
    return OutgoingStream(settings, protect=clear, sequence=sequence, timestamp_offset=1000, rtx_sequence=7, wide=wide)


def audio_stream(*, wide: SentPackets | None = None) -> OutgoingStream:
    settings = StreamSettings(
        ssrc=0x33333333, payload_type=111, clock_rate=48_000, wide_extension=None if wide is None else WIDE
    )
    return OutgoingStream(settings, protect=clear, sequence=5, timestamp_offset=0, wide=wide)


def parsed(datagrams: list[bytes]) -> list[RtpPacket]:
    """As aiortc reads them."""
    return [RtpPacket.parse(datagram) for datagram in datagrams]
