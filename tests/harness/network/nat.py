"""Routers with network address translation, as people have them at home, at work and in mobile networks.

Made here and not by the kernel: a bare Debian has neither nft nor iptables. The kinds are those of RFC 4787; each is
what a Linux router does with the rules named in `Nat.KINDS`. IPv4, UDP and TCP; nothing else comes through.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter
from typing import ClassVar

UDP, TCP = 17, 6
_CHECKSUM_AT = {UDP: 6, TCP: 16}

Endpoint = tuple[bytes, int]


class Nat:
    """One router with one public address. `outward` and `inward` return the packet as it goes on, or None."""

    KINDS: ClassVar = {
        "cone": "1:1 SNAT and DNAT: every port of the host is a port of the public address, open to all",
        "port-restricted": "masquerade: ports are kept; in comes what answers to what went out",
        "symmetric": "masquerade fully-random: another random port for each destination; in comes what answers",
        "no-udp": "a firewall: masquerade for TCP to the ports given, and nothing else",
    }

    def __init__(self, kind: str, private: str, public: str, *, ports: tuple[int, ...] = (), seed: int = 0) -> None:
        """`ports`: to which TCP connections may be made, of `no-udp`."""
        assert kind in self.KINDS
        self.kind = kind
        self.passed: Counter[str] = Counter()
        """Packets by `out udp 198.51.100.1`: direction, protocol, and the address of the other side."""
        self.dropped: Counter[str] = Counter()
        self._private, self._public = socket.inet_aton(private), socket.inet_aton(public)
        self._ports = ports
        self._random = random.Random(seed)
        self._allowed: set[tuple[int, int, Endpoint]] = set()
        """Protocol, our port outside, and to whom something went out from it."""
        self._outside: dict[tuple[int, int, Endpoint], int] = {}
        """Of the symmetric kind: by protocol, inner port and destination, the port outside."""
        self._inside: dict[tuple[int, int], int] = {}
        """And back: by protocol and port outside, the inner port."""

    def outward(self, packet: bytes) -> bytes | None:
        """From the host into the world."""
        read = _read(packet)
        if read is None:
            return None
        protocol, start, source, destination = read
        what = f"out {_name(protocol)} {socket.inet_ntoa(destination[0])}"
        if self.kind == "no-udp" and (protocol != TCP or destination[1] not in self._ports):
            self.dropped[what] += 1
            return None
        port = source[1]
        if self.kind == "symmetric":
            key = protocol, source[1], destination
            if key not in self._outside:
                port = self._random.randrange(20_000, 60_000)
                while (protocol, port) in self._inside:
                    port = self._random.randrange(20_000, 60_000)
                self._outside[key] = port
                self._inside[protocol, port] = source[1]
            port = self._outside[key]
        self._allowed.add((protocol, port, destination))
        self.passed[what] += 1
        return _rewritten(packet, protocol, start, at=12, address=self._public, port_at=start, port=port)

    def inward(self, packet: bytes) -> bytes | None:
        """From the world to the host."""
        read = _read(packet)
        if read is None or packet[16:20] != self._public:
            return None
        protocol, start, source, destination = read
        what = f"in {_name(protocol)} {socket.inet_ntoa(source[0])}"
        if self.kind != "cone" and (protocol, destination[1], source) not in self._allowed:
            self.dropped[what] += 1
            return None
        port = self._inside[protocol, destination[1]] if self.kind == "symmetric" else destination[1]
        self.passed[what] += 1
        return _rewritten(packet, protocol, start, at=16, address=self._private, port_at=start + 2, port=port)


def _name(protocol: int) -> str:
    return "udp" if protocol == UDP else "tcp"


def _read(packet: bytes) -> tuple[int, int, Endpoint, Endpoint] | None:
    """Protocol, where its header starts, source and destination; None for what no such router lets through."""
    protocol, start = packet[9], (packet[0] & 15) * 4
    if protocol not in _CHECKSUM_AT or len(packet) < start + 8:
        return None
    source, destination = struct.unpack_from("!HH", packet, start)
    return protocol, start, (packet[12:16], source), (packet[16:20], destination)


def _rewritten(packet: bytes, protocol: int, start: int, *, at: int, address: bytes, port_at: int, port: int) -> bytes:
    """With another address and port; the checksums are brought up to date, not made anew (RFC 1624)."""
    changed = bytearray(packet)
    changed[at : at + 4] = address
    changed[port_at : port_at + 2] = port.to_bytes(2, "big")
    of_address = _words(address) - _words(packet[at : at + 4])
    of_port = port - int.from_bytes(packet[port_at : port_at + 2], "big")
    _adjust(changed, 10, of_address)
    checksum_at = start + _CHECKSUM_AT[protocol]
    if protocol == TCP or changed[checksum_at : checksum_at + 2] != b"\0\0":
        _adjust(changed, checksum_at, of_address + of_port)
    return bytes(changed)


def _words(address: bytes) -> int:
    return int.from_bytes(address[:2], "big") + int.from_bytes(address[2:], "big")


def _adjust(packet: bytearray, at: int, difference: int) -> None:
    total = (~int.from_bytes(packet[at : at + 2], "big") & 0xFFFF) + difference % 0xFFFF
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    packet[at : at + 2] = (~total & 0xFFFF).to_bytes(2, "big")
