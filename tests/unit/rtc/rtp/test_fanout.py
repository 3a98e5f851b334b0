"""One source, many viewers: what one of them does or suffers is its own affair."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.rtp.fanout import Fanout
from sightline.rtc.rtp.rtcp import (
    BandwidthEstimate,
    FullIntraRequest,
    Goodbye,
    MalformedRtcp,
    Nack,
    PictureLoss,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build,
)
from sightline.rtc.rtp.stream import OutgoingStream
from tests.unit.rtc.rtp.stage import Feed, Loop, Viewer, new_fanout
from tests.unit.rtc.rtp.units import FRAME, clear, parsed, picture


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def fanout(loop: Loop) -> Fanout:
    return new_fanout(loop)


def joined(fanout: Fanout, feed: Feed, count: int = 1, **options: int) -> list[Viewer]:
    viewers = [Viewer(feed.loop, **options) for _ in range(count)]
    for viewer in viewers:
        fanout.add(viewer.outlet, video=feed)
        fanout.start(viewer.outlet)
    return viewers


def lossy(second: float, fraction: float, **block: int) -> bytes:
    """A report after so many seconds in which 100 packets each were sent and that fraction lost."""
    lost = round(100 * second * fraction)
    return build([ReceiverReport(9, (ReportBlock(0x11111111, 0, lost, round(100 * second), **block),))])


def test_all_viewers_get_all_pictures_from_a_keyframe_on(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewers = joined(fanout, feed, 20)
    assert feed.requests, "a joining viewer asks for a keyframe"
    feed.play(30)
    for viewer in viewers:
        assert viewer.numbers == list(range(30))
        viewer.assert_contiguous()
        assert viewer.video.counters.frames_dropped == 0


def test_each_picture_is_packetised_once(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewers = joined(fanout, feed, 3)
    feed.play(2)
    held = [viewer.video._history._entries for viewer in viewers]
    assert held[0][0][2] is held[1][0][2] is held[2][0][2]


def test_the_source_works_from_the_first_answer_to_the_last_goodbye(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    one, two = Viewer(loop), Viewer(loop)
    fanout.add(one.outlet, video=feed)
    fanout.add(two.outlet, video=feed)
    assert len(feed.listeners) == 1
    assert feed.requests == [], "nobody is connected yet"
    feed.play(3, keyframe=True)
    assert one.calls == []
    fanout.remove(one.outlet)
    fanout.remove(one.outlet)
    assert len(feed.listeners) == 1
    fanout.remove(two.outlet)
    assert feed.listeners == []


def test_the_first_keyframe_leaves_with_the_next_picture(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    joined(fanout, feed)
    feed.play(10)
    (late,) = joined(fanout, feed)
    asked = loop.now
    feed.play(5)
    assert late.calls[0][0] - asked < 1 / 30
    assert late.numbers == [10, 11, 12, 13, 14]


def test_who_joins_just_after_a_keyframe_begins_with_it_at_once(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (first,) = joined(fanout, feed)
    feed.play(60)
    feed.publish(keyframe=True)
    loop.run(0.03)
    feed.play(2)
    asked = len(feed.requests)
    (second,) = joined(fanout, feed)
    assert len(feed.requests) == asked
    assert second.calls[0][0] == loop.now, "not a frame interval later: now"
    feed.play(5)
    second.assert_contiguous()
    stamps = list(dict.fromkeys(packet.timestamp for packet in second.packets))
    assert len(stamps) == 8, "the keyframe, the two after it, and all that followed"
    assert all(before < after for before, after in pairwise(stamps))
    assert (stamps[-1] - 1000) // FRAME == 67
    assert (stamps[0] - 1000) // FRAME >= 62, "its clock begins with the present"
    assert first.numbers == list(range(68))


def test_a_crowd_that_joins_costs_three_keyframes_a_second_and_nobody_waits(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    joined(fanout, feed)
    feed.play(30)
    crowd, waited = [], []
    for _ in range(60):
        (viewer,) = joined(fanout, feed)
        crowd.append(viewer)
        before = loop.now
        feed.play(1)
        waited.append(viewer.calls[0][0] - before)
    assert max(waited) < 0.001
    assert len(feed.requests) <= 1 + 60 / 30 / 0.3 + 1
    for viewer in crowd:
        viewer.assert_contiguous()


def test_who_lost_a_picture_gets_a_new_keyframe_not_the_last(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(30)
    feed.publish(keyframe=True)
    loop.run(0.02)
    asked = len(feed.requests)
    fanout.receive_rtcp(viewer.outlet, build([PictureLoss(9, 0)]))
    assert len(feed.requests) == asked + 1
    feed.play(1)
    viewer.assert_contiguous()
    assert viewer.numbers == list(range(32))


def test_a_viewer_whose_socket_is_full_drops_to_the_next_keyframe_and_nobody_else_does(
    loop: Loop, fanout: Fanout
) -> None:
    feed = Feed(loop)
    slow, quick = joined(fanout, feed, 2)
    feed.play(5)
    slow.capacity = 1
    feed.play(1)
    slow.capacity = 10_000
    feed.play(30)
    assert quick.numbers == list(range(36))
    lost = set(range(36)) - set(slow.numbers)
    assert lost == set(range(6, 21)), "0.5 s later it asks for a keyframe"
    assert len(feed.requests) == 3
    assert slow.outlet.refused_datagrams == 2
    assert slow.video.counters.frames_dropped == 16
    sequences = [packet.sequence_number for packet in slow.packets]
    assert [after - before for before, after in pairwise(sequences) if after - before != 1] == [3]


def test_a_viewer_that_is_stuck_for_ever_asks_less_and_less(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (stuck,) = joined(fanout, feed, capacity=0)
    feed.play(300)
    assert len(feed.requests) <= 8
    assert stuck.numbers == []


def test_a_resumed_viewer_begins_at_a_keyframe_without_a_gap(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(5)
    fanout.pause(viewer.outlet)
    feed.play(60)
    assert viewer.numbers == [0, 1, 2, 3, 4]
    fanout.start(viewer.outlet)
    feed.play(5)
    assert viewer.numbers == [0, 1, 2, 3, 4, 65, 66, 67, 68, 69]
    viewer.assert_contiguous()


def test_a_large_keyframe_is_spread_and_sound_goes_first(loop: Loop, fanout: Fanout) -> None:
    video, audio = Feed(loop), Feed(loop, "opus")
    viewer = Viewer(loop, with_audio=True)
    fanout.add(viewer.outlet, video=video, audio=audio)
    fanout.start(viewer.outlet)
    begun = loop.now
    video.publish(size=100_000)
    loop.run(0.01)
    audio.publish()
    assert parsed(viewer.calls[-1][1])[0].ssrc == 0x33333333
    loop.run(0.2)
    viewer.assert_contiguous()
    sent = [(at, call) for at, call in viewer.calls if call[0][1] & 0x7F == 102]
    assert max(len(call) for _, call in sent) <= 16
    assert 0.05 < sent[-1][0] - begun < 0.1
    assert sum(len(packet.payload) for packet in viewer.packets) > 100_000


def test_a_burst_to_one_viewer_holds_no_other_up(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewers = joined(fanout, feed, 10)
    feed.publish(size=60_000)
    first = [viewer.calls[0][0] for viewer in viewers]
    assert max(first) - min(first) < 0.001
    loop.run(0.1)
    assert len({len(viewer.packets) for viewer in viewers}) == 1


def test_pictures_that_come_too_late_for_the_next_keyframe_are_dropped_whole(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    for number in range(4):
        viewer.outlet.receive_rtcp(lossy(number, 0.25), loop.now)
        loop.run(1)
    viewer.outlet.receive_rtcp(build([BandwidthEstimate(9, 300_000)]), loop.now)
    assert viewer.outlet.stats(loop.now).congested
    feed.size = 20_000  # 4.8 Mbit/s
    feed.publish()
    loop.run(1 / 30)
    feed.play(10)
    feed.publish(keyframe=True)
    loop.run(1.5)
    assert viewer.numbers == [0, 1, 11], "a picture that was begun is finished; the nine after it were obsolete"
    viewer.assert_contiguous()
    by_picture = [packet.timestamp for packet in viewer.packets]
    assert {by_picture.count(timestamp) for timestamp in by_picture} == {18}
    assert viewer.video.counters.frames_dropped == 9


def test_a_narrow_path_costs_only_its_viewer_pictures(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop, size=20_000)
    narrow, wide = joined(fanout, feed, 2)
    for number in range(4):
        fanout.receive_rtcp(narrow.outlet, lossy(number, 0.25))
        loop.run(1)
    before = len(feed.requests)
    for number in range(300):
        estimate = build([BandwidthEstimate(9, 1_500_000)])
        fanout.receive_rtcp(narrow.outlet, lossy(4 + number / 30, 0.25) + estimate)
        feed.play(1)
    assert wide.numbers == list(range(300))
    narrow.assert_contiguous()
    assert 40 < len(narrow.numbers) < 150
    assert narrow.outlet.stats(loop.now).bitrate < 1_700_000
    assert 299 - narrow.numbers[-1] < 75, "it sees the present, not the past"
    assert len(feed.requests) - before < 12


def test_the_loop_over_viewers_gives_way_to_others(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewers = joined(fanout, feed, 100)
    loop.run(0.02)
    loop.cost = 0.000_05
    before = loop.now
    feed.publish(keyframe=True)
    assert loop.now - before < 0.004
    reached = sum(bool(viewer.numbers) for viewer in viewers)
    assert 0 < reached < 100
    feed.publish()
    loop.run(0.02)
    for viewer in viewers:
        assert viewer.numbers == [0, 1]
        viewer.assert_contiguous()


def test_one_viewer_that_fails_does_not_stop_the_others(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    bad, good = joined(fanout, feed, 2)

    def broken(datagrams: object) -> int:
        raise OSError("no network")

    bad.outlet._send = broken
    feed.play(5)
    assert good.numbers == [0, 1, 2, 3, 4]
    assert [str(error) for error in bad.errors] == ["no network"]
    assert not bad.outlet.active


def test_a_viewer_whose_repeats_fail_is_told(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (bad,) = joined(fanout, feed)
    feed.play(2)

    def broken(packet: bytes) -> bytes:
        raise ValueError("no keys")

    bad.video._protect = broken
    assert fanout.receive_rtcp(bad.outlet, build([Nack(9, 0x11111111, (100,))])) == ()
    assert [str(error) for error in bad.errors] == ["no keys"]


# -- what viewers ask for ---------------------------------------------------------------------------------------------


def test_a_nack_is_answered_at_once(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewer, other = joined(fanout, feed, 2)
    feed.play(5)
    sent = viewer.packets
    lost = [sent[3].sequence_number, sent[4].sequence_number]
    fanout.receive_rtcp(viewer.outlet, build([Nack(9, viewer.video.settings.ssrc, tuple(lost))]))
    assert [packet.sequence_number for packet in viewer.packets[-2:]] == lost
    assert len(other.packets) == len(sent)
    fanout.receive_rtcp(viewer.outlet, build([Nack(9, 12345, tuple(lost))]))
    assert len(viewer.packets) == len(sent) + 2


def test_a_nack_for_what_is_not_held_any_more_asks_for_a_keyframe(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(120)
    asked = len(feed.requests)
    number = viewer.video.next_sequence
    fanout.receive_rtcp(viewer.outlet, build([Nack(9, 0x11111111, (number - 100, number - 1))]))
    assert len(feed.requests) == asked, "held: sent again"
    fanout.receive_rtcp(viewer.outlet, build([Nack(9, 0x11111111, (number - 220, number - 1))]))
    assert len(feed.requests) == asked + 1
    feed.play(5)
    fanout.receive_rtcp(viewer.outlet, build([Nack(9, 0x11111111, (number - 221,))]))
    loop.run(1)
    assert len(feed.requests) == asked + 1, "a keyframe came since"


@pytest.mark.parametrize(
    "request_",
    [
        PictureLoss(9, 0x11111111),
        PictureLoss(9, 0),
        FullIntraRequest(9, ((0x11111111, 1),)),
        FullIntraRequest(9, ((0, 1),)),
    ],
)
def test_a_keyframe_comes_when_asked_for(loop: Loop, fanout: Fanout, request_: PictureLoss | FullIntraRequest) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(30)
    before = len(feed.requests)
    fanout.receive_rtcp(viewer.outlet, build([ReceiverReport(9), request_]))
    assert len(feed.requests) == before + 1
    feed.play(1)
    assert viewer.video.counters.keyframes == 2


def test_a_flood_of_requests_is_two_per_second(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    for _ in range(300):
        for _ in range(5):
            fanout.receive_rtcp(viewer.outlet, build([PictureLoss(9, 0x11111111)]))
        feed.play(1)
    assert 18 <= len(feed.requests) <= 22


def test_a_request_for_the_sound_asks_for_nothing(loop: Loop, fanout: Fanout) -> None:
    feed, audio = Feed(loop), Feed(loop, "opus")
    viewer = Viewer(loop, with_audio=True)
    fanout.add(viewer.outlet, video=feed, audio=audio)
    fanout.start(viewer.outlet)
    feed.play(20)
    before = len(feed.requests)
    fanout.receive_rtcp(viewer.outlet, build([PictureLoss(9, 0x33333333)]))
    assert len(feed.requests) == before


def test_a_new_path_is_given_a_keyframe_without_a_pause(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(5)
    fanout.request_keyframe(viewer.outlet)
    feed.play(5)
    assert viewer.numbers == list(range(10))
    assert viewer.video.counters.keyframes == 2


def test_goodbye_is_for_the_caller_and_junk_is_an_error(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    assert fanout.receive_rtcp(viewer.outlet, build([Goodbye((1,))])) == [Goodbye((1,))]
    with pytest.raises(MalformedRtcp):
        fanout.receive_rtcp(viewer.outlet, b"junk")


# -- reports ----------------------------------------------------------------------------------------------------------


def test_a_viewer_hears_of_us_twice_a_second_whatever_the_source_does(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewers = joined(fanout, feed, 3)
    loop.run(2)
    feed.play(3)
    loop.run(3)
    for viewer in viewers:
        times = [at for at, _ in viewer.reports]
        assert times[0] - 1000 <= 0.06
        assert max(after - before for before, after in pairwise(times)) < 0.5
        assert len(times) >= 10
        last = viewer.reports[-1][1]
        assert isinstance(last[0], SenderReport)
        assert last[1] == SourceDescription(((viewer.video.settings.ssrc, "stage"),))
        assert isinstance(viewer.reports[0][1][0], ReceiverReport)


def test_reports_of_sound_and_picture_name_the_same_moment(loop: Loop, fanout: Fanout) -> None:
    video, audio = Feed(loop), Feed(loop, "opus")
    viewer = Viewer(loop, with_audio=True)
    fanout.add(viewer.outlet, video=video, audio=audio)
    fanout.start(viewer.outlet)
    for _ in range(30):
        video.publish()
        audio.publish()
        loop.run(0.01)
        audio.number = round((loop.now - 1000 + 0.01) / 0.02)
        loop.run(1 / 30 - 0.01)
    picture_report, sound_report = viewer.reports[-1][1][:2]
    assert isinstance(picture_report, SenderReport)
    assert isinstance(sound_report, SenderReport)
    assert picture_report.ntp == sound_report.ntp
    assert (picture_report.timestamp - 1000) / 90_000 == pytest.approx(sound_report.timestamp / 48_000, abs=0.02)


def test_a_paused_viewer_is_sent_nothing_at_all(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(3)
    fanout.pause(viewer.outlet)
    before = len(viewer.calls)
    feed.play(60)
    assert len(viewer.calls) == before
    fanout.start(viewer.outlet)
    feed.play(60)
    times = [at for at, _ in viewer.reports if at > 1002.2]
    assert 3 <= len(times) <= 6, "one report per interval, not two"


def test_figures(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    (viewer,) = joined(fanout, feed)
    feed.play(90)
    sent = next(report for _, reports in reversed(viewer.reports) for report in reports)
    assert isinstance(sent, SenderReport)
    fanout.receive_rtcp(viewer.outlet, lossy(0, 0))
    loop.run(1)
    block = ReportBlock(viewer.video.settings.ssrc, 255, 3, 30, 0, sent.ntp >> 16 & 0xFFFFFFFF, 0x10000)
    fanout.receive_rtcp(viewer.outlet, build([ReceiverReport(9, (block,)), BandwidthEstimate(9, 2_000_000)]))
    stats = viewer.outlet.stats(loop.now)
    assert stats.bitrate == pytest.approx(15 * (3001 + 2 * 3 + 12 * 3) * 8, rel=0.15), "of the last two seconds"
    assert (stats.estimate, stats.fraction_lost, stats.packets_lost) == (2_000_000, 0.1, 3)
    assert stats.rtt is not None
    assert 0 < stats.rtt < 0.5
    assert stats.video is viewer.video.counters
    assert stats.audio is None


def test_a_viewer_on_a_lossy_path_is_asked_to_hold_pictures_back(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    viewer = Viewer(loop)
    settings_ = msgspec.structs.replace(viewer.video.settings, playout_extension=6)
    viewer.video = viewer.outlet.video = OutgoingStream(settings_, protect=clear, sequence=0, timestamp_offset=1000)
    fanout.add(viewer.outlet, video=feed)
    fanout.start(viewer.outlet)
    for second in range(4):
        fanout.receive_rtcp(viewer.outlet, lossy(second, 0.05, jitter=4500))
        feed.play(30)
    first, last = viewer.calls[0][1][0], viewer.calls[-1][1][0]
    assert first[0] == 0x80, "nothing is said to a viewer on a clean path"
    assert last[12:].startswith(bytes.fromhex("bede0001 62")), "one element, of three bytes"
    assert int.from_bytes(last[17:20], "big") >> 12 == 40, "0.1 s round trip, 0.1 s to notice, four times 50 ms"
    assert viewer.outlet.stats(loop.now).held_back == pytest.approx(0.4)
    repeated = viewer.video.retransmit([0, viewer.video.next_sequence - 1], loop.now)
    assert repeated[-1] == viewer.calls[-1][1][-1], "with what it had when it was sent, bit for bit"


def test_goodbye_ends_all_streams(loop: Loop) -> None:
    viewer = Viewer(loop, with_audio=True)
    viewer.outlet.goodbye("bye")
    assert viewer.reports[0][1][-1] == Goodbye((0x11111111, 0x33333333), "bye")


# -- sources that cannot make keyframes -------------------------------------------------------------------------------


def held(loop: Loop, count: int, *, until: int, seconds: float = 0.2) -> list[tuple[object, float, int]]:
    """A GOP of pictures up to number ``until``, sent during ``seconds``."""
    units = [picture(until - count + 1 + n, size=2000, keyframe=n == 0) for n in range(count)]
    step = seconds / count
    live = (until + 1) * FRAME
    return [(unit, loop.now + n * step, live + round(n * step * 90_000)) for n, unit in enumerate(units)]


def test_a_viewer_begins_with_what_is_held_and_is_live_soon(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop, makes_keyframes=False, size=2000)
    joined(fanout, feed)
    feed.play(1, keyframe=True)
    feed.play(199)
    feed.held = held(loop, 200, until=199)  # type: ignore[assignment]
    (viewer,) = joined(fanout, feed)
    begun = loop.now
    feed.play(30)
    viewer.assert_contiguous()
    frames: dict[int, float] = {}
    for at, call in viewer.calls:
        for data in call:
            if not 200 <= data[1] <= 207:
                frames.setdefault(int.from_bytes(data[4:8], "big"), at)
    assert len(frames) == 230, "all that is held and all that came since"
    assert viewer.video.counters.frames_dropped == 0
    stamps = list(frames)
    assert all(later - earlier > 0 for earlier, later in pairwise(stamps))
    assert frames[stamps[199]] - begun < 0.25
    # From then on each picture leaves when it is published, with its own timestamp.
    assert stamps[-1] - 1000 == 229 * FRAME
    assert loop.now - frames[stamps[-1]] < 0.05
    assert max(len(call) for _, call in viewer.calls) < 40, "no burst of all at once"


def test_a_keyframe_ends_a_replay(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop, makes_keyframes=False)
    feed.number = 200
    feed.held = held(loop, 200, until=199)  # type: ignore[assignment]
    (viewer,) = joined(fanout, feed)
    loop.run(0.05)
    feed.publish(keyframe=True)
    loop.run(0.02)
    feed.play(3)
    assert viewer.numbers[-4:] == [200, 201, 202, 203]
    assert viewer.video.counters.keyframes == 2
    assert viewer.video.counters.frames < 100
    viewer.assert_contiguous()


def test_a_lossy_viewer_is_not_given_it_again_and_again(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop, makes_keyframes=False)
    feed.number = 200
    feed.held = held(loop, 10, until=199)  # type: ignore[assignment]
    (viewer,) = joined(fanout, feed)
    for _ in range(90):
        fanout.receive_rtcp(viewer.outlet, build([PictureLoss(9, 0x11111111)]))
        feed.play(1)
    assert viewer.video.counters.keyframes == 1
    feed.play(60)
    assert viewer.video.counters.keyframes == 2, "it asked, and 4 s are over"


# -- the end ----------------------------------------------------------------------------------------------------------


def test_nothing_is_left_after_closing(loop: Loop, fanout: Fanout) -> None:
    feed = Feed(loop)
    joined(fanout, feed, 3)
    feed.publish(size=100_000)
    fanout.close()
    fanout.close()
    assert feed.listeners == []
    assert loop.pending == 0
    (late,) = joined(fanout, feed)
    assert feed.listeners == []
    loop.run(1)
    assert late.calls == []


actions = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(10, 60_000)),
        st.tuples(
            st.sampled_from(["pause", "start", "remove", "add", "full", "free", "loss", "nack"]), st.integers(0, 3)
        ),
        st.tuples(st.just("wait"), st.integers(0, 300)),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(actions)
def test_whatever_happens_every_viewer_sees_whole_pictures_in_order(steps: list[tuple[str, int]]) -> None:
    loop = Loop()
    fanout, feed = new_fanout(loop), Feed(loop)
    viewers = [Viewer(loop) for _ in range(4)]
    for action, value in steps:
        match action:
            case "publish":
                feed.publish(size=value)
            case "wait":
                loop.run(value / 1000)
            case "pause":
                fanout.pause(viewers[value].outlet)
            case "start":
                fanout.start(viewers[value].outlet)
            case "remove":
                fanout.remove(viewers[value].outlet)
            case "add":
                fanout.add(viewers[value].outlet, video=feed)
            case "full":
                viewers[value].capacity = 2
            case "free":
                viewers[value].capacity = 10_000
            case "loss":
                fanout.receive_rtcp(viewers[value].outlet, build([PictureLoss(9, 0)]))
            case "nack":
                number = viewers[value].video.next_sequence
                fanout.receive_rtcp(viewers[value].outlet, build([Nack(9, 0x11111111, (number - 1 & 0xFFFF,))]))
    fanout.close()
    assert loop.pending == 0
    assert all(not viewer.errors for viewer in viewers)
    for viewer in viewers:
        seen: dict[int, int] = {}
        for packet in viewer.packets:
            assert seen.setdefault(packet.sequence_number, packet.timestamp) == packet.timestamp
        in_order = sorted(seen)
        assert all(seen[earlier] <= seen[later] for earlier, later in pairwise(in_order))
        if viewer.outlet.refused_datagrams == 0 and in_order:
            assert in_order == list(range(in_order[0], in_order[-1] + 1))
