"""Pages that say why there is no picture: the service's own, and somebody's (`OwnPage`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect

from sightline.client.control import IceServer
from tests.harness.access import session
from tests.harness.browser import Chromium
from tests.harness.browser_limits import RELAY_ONLY
from tests.harness.service import Service

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
"""What the service's page says of those that end it, in English and in Korean."""


def own_page_shows(page: Page, reason: str) -> None:
    """A page of somebody's own names that reason in its error, for good."""
    error = page.get_by_test_id("error")
    expect(error).to_be_visible()
    expect(error).to_have_attribute("data-reason", reason)
    assert len(error.inner_text().split()) > 5, "a person is told nothing"


def shows(page: Page, reason: str) -> None:
    """The service's page names the reason, says what it is, and that it will not come right by itself."""
    expect(page.get_by_test_id("error-id")).to_have_text(reason)
    expect(page.get_by_test_id("state")).to_have_text(re.compile("Not connected|연결되지 않음"))
    assert page.get_by_test_id("error").is_visible()
    language = page.locator("html").get_attribute("lang")
    assert TEXTS[reason][language == "ko"] in page.get_by_test_id("error").inner_text()


def tells(page: Page, reason: str) -> None:
    """The page's visible notice is the one of that reason."""
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text(words_of(page, reason))
    expect(notice).to_be_visible()


def words_of(page: Page, reason: str) -> str:
    """What the service's page says in a notice of that reason, from its own table of texts."""
    words: str = page.evaluate(
        """async (reason) => {
          const { text, hasText } = await import("/pages/language.js");
          return hasText(`notice.${reason}`) ? text(`notice.${reason}`) : text(`error.${reason}.what`);
        }""",
        reason,
    )
    return words


@contextmanager
def page_at(
    chromium: Chromium, service: Service, url: str, *, channel: str = "without", at: str = ""
) -> Iterator[Page]:
    """The service's page, in Korean, which is given that address of a socket; it tries it once and no more."""

    def answer(route: Route) -> None:
        wanted = json.loads(route.request.post_data or "{}")
        route.fulfill(json={"url": url, "iceServers": [], "clientId": wanted["clientId"]})

    with chromium.page(locale="ko-KR") as page:
        sockets: list[str] = []
        page.on("websocket", lambda opened: sockets.append(opened.url))
        page.route("**/sightline/v1/session", answer)
        page.goto(f"{at or service.http}/view/{channel}")
        yield page
        assert len(sockets) == 1, "a useless retry"


@contextmanager
def page_with_servers(chromium: Chromium, service: Service, channel: str, server: IceServer) -> Iterator[Page]:
    """The service's page in a browser that permits relays only, with another TURN server than the service's."""

    def answer(route: Route) -> None:
        given = session(service, channel, clientId=json.loads(route.request.post_data or "{}")["clientId"]).json
        servers = [{"urls": list(server.urls), "username": server.username, "credential": server.credential}]
        route.fulfill(json={**given, "iceServers": servers})

    with chromium.page() as page:
        page.add_init_script(RELAY_ONLY)
        page.route("**/sightline/v1/session", answer)
        page.goto(f"{service.http}/view/{channel}")
        yield page
