"""A viewer on a narrow link has a smaller picture that moves, and the others lose nothing; then the link widens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.harness.kvs import unique_name
from tests.harness.network import Line
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.network.conftest import World
from tests.network.test_slow_viewer import counted, watching

RATE = 15
"""Half of what cameras have: what is measured is the links, not how much a busy machine encodes."""
NARROW = Line(delay=0.02, rate=300_000, queue=0.3)
WIDE = Line(delay=0.02)
SECONDS = 12
"""For which the picture is watched on the narrow link."""
NUMBERS = 1 << 16
"""Of the test picture's bar codes."""


@pytest.fixture(scope="module")
def channel(world: World) -> str:
    """A camera of 720 lines, with 360 below by itself."""
    name = unique_name("wide")
    world.camera(name, "--source", f"test:1280x720@{RATE}")
    return name


def height(viewer: PlainViewer) -> int:
    """Of the picture that is shown now."""
    return int(viewer.ask("() => viewer.video.videoHeight"))


@pytest.mark.timeout(300)
def test_a_narrow_link_has_360p_that_moves_and_720p_again_when_it_widens(
    world: World, channel: str, viewer: Callable[..., PlainViewer]
) -> None:
    neighbour = world.lab.host(unique_name("neighbour"))
    neighbour.connect("eth0", Line(delay=0.01))
    for host in (world.phone, neighbour):
        world.signaling(host)
    world.wifi.set(WIDE)
    shown = viewer()
    shown.wait_for_picture()
    eventually(lambda: height(shown) == 720, "the greatest picture", within=30)
    shown.watch(2)

    with watching(world, neighbour, channel, 2, SECONDS) as others:
        world.wifi.set(NARROW)
        eventually(lambda: height(shown) == 360, "the smaller picture", within=30)
        shown.watch(2)  # what was on the way of the greater one
        seen = shown.watch(SECONDS)
        print(f"{len(seen.frames) / seen.seconds:.1f} frames/s, {seen.longest_gap:.2f} s without one at most")
        assert height(shown) == 360
        seen.assert_live(min_rate=0.4 * RATE, max_step=3 * RATE, modulo=NUMBERS)
        assert seen.longest_gap < 3
        for other in counted(others):
            print(f"beside it: {other}")
            assert other["missing"] == 0
            assert other["frames"] >= 0.5 * RATE * SECONDS, "a busy machine makes fewer, and loses none"

    since = shown.now
    world.wifi.set(WIDE)
    eventually(lambda: height(shown) == 720, "the greatest picture again", within=150)
    risen = shown.now
    shown.watch(3)
    times = [frame.at for frame in shown.frames(max(since, risen - 3))]
    longest = max(later - sooner for sooner, later in pairwise(times))
    print(f"720p after {risen - since:.1f} s, {longest:.2f} s without a picture at most")
    assert longest < 3, "three times what a person may notice"
