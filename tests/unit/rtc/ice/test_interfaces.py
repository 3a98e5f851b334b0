"""Which addresses become host candidates, and on which ports."""

from __future__ import annotations

import errno
import socket

import ifaddr
import pytest
from ifaddr import IP, Adapter

from sightline.rtc.ice.interfaces import bind_udp, host_addresses, interface_problem

LO = Adapter("lo", "lo", [IP("127.0.0.1", 8, "lo"), IP(("::1", 0, 0), 128, "lo")])
ETH0 = Adapter(
    "eth0",
    "eth0",
    [IP("192.0.2.7", 24, "eth0"), IP(("2001:db8::7", 0, 0), 64, "eth0"), IP(("fe80::7", 0, 2), 64, "eth0")],
)
WLAN0 = Adapter("wlan0", "wlan0", [IP("198.51.100.7", 24, "wlan0")])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Adapter]:
    adapters = [LO, ETH0, WLAN0]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda include_unconfigured=False: adapters)
    return adapters


def test_all_addresses_but_loopback_and_link_local(machine: list[Adapter]) -> None:
    assert host_addresses() == ["192.0.2.7", "2001:db8::7", "198.51.100.7"]


def test_loopback_when_there_is_nothing_else(machine: list[Adapter]) -> None:
    machine[:] = [LO]
    assert host_addresses() == ["127.0.0.1", "::1"]


def test_only_the_named_interfaces(machine: list[Adapter]) -> None:
    assert host_addresses(["wlan0"]) == ["198.51.100.7"]
    assert host_addresses(["lo"]) == ["127.0.0.1", "::1"]
    assert host_addresses(["nothing"]) == []


def test_what_is_wrong_with_a_name_is_said(machine: list[Adapter]) -> None:
    machine.append(Adapter("wwan0", "wwan0", []))
    assert interface_problem([]) is None
    assert interface_problem(["wlan0"]) is None
    assert interface_problem(["wwan0", "eth0"]) is None
    said = interface_problem(["eth0", "wlan1"])
    assert said == "This machine has no network interface 'wlan1' now; it has eth0, lo, wlan0, wwan0."
    assert interface_problem(["wwan0"]) == "wwan0 has no address now."


def test_ports_come_from_the_range_until_it_is_used_up() -> None:
    first = free_range(3)
    taken: list[socket.socket] = []
    try:
        for _ in range(3):
            taken.append(bind_udp("127.0.0.1", ports=(first, first + 2), roll=0.99))
        assert {sock.getsockname()[1] for sock in taken} == {first, first + 1, first + 2}
        with pytest.raises(OSError, match="taken") as caught:
            bind_udp("127.0.0.1", ports=(first, first + 2))
        assert caught.value.errno == errno.EADDRINUSE
    finally:
        for sock in taken:
            sock.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        bind_udp("203.0.113.9")


def test_any_port() -> None:
    with bind_udp("::1") as sock:
        assert sock.getsockname()[1] > 0
        assert not sock.getblocking()


def free_range(count: int) -> int:
    """The first of so many neighbouring ports that are free."""
    for first in range(40_000, 60_000, count):
        sockets: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sockets.append(sock)
                sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for sock in sockets:
                sock.close()
    raise AssertionError("no free ports")
