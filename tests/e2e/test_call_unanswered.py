"""Who does not answer the browser's question whether the page may use camera and microphone: what either side reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.calls import ALLOWED, OPEN_LOBBY, PATIENCE, SMALL, Person, join
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(120)
SERVICE_ENVIRONMENT = OPEN_LOBBY

NOBODY_ANSWERS = "MediaDevices.prototype.getUserMedia = () => new Promise(() => {});"


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
