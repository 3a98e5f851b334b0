"""A call that cannot begin: nobody answers the browser's question about the camera, or the service is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.calls import ALLOWED, OPEN_LOBBY, PATIENCE, SMALL, Person, at, join
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(120)
SERVICE_ENVIRONMENT = OPEN_LOBBY

NOBODY_ANSWERS = "MediaDevices.prototype.getUserMedia = () => new Promise(() => {});"

REMEMBER = """
  globalThis.sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...wanted) { super(...wanted); sockets.push(this); }
  };
"""


@contextmanager
def waiting(chromium: Chromium, service: Service, room: str, name: str, script: str = "") -> Iterator[Person]:
    """Somebody with a clock that can be put forward."""
    with chromium.page(viewport={"width": 390, "height": 844}, **ALLOWED) as page:
        page.clock.install()
        page.add_init_script(SMALL + script)
        page.goto(f"{service.http}/call?room={room}")
        join(page, name)
        yield Person(page, name)


def test_the_browsers_question_is_not_answered(chromium: Chromium, service: Service, room: str) -> None:
    with (
        waiting(chromium, service, room, "Ann") as ann,
        waiting(chromium, service, room, "Bob", NOBODY_ANSWERS) as bob,
    ):
        ann.calls("Bob")
        bob.is_called_by("Ann")
        bob.button("accept").click()
        bob.comes_to("connecting")
        expect(bob.page.get_by_text("If the browser asks, allow it")).to_be_visible(timeout=PATIENCE)
        ann.page.clock.fast_forward(46_000)
        ann.reads("Bob does not answer.")
        bob.reads("Ann no longer calls.")
        expect(bob.button("error")).to_contain_text("The browser’s question was not answered", timeout=PATIENCE)
        bob.calls("Ann")
        bob.comes_to("calling")
        expect(bob.button("error")).to_be_hidden(timeout=PATIENCE)
        bob.page.clock.fast_forward(121_000)
        bob.comes_to("ended")
        expect(bob.button("error")).to_contain_text("allow both. Then call again", timeout=PATIENCE)
        bob.reads("The call could not begin.")
        screenshot(bob.page, "call-unanswered")
        expect(ann.button("incoming")).to_be_hidden(timeout=PATIENCE)


def test_nobody_is_called_while_the_service_is_away(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann", script=REMEMBER) as ann, at(chromium, service, room, "Bob") as bob:
        expect(ann.page.locator('.person[data-user="Bob"]')).to_be_visible(timeout=PATIENCE)
        ann.page.route("**/call-session", lambda route: route.abort())
        ann.page.evaluate("() => sockets.at(-1).close()")
        expect(ann.button("state")).to_have_text("The service is away; trying again…", timeout=PATIENCE)
        ann.page.locator('.person[data-user="Bob"]').click(force=True)
        expect(ann.button("banner")).to_contain_text("nobody can be called just now", timeout=PATIENCE)
        ann.comes_to("idle")
        ann.page.unroute_all()
        expect(ann.page.locator("html")).to_have_attribute("data-lobby", "online", timeout=PATIENCE)
        ann.calls("Bob")
        bob.is_called_by("Ann")
