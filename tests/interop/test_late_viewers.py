"""Who comes in the middle of a long group of pictures sees the camera at once, and soon what it shows now."""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Page

from tests.harness.bars import CLIP_FRAMES
from tests.harness.browser import Chromium
from tests.harness.kvs import unique_name
from tests.harness.plain_viewer import PlainViewer
from tests.harness.service import Service

RATE = 30
GROUP = 10
"""Seconds from keyframe to keyframe."""
LATE = 0.3
"""Seconds behind the camera, at most, one second after somebody joined (issue 3)."""


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A camera that plays a file as it is, with a keyframe every ten seconds, which nobody can order."""
    file = tmp_path_factory.mktemp("long") / "long-groups.mp4"
    encode_with_long_groups(clip, file)
    name = unique_name("long-groups")
    with service.spawn("master", name, "--create", "--source", str(file)) as master:
        master.wait_for_output("waiting for viewers")
        yield name


def encode_with_long_groups(clip: Path, file: Path) -> None:
    """The clip as WebRTC can carry it without encoding: constrained baseline."""
    with av.open(str(clip)) as source, av.open(str(file), "w") as target:
        stream: Any = target.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.gop_size = GROUP * RATE
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "sc_threshold": "0"}
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, RATE), av.video.frame.PictureType.NONE
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def by_wall_clock(viewer: PlainViewer) -> list[tuple[float, int]]:
    """When each frame was presented, on a clock that all pages share, and its number."""
    origin = viewer.ask("() => performance.timeOrigin") / 1000
    return [(origin + frame.at, frame.number) for frame in viewer.frames() if frame.number is not None]


def behind(late: list[tuple[float, int]], early: list[tuple[float, int]], begin: float, end: float) -> float:
    """By how many seconds one viewer shows things later than the other, in the median."""
    times = [at for at, _ in early]
    steps = [
        (early[bisect_right(times, at) - 1][1] - number + CLIP_FRAMES // 2) % CLIP_FRAMES - CLIP_FRAMES // 2
        for at, number in late
        if begin <= at < end
    ]
    return statistics.median(steps) / RATE if steps else math.inf


@pytest.mark.timeout(150)
@pytest.mark.parametrize("into", [2.0, 5.0, 8.0])
def test_a_late_viewer_is_soon_live(chromium: Chromium, service: Service, channel: str, into: float) -> None:
    with chromium.page(f"{service.http}/healthz") as first:
        early = PlainViewer(in_page(first), channel)
        early.wait_for_picture()
        for _ in range(3):  # a machine that stands still for a moment holds up everybody
            with chromium.page(f"{service.http}/healthz") as second:
                waited, delay = join(early, second, channel, into)
            if waited < 1.0 and delay <= LATE * 3:
                break
        assert waited < 1.0
        assert delay <= LATE * 3, "a group that is played from its start, or waited for, is seconds behind"


def join(early: PlainViewer, page: Page, channel: str, into: float) -> tuple[float, float]:
    """Come so many seconds into a group: how long the first picture took, and how far behind it is a second later."""
    number = early.wait_for_picture(since=early.now).number or 0
    time.sleep((into - number / RATE) % GROUP)
    late = PlainViewer(in_page(page), channel)
    late.wait_for_picture()
    time.sleep(2.5)
    seen, reference = by_wall_clock(late), by_wall_clock(early)
    joined, shown = seen[0]
    delay = behind(seen, reference, joined + 1, joined + 2)
    connected = late.ask("() => performance.timeOrigin + viewer.notes.states.find(([, s]) => s === 'connected')[0]")
    waited = joined - connected / 1000
    print(
        f"joined about {into} s into the group: first picture {waited:.2f} s after the connection, "
        f"{delay * 1000:.0f} ms behind a second later"
    )
    # A busy browser skips through what comes in one burst, so it need not be the group's very first.
    now = reference[bisect_right([at for at, _ in reference], joined) - 1][1]
    old, most = (now + RATE - shown) % CLIP_FRAMES, now % (GROUP * RATE) + 2 * RATE  # give or take a second
    assert old <= most, "the first picture is none of the group that runs"
    return waited, delay


def in_page(page: Page) -> Any:
    return lambda script, argument: page.evaluate(script, argument)
