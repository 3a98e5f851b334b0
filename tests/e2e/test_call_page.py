"""Calls between two pages of the browser, by their buttons: /call, with fake cameras and microphones."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Dialog, expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.browser_limits import RELAY_ONLY
from tests.harness.calls import ALLOWED, MOVES, OPEN_LOBBY, PATIENCE, TONE, Person, at, connect, join
from tests.harness.mdn_page import MDN, lobby_url
from tests.harness.polling import eventually
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(120)
SERVICE_ENVIRONMENT = OPEN_LOBBY

REFUSE = """
  globalThis.refusal = 'NotAllowedError';
  MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('no', refusal); };
"""
REFUSALS = [
    ("NotAllowedError", "media-refused", "allow camera and microphone"),
    ("NotFoundError", "media-missing", "Connect one of them"),
    ("NotReadableError", "media-in-use", "Close the other program"),
]
NO_CAMERA = """
  const openAny = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    if (wanted.video) throw new DOMException('no', 'NotFoundError');
    return openAny.call(this, wanted);
  };
"""
ENDED_AT = """() => {
  globalThis.endedAt = new Promise((resolve) => {
    const look = () => document.documentElement.dataset.call === 'ended' && resolve(Date.now() / 1000);
    new MutationObserver(look).observe(document.documentElement, { attributeFilter: ['data-call'] });
  });
}"""
FAREWELL = 2.0
"""Seconds within which the other side knows that a tab was closed (issue 7); a busy machine gets three times that."""

BLUE = """() => {
  const video = document.querySelector('#remote');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [16, 9];
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 16, 9);
  const [red, green, blue] = context.getImageData(8, 4, 1, 1).data;
  return blue > 120 && red < 80 && green < 80;
}"""

TRACKS = "() => document.querySelector('#remote').srcObject.getTracks().map(({ kind }) => kind)"

CLICK = """([user, at]) => {
  setTimeout(() => document.querySelector(`[data-user='${user}']`).click(), at - Date.now());
}"""


def test_two_people_talk_and_either_hangs_up(chromium: Chromium, service: Service, room: str) -> None:
    laptop = {"viewport": {"width": 1280, "height": 800}}
    with at(chromium, service, room, "Ann", **laptop) as ann, at(chromium, service, room, "Bob") as bob:
        expect(ann.button("hang-up")).to_be_disabled()
        ann.calls("Bob")
        expect(ann.button("hang-up")).to_be_disabled()
        bob.is_called_by("Ann")
        expect(bob.button("accept")).to_be_focused(timeout=PATIENCE)
        bob.page.keyboard.press("Enter")
        for person in (ann, bob):
            person.comes_to("in-call")
            person.sees_and_hears()
            expect(person.button("hang-up")).to_be_enabled()
            assert person.page.evaluate("() => document.querySelector('#local').muted")
        ann.button("line").fill("Hello <b>Bob</b>")
        ann.button("line").press("Enter")
        expect(bob.button("lines")).to_have_text("Hello <b>Bob</b>", timeout=PATIENCE)
        ann.button("share").click()
        eventually(lambda: bob.page.evaluate(BLUE), "Ann's screen", within=20)
        ann.button("share").click()
        eventually(lambda: bob.page.evaluate(MOVES), "Ann's camera again", within=20)
        ann.button("microphone").select_option(label="Fake Audio Input 2")
        ann.button("mute").click()
        ann.button("camera-off").click()
        expect(bob.button("no-sound")).to_have_text("Ann is muted", timeout=PATIENCE)
        expect(bob.button("no-picture")).to_have_text("Ann sends no picture", timeout=PATIENCE)
        eventually(lambda: bob.page.evaluate(TONE) == 0, "silence", within=30)
        ann.button("mute").click()
        ann.button("camera-off").click()
        expect(bob.button("no-picture")).to_be_hidden(timeout=PATIENCE)
        bob.sees_and_hears()
        screenshot(ann.page, "call-1280")
        ann.button("hang-up").click()
        ann.reads("You ended the call.")
        bob.reads("Ann ended the call.")
        for person in (ann, bob):
            person.has_let_go()
        connect(bob, ann)
        ann.sees_and_hears()
        bob.button("hang-up").click()
        ann.reads("Bob ended the call.")
        for person in (ann, bob):
            person.has_let_go()


def test_declined_cancelled_and_busy(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann") as ann, at(chromium, service, room, "Bob") as bob:
        ann.calls("Bob")
        bob.is_called_by("Ann")
        bob.button("decline").click()
        bob.reads("You declined the call.")
        ann.reads("Bob declined the call.")
        ann.has_let_go()
        ann.calls("Bob")
        bob.is_called_by("Ann")
        ann.button("cancel").click()
        expect(bob.button("incoming")).to_be_hidden(timeout=PATIENCE)
        bob.reads("Ann no longer calls.")
        connect(ann, bob)
        with at(chromium, service, room, "Cem") as cem:
            cem.calls("Bob")
            cem.reads("Bob is in another call.")
            cem.has_let_go()
        bob.comes_to("in-call")
        ann.comes_to("in-call")
        expect(bob.button("incoming")).to_be_hidden(timeout=PATIENCE)


def test_a_closed_tab_is_told_of(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann") as ann:
        with at(chromium, service, room, "Bob") as bob:
            ann.calls("Bob")
            bob.is_called_by("Ann")
            bob.page.close(run_before_unload=True)
            ann.reads("Bob is no longer there.")
        with at(chromium, service, room, "Bob") as bob:
            connect(ann, bob)
            ann.sees_and_hears()
            ann.page.evaluate(ENDED_AT)
            closed = [time.time()]

            def leave(dialog: Dialog) -> None:
                closed.append(time.time())
                dialog.accept()

            bob.page.on("dialog", leave)
            bob.page.close(run_before_unload=True)
            took = ann.page.evaluate("() => endedAt") - closed[-1]
            print(f"the other side knew after {took:.2f} s")
            assert took < 3 * FAREWELL
            ann.reads("Bob ended the call.")
            ann.has_let_go()


def test_without_a_camera_and_with_a_screen(chromium: Chromium, service: Service, room: str) -> None:
    """Tracks come and go in the middle of a call."""
    with at(chromium, service, room, "Ann") as ann, at(chromium, service, room, "Bob", script=NO_CAMERA) as bob:
        connect(bob, ann)
        bob.sees_and_hears()
        expect(ann.button("no-picture")).to_have_text("Bob sends no picture", timeout=PATIENCE)
        expect(bob.button("camera-off")).to_be_hidden()
        for _ in range(2):
            bob.button("share").click()
            eventually(lambda: ann.page.evaluate(BLUE), "Bob's screen", within=20)
            expect(ann.button("no-picture")).to_be_hidden(timeout=PATIENCE)
            bob.button("share").click()
            expect(ann.button("no-picture")).to_be_visible(timeout=PATIENCE)
            eventually(lambda: ann.page.evaluate(TRACKS) == ["audio"], "the picture's track to go", within=20)
        eventually(lambda: ann.page.evaluate(TONE) > 100, "Bob's voice all the same", within=30)
        ann.button("hang-up").click()
        bob.has_let_go()


def test_both_call_each_other_at_once(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann") as ann, at(chromium, service, room, "Bob") as bob:
        for person, other in ((ann, "Bob"), (bob, "Ann")):
            expect(person.page.locator(f'.person[data-user="{other}"]')).to_be_visible(timeout=PATIENCE)
        # Both clicks go off at one moment of the clock that both pages share.
        moment = int(time.time() * 1000) + 1_000
        for person, other in ((ann, "Bob"), (bob, "Ann")):
            person.page.evaluate(CLICK, [other, moment])
        for person in (ann, bob):
            person.comes_to("in-call")
            person.sees_and_hears()


def test_who_may_use_relays_only_calls(chromium: Chromium, service: Service, room: str) -> None:
    """The relay refuses the other side's own addresses before the one of its relay is there: no reason to give up."""
    with at(chromium, service, room, "Ann", script=RELAY_ONLY) as ann, at(chromium, service, room, "Bob") as bob:
        connect(ann, bob)
        eventually(lambda: ann.page.evaluate(MOVES), "Bob's picture", within=30)


def test_reload_in_mid_call(chromium: Chromium, service: Service, room: str) -> None:
    with at(chromium, service, room, "Ann") as ann, at(chromium, service, room, "Bob") as bob:
        connect(ann, bob)
        bob.page.on("dialog", lambda dialog: dialog.accept())
        bob.page.reload()
        ann.reads("Bob ended the call.")
        ann.has_let_go()
        expect(bob.button("name")).to_have_value("Bob")
        join(bob.page, "Bob")
        connect(ann, bob)
        for person in (ann, bob):
            person.sees_and_hears()


def test_no_camera_is_given(chromium: Chromium, service: Service, room: str) -> None:
    with (
        at(chromium, service, room, "Ann") as ann,
        at(chromium, service, room, "Bob", script=REFUSE) as bob,
    ):
        for refusal, id_, cure in REFUSALS:
            bob.page.evaluate("(name) => { refusal = name; }", refusal)
            bob.calls("Ann")
            expect(bob.button("error-id")).to_have_text(id_, timeout=PATIENCE)
            expect(bob.button("error")).to_contain_text(cure, timeout=PATIENCE)
            bob.comes_to("ended")
        ann.comes_to("idle")
        ann.calls("Bob")
        bob.is_called_by("Ann")
        bob.button("accept").click()
        ann.reads("Bob cannot use camera and microphone.")
        ann.has_let_go()


def test_an_mdn_client_calls_and_is_called(chromium: Chromium, service: Service, room: str) -> None:
    with (
        at(chromium, service, room, "Ann") as ann,
        chromium.page(f"{service.http}/pages/not-found.html?room={room}", **ALLOWED) as page,
    ):
        page.evaluate(MDN, [lobby_url(page, room), "Mdn"])
        mdn = Person(page, "Mdn")
        ann.calls("Mdn")
        ann.comes_to("in-call")
        ann.sees_and_hears()
        mdn.sees_and_hears()
        page.evaluate("() => hangUp()")
        ann.reads("Mdn ended the call.")
        ann.has_let_go()
        page.evaluate("() => invite('Ann')")
        ann.is_called_by("Mdn")
        ann.button("accept").click()
        ann.comes_to("in-call")
        ann.sees_and_hears()
        ann.button("hang-up").click()
        eventually(lambda: page.evaluate("() => ended"), "the hang-up at the MDN client")


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_on_a_phone(chromium: Chromium, service: Service, room: str, locale: str) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "locale": locale, "color_scheme": "dark"}
    with at(chromium, service, room, "Ann", **phone) as ann, at(chromium, service, room, "Bob") as bob:
        expect(ann.page.locator(".person")).to_be_visible(timeout=PATIENCE)
        screenshot(ann.page, f"call-phone-room-{locale}")
        bob.calls("Ann")
        expect(ann.button("accept")).to_be_focused(timeout=PATIENCE)
        screenshot(ann.page, f"call-phone-ring-{locale}")
        ann.page.keyboard.press("Enter")
        ann.comes_to("in-call")
        eventually(lambda: ann.page.evaluate(MOVES), "a moving picture", within=30)
        assert ann.page.evaluate("() => document.documentElement.scrollWidth") <= 390
        screenshot(ann.page, f"call-phone-talk-{locale}")
