"""Why there is no picture, on the page: every cause is the real one, and the page names it.

Where a page cannot bring the cause about itself (the service makes its addresses), its session request is answered by
the test with an address that the service then really refuses.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.harness.access import make_key, session
from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import EXTRAS, VIEWER, Kvs, decode, open_socket, unique_name
from tests.harness.service import Service
from tests.harness.signing import presign

pytestmark = pytest.mark.timeout(120)

WITH = {EXTRAS: "1"}
TEXTS = {
    "wrong-key": ("The key was refused", "키가 거부되었습니다"),
    "wrong-region": ("The region is wrong", "리전이 잘못되었습니다"),
    "clock-skew": ("The clocks do not agree", "시계가 서로 맞지 않습니다"),
    "unknown-channel": ("There is no channel", "채널이 없습니다"),
    "not-allowed": ("You may not watch this camera", "이 카메라를 볼 권한이 없습니다"),
    "bad-client-id": ("The viewer ID was refused", "시청자 ID가 거부되었습니다"),
    "viewer-limit": ("Too many people are watching", "시청자가 너무 많습니다"),
    "client-id-in-use": ("Somebody else watches under this viewer ID", "같은 시청자 ID로 다른 곳에서 보고 있습니다"),
    "no-common-codec": ("No video format in common", "공통으로 지원하는 영상 형식이 없습니다"),
}
OWN_RELAY_ONLY = """(() => {
  const Real = RTCPeerConnection;
  const only = (configuration) => ({...configuration, iceTransportPolicy: 'relay'});
  globalThis.RTCPeerConnection = class extends Real {
    constructor(configuration) { super(only(configuration)); }
    setConfiguration(configuration) { super.setConfiguration(only(configuration)); }
  };
})()"""
"""A browser whose administrator permits relays only."""
NO_FINGERPRINT = """(() => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (text) {
    const frame = JSON.parse(text);
    if (frame.action === 'SDP_OFFER') {
      frame.messagePayload = btoa(atob(frame.messagePayload).replaceAll('a=fingerprint', 'a=x-fingerprint'));
    }
    send.call(this, JSON.stringify(frame));
  };
})()"""
"""A malformed offer (seed 001.6 g)."""
AV1_ONLY = """(() => {
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const transceiver = addTransceiver.call(this, kind, init);
    if (kind === 'video') {
      const { codecs } = RTCRtpReceiver.getCapabilities('video');
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/AV1'));
    }
    return transceiver;
  };
})()"""


def expect_reason(page: Page, reason: str, *, within: float = 5.0) -> None:
    """The page shows the reason, and that it will not come right by itself."""
    expect(page.get_by_test_id("error-id")).to_have_text(reason, timeout=within * 1000)
    expect(page.get_by_test_id("state")).to_have_text(re.compile("Not connected|연결되지 않음"))
    words = page.get_by_test_id("error").inner_text()
    assert any(text in words for text in TEXTS[reason]), words


@contextmanager
def given(
    chromium: Chromium, service: Service, channel: str, url: str, *, locale: str = "en-US", at: str = ""
) -> Iterator[Page]:
    """The page of a channel, whose session is the one that the test gives."""

    def answer(route: Route) -> None:
        wanted = json.loads(route.request.post_data or "{}")
        route.fulfill(json={"url": url, "iceServers": [], "clientId": wanted["clientId"]})

    with chromium.page(locale=locale) as page:
        page.route("**/sightline/v1/session", answer)
        page.goto(f"{at or service.http}/view/{channel}")
        yield page


@pytest.fixture(scope="module")
def arn(kvs: Kvs) -> str:
    """A channel without a camera."""
    return kvs.create("without")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    with service.spawn("master", "choosy", "--create", "--source", str(clip)) as master:
        master.wait_for_output("connected|on air|ready")
        yield "choosy"


class TestRefusedSockets:
    """A browser is told nothing about a refused upgrade (KVS.md §5.1); a page of ours is told the reason."""

    def show(self, chromium: Chromium, service: Service, reason: str, url: str) -> None:
        began = time.monotonic()
        with given(chromium, service, "without", url, locale="ko-KR") as page:
            expect_reason(page, reason)
            assert time.monotonic() - began < 10, "a final reason is told without the useless retry"

    def test_a_wrong_secret(self, chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
        key = make_key(service, "viewer").but(secret_access_key="wrong")
        self.show(chromium, service, "wrong-key", kvs.socket_url(VIEWER, arn, "v", key=key, parameters=WITH))

    def test_another_region(self, chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
        url = kvs.socket_url(VIEWER, arn, "v", region="eu-central-1", parameters=WITH)
        self.show(chromium, service, "wrong-region", url)

    def test_a_clock_that_is_wrong(self, chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
        url = kvs.socket_url(VIEWER, arn, "v", now=time.time() - 3600, parameters=WITH)
        self.show(chromium, service, "clock-skew", url)

    def test_a_channel_that_was_deleted(self, chromium: Chromium, service: Service, kvs: Kvs) -> None:
        gone = kvs.create()
        url = kvs.socket_url(VIEWER, gone, "v", parameters=WITH)
        kvs.control.delete_signaling_channel(ChannelARN=gone)
        self.show(chromium, service, "unknown-channel", url)

    def test_a_key_for_another_camera(self, chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
        key = make_key(service, "viewer", "another-*")
        self.show(chromium, service, "not-allowed", kvs.socket_url(VIEWER, arn, "v", key=key, parameters=WITH))

    @pytest.mark.parametrize("client_id", ["a b", "AWS_me"])
    def test_a_client_id_outside_the_rules(
        self, chromium: Chromium, service: Service, kvs: Kvs, arn: str, client_id: str
    ) -> None:
        parameters = {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": client_id, **WITH}
        endpoint = f"{service.http.replace('http', 'ws', 1)}/viewer"
        self.show(chromium, service, "bad-client-id", presign(endpoint, parameters, key=kvs.key))

    def test_too_many_requests(self, chromium: Chromium, start_service: Callable[..., Service]) -> None:
        service = start_service()
        here = f"127.0.0.1:{service.http_port}"  # they are counted for each address of a client
        with Kvs(service) as kvs:
            parameters = {"X-Amz-ChannelARN": kvs.create("without"), "X-Amz-ClientId": "v", **WITH}
            wrong = make_key(service, "viewer").but(secret_access_key="wrong")
            url = presign(f"ws://{here}/viewer", parameters, key=wrong)
            for _ in range(60):
                with open_socket(service, url) as refused:
                    refused.wait_closed()
                if decode(refused.last_words[0]["messagePayload"])["reason"] == "too-many-requests":
                    break
        with given(chromium, service, "without", url, at=f"http://{here}") as page:
            # It may pass: the page tells it, and waits the seed's 4 s before it tries once more.
            expect(page.get_by_test_id("notice")).to_contain_text("Too many attempts")
            expect(page.get_by_test_id("state")).to_have_text("Trying again in a moment…")


def test_a_full_channel(chromium: Chromium, start_service: Callable[..., Service]) -> None:
    service = start_service(environment={"SIGHTLINE_MAX_VIEWERS": "1"})
    with Kvs(service) as kvs:
        kvs.create("small")
        with chromium.page(f"{service.http}/view/small") as first:
            expect(first.get_by_test_id("notice")).to_contain_text("The camera is switched off")
            with chromium.page(f"{service.http}/view/small") as second:
                expect_reason(second, "viewer-limit")
                screenshot(second, "viewer-limit-en")
                first.close()
                second.get_by_test_id("retry").click()
                expect(second.get_by_test_id("notice")).to_contain_text("The camera is switched off")


def test_a_camera_that_serves_nobody_else(chromium: Chromium, service: Service, camera: Callable[..., Any]) -> None:
    channel = unique_name("private")
    camera(channel, "--max-viewers", "1").wait_for_output("connected|on air|ready")
    with chromium.page(f"{service.http}/view/{channel}") as first:
        wait_for_picture(first)
        with chromium.page(f"{service.http}/view/{channel}") as second:
            expect_reason(second, "viewer-limit")


def test_the_client_id_is_taken_by_somebody_else(chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
    with chromium.page(f"{service.http}/view/without") as page:
        expect(page.get_by_test_id("notice")).to_contain_text("The camera is switched off")
        with kvs.viewer(arn, page.get_by_test_id("client-id").text_content() or ""):
            expect_reason(page, "client-id-in-use")


class TestOffers:
    """What the camera says of an offer that it cannot answer."""

    def test_no_common_codec(self, chromium: Chromium, service: Service, channel: str) -> None:
        with chromium.page() as page:
            page.add_init_script(AV1_ONLY)
            page.goto(f"{service.http}/view/{channel}")
            expect_reason(page, "no-common-codec")

    def test_a_malformed_offer(self, chromium: Chromium, service: Service, channel: str) -> None:
        with chromium.page() as page:
            page.add_init_script(NO_FINGERPRINT)
            page.goto(f"{service.http}/view/{channel}")
            expect(page.get_by_test_id("notice")).to_contain_text("The camera cannot use this browser’s offer")

    def test_turn_credentials_that_have_expired(self, chromium: Chromium, service: Service, channel: str) -> None:
        """Seed 001.6 i: the page got them long ago, and only a relay is permitted."""

        def old(route: Route) -> None:
            given: Mapping[str, Any] = session(service, channel).json
            servers = [
                {**server, "username": re.sub(r"^\d+", "1000000000", server["username"])}
                for server in given["iceServers"]
                if "credential" in server
            ]
            assert servers, "the service gave no relay"
            route.fulfill(json={**given, "iceServers": servers})

        with chromium.page() as page:
            page.add_init_script(OWN_RELAY_ONLY)
            page.route("**/sightline/v1/session", old)
            page.goto(f"{service.http}/view/{channel}")
            expect(page.get_by_test_id("notice")).to_contain_text("The relay refused its credentials")
            page.unroute("**/sightline/v1/session")
            page.get_by_test_id("reconnect").click()
            wait_for_picture(page)
            expect(page.get_by_test_id("path")).to_have_text(re.compile("Relayed"), timeout=10_000)


def test_the_network_changes_while_it_connects(
    chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Any]
) -> None:
    """Seed 001.6 f: told, started anew at once under the same id, and not counted as the retry."""
    channel = unique_name("moving")
    kvs.create(channel)
    with chromium.page(f"{service.http}/view/{channel}") as page:
        expect(page.get_by_test_id("state")).to_have_text("Waiting for the camera to answer…")
        name = page.get_by_test_id("client-id").text_content()
        page.context.set_offline(True)
        expect(page.get_by_test_id("notice")).to_contain_text("This device has no network")
        screenshot(page, "offline-en")
        page.context.set_offline(False)
        expect(page.get_by_test_id("notice")).to_contain_text("The camera is switched off")
        assert page.get_by_test_id("client-id").text_content() == name
        camera(channel)
        wait_for_picture(page)
        expect(page.get_by_test_id("notice")).to_be_hidden()
