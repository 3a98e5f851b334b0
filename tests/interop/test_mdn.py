"""The published MDN sample's client against our lobby, emulated from its protocol (MDN_CALL.md) on nobody's client.

It dials port 6503 (here another one), path `/`, sub-protocol `json`, without a link; says who it is in every message;
hangs up with a target of null; and its callee answers and offers at once in the other direction.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.harness.service import Service, free_port

WAIT = 30.0


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, int]]:
    """A service with the sample's port; the port."""
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("mdn")
    with_port = Service(folder, environment={"SIGHTLINE_MDN_PORT": str(port)})
    try:
        yield with_port, port
    finally:
        with_port.command.stop()


class Sample:
    """What the sample's client does with its socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.id: object = None
        self.name = ""
        self.users: list[str] = []
        self.target: str | None = None
        self.log: list[dict[str, Any]] = []

    async def send(self, **message: object) -> None:
        await self._socket.send(json.dumps(message))

    async def claim(self, name: str) -> None:
        """The first frame is the id; the name goes out with it."""
        self.name = name
        self.id = (await self.until("id"))["id"]
        assert type(self.id) is int
        await self.send(name=name, date=int(time.time() * 1000), id=self.id, type="username")
        await self.until("userlist")

    async def next(self) -> dict[str, Any]:
        """One frame, handled as the sample handles it."""
        async with asyncio.timeout(WAIT):
            text = await self._socket.recv()
        assert isinstance(text, str), "a binary frame"
        message: dict[str, Any] = json.loads(text)
        self.log.append(message)
        match message["type"]:
            case "rejectusername":
                self.name = message["name"]
            case "userlist":
                assert all(isinstance(user, str) for user in message["users"])
                self.users = message["users"]
            case "video-offer":
                self.target = message["name"]
            case "hang-up":
                self.target = None
        return message

    async def until(self, kind: str) -> dict[str, Any]:
        """The next frame of that type."""
        while True:
            message = await self.next()
            if message["type"] == kind:
                return message

    async def until_users(self, *users: str) -> None:
        """Wait until the list is that."""
        while self.users != list(users):
            await self.next()

    async def offer(self, target: str) -> None:
        self.target = target
        await self.send(
            name=self.name, target=target, type="video-offer", sdp={"type": "offer", "sdp": "v=0\r\n" * 2000}
        )

    async def answer(self) -> None:
        await self.send(name=self.name, target=self.target, type="video-answer", sdp={"type": "answer", "sdp": "v=0"})

    async def candidate(self) -> None:
        candidate = {"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
        await self.send(type="new-ice-candidate", target=self.target, candidate={**candidate, "usernameFragment": "u"})

    async def hang_up(self) -> None:
        """The sample forgets its target before it sends it."""
        self.target = None
        await self.send(name=self.name, target=self.target, type="hang-up")

    async def silence(self) -> list[str]:
        """What has come up to an echo of one's own; in order of coming, so nothing that was sent before is missed."""
        mark = f"mark {time.monotonic_ns()}"
        await self.send(text=mark, type="message", id=self.id, date=0)
        found = []
        while True:
            message = await self.next()
            if message["type"] == "message" and message["text"] == mark:
                return found
            found.append(str(message["type"]))


@asynccontextmanager
async def sample(port: int, name: str, *, page: str = "http://localhost:3000", room: str = "") -> AsyncIterator[Sample]:
    """A page of the sample, which some other server on this machine has served."""
    url = f"ws://localhost:{port}/" + (f"?room={room}" if room else "")
    async with connect(url, subprotocols=["json"], origin=page, proxy=None, ping_interval=None) as socket:  # type: ignore[arg-type, list-item]
        assert socket.subprotocol == "json"
        client = Sample(socket)
        await client.claim(name)
        yield client


def test_the_port_is_announced_as_what_it_is(lobby: tuple[Service, int]) -> None:
    service, port = lobby
    service.command.wait_for_output(rf"for development: port {port} is a lobby without links")


def test_a_call_of_the_sample_from_name_to_hang_up(lobby: tuple[Service, int]) -> None:
    async def body() -> None:
        async with (
            sample(lobby[1], "Alice", room="call") as alice,
            sample(lobby[1], "Bob", room="call") as bob,
            sample(lobby[1], "Carol", room="call") as carol,
        ):
            for client in (alice, bob, carol):
                await client.until_users("Alice", "Bob", "Carol")
            await alice.offer("Bob")
            await alice.candidate()
            assert (await bob.until("video-offer"))["sdp"]["type"] == "offer"
            assert (await bob.until("new-ice-candidate"))["name"] == "Alice"
            await bob.answer()
            await bob.offer("Alice")
            await bob.candidate()
            assert (await alice.until("video-answer"))["name"] == "Bob"
            assert (await alice.until("video-offer"))["name"] == "Bob"
            await alice.until("new-ice-candidate")
            await alice.answer()
            await bob.until("video-answer")
            await alice.hang_up()
            assert (await bob.until("hang-up"))["name"] == "Alice"
            # The reference server sends it to everybody, and ends every call in the house.
            assert await carol.silence() == []
            assert "hang-up" not in await alice.silence()

    asyncio.run(body())


def test_a_taken_name_and_chat_as_in_the_sample(lobby: tuple[Service, int]) -> None:
    async def body() -> None:
        async with sample(lobby[1], "alice", room="chat") as first, sample(lobby[1], "alice", room="chat") as second:
            assert second.name == "alice1"
            types = [message["type"] for message in second.log]
            assert types.index("rejectusername") < types.index("userlist")
            await first.until_users("alice", "alice1")
            await second.send(text="a <b>bold</b> word", type="message", id=first.id, date=1, name="alice")
            for client in (first, second):
                line = await client.until("message")
                assert (line["name"], line["text"]) == ("alice1", "a bold word")
            await first.send(text="psst", type="message", id=first.id, date=1, target="alice1")
            assert (await second.until("message"))["text"] == "psst"
            assert await first.silence() == []

    asyncio.run(body())


def test_what_kills_the_reference_server_does_nothing_here(lobby: tuple[Service, int]) -> None:
    async def body() -> None:
        async with sample(lobby[1], "Mallory", room="bad") as mallory, sample(lobby[1], "Bob", room="bad") as bob:
            await mallory.until_users("Mallory", "Bob")
            await mallory.send(type="message", text="x", id=-1)
            assert (await bob.until("message"))["name"] == "Mallory"
            await mallory.send(type="username", name="<img src=x>", id=-1)
            assert (await mallory.until("error"))["reason"] == "bad-name"
            for text in ("not JSON", "[]", '{"type":"video-offer","target":"Bob"}', '{"type":"x"}'):
                await mallory._socket.send(text)
                await mallory.until("error")
            await mallory.offer("Mallory")
            assert (await mallory.until("error"))["reason"] == "to-oneself"
            assert await bob.silence() == []

    asyncio.run(body())


def test_pages_of_other_machines_do_not_get_in(lobby: tuple[Service, int]) -> None:
    async def body() -> None:
        for page in ("http://evil.example", "null"):
            with pytest.raises(InvalidStatus) as caught:
                async with sample(lobby[1], "Eve", page=page):
                    pass
            assert caught.value.response.status_code == 403

    asyncio.run(body())
