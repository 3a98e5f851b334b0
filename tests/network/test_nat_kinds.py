"""The lab's own routers: each kind of NAT does what its name says, and leaves packets in order behind."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.harness.network.nat import TCP, UDP, Nat

HOME, PUBLIC, ONE, TWO = "10.77.1.2", "203.0.113.9", "198.51.100.1", "198.51.100.2"


def checksum(data: bytes) -> int:
    """Of RFC 1071; 0 over data that hold a right one."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: tuple[str, int], destination: tuple[str, int], protocol: int = UDP, data: bytes = b"hello") -> bytes:
    """With right checksums."""
    hosts = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    if protocol == UDP:
        body = struct.pack("!HHHH", source[1], destination[1], 8 + len(data), 0) + data
        at = 6
    else:
        body = struct.pack("!HHIIHHHH", source[1], destination[1], 1, 2, 0x5018, 500, 0, 0) + data
        at = 16
    pseudo = hosts + struct.pack("!HH", protocol, len(body))
    body = body[:at] + checksum(pseudo + body).to_bytes(2, "big") + body[at + 2 :]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0) + hosts
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + body


def ends(made: bytes | None) -> tuple[tuple[str, int], tuple[str, int]]:
    """Source and destination; the checksums must be right."""
    assert made is not None
    assert checksum(made[:20]) == 0
    assert checksum(made[12:20] + struct.pack("!HH", made[9], len(made) - 20) + made[20:]) == 0
    source, destination = struct.unpack_from("!HH", made, 20)
    return (socket.inet_ntoa(made[12:16]), source), (socket.inet_ntoa(made[16:20]), destination)


@pytest.mark.parametrize("protocol", [UDP, TCP])
@pytest.mark.parametrize("data", [b"", b"x", b"hello", bytes(range(256)) * 4])
@pytest.mark.parametrize("kind", ["cone", "port-restricted", "symmetric"])
def test_there_and_back(kind: str, data: bytes, protocol: int) -> None:
    nat = Nat(kind, HOME, PUBLIC)
    source, destination = ends(nat.outward(packet((HOME, 5000), (ONE, 80), protocol, data)))
    assert source[0] == PUBLIC
    assert destination == (ONE, 80)
    assert (source[1] == 5000) is (kind != "symmetric")
    assert ends(nat.inward(packet((ONE, 80), source, protocol, data))) == ((ONE, 80), (HOME, 5000))
    assert nat.inward(packet((ONE, 80), (HOME, 5000), protocol)) is None, "nobody outside knows the inner address"


def outside(nat: Nat, to: tuple[str, int]) -> tuple[str, int]:
    return ends(nat.outward(packet((HOME, 5000), to)))[0]


def test_a_cone_lets_everybody_in() -> None:
    nat = Nat("cone", HOME, PUBLIC)
    assert ends(nat.inward(packet((TWO, 9), (PUBLIC, 5000))))[1] == (HOME, 5000)


def test_port_restricted_has_one_port_outside_and_lets_in_who_was_spoken_to() -> None:
    nat = Nat("port-restricted", HOME, PUBLIC)
    assert outside(nat, (ONE, 80)) == outside(nat, (TWO, 80)) == (PUBLIC, 5000)
    assert nat.inward(packet((ONE, 81), (PUBLIC, 5000))) is None
    assert nat.inward(packet((ONE, 80), (PUBLIC, 5000))) is not None
    assert (nat.passed["in udp 198.51.100.1"], nat.dropped["in udp 198.51.100.1"]) == (1, 1)


def test_symmetric_has_another_port_for_everybody() -> None:
    nat = Nat("symmetric", HOME, PUBLIC)
    ports = {outside(nat, (ONE, port))[1] for port in range(80, 100)}
    assert len(ports) == 20
    assert outside(nat, (ONE, 80)) == outside(nat, (ONE, 80))
    assert nat.inward(packet((TWO, 80), outside(nat, (ONE, 80)))) is None


def test_no_udp() -> None:
    nat = Nat("no-udp", HOME, PUBLIC, ports=(443,))
    assert nat.outward(packet((HOME, 5000), (ONE, 443))) is None
    assert nat.outward(packet((HOME, 5000), (ONE, 80), TCP)) is None
    assert nat.outward(packet((HOME, 5000), (ONE, 443), TCP)) is not None
    assert nat.inward(packet((ONE, 443), (PUBLIC, 5000), TCP)) is not None
    assert nat.inward(packet((ONE, 443), (PUBLIC, 5000), UDP)) is None
    assert dict(nat.passed) == {"out tcp 198.51.100.1": 1, "in tcp 198.51.100.1": 1}


def test_nothing_else_comes_through() -> None:
    nat = Nat("cone", HOME, PUBLIC)
    assert nat.outward(packet((HOME, 0), (ONE, 0))[:9] + b"\1" + packet((HOME, 0), (ONE, 0))[10:]) is None
    assert nat.outward(packet((HOME, 0), (ONE, 0))[:24]) is None
