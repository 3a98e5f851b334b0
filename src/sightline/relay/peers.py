"""To which addresses the relay sends: safe defaults against those who look for a way into this network.

A TURN server lends its address to anybody with a credential. Without rules, a viewer of one camera could talk to the
cloud's metadata service, to the router's web page, or to a database that trusts loopback (RFC 8656 §21.3).
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Sequence

__all__ = ["PeerRules", "Verdict", "is_private"]

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Verdict(enum.Enum):
    """What may happen with a peer's address."""

    OWN = "own"
    """One under which this server relays: data go from relay to relay in memory, and nowhere else."""
    OWN_OPEN = "own-open"
    """The same, but the operator has opened this machine by name: what is no relay is sent to."""
    ALLOWED = "allowed"
    DENIED = "denied"


_NEVER = tuple(
    map(
        ipaddress.ip_network,
        ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8"),
    )
)
"""Unspecified, multicast, broadcast: no setting allows them, since no peer can have such an address."""

_DENIED = tuple(
    map(
        ipaddress.ip_network,
        (
            *("127.0.0.0/8", "::1/128"),  # loopback
            *("169.254.0.0/16", "fe80::/10", "fec0::/10"),  # link-local, and most clouds' metadata
            *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32", "fd20:ce::/32"),  # the others'
            *("240.0.0.0/4", "::/96", "100::/64"),  # reserved, IPv4-compatible, discard
            *("2001::/32", "::ffff:0:0:0/96", "64:ff9b:1::/48"),  # Teredo, SIIT, local NAT64: IPv4 in disguise
        ),
    )
)

_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def is_private(host: str) -> bool:
    """Whether an address is one of a private network (RFC 1918, RFC 6598, RFC 4193), loopback or link-local."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return _in(address, _PRIVATE) or _in(address, _DENIED) or _in(address, _NEVER)


class PeerRules:
    """Decides on addresses. `relays` and `own` may be exchanged while it is used, when the machine's addresses change.

    relays: addresses under which this server relays, external ones included.
    own: all addresses of this machine, and those under which clients reach it: its other ports are not for guests.
    allow: networks that the operator opens beside public addresses.
    private: whether private networks are open by default.
    """

    def __init__(
        self, *, relays: Iterable[str] = (), own: Iterable[str] = (), allow: Sequence[str] = (), private: bool = False
    ) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._allow = tuple(ipaddress.ip_network(network, strict=False) for network in allow)
        self.private = private
        self._relays: frozenset[Ip] = frozenset()
        self._own: frozenset[Ip] = frozenset()
        self.set_addresses(relays=relays, own=own)

    def set_addresses(self, *, relays: Iterable[str], own: Iterable[str]) -> None:
        """This machine's addresses as they are now."""
        self._relays = frozenset(map(_address, relays))
        self._own = frozenset(map(_address, own)) | self._relays

    def verdict(self, host: str) -> Verdict:
        """What may happen with a peer at this address; ``host`` is an IP address."""
        address = _address(host)
        if address in self._relays:
            return Verdict.OWN_OPEN if self._opens_own(address) else Verdict.OWN
        faces = _faces(address)
        if any(_in(face, _NEVER) for face in faces):
            return Verdict.DENIED
        for face in faces:
            if face in self._relays or face in self._own:
                if not self._opens_own(face):
                    return Verdict.DENIED
            elif not self._opens(face):
                return Verdict.DENIED
        return Verdict.ALLOWED

    def _opens(self, address: Ip) -> bool:
        if _in(address, self._allow):
            return True
        if _in(address, _DENIED):
            return False
        return self.private or not _in(address, _PRIVATE)

    def _opens_own(self, address: Ip) -> bool:
        """This machine itself only by name: a network that holds it by chance opens none of its ports."""
        return any(
            address in network
            for network in self._allow
            if network.version == address.version
            and (network.num_addresses == 1 or any(_within(network, loopback) for loopback in _LOOPBACK))
        )


def _address(host: str) -> Ip:
    """An IP address; an IPv4-mapped one as the IPv4 address that it is."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _faces(address: Ip) -> list[Ip]:
    """The address, and the IPv4 address that a gateway would make of it (6to4, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _6TO4:
        return [address, ipaddress.IPv4Address(address.packed[2:6])]
    if address in _NAT64:
        return [address, ipaddress.IPv4Address(address.packed[12:])]
    return [address]


def _in(address: Ip, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen
