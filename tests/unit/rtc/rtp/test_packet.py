"""RTP packets read: against aiortc's writing, and what is none."""

from __future__ import annotations

from aiortc import rtp as reference
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.packet import parse_rtp, unwrapped


@given(
    st.binary(max_size=40),
    st.integers(0, 127),
    st.integers(0, 1),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=15),
    st.sampled_from(["", "0", "video", "a-mid-of-sixteen"]),
    st.integers(0, 20),
)
def test_what_aiortc_writes(
    payload: bytes, kind: int, marker: int, sequence: int, number: int, csrc: list[int], mid: str, padding: int
) -> None:
    packet = reference.RtpPacket(
        payload_type=kind,
        marker=marker,
        sequence_number=sequence,
        timestamp=number,
        ssrc=number ^ 0xFFFF,
        payload=payload,
    )
    packet.csrc = csrc
    packet.padding_size = padding
    extensions = reference.HeaderExtensionsMap()
    extensions._HeaderExtensionsMap__ids.mid = 4
    extensions._HeaderExtensionsMap__ids.audio_level = 2
    if mid:
        packet.extensions.mid = mid
        packet.extensions.audio_level = (False, 5)
    read = parse_rtp(packet.serialize(extensions), 4)
    assert read is not None
    assert (read.payload_type, read.marker, read.sequence) == (kind, bool(marker), sequence)
    assert (read.timestamp, read.ssrc, read.payload, read.mid) == (number, number ^ 0xFFFF, payload, mid)
    without = parse_rtp(packet.serialize(extensions))
    assert without is not None
    assert (without.mid, without.payload) == ("", payload)


def test_extensions_with_headers_of_two_bytes() -> None:
    elements = b"\x02\x01x\x00\x04\x05video\x00"
    header = b"\x90\x66\x00\x01" + bytes(8) + b"\x10\x00\x00\x03" + elements
    packet = parse_rtp(header + b"payload", 4)
    assert packet is not None
    assert (packet.mid, packet.payload) == ("video", b"payload")


@given(st.binary(max_size=60))
def test_noise_is_a_packet_or_none(datagram: bytes) -> None:
    for number in (None, 1, 4):
        for data in (datagram, b"\x90\x66" + datagram, b"\xb3\xe6" + datagram):
            packet = parse_rtp(data, number)
            assert packet is None or len(packet.payload) <= len(data) - 12


def test_what_contradicts_its_lengths_is_none() -> None:
    header = b"\x80\x66\x00\x01" + bytes(8)
    assert parse_rtp(header) is not None
    for wrong in (
        header[:11],
        b"\x40" + header[1:],
        b"\x81" + header[1:],
        b"\x90" + header[1:],
        b"\x90" + header[1:] + b"\xbe\xde\x00\x02abcd",
        b"\xa0" + header[1:] + b"\x00",
        b"\xa0" + header[1:] + b"\x05",
    ):
        assert parse_rtp(wrong, 1) is None, wrong


@given(st.integers(0, 1 << 40), st.integers(-0x7FFF, 0x7FFF))
def test_numbers_are_unwrapped_to_the_nearest(near: int, step: int) -> None:
    assert unwrapped((near + step) & 0xFFFF, 16, near) == near + step
