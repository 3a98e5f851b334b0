"""Two renditions and a viewer whose path becomes narrow and wide again: which it gets, with each kind of feedback."""

from __future__ import annotations

import pytest

from sightline.rtc.rtp.rtcp import BandwidthEstimate, build
from tests.unit.rtc.rtp.links import Link
from tests.unit.rtc.rtp.wire import NumberedFeed, Watching

TOP, LOW = 6000, 1200
"""Bytes of a picture: 1.5 Mbit/s and 0.3."""

KEYFRAME = 5
"""Times what other pictures have."""

pytestmark = pytest.mark.realtime


class Camera:
    """Both renditions in time with each other, over a link to one viewer."""

    def __init__(self, kind: str, link: Link) -> None:
        self.kind, self.link = kind, link
        self.watching = Watching(size=TOP, wide=kind == "wide")
        watching = self.watching
        self.loop = watching.loop
        self.begun = self.loop.now
        self.feeds = [watching.feed, NumberedFeed(self.loop, size=LOW, label="360p")]
        for feed in self.feeds:
            feed.bitrate = feed.size * 8 * 30
        watching.there = self._fate
        watching.back = lambda datagram: 0.02
        watching.fanout.change(watching.outlet, video=self.feeds[0], audio=watching.sound, renditions=self.feeds)
        self.sizes: list[str] = []
        """What the viewer was sent, second by second."""
        self._remb = 0.0

    @property
    def label(self) -> str | None:
        return self.watching.fanout.rendition(self.watching.outlet)

    def play(self, seconds: int) -> None:
        for _ in range(seconds):
            for _ in range(30):
                number = self.watching.feed.number
                self.watching.made[number] = self.loop.now
                for feed in self.feeds:
                    feed.number = number
                    wanted = feed.wanted or not number
                    feed.publish(size=feed.size * KEYFRAME if wanted else feed.size)
                self.loop.run(1 / 30)
            self.sizes.append(self.label or "")
            if self.kind == "remb":
                self._estimate()

    def _fate(self, datagram: bytes) -> float | None:
        at = self.link.arrival(len(datagram), self.loop.now)
        return None if at is None else at - self.loop.now

    def _estimate(self) -> None:
        """As libwebrtc: 0.85 of what comes while there is a queue, else 8 % more a second, up to 1.5 times that."""
        came = self.watching.inlet.stats(self.loop.now).bitrate
        if self.link.free_at - self.loop.now > 0.05:
            self._remb = min(self._remb, 0.85 * came)
        else:
            self._remb = max(self._remb, min(self._remb * 1.08, 1.5 * came)) or came
        self.watching.fanout.receive_rtcp(
            self.watching.outlet, build([BandwidthEstimate(9, int(self._remb), (0x11111111,))])
        )


@pytest.mark.parametrize("kind", ["wide", "remb", "reports"])
def test_down_when_it_becomes_narrow_and_up_again_when_it_is_wide(kind: str) -> None:
    camera = Camera(kind, Link(lambda now: 600e3 if 12 <= now - camera.begun < 30 else 20e6, queue=0.6))
    watching = camera.watching
    camera.play(12)
    assert set(camera.sizes) == {"720p"}, camera.sizes
    delays = len(watching.delays)
    camera.play(6)
    assert camera.label == "360p", camera.sizes
    camera.play(12)
    assert set(camera.sizes[18:]) == {"360p"}, camera.sizes
    assert max(watching.delays[-200:]) < 0.6, "pictures move, and show the present"
    assert len(watching.delays) - delays > 300
    camera.play(25)
    assert camera.label == "720p", camera.sizes


@pytest.mark.parametrize("kind", ["wide", "remb", "reports"])
def test_no_to_and_fro_on_a_path_that_stays_narrow(kind: str) -> None:
    camera = Camera(kind, Link(lambda now: 600e3, queue=0.6))
    camera.play(45)
    assert "360p" in camera.sizes[:8], camera.sizes
    settled = camera.sizes[8:]
    assert settled.count("360p") >= 0.85 * len(settled), camera.sizes


@pytest.mark.parametrize("kind", ["wide", "remb", "reports"])
def test_loss_and_jitter_of_radio_take_no_picture_away(kind: str) -> None:
    camera = Camera(kind, Link(lambda now: 20e6, jitter=0.03, loss=0.02))
    camera.play(15)
    assert set(camera.sizes) == {"720p"}, camera.sizes
