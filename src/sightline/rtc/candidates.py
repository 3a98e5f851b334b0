"""Which of a viewer's ICE candidates are worth a check."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

import msgspec

__all__ = ["RemoteCandidate", "candidate_ufrag", "parse_candidate"]

_CANDIDATE = re.compile(
    r"(?:a=)?candidate:(?P<foundation>\S{1,32}) (?P<component>\d{1,3}) (?P<transport>\S+) (?P<priority>\d{1,10}) "
    r"(?P<address>\S+) (?P<port>\d{1,5}) typ (?P<type>host|srflx|prflx|relay)(?: .*)?"
)
_UFRAG = re.compile(r" ufrag (\S+)")


class RemoteCandidate(msgspec.Struct, frozen=True):
    """A UDP address where the viewer may be reached (RFC 8839 §5.1)."""

    foundation: str
    priority: int
    address: str
    port: int
    type: str


def parse_candidate(text: str) -> RemoteCandidate | None:
    """A candidate line as browsers send it, or None for one that is empty, malformed, or of no use to us.

    Of no use are TCP candidates, and names under ``.local``: looking them up takes a second of multicast, while the
    browser's own check, which comes at once, teaches us the address (RFC 8445 §7.3.1.3).
    """
    match = _CANDIDATE.fullmatch(text.strip())
    if match is None or match["transport"].lower() != "udp" or match["component"] != "1":
        return None
    port = int(match["port"])
    try:
        address = ipaddress.ip_address(match["address"])
    except ValueError:
        return None
    if not 0 < port < 65536 or address.is_multicast or address.is_unspecified:
        return None
    # A peer-reflexive one is never signalled (RFC 8839 §5.1); C peers do it, and mean a server-reflexive one.
    kind = "srflx" if match["type"] == "prflx" else match["type"]
    return RemoteCandidate(match["foundation"], int(match["priority"]), str(address), port, kind)


def candidate_ufrag(candidate: Mapping[str, object]) -> str | None:
    """The ICE user name fragment that a signalled candidate belongs to, None where it does not say."""
    ufrag = candidate.get("usernameFragment")
    if isinstance(ufrag, str) and ufrag:
        return ufrag
    text = candidate.get("candidate")
    match = _UFRAG.search(text) if isinstance(text, str) else None
    return match[1] if match else None
