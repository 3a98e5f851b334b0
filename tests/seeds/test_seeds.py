"""The flows of the seeds on the unmodified npm builds in Chromium; only endpoint and keys are Sightline's.

The pages are in `pages`, written anew from the flows that the seeds describe. The AWS SDK and the WebRTC SDK are the
files that npm installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.bars import wait_for_picture, watch_live
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import Kvs, Refused, unique_name
from tests.harness.polling import eventually
from tests.harness.service import REGION, Service
from tests.harness.web import Site


def keys(service: Service, **more: Any) -> str:
    """A script that puts endpoint and keys in front of a page."""
    settings = {
        "endpoint": service.https,
        "region": REGION,
        "accessKeyId": service.admin.access_key_id,
        "secretAccessKey": service.admin.secret_access_key,
        **more,
    }
    return f"globalThis.keys = {json.dumps(settings)};"


def open_page(page: Page, site: Site, name: str, service: Service, **more: Any) -> None:
    """Open one of the seeds' pages with its keys."""
    page.add_init_script(keys(service, **more))
    page.goto(site.url(name))


def picture_moves(page: Page, selector: str) -> bool:
    """Whether a video shows frames, one after the other (Chromium's fake camera has no bar code)."""
    return bool(
        page.evaluate(
            """async (selector) => {
              const video = document.querySelector(selector);
              const first = video.getVideoPlaybackQuality().totalVideoFrames;
              await new Promise((resolve) => setTimeout(resolve, 300));
              return video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > first;
            }""",
            selector,
        )
    )


class TestSeed000:
    """The master manages its viewers by connection state."""

    def test_a_registry_of_viewers(self, chromium: Chromium, service: Service, kvs: Kvs, site: Site) -> None:
        arn = kvs.create()
        with chromium.page() as master, chromium.page() as first, chromium.page() as second:
            open_page(master, site, "master.html", service, channelARN=arn)
            master.evaluate("() => start()")

            def connected(client_id: str) -> bool:
                return bool(master.evaluate("(id) => isConnected(id)", client_id))

            assert not connected("viewer-123")
            for page, client_id in ((first, "viewer-123"), (second, "viewer-456")):
                open_page(page, site, "viewer.html", service, channelARN=arn, clientId=client_id)
                page.evaluate("() => start()")
            for client_id in ("viewer-123", "viewer-456"):
                eventually(lambda name=client_id: connected(name), f"{client_id} to be connected")
            for page in (first, second):
                eventually(lambda page=page: picture_moves(page, "#remote"), "a moving picture")
            screenshot(first, "seed-000-viewer")
            assert master.evaluate("() => states['viewer-123']") == ["new", "connecting", "connected"]
            assert master.evaluate("() => [...viewers.keys()].sort()") == ["viewer-123", "viewer-456"]

            first.evaluate("() => closeConnection()")
            eventually(lambda: not connected("viewer-123"), "viewer-123 to leave the registry")
            assert connected("viewer-456")
            eventually(lambda: picture_moves(second, "#remote"), "a picture that still moves")
            assert master.evaluate("() => [...viewers.keys()]") == ["viewer-456"]


class TestSeed001:
    """The viewer retries when no SDP answer comes. Its 15 and 4 seconds pass on the page's clock, not on ours."""

    @pytest.fixture
    def channel(self, kvs: Kvs) -> tuple[str, str]:
        """A channel's name and ARN."""
        name = unique_name("seed-001")
        return name, kvs.create(name)

    def test_an_answer_comes(
        self, chromium: Chromium, service: Service, channel: tuple[str, str], site: Site, camera: Callable[..., Any]
    ) -> None:
        name, arn = channel
        camera(name).wait_for_output("connected|on air|ready")
        with chromium.page() as page:
            open_page(page, site, "viewer.html", service, channelARN=arn, clientId="viewer-123")
            page.evaluate("() => start()")
            wait_for_picture(page, "#remote")
            watch_live(page, 2, "#remote")
            seen = page.evaluate("() => seen")
            # The camera's first connectivity check may arrive ahead of its answer.
            assert [each for each in seen if each != "connecting"] == ["open", "offer", "answer", "connected"]
            assert page.evaluate("() => [answerTimer, retries]") == [None, 0]
            screenshot(page, "seed-001-viewer")
            page.evaluate("() => { closeConnection(); closeConnection(); }")
            assert page.evaluate("() => [signaling, connection]") == [None, None]

    def test_the_answer_comes_at_the_second_attempt(
        self, chromium: Chromium, service: Service, channel: tuple[str, str], site: Site, camera: Callable[..., Any]
    ) -> None:
        name, arn = channel
        with chromium.page() as page:
            page.clock.install()
            open_page(page, site, "viewer.html", service, channelARN=arn, clientId="viewer-123")
            page.evaluate("() => start()")
            page.wait_for_function("() => answerTimer !== null")
            page.clock.fast_forward(15_000)
            page.wait_for_function("() => seen.includes('no answer')")
            # The page's time stands still while the camera starts, however long that takes: its pause is four seconds.
            page.clock.pause_at(page.evaluate("() => Date.now()") / 1000 + 0.5)  # seconds
            assert page.evaluate("() => [signaling, connection, retries]") == [None, None, 1]
            camera(name).wait_for_output("connected|on air|ready")
            page.clock.fast_forward(4_000)
            page.wait_for_function("() => seen.includes('retry')")
            page.clock.resume()
            wait_for_picture(page, "#remote")
            seen = [each for each in page.evaluate("() => seen") if each not in ("close", "closed")]
            assert seen[:4] == ["open", "offer", "no answer", "retry"]
            # The camera may have answered the first offer, which waited for it: that answer comes early and is useless.
            assert [each for each in seen[4:] if each not in ("answer", "connecting")] == ["open", "offer", "connected"]
            assert page.evaluate("() => [answerTimer, retries]") == [None, 0]
            assert page.locator("#alert").text_content() == ""

    def test_no_answer_at_all_is_told_plainly(
        self, chromium: Chromium, service: Service, channel: tuple[str, str], site: Site
    ) -> None:
        _, arn = channel
        with chromium.page() as page:
            page.clock.install()
            open_page(page, site, "viewer.html", service, channelARN=arn, clientId="viewer-123")
            page.evaluate("() => start()")
            for attempt in (1, 2):
                page.wait_for_function("() => answerTimer !== null")
                page.clock.fast_forward(15_000)
                page.wait_for_function("(n) => seen.filter((each) => each === 'no answer').length === n", arg=attempt)
                page.clock.fast_forward(4_000)
            expect(page.locator("#alert")).to_contain_text("응답이 없습니다")
            seen = [each for each in page.evaluate("() => seen") if each not in ("close", "closed")]
            assert seen == ["open", "offer", "no answer", "retry", "open", "offer", "no answer"]

    @pytest.mark.parametrize("client_id", ["space here", "slash/", "hash#", "한글", "x" * 257])
    def test_a_client_id_outside_the_rules_is_an_error(
        self, chromium: Chromium, service: Service, channel: tuple[str, str], site: Site, client_id: str
    ) -> None:
        with chromium.page() as page:
            open_page(page, site, "viewer.html", service, channelARN=channel[1], clientId=client_id)
            page.evaluate("() => start()")
            page.wait_for_function("() => seen.includes('close')")
            assert page.evaluate("() => seen") == ["error", "close"]

    def test_a_client_id_is_good_again_at_once_and_the_newest_has_it(self, kvs: Kvs) -> None:
        """On AWS using an id again within 60 s is a trap (seed 001.5); here it is not."""
        arn = kvs.create()
        for _ in range(2):
            with kvs.viewer(arn, "viewer-123"):
                pass
        with kvs.viewer(arn, "viewer-123") as old, kvs.viewer(arn, "viewer-123") as new:
            assert old.wait_closed() not in (None, 1006)
            assert new.open
        with pytest.raises(Refused):
            kvs.viewer(arn, "AWS_viewer")


class TestSeed002:
    """Signaling channels are created through the API."""

    def test_device_1_and_its_two_tags(
        self, chromium: Chromium, start_service: Callable[..., Service], site: Site
    ) -> None:
        region = "ap-northeast-1"  # the seed's own
        service = start_service(environment={"SIGHTLINE_REGION": region})
        with chromium.page() as page:
            open_page(page, site, "create.html", service, region=region)
            result = page.locator("#result")
            expect(result).to_contain_text(f"arn:aws:kinesisvideo:{region}:000000000000:channel/DEVICE_1/")
            arn = result.text_content()
            page.reload()
            expect(result).to_contain_text("ResourceInUseException: ")
        with chromium.page() as page:
            open_page(page, site, "create.html", service, region=region, channelType="FULL_MESH")
            expect(page.locator("#result")).to_contain_text("InvalidArgumentException: ")
        with chromium.page() as page:
            open_page(page, site, "create.html", service, region="eu-north-1")
            expect(page.locator("#result")).to_contain_text("eu-north-1")
            expect(page.locator("#result")).to_contain_text(region)

        with Kvs(service, region=region) as kvs:
            info = kvs.control.describe_signaling_channel(ChannelName="DEVICE_1")["ChannelInfo"]
            assert (info["ChannelARN"], info["ChannelType"]) == (arn, "SINGLE_MASTER")
            tags = kvs.control.list_tags_for_resource(ResourceARN=arn)["Tags"]
            assert tags == {"StreamName": "DEVICE_1", "Environment": "Development"}
            kvs.create("DEVICE_2", Tags=[{"Key": "Environment", "Value": "Production"}])

        listed = service.run("channel", "list", "--tag", "Environment=Development")
        assert listed.returncode == 0, listed.stderr
        assert "DEVICE_1" in listed.stdout
        assert "DEVICE_2" not in listed.stdout
        both = service.run("channel", "list", "--tag", "Environment=Development", "--tag", "StreamName=DEVICE_2")
        assert "DEVICE_1" not in both.stdout
