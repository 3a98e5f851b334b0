"""The page of one camera in Chromium: links, what it says when there is nothing to see, and who gets nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.access import admin, make_link
from tests.harness.bars import wait_for_picture, watch, watch_all, watch_at_full_rate
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import Kvs, unique_name
from tests.harness.probe import ask
from tests.harness.service import Service
from tests.harness.web import Site


def error_on(page: Page, error_id: str) -> str:
    """Wait for the page's error and return all its text."""
    expect(page.get_by_test_id("error")).to_be_visible(timeout=40_000)
    expect(page.get_by_test_id("error-id")).to_have_text(error_id)
    return page.get_by_test_id("error").inner_text()


class TestNothingToSee:
    """What happened, what it means, what to do: in the language of the reader."""

    def test_a_channel_that_does_not_exist(self, chromium: Chromium, service: Service) -> None:
        with chromium.page(f"{service.http}/view/nowhere") as page:
            said = error_on(page, "unknown-channel")
            assert "There is no channel “nowhere”" in said
            assert "Check the name" in said
            expect(page.get_by_test_id("state")).to_have_text("Not connected")
            screenshot(page, "unknown-channel-en")
        with chromium.page(f"{service.http}/view/nowhere", locale="ko-KR") as page:
            assert "“nowhere” 채널이 없습니다" in error_on(page, "unknown-channel")
            screenshot(page, "unknown-channel-ko")

    def test_a_camera_that_is_off_and_then_on(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Any]
    ) -> None:
        """Told at once, and the picture comes by itself; nobody needs to do anything."""
        channel = unique_name("asleep")
        kvs.create(channel)
        address = f"{service.http}/view/{channel}"
        with chromium.page(address) as page, chromium.page(address, locale="ko-KR") as korean:
            expect(page.get_by_test_id("state")).to_have_text("Waiting for the camera to answer…")
            expect(page.get_by_test_id("notice")).to_contain_text("The camera is switched off or not connected")
            screenshot(page, "camera-offline-en")
            expect(korean.get_by_test_id("notice")).to_contain_text("카메라가 꺼져 있거나 연결되어 있지 않습니다")
            screenshot(korean, "camera-offline-ko")
            camera(channel)
            for each in (page, korean):
                wait_for_picture(each)
                expect(each.get_by_test_id("notice")).to_be_hidden()
            for seen in watch_all([page, korean], 2):
                seen.assert_live()
            expect(page.get_by_test_id("state")).to_have_text("Live")

    @pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
    def test_a_camera_that_does_not_come(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Any], locale: str
    ) -> None:
        """Seed 001.3: 15 s, all torn down, 4 s, once more, then plainly why. The test makes the page's time pass."""
        channel = unique_name("absent")
        kvs.create(channel)
        with chromium.page(locale=locale) as page:
            page.clock.install()
            page.goto(f"{service.http}/view/{channel}")
            state = page.locator("html")
            for after in ("waiting", "failed"):
                expect(state).to_have_attribute("data-state", "offering")
                expect(page.get_by_test_id("error")).to_be_hidden()
                page.clock.fast_forward(15_000)
                expect(state).to_have_attribute("data-state", after)
                page.clock.fast_forward(4_000)
            said = error_on(page, "camera-offline")
            assert channel in said
            assert ("Switch the camera on" if locale == "en-US" else "카메라를 켜고") in said
            screenshot(page, f"camera-offline-failed-{locale[:2]}")
            camera(channel).wait_for_output("connected|on air|ready")
            page.clock.resume()
            page.get_by_test_id("retry").click()
            wait_for_picture(page)
            expect(page.get_by_test_id("error")).to_be_hidden()

    def test_a_service_that_is_gone(self, chromium: Chromium, start_service: Callable[..., Service]) -> None:
        service = start_service()
        with Kvs(service) as user:
            user.create("here")
        with chromium.page(f"{service.http}/view/nowhere") as page:
            error_on(page, "unknown-channel")
            assert service.stop() == 0
            page.get_by_test_id("retry").click()
            assert "The service does not reply" in error_on(page, "service-unreachable")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    with service.spawn("master", "guarded", "--create", "--source", str(clip)) as master:
        master.wait_for_output("connected|on air|ready")
        yield "guarded"


def test_the_generated_picture_has_the_size_and_rate_that_were_asked_for(
    chromium: Chromium, service: Service, camera: Callable[..., Any]
) -> None:
    channel = unique_name("generated")
    camera(channel, "--source", "test:320x240@15").wait_for_output("connected|on air|ready")
    with chromium.page(f"{service.http}/view/{channel}") as page:
        wait_for_picture(page)
        watch_at_full_rate([page], rate=13, modulo=1 << 16)
        expect(page.get_by_test_id("resolution")).to_have_text("320 × 240")
        expect(page.get_by_test_id("frame-rate")).to_have_text(re.compile(r"1[456](\.\d)? fps"))


class TestLinks:
    """A link opens one camera from anywhere, until its end."""

    def open_link(self, service: Service, channel: str, token: str) -> str:
        return f"{service.https}/view/{channel}#{token}"

    def test_it_shows_the_picture_over_https(self, chromium: Chromium, service: Service, channel: str) -> None:
        link = make_link(service, channel)
        requests: list[str] = []
        with chromium.page() as page:
            page.on("request", lambda request: requests.append(request.url))
            page.goto(self.open_link(service, channel, link["token"]))
            wait_for_picture(page)
            watch(page, 2).assert_live()
            assert page.url.startswith(service.https)
        assert requests
        assert not [url for url in requests if link["token"] in url.partition("#")[0]], "a URL carried the token"

    def test_without_its_token_the_page_shows_nothing(self, chromium: Chromium, service: Service, channel: str) -> None:
        with chromium.page(f"{service.https}/view/{channel}") as page:
            assert "This page needs a link" in error_on(page, "link-required")
            screenshot(page, "link-required-en")

    def test_a_damaged_a_foreign_and_an_expired_one(
        self, chromium: Chromium, service: Service, kvs: Kvs, channel: str
    ) -> None:
        kvs.create("elsewhere")
        brief, made = make_link(service, channel, expires_in=1)["token"], time.monotonic()
        other = make_link(service, "elsewhere")["token"]
        with chromium.page(self.open_link(service, channel, other[:-2])) as page:
            assert "This link is not valid" in error_on(page, "link-invalid")
        with chromium.page(self.open_link(service, channel, other)) as page:
            assert "This link is for something else" in error_on(page, "link-scope")
        time.sleep(max(0.0, made + 1.2 - time.monotonic()))
        with chromium.page(self.open_link(service, channel, brief)) as page:
            assert "This link has expired" in error_on(page, "link-expired")

    def test_one_that_was_taken_back(self, chromium: Chromium, service: Service, channel: str) -> None:
        link = make_link(service, channel)
        with chromium.page(self.open_link(service, channel, link["token"])) as page:
            wait_for_picture(page)
        assert admin(service, "links/revoke", {"linkId": link["linkId"]}).status == 200
        with chromium.page(self.open_link(service, channel, link["token"])) as page:
            assert "This link was withdrawn" in error_on(page, "link-revoked")

    def test_another_token_in_the_address_bar_is_another_permission(
        self, chromium: Chromium, service: Service, channel: str
    ) -> None:
        with chromium.page(f"{service.https}/view/{channel}") as page:
            error_on(page, "link-required")
            page.evaluate("(token) => { location.hash = token; }", make_link(service, channel)["token"])
            wait_for_picture(page)

    def test_under_another_name_of_this_machine_there_is_nothing(
        self, chromium: Chromium, service: Service, channel: str
    ) -> None:
        """DNS rebinding: rebound.example is 127.0.0.1 for this browser."""
        with chromium.page() as page:
            response = page.goto(f"http://rebound.example:{service.http_port}/view/{channel}")
            if response is not None and response.ok:
                error_on(page, "foreign-origin")
            answer = page.evaluate(
                """async (channel) => {
                  const response = await fetch("/sightline/v1/session", {
                    method: "POST",
                    headers: {"Content-Type": "application/json"},
                    body: JSON.stringify({channel, role: "viewer"}),
                  });
                  return [response.status, await response.text()];
                }""",
                channel,
            )
        assert answer[0] >= 400
        assert "X-Amz-Signature" not in answer[1]

    def test_a_page_of_another_origin_gets_nothing(
        self, chromium: Chromium, service: Service, channel: str, site: Site
    ) -> None:
        with chromium.page(site.url("nothing.html")) as page:
            got = page.evaluate(
                """async ([services, channel]) => {
                  const got = [];
                  const body = JSON.stringify({channel, role: "viewer"});
                  for (const service of services) {
                    for (const mode of ["cors", "no-cors"]) {
                      for (const type of ["application/json", "text/plain"]) {
                        for (const credentials of ["omit", "include"]) {
                          const asked = {method: "POST", mode, credentials, headers: {"Content-Type": type}, body};
                          try {
                            const response = await fetch(`${service}/sightline/v1/session`, asked);
                            got.push([mode, response.type, await response.text()]);
                          } catch { got.push([mode, "refused", ""]); }
                        }
                      }
                    }
                  }
                  return got;
                }""",
                [[service.http, service.https, f"http://127.0.0.1:{service.http_port}"], channel],
            )
            framed = page.evaluate(
                """async (address) => {
                  const frame = document.createElement("iframe");
                  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
                  frame.src = address;
                  document.body.append(frame);
                  await loaded;
                  return true;
                }""",
                f"{service.http}/view/{channel}",
            )
            assert framed
            inner = page.frames[-1]
            assert inner.locator("video").count() == 0, "the page can be put into somebody else's frame"
        assert len(got) == 24
        assert all(text == "" for _mode, _type, text in got), got

    def test_with_a_public_address_nothing_is_shown_without_a_link(
        self, chromium: Chromium, start_service: Callable[..., Service]
    ) -> None:
        public = start_service(environment={"SIGHTLINE_PUBLIC_URL": "https://cams.example"})
        with Kvs(public) as user:
            user.create("front")
        with chromium.page(f"{public.http}/view/front") as page:
            error_on(page, "link-required")


def test_the_page_is_served_with_strict_rules(service: Service) -> None:
    for tls in (False, True):
        answer = ask(service, "GET", "/view/demo", tls=tls)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        parts = (part.split() for part in answer.headers["content-security-policy"].split(";"))
        policy = {part[0]: part[1:] for part in parts if part}
        scripts = policy.get("script-src", policy["default-src"])
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:", "data:"} & set(scripts)
        assert policy["frame-ancestors"] in (["'none'"], ["'self'"])
        assert not re.search(rb"<script(?![^>]*\bsrc=)", answer.body), "an inline script"
        assert b"style=" not in answer.body


def test_the_page_loads_nothing_from_elsewhere(chromium: Chromium, service: Service) -> None:
    asked: list[str] = []
    with chromium.page() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{service.http}/view/nowhere")
        error_on(page, "unknown-channel")
    assert len(asked) > 3
    assert not [url for url in asked if not url.startswith((service.http, "data:"))]


@pytest.mark.parametrize(
    "path",
    [
        "/view/",
        "/view/..%2f..%2fetc%2fpasswd",
        "/view/../../../../../../etc/passwd",
        "/pages/../../errors.py",
        "/sdk/%2e%2e/%2e%2e/errors.py",
        "/sdk//etc/passwd",
        "/nothing",
    ],
)
def test_no_file_beside_the_pages_can_be_read(service: Service, path: str) -> None:
    answer = ask(service, "GET", path)
    assert answer.status in (200, 400, 404)
    assert b"root:" not in answer.body
    assert b"import " not in answer.body
    if answer.status == 200:
        assert answer.headers["content-type"].startswith("text/html")
