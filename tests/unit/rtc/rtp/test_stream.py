"""One viewer's stream: what is on the wire, what may be sent again, and what the reports say."""

from __future__ import annotations

import os
from itertools import pairwise

import msgspec
import pylibsrtp
import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unwrap_rtx
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.rtp.clock import LiveClock
from sightline.rtc.rtp.rtcp import ReportBlock
from sightline.rtc.rtp.stream import OutgoingStream, StreamSettings
from sightline.rtc.rtp.transport_wide import SentPackets
from tests.unit.rtc.rtp.units import FRAME, WIDE, audio_stream, clear, packets, parsed, sound, video_stream


def test_a_packet_byte_for_byte() -> None:
    stream = video_stream(sequence=0xFFFF)
    first, second = stream.build(packets(1, size=2000), 0.0)
    assert first[:12].hex() == "8066ffff00000fa011111111"
    assert second[:12].hex() == "80e6000000000fa011111111", "marker on the last, the number wraps"


def test_the_mid_is_in_every_packet() -> None:
    extensions = HeaderExtensionsMap()
    extensions.configure(
        RTCRtpParameters(
            headerExtensions=[RTCRtpHeaderExtensionParameters(id=4, uri="urn:ietf:params:rtp-hdrext:sdes:mid")]
        )
    )
    for mid in ("0", "vid", "video"):
        built = video_stream(mid=mid).build(packets(1), 0.0)
        read = [RtpPacket.parse(packet, extensions) for packet in built]
        assert [packet.extensions.mid for packet in read] == [mid] * 3
        assert b"".join(packet.payload for packet in read) == b"".join(packets(1).payloads)


@pytest.mark.parametrize(("mid", "number"), [("", 4), ("x" * 17, 4), ("0", 15), ("0", None)])
def test_what_no_extension_can_carry_is_left_out(mid: str, number: int | None) -> None:
    settings = StreamSettings(ssrc=1, payload_type=96, clock_rate=90_000, mid=mid, mid_extension=number)
    stream = OutgoingStream(settings, protect=clear, sequence=0, timestamp_offset=0)
    assert stream.build(packets(1, size=50), 0.0)[0][0] == 0x80


def test_nothing_is_over_the_limit() -> None:
    key = os.urandom(28)
    policy = pylibsrtp.Policy(key=key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=GCM)
    protect = pylibsrtp.Session(policy).protect
    settings = msgspec.structs.replace(video_stream(mid="vid", rtx=True).settings, playout_extension=5)
    stream = OutgoingStream(settings, protect=protect, sequence=0, timestamp_offset=0)
    stream.hold_back(0.3)
    built = stream.build(packets(1, size=11_560), 0.0)
    repeated = stream.retransmit(range(20), 0.0)
    assert {len(packet) for packet in built} == {1198}
    assert {len(packet) for packet in repeated} == {1200}


def test_a_viewer_begins_at_a_keyframe_and_resumes_at_one_without_a_gap() -> None:
    stream = video_stream()
    offered = [packets(number, keyframe=number in (3, 8)) for number in range(12)]
    sent = []
    for number, unit in enumerate(offered):
        if number == 6:
            stream.drop_to_keyframe()
        if stream.accepts(unit):
            sent += stream.build(unit, number / 30)
    read = parsed(sent)
    assert [packet.sequence_number for packet in read] == list(range(100, 100 + len(read)))
    shown = list(dict.fromkeys((packet.timestamp - 1000) // FRAME for packet in read))
    assert shown == [3, 4, 5, 8, 9, 10, 11]
    assert (stream.counters.frames, stream.counters.keyframes, stream.counters.frames_dropped) == (7, 2, 2)


def test_parts_of_a_frame_are_the_frame() -> None:
    whole, parts = video_stream(), video_stream()
    unit = packets(1, size=20_000)
    expected = whole.build(unit, 0.0)
    built = parts.build(unit, 0.0, stop=5)
    built += parts.build(unit, 0.1, start=5, stop=6)
    built += parts.build(unit, 0.2, start=6)
    assert built == expected
    assert parts.counters == whole.counters
    assert parts.retransmit([107], 0.2) == [expected[7]]


@given(st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=30))
def test_timestamps_grow_whatever_the_source_does(steps: list[int]) -> None:
    stream, ticks, seen = video_stream(), 10_000_000, []
    for number, step in enumerate(steps):
        ticks += step
        (packet,) = parsed(stream.build(packets(1, size=10), number / 30, timestamp=ticks))
        seen.append(packet.timestamp)
    assert all(1 <= (later - earlier) % (1 << 32) < 1 << 31 for earlier, later in pairwise(seen))


def test_a_new_timeline_goes_on_from_the_old_one() -> None:
    stream = video_stream()
    (before,) = parsed(stream.build(packets(30_000, size=10), 1000.0))
    (after,) = parsed(stream.build(packets(0, size=10), 1002.0))
    (then,) = parsed(stream.build(packets(1, size=10), 1002.033))
    assert after.timestamp - before.timestamp == 2 * 90_000
    assert then.timestamp - after.timestamp == FRAME


@pytest.mark.parametrize("begins_at", [0, 30_050, 10_000_000])
def test_another_source_goes_on_where_the_one_before_would_be(begins_at: int) -> None:
    stream = video_stream()
    stream.begin_timeline()  # of nothing
    (before,) = parsed(stream.build(packets(30_000, size=10), 1000.0))
    for _ in range(2):
        stream.begin_timeline()
    assert stream.sender_report(LiveClock(90_000), 1001.0, 5.0) is None, "its time is not known yet"
    (after,) = parsed(stream.build(packets(1, size=10), 1002.0, timestamp=begins_at * FRAME))
    (then,) = parsed(stream.build(packets(1, size=10), 1002.033, timestamp=(begins_at + 1) * FRAME))
    assert (after.timestamp - before.timestamp) % (1 << 32) == 2 * 90_000
    assert then.timestamp - after.timestamp == FRAME
    assert then.sequence_number == before.sequence_number + 2


# -- sending again ----------------------------------------------------------------------------------------------------


def test_without_rtx_the_same_bytes_are_sent_again() -> None:
    stream = video_stream()
    sent = [packet for number in range(5) for packet in stream.build(packets(number), number / 30)]
    assert stream.retransmit([101, 110], 1.0) == [sent[1], sent[10]]
    assert stream.counters.repeated_packets == 2
    assert stream.counters.repeated_octets == len(sent[1]) + len(sent[10])


def test_with_rtx_they_come_in_their_own_stream() -> None:
    """RFC 4588 §4: the number in front of the payload, an own SSRC, type and count."""
    stream = video_stream(rtx=True, mid="0")
    sent = parsed([packet for number in range(5) for packet in stream.build(packets(number), number / 30)])
    repeated = parsed(stream.retransmit([101, 102], 1.0))
    assert [(packet.ssrc, packet.payload_type, packet.sequence_number) for packet in repeated] == [
        (0x22222222, 103, 7),
        (0x22222222, 103, 8),
    ]
    assert stream.next_rtx_sequence == 9
    restored = [unwrap_rtx(packet, 102, 0x11111111) for packet in repeated]
    assert [(packet.sequence_number, packet.timestamp, packet.marker, packet.payload) for packet in restored] == [
        (packet.sequence_number, packet.timestamp, packet.marker, packet.payload) for packet in sent[1:3]
    ]


def test_numbers_that_were_never_sent_or_long_ago_are_refused() -> None:
    stream = video_stream(sequence=0)
    for number in range(100):
        stream.build(packets(number), number / 30)
    assert stream.retransmit([300, 65_000], 4.0) == []
    old = 10  # sent 3 s before the last
    assert stream.retransmit([old], 4.0) == []
    assert len(stream.retransmit([299, 240], 4.0)) == 2
    assert stream.counters.repeats_refused == 3


def test_history_reaches_over_the_wrap() -> None:
    stream = video_stream(sequence=65_530)
    sent = [packet for number in range(5) for packet in stream.build(packets(number), number / 30)]
    assert stream.retransmit([65_530, 65_535, 0, 8], 1.0) == [sent[0], sent[5], sent[6], sent[14]]
    assert stream.retransmit([9], 1.0) == []


def test_a_packet_is_repeated_once_per_round_trip() -> None:
    stream = video_stream()
    stream.build(packets(1), 0.0)
    assert len(stream.retransmit([100, 100], 0.1)) == 1
    assert stream.retransmit([100], 0.14) == []
    assert len(stream.retransmit([100], 0.16)) == 1
    stream.rtt = 0.2
    assert stream.retransmit([100], 0.3) == []
    assert len(stream.retransmit([100], 0.37)) == 1


def test_a_viewer_that_asks_for_everything_gets_it_twice_at_most() -> None:
    stream, repeated = video_stream(), 0
    for number in range(900):  # 30 s
        now = number / 30
        stream.build(packets(number), now)
        repeated += len(stream.retransmit(range(stream.next_sequence - 100, stream.next_sequence), now))
    assert repeated <= 900 * 3 + 512


def test_one_nack_costs_little_however_long_it_is() -> None:
    stream = video_stream()
    stream.build(packets(1), 0.0)
    stream.retransmit(range(60_000), 0.1)
    assert stream.counters.repeats_refused < 600


def test_history_holds_no_more_than_it_needs() -> None:
    stream = video_stream()
    for number in range(700):
        stream.build(packets(number, size=50_000 if number % 300 == 0 else 3000), number / 30)
        assert len(stream._history) <= 1100
        assert len(stream._history._entries) < 200


GCM = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM


@pytest.mark.parametrize(
    ("profile", "size"), [(GCM, 28), (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30)], ids=["gcm", "cm"]
)
def test_libsrtp_repeats_the_oldest_packet_held_byte_for_byte(profile: int, size: int) -> None:
    """Never may another packet be protected under the same number: with GCM that would give the key away."""
    policy = pylibsrtp.Policy(key=os.urandom(size), ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
    policy.allow_repeat_tx, policy.window_size = True, 2048
    settings = video_stream().settings
    protect = pylibsrtp.Session(policy).protect
    stream = OutgoingStream(settings, protect=protect, sequence=65_000, timestamp_offset=0)
    sent = [packet for number in range(12) for packet in stream.build(packets(number, size=90_000), number / 30)]
    assert len(sent) > 900
    first = 65_000
    assert stream.retransmit([first, first + 500], 0.5) == [sent[0], sent[500]]


# -- reports ----------------------------------------------------------------------------------------------------------


def test_the_sender_report_maps_rtp_time_to_the_wall_clock() -> None:
    stream, clock = video_stream(), LiveClock(90_000)
    assert stream.sender_report(clock, 0.0, 0.0) is None
    for number in range(4):
        clock.observe(number * FRAME, 100 + number / 30)
        stream.build(packets(number), 100 + number / 30)
    report = stream.sender_report(clock, 100.5, 1_700_000_000.25)
    assert report is not None
    assert report.ssrc == 0x11111111
    assert report.timestamp == 45_000 + 1000
    assert report.ntp >> 32 == 1_700_000_000 + 2_208_988_800
    assert report.ntp & 0xFFFFFFFF == 1 << 30
    assert (report.packets, report.octets) == (12, sum(packets(number).octets for number in range(4)))


def test_the_round_trip_is_measured_from_the_report_that_is_answered() -> None:
    stream, clock = audio_stream(), LiveClock(48_000)
    clock.observe(0, 10.0)
    stream.build(sound(0), 10.0)
    report = stream.sender_report(clock, 10.0, 1000.0)
    assert report is not None
    middle = report.ntp >> 16 & 0xFFFFFFFF
    stream.receive_block(ReportBlock(0x33333333, fraction_lost=64, last_report=0, delay=0), 10.1)
    assert stream.rtt is None
    stream.receive_block(ReportBlock(0x33333333, last_report=middle, delay=32768), 10.58)
    assert stream.rtt == pytest.approx(0.08)
    stream.receive_block(ReportBlock(0x33333333, last_report=middle ^ 1, delay=0), 11.0)
    assert stream.rtt == pytest.approx(0.08), "an answer to nothing that we sent"
    stream.receive_block(ReportBlock(0x33333333, last_report=middle, delay=1 << 31), 11.0)
    assert stream.rtt == 0


def test_the_live_clock_follows_the_earliest_frames() -> None:
    clock = LiveClock(90_000)
    assert clock.at(0.0) is None
    for number in range(300):
        late = 0.05 if number % 3 else 0.0
        clock.observe(number * FRAME, 50 + number / 30 + late)
    now = clock.at(60.0)
    assert now is not None
    assert abs(now - 900_000) < 90_000 * 0.003
    clock.observe(0, 70.0)
    assert clock.at(70.5) == 45_000, "a new timeline"


WIDE_EXTENSIONS = HeaderExtensionsMap()
WIDE_EXTENSIONS.configure(
    RTCRtpParameters(
        headerExtensions=[
            RTCRtpHeaderExtensionParameters(id=4, uri="urn:ietf:params:rtp-hdrext:sdes:mid"),
            RTCRtpHeaderExtensionParameters(
                id=WIDE, uri="http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            ),
        ]
    )
)


def counts(datagrams: list[bytes]) -> list[int]:
    """Their numbers among all packets of the connection, as aiortc reads them."""
    return [RtpPacket.parse(one, WIDE_EXTENSIONS).extensions.transport_sequence_number for one in datagrams]


def test_all_streams_of_a_connection_count_together() -> None:
    wide = SentPackets()
    wide.next = 0xFFFE
    video, voice = video_stream(rtx=True, mid="0", wide=wide), audio_stream(wide=wide)
    first, second = packets(1), packets(2)
    built = video.build(first, 0.0, stop=2)
    built += voice.build(sound(1), 0.0)
    built += video.build(first, 0.0, start=2)
    built += video.retransmit([101], 0.0)
    built += video.build(second, 0.1)
    assert counts(built) == [0xFFFE, 0xFFFF, 0, 1, 2, 3, 4, 5]
    assert wide.next == 0x10006
    assert [size for _, size, _ in wide._sent.values()] == [len(one) for one in built]
    read = [RtpPacket.parse(one, WIDE_EXTENSIONS) for one in built]
    assert [packet.sequence_number for packet in read if packet.ssrc == 0x11111111] == [100, 101, 102, 103, 104, 105]
    assert [packet.marker for packet in read if packet.ssrc == 0x11111111] == [0, 0, 1, 0, 0, 1]
    assert [packet.extensions.mid for packet in read if packet.ssrc == 0x11111111] == ["0"] * 6
    assert b"".join(packet.payload for packet in read[:2] + read[3:4]) == b"".join(first.payloads)
    assert unwrap_rtx(read[4], 102, 0x11111111).sequence_number == 101


def test_counted_or_not_the_packets_are_the_same() -> None:
    plain, counted = video_stream(), video_stream(wide=SentPackets())
    for number in range(3):
        unit = packets(number, size=5000)
        one, other = plain.build(unit, 0.0), counted.build(unit, 0.0)
        assert [packet[12:] for packet in one] == [packet[20:] for packet in other]
        assert [packet[1:12] for packet in one] == [packet[1:12] for packet in other]
    assert plain.counters == counted.counters


def test_without_rtx_a_counted_packet_is_repeated_to_the_last_bit() -> None:
    """With GCM another one under the same number would give the key away."""
    wide = SentPackets()
    stream = video_stream(wide=wide)
    first = stream.build(packets(1), 0.0)
    audio_stream(wide=wide).build(sound(1), 0.0)
    stream.hold_back(0.2)
    stream.build(packets(2), 0.03)
    sent = wide.next
    assert stream.retransmit([100, 102], 0.1) == [first[0], first[2]]
    assert wide.next == sent, "it is the same packet, and the viewer knows its number"


def test_the_numbers_of_old_packets_are_forgotten() -> None:
    stream = video_stream(wide=SentPackets())
    for number in range(1500):
        stream.build(packets(number), number / 30)
    assert len(stream._numbers) <= 4096
    assert stream.retransmit([stream.next_sequence - 1], 50.0)


@pytest.mark.parametrize("number", [None, 0, 15])
def test_without_a_usable_id_nothing_is_counted(number: int | None) -> None:
    settings = StreamSettings(ssrc=1, payload_type=96, clock_rate=90_000, wide_extension=number)
    wide = SentPackets()
    stream = OutgoingStream(settings, protect=clear, sequence=0, timestamp_offset=0, wide=wide)
    assert stream.build(packets(1, size=50), 0.0)[0][0] == 0x80
    assert wide.next == 1


def test_what_is_repeated_unasked_is_what_was_sent_lately() -> None:
    stream = video_stream(rtx=True)
    assert not stream.can_probe
    assert stream.repeat_unasked(1000, 0.0) == []
    built = [parsed(stream.build(packets(number), 0.0)) for number in range(4)]
    assert stream.can_probe
    repeats = parsed(stream.repeat_unasked(20_000, 0.1))
    assert 20_000 <= sum(len(packet.payload) + 12 for packet in repeats) <= 21_500
    known = {packet.sequence_number: packet for unit in built for packet in unit}
    for packet in repeats:
        original = unwrap_rtx(packet, 102, 0x11111111)
        assert original.payload == known[original.sequence_number].payload
    assert [packet.sequence_number for packet in repeats] == list(range(7, 7 + len(repeats)))
    assert stream.counters.repeated_packets == 0
    assert stream.counters.probing_octets > 20_000
    assert not video_stream().can_probe
