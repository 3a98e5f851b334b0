"""Units out of payloads: what our own packetiser and other stacks make, and what nobody should."""

from __future__ import annotations

import base64
import random

import pytest
from aiortc.codecs.h264 import H264Encoder, H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor

from sightline.rtc.rtp.depacketize import Assembled, H264Depacketizer, depacketizer
from sightline.rtc.rtp.packetize import nal_units, packetize_h264, packetize_opus, packetize_vp8
from tests.unit.rtc.rtp.units import noise
from tests.unit.rtc.rtp.wire import PPS, SPS, encoded

START = b"\x00\x00\x00\x01"
IDR, SLICE = b"\x65\x88" + noise(100), b"\x41\x9a" + noise(50)


def h264() -> H264Depacketizer:
    return H264Depacketizer()


@pytest.mark.parametrize("size", [20, 1100, 1180, 5000, 90_000])
@pytest.mark.parametrize("keyframe", [True, False])
@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_what_our_packetiser_cut_comes_back_to_the_byte(codec: str, keyframe: bool, size: int) -> None:
    reader = depacketizer(codec)
    assert reader is not None
    data = encoded(codec, 7, size, keyframe)
    payloads = packetize_h264(data) if codec == "H264" else packetize_vp8(data)
    assert reader.begins_keyframe(payloads[0]) is keyframe
    assert not any(reader.begins_keyframe(payload) for payload in payloads[2:])
    assert reader.assemble(payloads) == Assembled(data, keyframe)


@pytest.mark.parametrize("slices", [1, 4])
def test_what_aiortc_cut_comes_back_too(slices: int) -> None:
    data = START + SPS + START + PPS + b"".join(START + IDR + noise(2000, number) for number in range(slices))
    payloads = H264Encoder._packetize(H264Encoder._split_bitstream(data))
    assembled = h264().assemble(payloads)
    assert assembled is not None
    assert list(nal_units(assembled.data)) == list(nal_units(data))
    assert b"".join(H264PayloadDescriptor.parse(payload)[1] for payload in payloads).count(START) == slices + 2


def test_opus() -> None:
    reader = depacketizer("OPUS")
    assert reader is not None
    assert reader.assemble(packetize_opus(b"sound")) == Assembled(b"sound", True)
    assert reader.assemble([b"two", b"packets"]) is None
    assert depacketizer("H265") is None


def test_parameter_sets_are_kept_and_put_before_keyframes_that_come_without() -> None:
    reader = h264()
    assert reader.assemble([IDR]) is None, "no decoder could begin with it"
    assert reader.assemble([SPS, PPS]) == Assembled(b"", False), "nothing to show, and nothing wrong"
    assert reader.assemble([IDR]) == Assembled(START + SPS + START + PPS + START + IDR, True)
    newer = PPS + b"\x01"
    whole = reader.assemble([newer, IDR])
    assert whole == Assembled(START + SPS + START + newer + START + IDR, True), "in the order that decoders want"
    assert reader.assemble([SLICE]) == Assembled(START + SLICE, False)


def test_parameter_sets_out_of_the_description() -> None:
    text = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))
    reader = H264Depacketizer(text + ",%%%,")
    assert reader.assemble([IDR]) == Assembled(START + SPS + START + PPS + START + IDR, True)


def test_delimiters_and_filler_are_left_out_and_sei_is_not() -> None:
    reader, sei = h264(), b"\x06\x05\x01\x80"
    assembled = reader.assemble([b"\x09\xf0", SPS, PPS, sei, IDR, b"\x0c\xff\x80"])
    assert assembled == Assembled(START + SPS + START + PPS + START + sei + START + IDR, True)


def test_a_keyframe_begins_with_its_first_slice_only() -> None:
    reader = h264()
    later = b"\x65\x40" + noise(10)
    assert reader.begins_keyframe(IDR)
    assert not reader.begins_keyframe(later), "first_mb_in_slice is not 0"
    assert reader.begins_keyframe(b"\x7c\x85\x88")
    assert not reader.begins_keyframe(b"\x7c\x85\x40")
    assert not reader.begins_keyframe(b"\x7c\x05\x88"), "not the first fragment"
    assert reader.begins_keyframe(b"\x78\x00\x02\x67\x42")
    assert not reader.begins_keyframe(b"\x78\x00\x02\x41\x9a")
    for nonsense in (b"", b"\x65", b"\x7c", b"\x7c\x85", b"\x78", b"\x78\x00", b"\x78\xff\xff\x67"):
        assert not reader.begins_keyframe(nonsense)


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x7c\x01abc"],  # begins in the middle of a unit
        [b"\x7c\x81abc"],  # ends in the middle of one
        [b"\x7c\x81abc", b"\x41\x9a"],
        [b"\x7c\x81abc", b"\x7c\x81abc", b"\x7c\x41abc"],
        [b"\x7c\x81"],
        [b"\x78"],
        [b"\x78\x00\x00"],
        [b"\x78\x00\x09\x41"],
        [b"\x78\x00\x01\x41\x00"],
        [b"\x78\x00\x01\x78"],
        [b"\x79\x00\x00\x00\x01\x41"],
        [b"\x00abc"],
        [b"\x1fabc"],
        [b""],
    ],
)
def test_payloads_that_contradict_themselves_are_no_picture(payloads: list[bytes]) -> None:
    assert h264().assemble(payloads) is None


def test_vp8_descriptors_of_every_length() -> None:
    reader = depacketizer("VP8")
    assert reader is not None
    for descriptor in (b"\x10", b"\x90\x80\x11", b"\x90\x80\x91\x11", b"\x90\xe0\x91\x11\x05\x20", b"\xb0\x60\x05\x20"):
        assert VpxPayloadDescriptor.parse(descriptor + b"\x10abc")[1] == b"\x10abc", "aiortc agrees"
        assert reader.begins_keyframe(descriptor + b"\x10abc")
        assert not reader.begins_keyframe(descriptor + b"\x11abc")
        whole = reader.assemble([descriptor + b"\x10abc", bytes((descriptor[0] & 0xEF,)) + descriptor[1:] + b"def"])
        assert whole == Assembled(b"\x10abcdef", True)
        assert reader.assemble([descriptor]) is None
        assert not reader.begins_keyframe(descriptor)
    second_partition = b"\x11def"
    assert reader.assemble([b"\x10\x11abc", second_partition]) == Assembled(b"\x11abcdef", False)
    assert reader.assemble([second_partition]) is None, "the beginning is missing"
    assert reader.assemble([b"\x10\x11abc", b"\x10\x11abc"]) is None, "two pictures"


def test_noise_never_raises_and_nothing_grows() -> None:
    chance = random.Random(5)
    readers = [reader for name in ("H264", "VP8", "opus") if (reader := depacketizer(name)) is not None]
    for _ in range(3000):
        payloads = [chance.randbytes(chance.randrange(12)) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.5:
            payloads = [bytes((chance.choice([0x67, 0x68, 0x78, 0x7C, 0x65]),)) + payload for payload in payloads]
        for reader in readers:
            reader.assemble(payloads)
            for payload in payloads:
                reader.begins_keyframe(payload)
    first = readers[0]
    assert isinstance(first, H264Depacketizer)
    for number in range(3000):
        first.assemble([b"\x67" + noise(5000, number), b"\x68" + chance.randbytes(4), IDR])
    assembled = first.assemble([IDR])
    assert assembled is not None
    assert len(assembled.data) < 70 * 4100
