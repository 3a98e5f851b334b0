"""Local candidates: their priorities, foundations, and what is told to the peer (RFC 8445 §5.1)."""

from __future__ import annotations

import ipaddress

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority

__all__ = ["advertised", "host", "is_usable_remote", "reflexive", "relayed"]

_RELAY_PREFERENCE = {"udp": 65_535, "tcp": 32_767, "tls": 16_383}
"""A relay that is itself reached by TCP delays what it carries."""


def host(address: tuple[str, int], *, rank: int) -> Candidate:
    """A socket of ours. ``rank``: 0 for the best address, then 1, 2, …; no two may be alike (RFC 8445 §5.1.2.1)."""
    return _candidate("host", address, base=address[0], preference=65_535 - rank)


def advertised(address: str, base: Candidate, *, rank: int) -> Candidate:
    """What a socket of ours is from outside a 1:1 NAT: another address, the same port."""
    return _candidate("host", (address, base.port), base=address, preference=65_535 - rank)


def reflexive(address: tuple[str, int], base: Candidate, *, server: str, rank: int) -> Candidate:
    """What a STUN server has seen of a socket of ours."""
    candidate = _candidate("srflx", address, base=f"{base.host}|{server}", preference=65_535 - rank)
    candidate.related_address, candidate.related_port = base.host, base.port
    return candidate


def relayed(
    address: tuple[str, int], mapped: tuple[str, int], *, server: str, via: str, rank: int, hide: bool
) -> Candidate:
    """An allocation on a TURN server. ``hide``: do not tell our own address (RFC 9429 §3.5.3)."""
    preference = _RELAY_PREFERENCE[via] - rank
    candidate = _candidate("relay", address, base=f"{address[0]}|{server}|{via}", preference=preference)
    if hide:
        mapped = ("::" if ":" in address[0] else "0.0.0.0", 9)
    candidate.related_address, candidate.related_port = mapped
    return candidate


def is_usable_remote(candidate: Candidate) -> bool:
    """Whether a signalled candidate is worth a check: UDP, our component, an address that one can send to.

    Names under ``.local`` are not: the browser's own check teaches us the address at once (RFC 8445 §7.3.1.3), while
    looking it up would take a second of multicast.
    """
    if candidate.component != 1 or candidate.transport.lower() != "udp" or not 0 < candidate.port < 65_536:
        return False
    if candidate.type not in ("host", "srflx", "relay") or not 0 <= candidate.priority < 1 << 32:
        return False
    try:
        address = ipaddress.ip_address(candidate.host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return False
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")


def _candidate(kind: str, address: tuple[str, int], *, base: str, preference: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base),
        component=1,
        transport="udp",
        priority=candidate_priority(1, kind, max(preference, 0)),
        host=address[0],
        port=address[1],
        type=kind,
    )
