"""A viewer without the stream's codec: it has one that is made for such viewers, or is told that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from tests.harness.access import admin
from tests.harness.bars import wait_for_picture, watch
from tests.harness.browser import Chromium
from tests.harness.browser_limits import video_codecs
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.rtsp import RtspCamera
from tests.harness.service import Service


@contextmanager
def camera(service: Service, *options: str) -> Iterator[str]:
    """The channel of a network camera whose H.264 is passed through."""
    channel = unique_name()
    with RtspCamera(size=(640, 360)) as source:
        master = service.spawn("master", channel, "--create", "--source", source.url, *options)
        master.wait_for_output("waiting for viewers", within=30)
        try:
            yield channel
        finally:
            assert master.stop() == 0, master.output
    master.assert_clean()


@contextmanager
def vp8_viewer(chromium: Chromium, service: Service, channel: str) -> Iterator[Page]:
    """A page in a browser that has no H.264."""
    with chromium.page() as page:
        page.add_init_script(video_codecs("VP8", "rtx"))
        page.goto(f"{service.http}/view/{channel}")
        yield page


def test_a_viewer_without_h264_has_vp8_and_it_is_said_what_it_gets(chromium: Chromium, service: Service) -> None:
    with camera(service) as channel, vp8_viewer(chromium, service, channel) as page:
        wait_for_picture(page)
        eventually(lambda: len(set(watch(page, 1.0).read)) >= 5, "a moving picture", within=40)
        eventually(
            lambda: (
                [viewer.get("rendition") for viewer in admin(service, "viewers", {"channel": channel}).json["viewers"]]
                == ["360p"]
            ),
            "the size that it gets",
            within=30,
        )


def test_without_transcoding_it_is_told_that_there_is_no_common_codec(chromium: Chromium, service: Service) -> None:
    with camera(service, "--no-transcode") as channel:
        with vp8_viewer(chromium, service, channel) as page:
            expect(page.get_by_test_id("error-id")).to_have_text("no-common-codec", timeout=30_000)
            expect(page.locator("body")).to_contain_text("No video format in common")
        with chromium.page(f"{service.http}/view/{channel}") as page:
            wait_for_picture(page)
