"""Debian's Firefox watches our master. It has no H.264 of its own (it would download OpenH264): it watches VP8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.firefox import Firefox, launched_firefox
from tests.harness.kvs import unique_name
from tests.harness.plain_viewer import PlainViewer
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
    viewer.watch(3).assert_live(min_rate=12)
    stats = viewer.stats
    assert stats["videoCodec"] == "video/VP8"
    assert stats["audioCodec"] == "audio/opus"
    # Its AudioContext does not run on a machine without a sound card, so nobody can listen; it does decode.
    assert LOUDNESS / 2 < stats["audio"]["audioLevel"] < LOUDNESS * 3
    viewer.close()


def test_an_ice_restart(firefox: Firefox, service: Service, channel: str) -> None:
    firefox.open(f"{service.http}/healthz")
    viewer = PlainViewer(firefox.evaluate, channel)
    viewer.wait_for_picture()
    viewer.restart()
    seen = viewer.watch(3)
    seen.assert_live(min_rate=12)
    assert seen.frozen == 0
    assert viewer.states() == ["connecting", "connected"]
    viewer.close()
