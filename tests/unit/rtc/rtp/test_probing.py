"""What a master learns of a viewer's path while pictures flow, and by trying: with each kind of feedback."""

from __future__ import annotations

import pytest

from sightline.rtc.rtp.rtcp import TransportFeedback, build
from tests.unit.rtc.rtp.links import Link
from tests.unit.rtc.rtp.stage import Feed, Loop, Viewer, new_fanout
from tests.unit.rtc.rtp.wire import Fate, Watching

pytestmark = pytest.mark.realtime

KINDS = ["wide", "remb", "reports"]
SMALL = 1700
"""Bytes of a picture: about 420 kbit/s."""


def over(watching: Watching, link: Link) -> Fate:
    """What the link makes of it."""

    def fate(datagram: bytes) -> float | None:
        now = watching.loop.now
        at = link.arrival(len(datagram), now)
        return None if at is None else at - now

    return fate


def watching(kind: str, capacity: float, *, size: int = SMALL, **options: float) -> Watching:
    made = Watching(size=size, wide=kind == "wide", remb=kind == "remb")
    made.there = over(made, Link(lambda now: capacity, **options))
    made.back = lambda datagram: 0.02
    return made


def available(watched: Watching) -> float:
    return watched.outlet.bandwidth.available(watched.loop.now) or 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_finds_that_a_path_is_wide(kind: str) -> None:
    watched = watching(kind, 20e6)
    watched.play(150)
    if kind == "wide":
        assert 300e3 < available(watched) < 1e6
    before = watched.video.counters.packets
    assert watched.outlet.probe(2_600_000, watched.loop.now)
    watched.play(180)
    assert 2.2e6 <= available(watched) <= 2.8e6
    assert not watched.outlet.bandwidth.limited(watched.loop.now)
    probing = watched.video.counters.probing_octets
    assert 20_000 <= probing <= (0.8 + 1.7 + 2.6) * 1e6 * 0.2 / 8
    assert watched.numbers == list(range(330)), "no picture was harmed"
    assert watched.stats.keyframes == 1
    assert max(watched.delays) < 0.15
    assert watched.video.counters.packets - before < 180 * 3, "and none sent twice in its own name"


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_finds_that_a_path_is_narrow_and_harms_nobody(kind: str) -> None:
    watched = watching(kind, 600e3)
    watched.play(150)
    assert watched.outlet.probe(2_600_000, watched.loop.now)
    watched.play(150)
    watched.loop.run(0.5)
    assert available(watched) <= 1.1 * 600e3
    assert watched.video.counters.probing_octets <= 0.9e6 * 0.2 / 8, "one step, and no more"
    assert max(watched.delays) < 0.4
    assert watched.stats.given_up == 0
    assert watched.numbers == list(range(300))


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_probe_that_failed_the_next_ones_wait_longer_and_longer(kind: str) -> None:
    watched = watching(kind, 600e3)
    watched.play(150)
    times, before = [], 0
    for _ in range(25 * 30):
        watched.outlet.probe(2_600_000, watched.loop.now)
        watched.play(1)
        if watched.video.counters.probing_octets > before:
            if not times or watched.loop.now - times[-1] > 1.0:
                times.append(watched.loop.now)
            before = watched.video.counters.probing_octets
    assert 2 <= len(times) <= 5
    assert watched.video.counters.probing_octets <= 6 * 0.9e6 * 0.2 / 8


def test_only_repeats_are_sent_and_the_rate_is_kept() -> None:
    watched = watching("wide", 20e6)
    watched.play(150)
    sent: list[tuple[float, int, int]] = []
    deliver = watched.there

    def seen(datagram: bytes) -> float | None:
        sent.append((watched.loop.now, datagram[1] & 0x7F, len(datagram)))
        return deliver(datagram)

    watched.there = seen
    begun = watched.loop.now
    watched.outlet.probe(800_000, watched.loop.now)
    watched.play(60)
    during = sum(size for at, _, size in sent if begun <= at <= begun + 0.25)
    assert 0.9 * 20_000 <= during <= 20_000 + 3 * (SMALL + 200)
    assert max(at for at, kind, _ in sent if kind == 103) <= begun + 0.25


def test_a_report_behind_the_probe_is_not_overtaken_by_others() -> None:
    watched = watching("reports", 20e6)
    watched.play(150)
    reports: list[float] = []
    deliver = watched.there

    def seen(datagram: bytes) -> float | None:
        if datagram[1] == 200:
            reports.append(watched.loop.now)
        return deliver(datagram)

    watched.there = seen
    watched.outlet.probe(800_000, watched.loop.now)
    watched.play(9)
    behind = len(reports)
    watched.play(60)
    assert behind
    assert len(reports) > behind, "and afterwards they go on"


def test_where_nothing_can_be_tried() -> None:
    loop = Loop()
    feed, viewer = Feed(loop), Viewer(loop)
    assert not viewer.outlet.probe(10**6, loop.now), "nothing is sent"
    fanout = new_fanout(loop)
    fanout.add(viewer.outlet, video=feed)
    fanout.start(viewer.outlet)
    feed.play(30)
    assert not viewer.outlet.probe(10**6, loop.now), "no RTX, and no report of the viewer"
    plain = Watching(rtx=False)
    plain.play(60)
    assert not plain.outlet.probe(10**6, plain.loop.now), "no RTX"
    still = Watching(size=100, remb=True)
    still.play(300)
    assert not still.outlet.probe(10**6, still.loop.now), "only tiny packets"


def test_nothing_is_tried_on_a_path_that_is_full() -> None:
    watched = watching("wide", 300e3)
    watched.play(240)
    assert watched.outlet.bandwidth.limited(watched.loop.now)
    watched.outlet.probe(2_000_000, watched.loop.now)
    watched.play(60)
    assert watched.video.counters.probing_octets == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_becomes_narrow_is_known_within_seconds(kind: str) -> None:
    watched = Watching(size=6000, wide=kind == "wide", remb=kind == "remb")
    watched.there = over(watched, Link(lambda now: 20e6 if now < 1034 else 600e3, queue=1.0))
    watched.back = lambda datagram: 0.02
    watched.play(300)
    if kind != "reports":
        assert available(watched) >= 1.4e6
    watched.play(60 if kind == "wide" else 150)
    assert watched.outlet.bandwidth.limited(watched.loop.now)
    assert available(watched) <= 1.1 * 600e3


def test_the_statistics_show_it() -> None:
    watched = watching("wide", 20e6)
    watched.play(150)
    stats = watched.outlet.stats(watched.loop.now)
    assert stats.estimate is not None
    assert 300e3 < stats.estimate < 1e6
    assert not stats.congested


def test_sound_pictures_and_repeats_are_under_one_count() -> None:
    watched = Watching(wide=True)
    for number in range(90):
        watched.sound.publish()
        watched.play(1)
        if number == 30:
            watched.there = lambda datagram: None
        if number == 31:
            watched.there = lambda datagram: 0.01
    told: set[int] = set()
    for _, feedback in watched.asked:
        if isinstance(feedback, TransportFeedback):
            told |= {feedback.base + place for place, _ in feedback.arrivals}
    counters = watched.video.counters
    assert counters.repeated_packets
    sent = counters.packets + counters.repeated_packets + 90
    assert watched.outlet.bandwidth._wide is not None
    assert watched.outlet.bandwidth._wide.next - 1 == sent
    assert sent - 12 <= len(told) <= sent
    assert watched.numbers == list(range(90))


def test_a_viewer_that_was_never_asked_for_feedback_changes_nothing_by_it() -> None:
    loop = Loop()
    viewer = Viewer(loop)
    feedback = TransportFeedback(1, 2, 1, 1, 0, 0, ((0, 0),))
    assert viewer.outlet.receive_rtcp(build([feedback]), loop.now) == [feedback]
    assert viewer.outlet.bandwidth.available(loop.now) is None


def test_reports_are_held_back_for_no_longer_than_they_must() -> None:
    """The viewer answers nothing any more after the probe."""
    watched = watching("reports", 20e6)
    watched.play(150)
    watched.outlet.probe(800_000, watched.loop.now)
    watched.play(1)
    watched.back = lambda datagram: None
    seen: list[float] = []
    deliver = watched.there

    def note(datagram: bytes) -> float | None:
        if datagram[1] == 200:
            seen.append(watched.loop.now)
        return deliver(datagram)

    watched.there = note
    begun = watched.loop.now
    watched.play(150)
    assert [at for at in seen if at > begun + 3.3]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_known_of_one_path_says_nothing_of_the_next(kind: str) -> None:
    """From a narrow one to one that is wide and a good deal longer."""
    watched = watching(kind, 300e3)
    watched.play(240)
    assert watched.outlet.bandwidth.limited(watched.loop.now)
    watched.there = over(watched, Link(lambda now: 20e6, delay=0.3))
    watched.outlet.path_changed()
    assert not watched.outlet.bandwidth.limited(watched.loop.now)
    watched.play(240)
    assert not watched.outlet.bandwidth.limited(watched.loop.now)
    assert kind == "reports" or available(watched) >= 400e3
