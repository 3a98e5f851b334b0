"""A call that cannot begin: the browser asks for the camera in vain, the service is away, there is no place."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect
from websockets.asyncio.client import ClientConnection, connect

from tests.harness.browser import Chromium, screenshot
from tests.harness.calls import ALLOWED, OPEN_LOBBY, PATIENCE, SMALL, Person, at, join
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(150)
SERVICE_ENVIRONMENT = OPEN_LOBBY

PER_LINK = 500
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


class Crowd:
    """People who came by one link, each by a socket of their own; they say nothing."""

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        self._loop = asyncio.new_event_loop()
        self._sockets: list[ClientConnection] = []

    def enter(self) -> None:
        asyncio.run_coroutine_threadsafe(self._enter(), self._loop).result(timeout=60)

    def one_leaves(self) -> None:
        asyncio.run_coroutine_threadsafe(self._sockets.pop().close(), self._loop).result(timeout=30)

    def run(self) -> None:
        """Of the thread."""
        self._loop.run_forever()
        self._loop.close()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(timeout=60)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _enter(self) -> None:
        for first in range(0, self._count, 50):
            numbers = range(first, min(first + 50, self._count))
            self._sockets += await asyncio.gather(*(self._member(number) for number in numbers))

    async def _member(self, number: int) -> ClientConnection:
        socket = await connect(self._url, subprotocols=["json"], proxy=None, compression=None)  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "username", "name": f"user {number:03}"}))
        while json.loads(await socket.recv())["type"] != "userlist":
            pass
        return socket

    async def _leave(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets))


@contextmanager
def crowd(url: str, count: int) -> Iterator[Crowd]:
    people = Crowd(url, count)
    thread = threading.Thread(target=people.run)
    thread.start()
    try:
        people.enter()
        yield people
    finally:
        people.close()
        thread.join(timeout=30)


def socket_address(service: Service, token: str) -> str:
    request = urllib.request.Request(
        f"{service.http}/sightline/v1/call-session",
        data=b"{}",
        headers={"X-Sightline-Link": token, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["url"])


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


def test_a_link_that_is_full_says_so_and_lets_in_who_waits(chromium: Chromium, service: Service, room: str) -> None:
    token = json.loads(service.run("link", "--room", room, "--json").stdout)["token"]
    address = f"{service.http}/call?room={room}#{token}"
    with (
        crowd(socket_address(service, token), PER_LINK) as people,
        chromium.page(viewport={"width": 390, "height": 844}, **ALLOWED) as page,
    ):
        page.clock.install()
        page.goto(address)
        page.get_by_test_id("name").fill("Ann")
        page.get_by_test_id("name").press("Enter")
        expect(page.get_by_test_id("cover")).to_have_text("Too many people use this link.", timeout=PATIENCE)
        expect(page.get_by_test_id("state")).to_have_text("No place; waiting for one…", timeout=PATIENCE)
        expect(page.get_by_test_id("cover")).to_be_visible(timeout=PATIENCE)
        screenshot(page, "call-no-place")
        people.one_leaves()
        page.clock.fast_forward(5_000)
        expect(page.locator("html")).to_have_attribute("data-lobby", "online", timeout=PATIENCE)
        expect(page.get_by_test_id("person")).to_have_count(PER_LINK - 1, timeout=PATIENCE)
