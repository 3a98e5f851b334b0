"""The npm package amazon-kinesis-video-streams-webrtc, unmodified, in Chromium: with our master, our page, itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.access import make_key, make_link
from tests.harness.bars import wait_for_picture, watch_at_full_rate, watch_live
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import eventually
from tests.harness.service import REGION, Service
from tests.harness.signing import Key
from tests.harness.web import Site

START_MASTER = """async (config) => {
  globalThis.camera = barCode.camera();
  globalThis.peer = await startMaster(config, camera.stream);
}"""
START_VIEWER = """async (config) => {
  globalThis.peer = await startViewer(config, document.querySelector("#picture"));
}"""


def settings(service: Service, channel: str, key: Key | None = None, client_id: str | None = None) -> dict[str, Any]:
    """What differs from AWS: the endpoint and the keys."""
    key = key or service.admin
    return {
        "endpoint": service.https,
        "region": REGION,
        "accessKeyId": key.access_key_id,
        "secretAccessKey": key.secret_access_key,
        "channel": channel,
        "clientId": client_id or unique_name("viewer"),
    }


def events(page: Page) -> list[str]:
    """The names of the signaling client's events so far."""
    return [name for name, _sender, _text in page.evaluate("() => peer.seen")]


def test_as_viewer_of_our_master(chromium: Chromium, service: Service, site: Site, camera: Callable[..., Any]) -> None:
    channel = unique_name("porch")
    camera(channel).wait_for_output("connected|on air|ready")
    with chromium.page(site.url("peer.html")) as page:
        page.evaluate(START_VIEWER, settings(service, channel, make_key(service, "viewer", channel)))
        wait_for_picture(page)
        watch_at_full_rate([page])
        screenshot(page, "javascript-viewer-of-our-master")
        assert events(page)[:2] == ["open", "sdpAnswer"]
        assert "error" not in events(page)
        assert "statusResponse" not in events(page)
        assert page.evaluate("() => peer.seen.every(([, sender]) => sender === null)"), "a master has no client id"


def test_as_master_to_our_page(chromium: Chromium, service: Service, kvs: Kvs, site: Site) -> None:
    channel = unique_name("yard")
    kvs.create(channel)
    token = make_link(service, channel)["token"]
    with chromium.page(site.url("peer.html")) as master:
        master.evaluate(START_MASTER, settings(service, channel, make_key(service, "master", channel)))
        with chromium.page(f"{service.https}/view/{channel}#{token}") as page:
            wait_for_picture(page)
            seen = watch_live(page, 3, modulo=1 << 16)
            assert abs(master.evaluate("() => camera.last()") - seen.read[-1]) < 60, "not what the camera shows now"
            expect(page.get_by_test_id("state")).to_have_text("Live")
            expect(page.get_by_test_id("resolution")).to_have_text("640 × 360")
            screenshot(page, "our-page-of-javascript-master")
            client_id = page.get_by_test_id("client-id").text_content()
            assert master.evaluate("() => [...peer.connections.keys()]") == [client_id]


def test_as_master_and_two_viewers(chromium: Chromium, service: Service, kvs: Kvs, site: Site) -> None:
    channel = unique_name("hall")
    kvs.create(channel)
    with (
        chromium.page(site.url("peer.html")) as first,
        chromium.page(site.url("peer.html")) as master,
        chromium.page(site.url("peer.html")) as second,
    ):
        # The first viewer is there before the camera: its offer waits for the master.
        first.evaluate(START_VIEWER, settings(service, channel, client_id="first"))
        eventually(lambda: events(first) == ["open"], "the first viewer's socket")
        master.evaluate(START_MASTER, settings(service, channel))
        second.evaluate(START_VIEWER, settings(service, channel, client_id="second"))
        for viewer in (first, second):
            wait_for_picture(viewer)
            watch_live(viewer, 2, modulo=1 << 16)
        assert sorted(master.evaluate("() => [...peer.connections.keys()]")) == ["first", "second"]
        assert "statusResponse" not in events(master)


def test_a_refused_socket_is_an_error_and_a_close(chromium: Chromium, service: Service, kvs: Kvs, site: Site) -> None:
    channel = unique_name("shut")
    kvs.create(channel)
    key = make_key(service, "viewer", channel)
    with chromium.page(site.url("peer.html")) as page:
        opening = page.evaluate(
            """async (config) => {
              try { await startMaster(config, new MediaStream()); return "opened"; } catch { return "refused"; }
            }""",
            settings(service, channel, key),
        )
        assert opening == "refused"


@pytest.mark.parametrize("wrong", ["secretAccessKey", "channel"])
def test_the_page_learns_the_type_of_an_error(chromium: Chromium, service: Service, site: Site, wrong: str) -> None:
    with chromium.page(site.url("peer.html")) as page:
        code = page.evaluate(
            """async (config) => {
              try { await startViewer(config, null); return null; } catch (error) { return error.code; }
            }""",
            {**settings(service, "no-such-channel"), wrong: "no-such-thing"},
        )
    expected = {"secretAccessKey": "InvalidSignatureException", "channel": "ResourceNotFoundException"}
    assert code == expected[wrong]
