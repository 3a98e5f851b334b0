"""The page of calls in a hand, and in a room where people come and go."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.calls import ALLOWED, OPEN_LOBBY, PATIENCE, SMALL, at, connect
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(120)
SERVICE_ENVIRONMENT = OPEN_LOBBY

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
ON_ITS_SIDE: dict[str, Any] = {"viewport": {"width": 844, "height": 390}}
ENTER = """async ([room, name]) => {
  const { lobbyFromService } = await import('/sdk/lobby_session.js');
  const { url } = await lobbyFromService({ room })();
  globalThis.guests = [...globalThis.guests ?? [], new WebSocket(url, 'json')];
  guests.at(-1).onopen = ({ target }) => target.send(JSON.stringify({ type: 'username', name }));
}"""
"""Somebody else comes, from a socket of this page."""


def test_a_click_counts_while_others_come(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann", **PHONE) as ann:
        ann.page.evaluate(ENTER, [room, "Bob"])
        bob = ann.page.locator('.person[data-user="Bob"]')
        expect(bob).to_be_visible(timeout=PATIENCE)
        bob.hover()
        ann.page.mouse.down()
        ann.page.evaluate(ENTER, [room, "Cem"])
        expect(ann.page.locator('.person[data-user="Cem"]')).to_be_visible(timeout=PATIENCE)
        ann.page.mouse.up()
        ann.reads("Calling Bob…")
        ann.button("cancel").click()
        ann.comes_to("ended")
        # Whoever is at somebody with the keyboard is so still when that one has left: at the next.
        bob.focus()
        ann.page.evaluate("() => guests[0].close()")
        expect(bob).to_be_hidden(timeout=PATIENCE)
        expect(ann.page.locator('.person[data-user="Cem"]')).to_be_focused(timeout=PATIENCE)


def test_what_a_phone_is_told(chromium: Chromium, service: Service, room: str) -> None:
    """Where there is no room for the picture and all else at once."""
    clipboard = {"permissions": [*ALLOWED["permissions"], "clipboard-read", "clipboard-write"]}
    with at(chromium, service, room, "Ann", **PHONE, **clipboard) as ann:
        ann.button("copy").click()
        expect(ann.button("banner")).to_be_visible(timeout=PATIENCE)
        expect(ann.button("banner")).to_contain_text("The address is copied")
        screenshot(ann.page, "call-phone-copied")
        with at(chromium, service, room, "Bob", **ON_ITS_SIDE) as bob:
            connect(bob, ann)
            for person in (ann, bob):
                expect(person.button("remote")).to_be_in_viewport(ratio=0.9, timeout=PATIENCE)
                expect(person.button("hang-up")).to_be_in_viewport(ratio=0.9, timeout=PATIENCE)
            ann.button("line").fill("I am at the door")
            ann.button("line").press("Enter")
            expect(bob.button("banner").filter(has_text="Ann: I am at the door")).to_be_in_viewport(timeout=PATIENCE)
            bob.button("line").scroll_into_view_if_needed()
            bob.button("line").fill("x" * 2000)
            bob.button("line").press("Enter")
            expect(ann.button("lines")).to_contain_text("x" * 2000, timeout=PATIENCE)
            for person in (ann, bob):
                assert person.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_name_that_the_service_refuses(chromium: Chromium, service: Service, room: str) -> None:
    """A letter that nobody sees (a Hangul filler) is one to browsers, and none to the service."""
    with chromium.page(f"{service.http}/call?room={room}", **ALLOWED) as page:
        page.add_init_script(SMALL)
        page.get_by_test_id("name").fill("\u3164")
        page.get_by_test_id("name").press("Enter")
        refused = "() => document.querySelector('#name').validationMessage"
        page.wait_for_function(refused, timeout=PATIENCE)
        assert "Use letters" in page.evaluate(refused)
        expect(page.get_by_test_id("join")).to_be_visible(timeout=PATIENCE)
        # Composed from two letters it is a name like any other.
        page.get_by_test_id("name").fill("Rene\u0301")
        page.get_by_test_id("name").press("Enter")
        expect(page.get_by_test_id("me")).to_have_text("You are Ren\u00e9", timeout=PATIENCE)


def test_the_keyboard_alone(chromium: Chromium, service: Service, room: str) -> None:
    """Its place is never lost, and a key that stays down on a button that goes away presses no other."""
    with at(chromium, service, room, "Ann") as ann, at(chromium, service, room, "Bob", **PHONE) as bob:
        keys = bob.page.keyboard
        ann.calls("Bob")
        expect(bob.button("accept")).to_be_focused(timeout=PATIENCE)
        keys.press("Tab")
        keys.press("Enter")
        ann.reads("Bob declined the call.")
        expect(bob.button("people-heading")).to_be_focused(timeout=PATIENCE)
        ann.calls("Bob")
        expect(bob.button("accept")).to_be_focused(timeout=PATIENCE)
        keys.press("Enter")
        bob.comes_to("in-call")
        expect(bob.button("hang-up")).to_be_focused(timeout=PATIENCE)
        ann.comes_to("in-call")
        keys.down("Enter")
        keys.down("Enter")
        keys.up("Enter")
        ann.reads("Bob ended the call.")
        expect(bob.button("people-heading")).to_be_focused(timeout=PATIENCE)
        bob.comes_to("ended")
        keys.press("Tab")
        expect(bob.page.locator('.person[data-user="Ann"]')).to_be_focused(timeout=PATIENCE)
