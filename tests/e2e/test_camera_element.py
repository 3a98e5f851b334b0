"""`<sightline-camera>`: a camera in somebody's own page, by one script tag."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.harness.access import make_link
from tests.harness.browser import Chromium, screenshot
from tests.harness.polling import eventually
from tests.harness.service import Service

PUT = """(body) => {
  document.body.innerHTML = body;
  const script = document.createElement('script');
  script.type = 'module';
  script.src = '/sdk/sightline.js';
  document.head.append(script);
}"""
"""Makes the page somebody's own. The rule for the service's pages still holds: nothing inline."""
MOVES = """async (selector) => {
  const video = document.querySelector(selector)?.shadowRoot?.querySelector('video');
  if (!video || video.readyState < 2) return false;
  const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
  const before = frames();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return frames() > before;
}"""


@contextmanager
def site(chromium: Chromium, origin: str, body: str) -> Iterator[Page]:
    """A page of the same origin as the service, as behind one reverse proxy."""
    with chromium.page(f"{origin}/") as page:
        page.evaluate(PUT, body)
        yield page


@pytest.fixture(scope="module")
def channel(service: Service) -> Iterator[str]:
    """A channel whose camera is on."""
    with service.spawn("master", "shop-window", "--create", "--source", "test:320x180@15") as master:
        master.wait_for_output("connected|on air|ready")
        yield "shop-window"


def test_one_script_tag_shows_the_camera(chromium: Chromium, service: Service, channel: str) -> None:
    token = make_link(service, channel)["token"]
    with site(
        chromium, service.https, f'<sightline-camera channel="{channel}" token="{token}"></sightline-camera>'
    ) as page:
        eventually(lambda: page.evaluate(MOVES, "sightline-camera"), "a moving picture")
        box = page.locator("sightline-camera").bounding_box()
        assert box is not None
        assert abs(box["width"] / box["height"] - 16 / 9) < 0.01
        screenshot(page, "camera-element")
        # Taken out of the document, it lets go of everything.
        page.evaluate(
            """() => {
              globalThis.camera = document.querySelector('sightline-camera');
              globalThis.viewer = camera.viewer;
              camera.remove();
            }"""
        )
        assert page.evaluate("() => [viewer.state, viewer.stream, camera.viewer]") == ["closed", None, None]


def test_it_says_what_is_wrong(chromium: Chromium, service: Service, channel: str) -> None:
    with site(chromium, service.http, '<sightline-camera channel="nowhere"></sightline-camera>') as page:
        expect(page.locator("sightline-camera").locator("p")).to_contain_text("There is no channel 'nowhere' here")
        # Another channel is another camera.
        page.evaluate(
            "(channel) => document.querySelector('sightline-camera').setAttribute('channel', channel)", channel
        )
        eventually(lambda: page.evaluate(MOVES, "sightline-camera"), "a moving picture")
        expect(page.locator("sightline-camera").locator("p")).to_have_text("")


def test_a_client_id_is_checked_before_anything_is_sent(chromium: Chromium, service: Service) -> None:
    """Seed 001.5, with the rule in the message."""
    asked: list[str] = []
    with site(chromium, service.http, "") as page:
        page.on("request", lambda request: asked.append(request.url))
        failure = page.evaluate(
            """async () => {
              const { Viewer, sessionFromService } = await import('/sdk/sightline.js');
              const viewer = new Viewer({ session: sessionFromService({ channel: 'nowhere' }), clientId: 'AWS_me' });
              return new Promise((resolve) => {
                viewer.on('failed', resolve);
                viewer.open();
              });
            }"""
        )
    assert failure["id"] == "bad-client-id"
    assert "does not begin with AWS_" in failure["message"]
    assert not [url for url in asked if "/v1/session" in url]
