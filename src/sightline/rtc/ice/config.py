"""What an ICE session may use: servers, ports, interfaces; and how long it waits for what."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Protocol

import msgspec

from ...timers import DEFAULT_TIMERS, Timers

__all__ = ["IceConfig", "IceServer", "IceTimes"]


class IceServer(Protocol):
    """A STUN or TURN server, by the names of WebRTC's ``RTCIceServer``."""

    @property
    def urls(self) -> Sequence[str]:
        """``stun:``, ``turn:`` and ``turns:`` URIs (RFC 7064, RFC 7065)."""

    @property
    def username(self) -> str | None:
        """None for STUN."""

    @property
    def credential(self) -> str | None:
        """None for STUN."""


class IceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one generation. A restart may come with fresh ones (new TURN credentials)."""

    servers: Sequence[IceServer] = ()
    """Any number of STUN and TURN servers; none of them can hold up anything."""
    relay_only: bool = False
    """Send and receive through TURN servers alone: no address of this machine is told to anybody."""
    udp_ports: tuple[int, int] | None = None
    """First and last port for host candidates, where a firewall lets only those through; None is any."""
    advertise: tuple[str, ...] = ()
    """Addresses under which this machine is reached from outside with its own port numbers (1:1 NAT, containers)."""
    interfaces: tuple[str, ...] = ()
    """Names of the network interfaces to use; empty is all of them."""
    tls: ssl.SSLContext | None = None
    """For ``turns:`` servers; None trusts what the system trusts."""


class IceTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds. Those that users may want to change come from ``sightline.timers``, see ``of``."""

    connect: float = DEFAULT_TIMERS.viewer_connect
    """From the start of the checks until a generation without a nominated pair has failed."""
    bicast: float = DEFAULT_TIMERS.path_silence
    """Silence on the selected pair after which other answering pairs are sent on, too."""
    disconnected: float = DEFAULT_TIMERS.viewer_disconnected
    """Silence on all pairs after which the state is ``disconnected``."""
    failed: float = DEFAULT_TIMERS.viewer_failed
    """Silence on all pairs after which the state is ``failed`` and the sockets are closed."""
    consent: float = DEFAULT_TIMERS.path_check
    """Between two liveness queries on the selected pair."""
    backup: float = 5.0
    """Between two liveness queries on each other valid pair: keeps its NAT binding (RFC 8445 §11 asks for 15 s)."""
    reap: float = 1.0
    """How long an old generation is still listened to after the switch: what was under way there arrives."""

    @classmethod
    def of(cls, timers: Timers) -> IceTimes:
        """As the table of timers says."""
        return cls(
            connect=timers.viewer_connect,
            bicast=timers.path_silence,
            disconnected=timers.viewer_disconnected,
            failed=timers.viewer_failed,
            consent=timers.path_check,
        )
