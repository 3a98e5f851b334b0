"""Two ends of data channels in one process, with or without DTLS between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sightline.rtc.datachannel import DataChannels
from sightline.rtc.sdp import AgreedData

AGREED = AgreedData(mid="0", local_port=5000, remote_port=5000, max_message_size=65_536)


class End:
    """One end: its channels and what it has heard. ``outgoing`` keeps what it sent; ``lose`` decides what is lost."""

    def __init__(self) -> None:
        self.peer: End | None = None
        self.outgoing: list[bytes] = []
        self.lose: Callable[[bytes], bool] = lambda packet: False
        self.messages: list[tuple[str, str | bytes]] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.failures: list[str] = []
        self.changed = asyncio.Event()
        self.channels = DataChannels(self._send)
        self.channels.on_message = lambda label, message: self._note(self.messages, (label, message))
        self.channels.on_open = lambda label: self._note(self.opened, label)
        self.channels.on_close = lambda label: self._note(self.closed, label)
        self.channels.on_failure = lambda why: self._note(self.failures, why)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true; each event of this end looks again."""
        async with asyncio.timeout(30):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _send(self, packet: bytes) -> None:
        self.outgoing.append(packet)
        if self.peer is not None and not self.lose(packet):
            asyncio.get_running_loop().call_soon(self.peer.channels.receive, packet)

    def _note(self, where: list, what: object) -> None:  # type: ignore[type-arg]
        where.append(what)
        self.changed.set()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[End, End]]:
    """A client and a server whose associations are up."""
    client, server = End(), End()
    client.peer, server.peer = server, client
    client.channels.start(AGREED, client=True)
    server.channels.start(AGREED, client=False)
    try:
        yield client, server
    finally:
        await client.channels.aclose()
        await server.channels.aclose()


async def open_channel(here: End, there: End, label: str = "kvs") -> None:
    """Open a channel and wait until both ends have it."""
    here.channels.open(label)
    await here.until(lambda: label in here.opened)
    assert label in there.opened
