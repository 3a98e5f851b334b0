"""A room in which there is no place: what a person reads at the page, who comes in as soon as somebody leaves."""

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
from tests.harness.calls import ALLOWED, PATIENCE
from tests.harness.service import Service

pytestmark = pytest.mark.timeout(150)
PER_LINK = 500


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


def test_a_link_that_is_full_says_so_and_lets_in_who_waits(chromium: Chromium, service: Service, room: str) -> None:
    token = json.loads(service.run("link", "--room", room, "--json").stdout)["token"]
    address = f"{service.http}/call?room={room}#{token}"
    with (
        crowd(socket_address(service, token), PER_LINK) as people,
        chromium.page(address, viewport={"width": 390, "height": 844}, **ALLOWED) as page,
    ):
        page.get_by_test_id("name").fill("Ann")
        page.get_by_test_id("name").press("Enter")
        expect(page.get_by_test_id("cover")).to_have_text("Too many people use this link.", timeout=PATIENCE)
        expect(page.get_by_test_id("state")).to_have_text("No place; waiting for one…", timeout=PATIENCE)
        expect(page.get_by_test_id("cover")).to_be_visible(timeout=PATIENCE)
        screenshot(page, "call-no-place")
        people.one_leaves()
        expect(page.locator("html")).to_have_attribute("data-lobby", "online", timeout=PATIENCE)
        expect(page.get_by_test_id("person")).to_have_count(PER_LINK - 1, timeout=PATIENCE)
