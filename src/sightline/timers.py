"""Every timer of Sightline in one table: value in seconds, the reason, where it comes from. All can be overridden."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["DEFAULT_TIMERS", "Timers"]


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds."""

    # -- the service's sockets
    ping: float = 20.0
    """Silence after which the service pings a socket: below every NAT timeout seen (DESIGN.md)."""
    dead: float = 40.0
    """Silence after which a socket is given up: two pings."""
    asked: float = 2.0
    """How long a master has to reply when a waiting viewer asks for it (DESIGN.md); then its socket is given up."""
    idle: float = 0.0
    """Close a socket without traffic; 0 is never. KVS has 600 (KVS.md §5.6), the most frequent complaint."""
    lifetime: float = 0.0
    """Close a socket of that age; 0 is never. KVS has 3600 (KVS.md §5.6)."""
    go_away: float = 60.0
    """Who obeys GO_AWAY gets it at that age, and so much time to open another socket before (KVS.md §5.3)."""
    eviction_window: float = 60.0
    """Within it, the third eviction of one id mutes the loser: KVS clients reconnect for ever (KVS.md §5.5)."""
    mute: float = 60.0
    """How long a loser stays open and muted."""
    stale_hold: float = 1.0
    """How long (0: not at all) a viewer has to offer anew, before its new socket is given an answer that waited for an
    older one, or a new master an offer of a viewer that has left: a stale answer spoils the next offer (seed 001's
    retry with the camera coming on in the pause)."""
    shutdown_spread: float = 3.0
    """Closes at shutdown are spread over this time, so that clients do not come back all at once."""

    # -- a master's viewers
    viewer_connect: float = 30.0
    """From the answer to ``connected``: twice what our viewers wait (seed 001.3), then nobody is there."""
    viewer_disconnected: float = 3.0
    """Silence after which a viewer is ``disconnected``: three checks of its path without an answer. aiortc never says
    it (issue 3)."""
    viewer_failed: float = 10.0
    """Silence after which it is ``failed`` and out of the registry. aiortc takes 30 s, the C SDK 45 (DESIGN.md)."""
    viewer_failed_without_signaling: float = 3.0
    """The same for one whose signaling socket closed as well: most likely its page or program is gone (issue 3)."""
    viewer_sleep: float = 60.0
    """How long the keys of a ``failed`` one are kept: a laptop wakes, a train leaves its tunnel, and ICE restarts."""
    path_silence: float = 0.5
    """Silence on the nominated pair after which every other pair that answers is sent on too: libwebrtc nominates a
    new pair up to 6 s after the old one died (DESIGN.md)."""
    path_check: float = 1.0
    """How often a path is checked: RFC 7675 §5.1 says 5 s, which cannot tell 3 s of silence."""
    sender_report: float = 0.45
    """Between RTCP sender reports: a viewer hears from us at least every 500 ms, so that silence means the path and
    not the source (DESIGN.md)."""
    session_memory: float = 86_400.0
    """How long a master knows under which certificate it answered a session that is gone: a laptop sleeps a night."""
    presence: float = 5.0
    """A master tells the service that often how its viewers are, for their figures; changes of state at once."""
    presence_spacing: float = 0.25
    """Between two such reports, so that a crowd that comes at once is one report (a person does not see less)."""
    ice_servers: float = 240.0
    """Relay credentials are fetched anew that often: they live 300 s (KVS.md §4.1)."""
    ice_servers_again: float = 15.0
    """And again that soon where it failed, while those of before are still good."""

    # -- credentials
    turn_credential: int = 300
    """KVS's own TTL for TURN credentials (KVS.md §4.1); the C SDK needs more than 30."""
    page_url: int = 299
    """How long a page's presigned URL is valid, as in the JS SDK (KVS.md §3.2)."""
    certificate_check: float = 60.0
    """How often the host's names and addresses are compared with those in the certificate."""

    # -- the built-in TURN server
    turn_allocation: float = 86_400.0
    """A relay ends a day after it was made, however often it is refreshed: its credential was for minutes (issue 5)."""
    turn_nonce: float = 3600.0
    """A nonce is good for an hour (RFC 8489 names no value; coturn has 600 s): then 438, and the client goes on."""
    turn_stranger: float = 10.0
    """A TCP or TLS connection without an allocation is closed after that: clients allocate at once."""
    turn_addresses: float = 60.0
    """How often the machine's addresses are read again, for the rules and the relays."""
    turn_health: float = 30.0
    """Between two checks of an external TURN server; one that failed twice is left out (issue 5)."""
    turn_health_patience: float = 5.0
    """For all answers of one check."""


DEFAULT_TIMERS: Final = Timers()
