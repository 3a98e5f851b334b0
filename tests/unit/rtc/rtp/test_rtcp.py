"""RTCP against aiortc's reading and writing, and against noise."""

from __future__ import annotations

import contextlib

import pytest
from aiortc import rtp as reference
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.rtcp import (
    BandwidthEstimate,
    FullIntraRequest,
    Goodbye,
    MalformedRtcp,
    Nack,
    PictureLoss,
    ReceiverReport,
    Report,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build,
    parse,
)

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
blocks = st.lists(
    st.builds(ReportBlock, u32, u8, st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32), max_size=31
).map(tuple)
texts = st.text(max_size=60)
reports = st.one_of(
    st.builds(SenderReport, u32, st.integers(0, (1 << 64) - 1), u32, u32, u32, blocks),
    st.builds(ReceiverReport, u32, blocks),
    st.builds(SourceDescription, st.lists(st.tuples(u32, texts), max_size=31).map(tuple)),
    st.builds(Goodbye, st.lists(u32, max_size=31).map(tuple), texts),
    st.builds(Nack, u32, u32, st.sets(u16, min_size=1, max_size=50).map(lambda lost: tuple(sorted(lost)))),
    st.builds(PictureLoss, u32, u32),
    st.builds(FullIntraRequest, u32, st.lists(st.tuples(u32, u8), min_size=1, max_size=5).map(tuple)),
    st.builds(BandwidthEstimate, u32, st.integers(0, (1 << 18) - 1).map(lambda n: n << 7), st.just((1, 2))),
)


@given(st.lists(reports, min_size=1, max_size=5))
def test_what_is_written_is_read(sent: list[Report]) -> None:
    assert parse(build(sent)) == sent


def test_a_sender_report_byte_for_byte() -> None:
    assert build([SenderReport(0x01020304, 0x1112131415161718, 0x21222324, 5, 6)]) == bytes.fromhex(
        "80c80006 01020304 1112131415161718 21222324 00000005 00000006"
    )


def test_counters_wrap() -> None:
    (report,) = parse(build([SenderReport(1, 0, 0, (1 << 32) + 5, (1 << 40) + 6)]))
    assert isinstance(report, SenderReport)
    assert (report.packets, report.octets) == (5, 6)


def test_aiortc_reads_what_we_write() -> None:
    block = ReportBlock(7, 3, -2, 70000, 4, 5, 6)
    sent = [
        SenderReport(1, 2 << 32, 3, 4, 5, (block,)),
        SourceDescription(((1, "sightline"),)),
        Nack(1, 2, (65000, 65003, 65016, 65017, 100)),
        Goodbye((1, 2)),
    ]
    sender, names, nack, bye = reference.RtcpPacket.parse(build(sent))
    assert (sender.sender_info.ntp_timestamp, sender.sender_info.packet_count) == (2 << 32, 4)
    assert (sender.reports[0].packets_lost, sender.reports[0].highest_sequence) == (-2, 70000)
    assert (names.chunks[0].ssrc, names.chunks[0].items) == (1, [(1, b"sightline")])
    assert nack.lost == [65000, 65003, 65016, 65017, 100]
    assert bye.sources == [1, 2]


def test_we_read_what_aiortc_writes() -> None:
    lost = [10, 11, 26, 27, 65000]
    written = b"".join(
        bytes(packet)
        for packet in (
            reference.RtcpRrPacket(ssrc=1, reports=[reference.RtcpReceiverInfo(2, 3, -4, 5, 6, 7, 8)]),
            reference.RtcpSdesPacket(chunks=[reference.RtcpSourceInfo(1, [(1, b"name"), (6, b"tool")])]),
            reference.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=lost),
            reference.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=2),
            reference.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=reference.pack_remb_fci(4160000, [2])),
            reference.RtcpByePacket(sources=[1]),
        )
    )
    assert parse(written) == [
        ReceiverReport(1, (ReportBlock(2, 3, -4, 5, 6, 7, 8),)),
        SourceDescription(((1, "name"),)),
        Nack(1, 2, tuple(lost)),
        PictureLoss(1, 2),
        BandwidthEstimate(1, 4160000, (2,)),
        Goodbye((1,)),
    ]


def test_a_fir_without_a_media_ssrc_names_its_target_inside() -> None:
    assert parse(bytes.fromhex("84ce0004 00000001 00000000 00000002 2a000000")) == [FullIntraRequest(1, ((2, 42),))]


def test_a_fir_of_old_stacks_names_it_in_the_header() -> None:
    assert parse(bytes.fromhex("84ce0002 00000001 00000002")) == [FullIntraRequest(1, ((2, 0),))]


@pytest.mark.parametrize(
    "unknown",
    [
        "80cf0003 00000001 04000001 00000000",  # XR
        "8bcd0005 00000001 00000002 00000001 00000000 00000000",  # feedback of RFC 8888
        "80cc0002 00000001 41424344",  # APP
        "8fce0003 00000001 00000002 41424344",  # application feedback that is no REMB
        "80c00000",  # the H.261 FIR of RFC 2032
        "81ca0003 00000001 07024869 00000000",  # a description without CNAME
    ],
)
def test_what_is_not_known_is_passed_over(unknown: str) -> None:
    known = [report for report in parse(bytes.fromhex(unknown) + build([Goodbye((9,))])) if report]
    assert known[-1] == Goodbye((9,))
    assert all(isinstance(report, SourceDescription) and not report.names for report in known[:-1])


def test_padding_is_taken_off() -> None:
    assert parse(bytes.fromhex("a1cb0003 00000009 00000000 00000008")) == [Goodbye((9,))]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "80c8",
        "40c90001 00000001",  # version 1
        "80c90002 00000001",  # longer than the datagram
        "80c90001 00000001 00",  # a byte left over
        "81c90001 00000001",  # a block announced and not there
        "80c80001 00000001",
        "82cb0001 00000001",
        "81cd0001 00000001",
        "81ca0002 00000001 01ff4141",  # an item that is longer than all
        "8fce0004 00000001 00000000 52454d42 ff000001",  # REMB with 255 SSRCs in no room
        "a1cb0001 000000ff",  # padding longer than the packet
        "a0cb0000",
    ],
)
def test_what_contradicts_itself_is_refused(broken: str) -> None:
    with pytest.raises(MalformedRtcp):
        parse(bytes.fromhex(broken))


@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    with contextlib.suppress(MalformedRtcp):
        parse(noise)


@given(st.lists(reports, min_size=1, max_size=3), st.data())
def test_damage_raises_nothing_else(sent: list[Report], data: st.DataObject) -> None:
    damaged = bytearray(build(sent))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(u8)
    with contextlib.suppress(MalformedRtcp):
        parse(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@given(st.integers(200, 206), st.integers(0, 31), st.binary(max_size=160))
def test_right_frames_with_any_content_raise_nothing_else(kind: int, count: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    with contextlib.suppress(MalformedRtcp):
        parse(bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body)
