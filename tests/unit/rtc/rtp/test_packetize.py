"""Payloads that any receiver puts together again; aiortc's depacketisers say what they hold."""

from __future__ import annotations

import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.packetize import (
    DATAGRAM_LIMIT,
    PAYLOAD_LIMIT,
    nal_units,
    packetize_h264,
    packetize_opus,
    packetize_vp8,
    packetizer,
)
from tests.unit.rtc.rtp.units import Picture, noise

START = b"\x00\x00\x00\x01"
SPS, PPS, SEI, DELIMITER = b"\x67\x42\xe0\x1f\x11", b"\x68\xce\x3c\x80", b"\x06\x05\x01\x02\x80", b"\x09\xf0"

bodies = st.binary(min_size=1, max_size=5000).map(lambda body: body.replace(b"\x00", b"\x01"))
slices = st.builds(lambda kind, body: bytes((kind,)) + body, st.sampled_from([0x65, 0x41, 0x01, 0x67, 0x68]), bodies)


def reassembled(payloads: tuple[bytes, ...]) -> bytes:
    return b"".join(H264PayloadDescriptor.parse(payload)[1] for payload in payloads)


def test_the_limit_leaves_room_for_everything_around_a_payload() -> None:
    header, extension, rtx_number, gcm_tag = 12, 12, 2, 16
    assert header + extension + rtx_number + PAYLOAD_LIMIT + gcm_tag == DATAGRAM_LIMIT == 1200


def test_a_small_picture_is_one_packet_as_it_is() -> None:
    assert packetize_h264(START + b"\x41\x9a\x01\x02") == (b"\x41\x9a\x01\x02",)


def test_a_large_one_is_cut_into_equal_pieces() -> None:
    """RFC 6184 §5.8: the start bit on the first, the end bit on the last, the type in each."""
    body = noise(10)
    assert packetize_h264(START + b"\x65" + body, limit=6) == (
        b"\x7c\x85" + body[0:4],
        b"\x7c\x05" + body[4:8],
        b"\x7c\x45" + body[8:10],
    )


def test_parameter_sets_share_a_packet_and_what_only_people_read_is_left_out() -> None:
    """RFC 6184 §5.7.1: STAP-A with the highest importance of its units."""
    keyframe = b"\x65" + noise(3000)
    payloads = packetize_h264(START + DELIMITER + START + SPS + START + PPS + START + SEI + START + keyframe)
    assert payloads[0] == b"\x78\x00\x05" + SPS + b"\x00\x04" + PPS
    assert reassembled(payloads) == START + SPS + START + PPS + START + keyframe
    assert [len(payload) for payload in payloads[1:]] == [1002, 1002, 1002]


@pytest.mark.parametrize("data", [b"", b"no start code", b"\x00\x00\x01", START + DELIMITER, START + START])
def test_nothing_comes_of_nothing(data: bytes) -> None:
    assert packetize_h264(data) == ()


def test_zeros_between_units_belong_to_none() -> None:
    assert list(nal_units(b"\x00\x00\x01\x41\x05\x00\x00\x00\x00\x01\x41\x06\x00\x00")) == [b"\x41\x05", b"\x41\x06"]


@given(st.lists(slices, min_size=1, max_size=8), st.integers(20, PAYLOAD_LIMIT))
def test_every_picture_comes_out_as_it_went_in(units: list[bytes], limit: int) -> None:
    data = b"".join(START + unit for unit in units)
    payloads = packetize_h264(data, limit)
    assert max(map(len, payloads)) <= limit
    assert reassembled(payloads) == data


@given(st.integers(1, 300_000))
def test_one_system_call_per_picture(size: int) -> None:
    """All packets of a slice are equal but the last, which is shorter: what UDP GSO asks for."""
    sizes = [len(payload) for payload in packetize_h264(START + b"\x41" + b"\x55" * size)]
    assert len(set(sizes[:-1])) <= 1
    assert sizes[-1] <= sizes[0] <= PAYLOAD_LIMIT
    assert len(sizes) <= size // (PAYLOAD_LIMIT - 2) + 1


@given(st.binary(min_size=1, max_size=9000))
def test_vp8_frames_come_out_as_they_went_in(data: bytes) -> None:
    payloads = packetize_vp8(data)
    read = [VpxPayloadDescriptor.parse(payload) for payload in payloads]
    assert b"".join(rest for _, rest in read) == data
    assert {descriptor.picture_id for descriptor, _ in read} == {None}, "a viewer may be given another rendition"
    assert [descriptor.partition_start for descriptor, _ in read] == [1] + [0] * (len(read) - 1)
    sizes = [len(payload) for payload in payloads]
    assert len(set(sizes[:-1])) <= 1
    assert max(sizes) <= PAYLOAD_LIMIT


def test_a_vp8_payload_byte_for_byte() -> None:
    """RFC 7741 §4.2: S at the beginning, and nothing else."""
    assert packetize_vp8(b"abcd", limit=3) == (b"\x10ab", b"\x00cd")


def test_sound_is_never_cut() -> None:
    assert packetize_opus(b"opus") == (b"opus",)
    assert packetize_opus(b"") == ()
    assert packetize_vp8(b"") == ()


def test_a_feed_has_its_packetiser() -> None:
    video = packetizer("h264")(Picture(START + b"\x65" + noise(2000), 9000, True))
    assert (video.timestamp, video.keyframe, video.marker) == (9000, True, True)
    assert video.octets == sum(map(len, video.payloads)) == 2004
    audio = packetizer("opus")(Picture(b"sound", 960, True))
    assert (audio.payloads, audio.marker, audio.octets) == ((b"sound",), False, 5)
    assert packetizer("VP8")(Picture(b"x")).payloads == (b"\x10x",)
    with pytest.raises(ValueError, match="AV1"):
        packetizer("AV1")
