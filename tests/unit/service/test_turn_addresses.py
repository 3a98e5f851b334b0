"""Under which addresses the relay works, on machines of all kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.config import Settings
from sightline.relay import Verdict
from sightline.service import turn_addresses
from sightline.service.turn import TurnServer
from sightline.service.turn_addresses import listening_hosts, relay_addresses
from sightline.timers import Timers

LOOPBACK = ["127.0.0.1", "::1"]
LAN = ["192.168.1.5", "fe80::1"]
PUBLIC = ["198.51.100.1", "2001:db8::5", "10.9.9.9"]


def settings(**more: object) -> Settings:
    return Settings(data_dir=Path("/data"), **more)  # type: ignore[arg-type]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The machine's addresses, to be set; the first one outside of loopback has the default route."""
    addresses = [*LOOPBACK]
    monkeypatch.setattr(turn_addresses, "machine_addresses", lambda: addresses)

    def source(version: int) -> str:
        outside = [a for a in addresses if (":" in a) == (version == 6) and a not in LOOPBACK]
        return outside[0] if outside else ""

    monkeypatch.setattr(turn_addresses, "_source_of_default_route", source)
    return addresses


@pytest.mark.parametrize(
    ("bind", "hosts"),
    [
        ((), ["0.0.0.0", "::"]),
        (("0.0.0.0", "::"), ["0.0.0.0", "::"]),
        (("0.0.0.0",), ["0.0.0.0", "::1"]),
        (("::",), ["127.0.0.1", "::"]),
        (("192.168.1.5", "0.0.0.0"), ["0.0.0.0", "::1"]),
        (("192.168.1.5",), ["127.0.0.1", "192.168.1.5", "::1"]),
        (("127.0.0.1",), ["127.0.0.1", "::1"]),
        (("localhost",), ["127.0.0.1", "::1"]),
    ],
)
def test_where_it_listens(bind: tuple[str, ...], hosts: list[str]) -> None:
    """Never on an address beside the unspecified one, which has it already: the port would be in use."""
    assert listening_hosts(bind) == hosts


def test_a_laptop_without_a_network(machine: list[str]) -> None:
    found = relay_addresses(settings())
    assert found.bound == found.told == {4: "127.0.0.1", 6: "::1"}
    assert found.private


def test_a_server_at_home(machine: list[str]) -> None:
    machine += LAN
    found = relay_addresses(settings())
    assert found.bound == {4: "192.168.1.5", 6: "::1"}, "nothing is relayed over link-local addresses"
    assert found.private


def test_a_public_server(machine: list[str]) -> None:
    machine += PUBLIC
    found = relay_addresses(settings())
    assert found.bound == found.told == {4: "198.51.100.1", 6: "2001:db8::5"}
    assert found.own == {*LOOPBACK, *PUBLIC}
    assert not found.private


def test_behind_nat_peers_are_told_the_external_address(machine: list[str]) -> None:
    machine += LAN
    found = relay_addresses(settings(turn_external_ip=("198.51.100.7", "2001:db8::7")))
    assert found.bound[4] == "192.168.1.5"
    assert found.told[4] == "198.51.100.7"
    assert {"198.51.100.7", "192.168.1.5"} <= found.own
    assert not found.private, "strangers come in: the network behind it is not for them"


@pytest.mark.parametrize(
    ("bind", "bound"),
    [
        (("127.0.0.1",), {4: "127.0.0.1"}),
        (("10.9.9.9",), {4: "10.9.9.9"}),
        (("127.0.0.1", "10.9.9.9"), {4: "10.9.9.9"}),
        (("0.0.0.0",), {4: "198.51.100.1"}),
        (("0.0.0.0", "::"), {4: "198.51.100.1", 6: "2001:db8::5"}),
        (("2001:db8::5",), {6: "2001:db8::5"}),
    ],
)
def test_it_relays_where_the_service_is_bound(machine: list[str], bind: tuple[str, ...], bound: dict[int, str]) -> None:
    machine += PUBLIC
    assert relay_addresses(settings(bind=bind)).bound == bound


def test_names_under_which_it_is_reached_are_its_own_where_they_are_addresses(machine: list[str]) -> None:
    machine += LAN
    found = relay_addresses(settings(public_host=("cam.example", "203.0.113.5", "[2001:db8::9]")))
    assert {"203.0.113.5", "2001:db8::9"} <= found.own
    assert "cam.example" not in found.own


async def test_the_rules_follow_the_machine_into_another_network(machine: list[str]) -> None:
    machine += LAN
    server = TurnServer(settings(), service_secret=b"s", timers=Timers(), wall=lambda: 0.0, steady=lambda: 0.0)
    assert server._rules.verdict("192.168.1.5") is Verdict.OWN
    assert server._rules.verdict("192.168.1.6") is Verdict.ALLOWED
    machine[2:] = ["198.51.100.1"]
    server._use(relay_addresses(settings()))
    assert server._rules.verdict("198.51.100.1") is Verdict.OWN
    assert server._rules.verdict("192.168.1.6") is Verdict.DENIED


def test_the_real_machine() -> None:
    found = relay_addresses(settings())
    assert found.bound
    assert "127.0.0.1" in found.own
