"""One client's relay: its permissions and channels, and until when they last (RFC 8656 §3)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import msgspec

from .credentials import Credential
from .frames import CHANNEL_HEADER
from .limits import Bucket
from .peers import Verdict
from .stun_format import Address

__all__ = ["CHANNEL_LIFETIME", "PERMISSION_LIFETIME", "Allocation", "Channel", "ClientPath", "Ports", "RelayedPort"]

PERMISSION_LIFETIME = 300.0
"""Seconds (RFC 8656 §9)."""

CHANNEL_LIFETIME = 600.0
"""Seconds (RFC 8656 §12)."""


class ClientPath(msgspec.Struct, frozen=True, gc=False):
    """How a client reaches us: what RFC 8656 §3.2 calls the 5-tuple."""

    key: Hashable
    """The same for all that comes on this path, and for nothing else."""
    source: Address
    """The client's address as we see it."""
    local: str
    """The address of ours at which it arrives; empty where that is not known."""
    stream: bool
    """TCP or TLS: its address is proved, and nothing is lost on the way."""


class RelayedPort(msgspec.Struct, frozen=True):
    """A socket that the shell has opened for an allocation."""

    address: Address
    """As peers see it."""
    handle: object
    """The shell's own."""


class Ports(Protocol):
    """The shell's sockets."""

    def open(self, version: int, *, local: str, even: bool) -> RelayedPort | None:
        """A relayed port on an address of IP ``version`` (4 or 6); None when there is none left.

        ``local`` is the address of ours that the client uses, ``even`` asks for an even port.
        """

    def has(self, version: int) -> bool:
        """Whether this machine relays with that IP version at all."""


class Usage:
    """What the allocations of one credential use together."""

    __slots__ = ("allocations", "bandwidth")

    def __init__(self, bandwidth: Bucket) -> None:
        self.allocations = 0
        self.bandwidth = bandwidth


class Channel:
    """A number that stands for a peer (RFC 8656 §12)."""

    __slots__ = ("allocation", "expires_at", "handle", "number", "peer", "verdict")

    def __init__(self, allocation: Allocation, number: int, peer: Address, verdict: Verdict) -> None:
        self.allocation = allocation
        self.number = number
        self.peer = peer
        self.verdict = verdict
        """Whether the peer's address is one of this server's, which are looked for in memory."""
        self.expires_at = 0.0
        self.handle: object = None
        """The shell's own."""

    def header(self, length: int) -> bytes:
        """Before ``length`` bytes of data."""
        return CHANNEL_HEADER.pack(self.number, length)


class Allocation:
    """A relayed address that stands for a client. Times are seconds of the clock that `RelayServer` is given."""

    __slots__ = (
        *("answer", "asking", "bandwidth", "by_peer", "channels", "credential", "ends_at", "expires_at", "handle"),
        *("path", "permissions", "relayed", "transaction", "version", "watched_at"),
    )

    def __init__(
        self, path: ClientPath, credential: Credential, port: RelayedPort, *, bandwidth: Bucket, ends_at: float
    ) -> None:
        self.path = path
        self.credential = credential
        self.relayed = port.address
        self.handle = port.handle
        self.version = 6 if ":" in port.address[0] else 4
        self.bandwidth = bandwidth
        self.expires_at = 0.0
        self.watched_at = float("inf")
        """When the server looks at it next."""
        self.ends_at = ends_at
        """A day after it was made it ends whatever is refreshed: nobody watches that long on one credential."""
        self.permissions: dict[str, float] = {}
        """By address, until when."""
        self.channels: dict[int, Channel] = {}
        self.by_peer: dict[Address, Channel] = {}
        self.asking: dict[Address, float] = {}
        """This machine's own ports that have sent an ICE check, until when they are answered."""
        self.transaction = b""
        """Of the request that made it."""
        self.answer = b""
        """To that request, in case that it is repeated."""

    def forget_expired(self, now: float) -> None:
        """Room for new permissions and channels."""
        self.permissions = {host: until for host, until in self.permissions.items() if until > now}
        self.asking = {peer: until for peer, until in self.asking.items() if until > now}
        for channel in [channel for channel in self.channels.values() if channel.expires_at <= now]:
            del self.channels[channel.number]
            del self.by_peer[channel.peer]
