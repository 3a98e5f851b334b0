"""Under which addresses this machine relays, and which are its own."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import ifaddr
import msgspec

from ..config import Settings
from ..relay import is_private

__all__ = ["RelayAddresses", "listening_hosts", "machine_addresses", "relay_addresses"]

_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_EVERYWHERE = {4: "0.0.0.0", 6: "::"}
# Addresses for documentation: nothing is sent to them, the kernel only looks up the route.
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}


class RelayAddresses(msgspec.Struct, frozen=True):
    """By IP version where it relays at all."""

    bound: dict[int, str]
    """What relay sockets are bound to."""
    told: dict[int, str]
    """What clients and peers are told: the external address behind NAT, else the same."""
    own: frozenset[str]
    """All addresses of this machine, and those under which it is reached."""

    @property
    def private(self) -> bool:
        """Whether this machine can only be reached from private networks: then those are what it is for."""
        return all(is_private(address) for address in {*self.told.values(), *self.own})


def listening_hosts(bind: Sequence[str]) -> list[str]:
    """Where STUN and TURN listen: as the service does, and always on loopback, where programs of this machine look.

    An unspecified address holds all others of its version, so those are left out beside it.
    """
    hosts: list[str] = []
    for version, loopback in _LOOPBACK.items():
        named = [address for address in bind if _version(address) == version]
        if not bind or any(ipaddress.ip_address(address).is_unspecified for address in named):
            hosts.append(_EVERYWHERE[version])
        else:
            hosts += dict.fromkeys([loopback, *named])
    return hosts


def relay_addresses(settings: Settings) -> RelayAddresses:
    """As the machine and its settings are now."""
    machine = machine_addresses()
    bound: dict[int, str] = {}
    for version in (4, 6):
        chosen = _chosen(version, settings.bind, machine)
        if chosen:
            bound[version] = chosen
    told = dict(bound)
    for address in settings.turn_external_ip:
        version = ipaddress.ip_address(address).version
        if version in bound:
            told[version] = address
    public = [host.strip("[]") for host in settings.public_host]
    own = {*machine, *settings.turn_external_ip, *(host for host in public if _version(host))}
    return RelayAddresses(bound, told, frozenset(own))


def _chosen(version: int, bind: Sequence[str], machine: Sequence[str]) -> str:
    """The address to relay with: one that the service is bound to, else that of the default route, else any."""
    named = [address for address in bind if _version(address) == version]
    specific = [address for address in named if not ipaddress.ip_address(address).is_unspecified]
    if specific or (bind and not named):
        outside = [address for address in specific if not ipaddress.ip_address(address).is_loopback]
        return (outside or specific or [""])[0]
    here = [address for address in machine if _version(address) == version and _is_usable(address)]
    outside = [address for address in here if not ipaddress.ip_address(address).is_loopback]
    preferred = _source_of_default_route(version)
    if preferred in outside:
        return preferred
    return (outside or here or [""])[0]


def machine_addresses() -> list[str]:
    """Every address of every interface, without zones."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            found.append(str(ip.ip if isinstance(ip.ip, str) else ip.ip[0]).partition("%")[0])
    return found


def _source_of_default_route(version: int) -> str:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((_ELSEWHERE[version], 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


def _is_usable(address: str) -> bool:
    return not ipaddress.ip_address(address).is_link_local


def _version(host: str) -> int:
    """4 or 6; 0 for a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0
