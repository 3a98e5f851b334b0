"""What a viewer gets out of a network that loses, delays and reorders: every picture that can be had, and only whole
ones in order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sightline.rtc.rtp.rtcp import BandwidthEstimate, Goodbye, Nack, PictureLoss, ReceiverReport, build
from tests.unit.rtc.rtp.wire import Watching, lossy, number_of, settings, sound_settings, steady


def assert_decodable(watching: Watching) -> None:
    """Each picture follows the one before, or is a keyframe; its bytes are those that were made."""
    pictures = watching.pictures
    assert pictures[0].keyframe
    for before, after in pairwise(pictures):
        assert number_of(after) > number_of(before)
        assert number_of(after) == number_of(before) + 1 or after.keyframe


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_on_a_clean_network_each_picture_comes_at_once(codec: str) -> None:
    watching = Watching(codec)
    watching.play(60)
    assert watching.numbers == list(range(60))
    assert max(watching.delays[2:]) <= 0.0101, "the network's own delay and nothing else"
    stats = watching.stats
    assert (stats.frames, stats.keyframes, stats.lost, stats.requested, stats.dropped) == (60, 1, 0, 0, 0)
    assert stats.keyframe_requests == 0
    assert stats.codec == codec
    assert stats.jitter < 0.001
    assert 600_000 < stats.bitrate < 900_000
    stamps = [frame.timestamp for frame in watching.pictures]
    assert {after - before for before, after in pairwise(stamps)} == {3000}


@pytest.mark.parametrize("codec", ["H264", "VP8"])
@pytest.mark.parametrize("rtx", [True, False])
def test_what_is_lost_is_repaired_and_no_picture_is_missing(codec: str, rtx: bool) -> None:
    watching = Watching(codec, rtx=rtx)
    watching.play(2)
    watching.there = lossy(0.05)
    watching.play(300)
    watching.there = steady()
    watching.play(5)
    assert watching.numbers == list(range(307))
    stats = watching.stats
    assert 20 < stats.lost < 80 if rtx else stats.lost == 0
    assert stats.repaired > 20
    assert stats.given_up == stats.dropped == stats.keyframe_requests == 0
    assert max(watching.delays) < 0.25


def test_a_network_that_reorders_costs_no_repair_once_it_is_known() -> None:
    watching = Watching()
    watching.there = lossy(0.0, delay=0.01, jitter=0.02)
    watching.play(150)
    first = watching.stats.requested
    watching.play(300)
    assert watching.numbers == list(range(watching.feed.number))[: len(watching.numbers)]
    assert len(watching.numbers) >= 448
    assert watching.stats.requested - first < 20
    assert max(watching.delays[2:]) < 0.08


def test_loss_and_jitter_together() -> None:
    watching = Watching(size=6000)
    watching.there = lossy(0.05, delay=0.02, jitter=0.2)
    watching.back = lossy(0.05, delay=0.02)
    watching.inlet.rtt = 0.15
    watching.play(600)
    assert_decodable(watching)
    assert len(watching.numbers) > 480, "four of five, as the issue asks of browsers"


def test_a_picture_that_cannot_be_repaired_costs_only_those_up_to_the_next_keyframe() -> None:
    watching = Watching()
    watching.play(10)
    gone = watching.video.next_sequence
    watching.there = lambda datagram: (
        None if int.from_bytes(datagram[2:4], "big") == gone and datagram[1] & 127 == 102 else 0.01
    )
    watching.back = lambda datagram: None
    watching.play(30)
    assert watching.numbers == list(range(10)), "a hole is never jumped over"
    nacks = watching.requests(Nack)
    assert 3 <= len(nacks) <= 12
    assert all(after - before >= 0.02 for before, after in pairwise(nacks))
    assert watching.requests(PictureLoss), "the master is asked for a keyframe"
    watching.back = steady()
    watching.play(30)
    assert_decodable(watching)
    assert watching.numbers[-1] == 69
    stats = watching.stats
    assert stats.given_up == 1
    assert stats.dropped > 5
    assert stats.keyframes == 2
    assert stats.frames + stats.dropped == 70


def test_a_keyframe_that_overtakes_a_picture_on_another_path_does_not_cost_it() -> None:
    watching = Watching()
    watching.play(30)
    watching.there = steady(0.036)
    watching.play(1)
    watching.there = steady(0.0)  # a new path: the keyframe is there 3 ms before the picture that was sent before it
    watching.play(1, keyframe=True)
    watching.there = steady()
    watching.play(10)
    assert (watching.stats.given_up, watching.stats.dropped) == (0, 0)
    assert watching.numbers == list(range(42))


def test_a_keyframe_does_not_wait_for_a_picture_that_is_lost() -> None:
    watching = Watching()
    watching.play(30)
    watching.there = lambda datagram: None
    watching.play(1)
    watching.there = steady()
    watching.play(2, keyframe=True)
    assert watching.numbers == [*range(30), 31, 32]
    assert watching.delays[30] < 0.02
    assert watching.stats.given_up > 0


def test_a_program_that_was_busy_gives_nothing_up_that_waits_in_its_sockets() -> None:
    watching = Watching()
    watching.play(10)
    lost = watching.video.next_sequence
    repaired: list[bytes] = []

    def fate(datagram: bytes) -> float | None:
        if datagram[1] & 127 == 103:
            repaired.append(datagram)
            return None
        return None if int.from_bytes(datagram[2:4], "big") == lost and datagram[1] & 127 == 102 else 0.01

    watching.there = fate
    watching.play(2)
    assert repaired, "the answer has come to the socket"
    watching.loop.now += 0.8
    watching.there = steady()
    watching.inlet.tick(watching.loop.now)
    watching.deliver(repaired[0])
    watching.play(5)
    assert watching.numbers == list(range(17))
    assert watching.stats.given_up == 0


def test_a_program_that_is_always_busy_gives_up_in_the_end() -> None:
    watching = Watching()
    watching.play(10)
    watching.there = lambda datagram: None
    watching.play(1)
    watching.there = steady()
    watching.back = lambda datagram: None
    watching.play(1)
    begun = watching.loop.now
    while not watching.stats.given_up:
        watching.loop.now = watching.inlet.next_time() + 0.1
        watching.inlet.tick(watching.loop.now)
        assert watching.loop.now < begun + 2


@pytest.mark.parametrize("seconds", [1.2, 3.0, 8.0])
def test_after_a_silence_the_picture_is_live_at_once(seconds: float) -> None:
    watching = Watching(size=12_000)
    watching.play(30)
    watching.there = watching.back = lambda datagram: None
    watching.play(round(30 * seconds))
    watching.there = watching.back = steady(0.02)
    returned = watching.loop.now
    shown = len(watching.pictures)
    watching.play(15)
    assert_decodable(watching)
    first = watching.pictures[shown]
    assert first.received - returned < 0.15, "a round trip, a picture and what it takes to send it"
    late = [
        frame.received - watching.made[number_of(frame)]
        for frame in watching.pictures
        if watching.made[number_of(frame)] > returned + 0.15
    ]
    assert len(late) >= 10
    assert max(late) < 0.04


def test_a_short_silence_is_repaired_without_a_keyframe() -> None:
    watching = Watching(makes_keyframes=False)
    watching.play(30)
    watching.there = watching.back = lambda datagram: None
    watching.play(20)
    watching.there = watching.back = steady(0.02)
    watching.play(15)
    assert watching.numbers == list(range(65))


def test_requests_for_keyframes_are_joined() -> None:
    watching = Watching(makes_keyframes=False)
    watching.play(5)
    watching.there = lambda datagram: None
    watching.play(3)
    watching.there = steady()
    watching.back = lambda datagram: None
    watching.play(90)
    asked = watching.requests(PictureLoss)
    assert 3 <= len(asked) <= 7
    assert all(after - before >= 0.49 for before, after in pairwise(asked))
    before = len(asked)
    for _ in range(50):
        watching.inlet.request_keyframe(watching.loop.now)
    assert len(watching.requests(PictureLoss)) <= before + 1


def test_a_person_may_ask_for_a_keyframe_although_nothing_is_wrong() -> None:
    watching = Watching()
    watching.play(5)
    watching.inlet.request_keyframe(watching.loop.now)
    watching.play(30)
    assert len(watching.requests(PictureLoss)) == 1
    assert watching.stats.keyframes == 2
    assert watching.numbers == list(range(35))


def test_a_viewer_that_joins_in_the_middle_asks_for_a_keyframe() -> None:
    watching = Watching()
    watching.there = lambda datagram: None
    watching.play(10)
    watching.there = steady()
    watching.play(60)
    assert watching.pictures[0].keyframe
    assert_decodable(watching)
    assert watching.numbers[-1] == 69


def test_packets_that_overtake_the_very_first_one_do_not_cost_the_keyframe() -> None:
    watching = Watching(makes_keyframes=False)
    first = watching.video.next_sequence
    watching.there = lambda datagram: 0.05 if int.from_bytes(datagram[2:4], "big") == first else 0.01
    watching.play(30)
    assert watching.numbers == list(range(30))


def test_sound_goes_on_after_a_packet_that_is_lost() -> None:
    watching = Watching()
    for number in range(50):
        watching.there = (lambda datagram: None) if number in (10, 11, 30) else steady()
        watching.sound.publish()
        watching.loop.run(0.02)
    sounds = [frame for frame in watching.frames if frame.kind == "audio"]
    assert len(sounds) == 47
    steps = [(after.timestamp - before.timestamp) // 960 for before, after in pairwise(sounds)]
    assert sorted(set(steps)) == [1, 2, 3], "the hole shows in the timestamps"
    assert not watching.requests(Nack)
    stats = watching.inlet.stats(watching.loop.now).audio
    assert stats is not None
    assert (stats.frames, stats.lost, stats.given_up) == (47, 3, 3)


def test_a_master_that_repeats_nothing_is_not_asked_to() -> None:
    watching = Watching(rtx=False)
    watching.inlet.agree([settings(rtx=False, nack=False), sound_settings()], mid_extension=None)
    watching.play(10)
    watching.there = lossy(0.0, delay=0.01, jitter=0.04)
    watching.play(60)
    watching.there = steady()
    watching.play(5)
    assert watching.numbers == list(range(75)), "what only comes late is waited for"
    watching.there = lossy(0.3)
    watching.play(10)
    watching.there = steady()
    watching.play(40)
    assert not watching.requests(Nack)
    assert watching.requests(PictureLoss)
    assert_decodable(watching)
    assert watching.numbers[-1] == watching.feed.number - 1


def test_reports_tell_loss_jitter_and_the_round_trip() -> None:
    watching = Watching()
    watching.there = lossy(0.1, delay=0.03)
    watching.back = steady(0.02)
    watching.play(120)
    reports = [report for _, report in watching.asked if isinstance(report, ReceiverReport) and report.blocks]
    blocks = [block for report in reports for block in report.blocks if block.ssrc == 0x11111111]
    assert 3 <= len(blocks) <= 5
    assert 10 < blocks[-1].fraction_lost < 50
    assert blocks[-1].packets_lost > 10
    stats = watching.outlet.stats(watching.loop.now)
    assert stats.fraction_lost is not None
    assert 0.04 < stats.fraction_lost < 0.2
    assert stats.rtt is not None
    assert 0.049 < stats.rtt < 0.052, "from LSR and DLSR"


def test_a_master_is_told_how_much_it_may_send() -> None:
    watching = Watching()
    watching.inlet.agree([settings(remb=True), sound_settings()], mid_extension=None)
    watching.play(90)
    told = [report for _, report in watching.asked if isinstance(report, BandwidthEstimate)]
    assert len(told) == 3
    assert {(report.bitrate // 10_000, report.ssrcs) for report in told} == {(250, (0x11111111,))}
    assert watching.outlet.stats(watching.loop.now).estimate == told[-1].bitrate
    watching.there = lossy(0.3)
    watching.play(60)
    assert watching.inlet.stats(watching.loop.now).estimate < 1_000_000
    watching.inlet.path_changed()
    watching.there = steady(0.5)
    watching.play(90)
    told = [report for _, report in watching.asked if isinstance(report, BandwidthEstimate)]
    assert told[-1].bitrate >= told[-2].bitrate, "a longer path alone is no trouble"


def test_frames_carry_the_masters_clock() -> None:
    watching = Watching()
    watching.play(60)
    assert watching.pictures[0].capture is None
    last = watching.pictures[-1]
    assert last.capture is not None
    delay = watching.loop.wall() - 1 / 30 - last.capture
    assert abs(delay) < 0.002, "when it was made, by the sender's report"


def test_goodbye_counts_when_nothing_follows_it() -> None:
    watching = Watching()
    watching.play(5)
    watching.sound.publish()
    watching.loop.run(0.1)
    inlet, loop = watching.inlet, watching.loop
    inlet.receive_rtcp(build([ReceiverReport(1), Goodbye((0x11111111,))]), loop.now)
    loop.run(1)
    assert not inlet.ended, "the sound goes on"
    inlet.receive_rtcp(build([ReceiverReport(1), Goodbye((0x33333333, 0x11111111))]), loop.now)
    watching.play(1)
    loop.run(1)
    assert not inlet.ended, "a picture came after it"
    watching.outlet.goodbye()
    loop.run(0.3)
    assert not inlet.ended
    loop.run(0.5)
    assert inlet.ended
