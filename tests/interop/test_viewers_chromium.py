"""A plain RTCPeerConnection in Chromium watches our master: both codecs, sound, data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import unique_name
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.harness.service import Service

TONE = 440
"""Hz of the clip's sound."""
CODECS = ("video/H264", "video/VP8")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    name = unique_name("watched")
    with service.spawn("master", name, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        yield name


def in_page(page: Page) -> Callable[[str, Any], Any]:
    return lambda script, argument: page.evaluate(script, argument)


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_and_sound(chromium: Chromium, service: Service, channel: str, codec: str) -> None:
    with chromium.page(f"{service.http}/healthz") as page:
        viewer = PlainViewer(in_page(page), channel, codec=codec, audio=True)
        viewer.wait_for_picture()
        viewer.watch_live(3, min_rate=15)
        stats = viewer.stats
        assert stats["videoCodec"] == codec
        assert (stats["video"]["frameWidth"], stats["video"]["frameHeight"]) == (640, 360)
        assert stats["transport"]["dtlsState"] == "connected"
        assert stats["transport"]["srtpCipher"].startswith(("AEAD_AES_128_GCM", "SRTP_AEAD_AES_128_GCM"))
        assert stats["audioCodec"] == "audio/opus"
        # A click where sound begins has any pitch: it is not the tone.
        listen = "() => plainViewer.listen(viewer.stream)"
        eventually(lambda: abs((viewer.ask(listen) or 0) - TONE) < 15, "the tone")
        screenshot(page, f"plain-viewer-chromium-{codec}")


def test_pictures_and_sound_are_together(chromium: Chromium, service: Service, channel: str) -> None:
    """RTCP sender reports put both on one clock: what Chromium estimates for them differs by less than 0.1 s."""
    with chromium.page(f"{service.http}/healthz") as page:
        viewer = PlainViewer(in_page(page), channel, audio=True)
        viewer.wait_for_picture()
        viewer.watch(3)

        def together() -> bool:
            stats = viewer.stats
            video, audio = (stats[kind].get("estimatedPlayoutTimestamp") for kind in ("video", "audio"))
            return video is not None and audio is not None and abs(video - audio) < 200  # ms; between two busy cores

        eventually(together, "sound and picture that are in step", every=0.5)


def test_two_codecs_at_once(chromium: Chromium, service: Service, channel: str) -> None:
    with (
        chromium.page(f"{service.http}/healthz") as first,
        chromium.page(f"{service.http}/healthz") as second,
    ):
        viewers = [
            PlainViewer(in_page(page), channel, codec=codec)
            for page, codec in zip((first, second), CODECS, strict=True)
        ]
        for viewer in viewers:
            viewer.wait_for_picture()
        for viewer in viewers:
            viewer.watch_live(2, min_rate=10, max_step=30)  # two decoders in software beside an encoder
