"""Debian's Firefox watches our master. It has no H.264 of its own (it would download OpenH264): it watches VP8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.firefox import Firefox, launched_firefox
from tests.harness.kvs import unique_name
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.harness.service import Service

LOUDNESS = 2600 / 32768
"""Of the clip's tone, 1 being the loudest there is."""


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    name = unique_name("watched")
    with service.spawn("master", name, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        yield name


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    with launched_firefox() as browser:
        yield browser


def test_pictures_and_sound(firefox: Firefox, service: Service, channel: str) -> None:
    firefox.open(f"{service.http}/healthz")
    viewer = PlainViewer(firefox.evaluate, channel, audio=True)
    viewer.wait_for_picture()
    viewer.watch_live(3, min_rate=12)
    stats = viewer.stats
    assert stats["videoCodec"] == "video/VP8"
    assert stats["audioCodec"] == "audio/opus"
    # Its AudioContext does not run on a machine without a sound card, so nobody can listen; it does decode.
    eventually(lambda: LOUDNESS / 2 < viewer.stats["audio"]["audioLevel"] < LOUDNESS * 3, "a tone as loud as it is")
    viewer.close()


def test_an_ice_restart(firefox: Firefox, service: Service, channel: str) -> None:
    firefox.open(f"{service.http}/healthz")
    viewer = PlainViewer(firefox.evaluate, channel)
    viewer.wait_for_picture()
    frozen: list[float] = []
    while len(frozen) < 5 and 0 not in frozen:  # a machine that stands still for a moment freezes the picture, too
        viewer.watch_live(2, min_rate=12)
        viewer.restart()
        seen = viewer.watch(3)
        frozen.append(seen.frozen)
    assert 0 in frozen, frozen
    seen.assert_live(min_rate=12)
    assert viewer.states() == ["connecting", "connected"]
    viewer.close()
