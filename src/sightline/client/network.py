"""Tells at once when this machine's network changes: addresses, routes and links by netlink, else by looking.

What counts is over which address the machine would send, to the world and to the hosts that are talked to. A
container's bridge that comes up is no change; an uplink that goes is one, and one that takes its place is another.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Self

__all__ = ["NetworkWatcher", "Sources", "read_sources"]

log = logging.getLogger(__name__)

POLL: Final = 5.0
"""Seconds between two looks where nothing tells (seed 003.3); elsewhere a last resort."""

_SOMEWHERE: Final = ("192.0.2.1", "2001:db8::1")
"""Addresses that nobody has (RFC 5737, RFC 3849): the way there is the default route. Nothing is sent."""

# linux/rtnetlink.h: links, and addresses and routes of both families.
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400

Sources = dict[str, str | None]
"""Of each destination: our address on the way there, None when there is no way."""


def read_sources(destinations: Iterable[str]) -> Sources:
    """Ask the kernel's routing table. Sends nothing, waits for nothing."""
    return {destination: _source(destination) for destination in destinations}


def _source(destination: str) -> str | None:
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setblocking(False)
            probe.connect((destination, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


class NetworkWatcher:
    """Calls ``on_change`` in the event loop: True for another network, False when there is none."""

    def __init__(
        self,
        on_change: Callable[[bool], None],
        *,
        destinations: Callable[[], Iterable[str]] = tuple,
        read: Callable[[Iterable[str]], Sources] = read_sources,
        poll: float = POLL,
    ) -> None:
        """``destinations``: IP addresses that matter now, beside the default route's."""
        self._on_change = on_change
        self._destinations = destinations
        self._read = read
        self._poll = poll
        self._sources: Sources = {}
        self._netlink: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sources = self._look()
        self._netlink = _open_netlink()
        loop = asyncio.get_running_loop()
        if self._netlink is not None:
            loop.add_reader(self._netlink.fileno(), self._told)
        # Owned: awaited in aclose().
        self._task = loop.create_task(self._poll_for_ever(), name="network")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. Idempotent."""
        if self._netlink is not None:
            asyncio.get_running_loop().remove_reader(self._netlink.fileno())
            self._netlink.close()
            self._netlink = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def check(self) -> None:
        """Look now."""
        before, after = self._sources, self._look()
        self._sources = after
        # What was not asked for before tells nothing.
        if any(after[destination] != before[destination] for destination in after.keys() & before.keys()):
            online = any(after.values())
            log.info("the network changed: %s", ", ".join(sorted(filter(None, after.values()))) or "there is none")
            self._on_change(online)

    def _look(self) -> Sources:
        return self._read((*_SOMEWHERE, *self._destinations()))

    def _told(self) -> None:
        """What the messages say does not matter, only that something happened."""
        assert self._netlink is not None
        with suppress(BlockingIOError):
            while True:
                try:
                    self._netlink.recv(65536)
                except BlockingIOError:
                    break
                except OSError:  # ENOBUFS: more than fits happened
                    continue
        self.check()

    async def _poll_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            self.check()


def _open_netlink() -> socket.socket | None:
    """A socket on which the kernel tells; None where there is no such thing."""
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except (AttributeError, OSError):
        return None
    try:
        netlink.setblocking(False)
        netlink.bind((0, _GROUPS))
    except OSError as error:
        log.debug("netlink does not tell: %s", error)
        netlink.close()
        return None
    return netlink
