"""The TURN server's decisions (RFC 8656, RFC 8489): bytes and the time in, what is to be sent out.

`take` handles STUN messages. ChannelData, of which there are thousands per second, do not pass through messages and
outputs: a shell asks `outgoing` or `incoming` where a burst goes, and sends it itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Sequence

import msgspec

from .allocation import (
    CHANNEL_LIFETIME,
    PERMISSION_LIFETIME,
    Allocation,
    Channel,
    ClientPath,
    Ports,
    Usage,
)
from .counters import RelayCounters
from .credentials import Authority, Credential, Nonces
from .limits import Bucket, RelayLimits, Strangers
from .peers import PeerRules, Verdict
from .stun_format import (
    Address,
    Attribute,
    Kind,
    MalformedMessage,
    Message,
    Method,
    address_value,
    encode,
    error_value,
    parse,
    read_address,
)

__all__ = ["Closed", "Opened", "Output", "RelayServer", "Reply", "ToClient", "ToPeer"]

_LIFETIME = 600.0
"""Seconds that an allocation lasts unless the client asks for more (RFC 8656 §3.2)."""
_LONGEST = 3600.0
"""Seconds that it may ask for (RFC 8656 §7.2)."""

DEFAULT_LIMITS = RelayLimits()

_UDP = 17
_FIRST_CHANNEL, _LAST_CHANNEL = 0x4000, 0x7FFE
"""RFC 5766 §11; RFC 8656 §12 leaves clients those up to 0x4FFF, but there are some that do not know it."""

_SIGNING = frozenset({Attribute.USERNAME, Attribute.REALM, Attribute.NONCE, Attribute.MESSAGE_INTEGRITY})
_KNOWN: dict[int, frozenset[int]] = {
    Method.BINDING: _SIGNING | {Attribute.MESSAGE_INTEGRITY_SHA256},
    Method.ALLOCATE: _SIGNING
    | {
        *(Attribute.REQUESTED_TRANSPORT, Attribute.LIFETIME, Attribute.EVEN_PORT),
        *(Attribute.REQUESTED_ADDRESS_FAMILY, Attribute.RESERVATION_TOKEN),
    },
    Method.REFRESH: _SIGNING | {Attribute.LIFETIME, Attribute.REQUESTED_ADDRESS_FAMILY},
    Method.CREATE_PERMISSION: _SIGNING | {Attribute.XOR_PEER_ADDRESS},
    Method.CHANNEL_BIND: _SIGNING | {Attribute.XOR_PEER_ADDRESS, Attribute.CHANNEL_NUMBER},
    Method.SEND: frozenset({Attribute.XOR_PEER_ADDRESS, Attribute.DATA}),
}

_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    420: "Unknown Attribute",
    437: "Allocation Mismatch",
    440: "Address Family not Supported",
    441: "Wrong Credentials",
    442: "Unsupported Transport Protocol",
    443: "Peer Address Family Mismatch",
    486: "Allocation Quota Reached",
    508: "Insufficient Capacity",
}


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Send this back on the path on which the message came."""

    data: bytes


class ToPeer(msgspec.Struct, frozen=True):
    """Send this from an allocation's relayed address."""

    allocation: Allocation
    peer: Address
    data: bytes


class ToClient(msgspec.Struct, frozen=True):
    """Send this, a whole frame, to an allocation's client."""

    allocation: Allocation
    data: bytes


class Opened(msgspec.Struct, frozen=True):
    """There is a new allocation; its handle is the one that `Ports.open` returned."""

    allocation: Allocation


class Closed(msgspec.Struct, frozen=True):
    """An allocation has ended; its handle is to be closed."""

    allocation: Allocation
    reason: str


Output = Reply | ToPeer | ToClient | Opened | Closed


class _Refusal(Exception):
    """An error response."""

    def __init__(self, code: int, cause: str) -> None:
        super().__init__(code)
        self.code = code
        self.cause = cause
        self.attributes: list[tuple[int, bytes]] = []


class RelayServer:
    """Allocations of all clients. ``now`` is steady seconds, ``wall`` epoch seconds."""

    def __init__(
        self,
        *,
        authority: Authority,
        nonces: Nonces,
        rules: PeerRules,
        ports: Ports,
        limits: RelayLimits = DEFAULT_LIMITS,
        longest: float = 86_400.0,
    ) -> None:
        """``longest``: seconds after which an allocation ends, however often it was refreshed."""
        self.counters = RelayCounters()
        self.rules = rules
        self.limits = limits
        self._authority = authority
        self._nonces = nonces
        self._ports = ports
        self._longest = longest
        self._strangers = Strangers(limits.strangers_per_second)
        self._allocations: dict[Hashable, Allocation] = {}
        self._by_relayed: dict[Address, Allocation] = {}
        self._usage: dict[str, Usage] = {}
        self._deadlines: list[tuple[float, int, Allocation]] = []
        self._number = 0
        self._handlers: dict[int, Callable[[Message, ClientPath, float, float], list[Output]]] = {
            Method.ALLOCATE: self._allocate,
            Method.REFRESH: self._refresh,
            Method.CREATE_PERMISSION: self._create_permission,
            Method.CHANNEL_BIND: self._channel_bind,
        }

    def __len__(self) -> int:
        """Allocations that there are."""
        return len(self._allocations)

    def allocation(self, key: Hashable) -> Allocation | None:
        """The allocation of the client on that path."""
        return self._allocations.get(key)

    # -- messages

    def take(self, data: bytes, path: ClientPath, *, now: float, wall: float) -> list[Output]:
        """A datagram or a frame of a client that is not ChannelData. Raises nothing."""
        try:
            message = parse(data)
        except MalformedMessage:
            self.counters.ignored += 1
            return []
        if message.kind == Kind.REQUEST:
            if message.method == Method.BINDING:
                return self._bind(message, path, now)
            handler = self._handlers.get(message.method)
            if handler is not None:
                try:
                    return handler(message, path, now, wall)
                except _Refusal as refusal:
                    return self._refused(message, path, refusal, now)
                except MalformedMessage:
                    return self._refused(message, path, _Refusal(400, "malformed"), now)
        elif message.kind == Kind.INDICATION and message.method == Method.SEND:
            try:
                return self._send(message, path, now)
            except MalformedMessage:
                pass
        elif message.kind == Kind.INDICATION and message.method == Method.BINDING:
            return []  # a keepalive
        self.counters.ignored += 1
        return []

    def _bind(self, message: Message, path: ClientPath, now: float) -> list[Output]:
        if not self._may_answer(path, now):
            return []
        unknown = message.unknown_attributes(_KNOWN[Method.BINDING])
        if unknown:
            return [Reply(_unknown(message, unknown))]
        self.counters.bindings += 1
        mapped = (Attribute.XOR_MAPPED_ADDRESS, address_value(path.source, message.transaction))
        return [Reply(_response(message, Kind.SUCCESS, [mapped]))]

    def _refused(self, message: Message, path: ClientPath, refusal: _Refusal, now: float) -> list[Output]:
        self.counters.rejected[refusal.cause] += 1
        code = refusal.code
        if code in (401, 438):
            if not self._may_answer(path, now):
                return []
            # No phrase: what is not yet proved to come from the client must not make us send much more than it did.
            attributes = [
                (Attribute.ERROR_CODE, error_value(code)),
                (Attribute.REALM, self._authority.realm.encode()),
                (Attribute.NONCE, self._nonces.make(_place(path), now)),
            ]
            return [Reply(_response(message, Kind.ERROR, attributes))]
        known = self._authority.credential(message.attributes.get(Attribute.USERNAME, b""))
        error = (Attribute.ERROR_CODE, error_value(code, _REASONS.get(code, "")))
        key = known.key if known is not None and message.is_signed_with(known.key) else None
        return [Reply(_response(message, Kind.ERROR, [error, *refusal.attributes], key=key))]

    def _may_answer(self, path: ClientPath, now: float) -> bool:
        if path.stream or path.key in self._allocations or self._strangers.may_answer(path.source[0], now):
            return True
        self.counters.rejected["too-many-answers"] += 1
        return False

    def _authenticated(self, message: Message, path: ClientPath, now: float) -> Credential:
        """Who sent this (RFC 8489 §9.2.4)."""
        attributes = message.attributes
        if not message.integrity_at:
            raise _Refusal(401, "no-credentials")
        username, nonce = attributes.get(Attribute.USERNAME), attributes.get(Attribute.NONCE)
        if username is None or nonce is None or attributes.get(Attribute.REALM) is None:
            raise _Refusal(400, "malformed")
        if not self._nonces.is_fresh(nonce, _place(path), now):
            raise _Refusal(438, "stale-nonce")
        credential = self._authority.credential(username)
        if credential is None or not message.is_signed_with(credential.key):
            raise _Refusal(401, "wrong-credentials")
        unknown = message.unknown_attributes(_KNOWN[message.method])
        if unknown:
            refusal = _Refusal(420, "unknown-attribute")
            refusal.attributes = [(Attribute.UNKNOWN_ATTRIBUTES, _unknown_value(unknown))]
            raise refusal
        return credential

    def _own(self, message: Message, path: ClientPath, now: float) -> Allocation:
        """The allocation of an authenticated request that needs one."""
        credential = self._authenticated(message, path, now)
        allocation = self._allocations.get(path.key)
        if allocation is None or allocation.expires_at <= now:
            raise _Refusal(437, "no-allocation")
        if allocation.credential.username != credential.username:
            raise _Refusal(441, "foreign-credentials")
        return allocation

    # -- allocations

    def _allocate(self, message: Message, path: ClientPath, now: float, wall: float) -> list[Output]:
        credential = self._authenticated(message, path, now)
        existing = self._allocations.get(path.key)
        if existing is not None:
            if existing.transaction == message.transaction and existing.expires_at > now:
                return [Reply(existing.answer)]
            if existing.expires_at > now:
                raise _Refusal(437, "allocation-exists")
        if wall >= credential.expires_at:
            raise _Refusal(401, "expired-credentials")
        gone = self._end(existing, "it was not refreshed") if existing is not None else []
        try:
            return gone + self._open(message, path, credential, now)
        except _Refusal as refusal:
            return gone + self._refused(message, path, refusal, now)

    def _open(self, message: Message, path: ClientPath, credential: Credential, now: float) -> list[Output]:
        attributes = message.attributes
        transport = attributes.get(Attribute.REQUESTED_TRANSPORT)
        if transport is None or len(transport) != 4:
            raise _Refusal(400, "malformed")
        if transport[0] != _UDP:
            raise _Refusal(442, "transport")
        even = attributes.get(Attribute.EVEN_PORT)
        if Attribute.RESERVATION_TOKEN in attributes or (even is not None and (len(even) != 1 or even[0] & 0x80)):
            # Pairs of ports were for RTP without multiplexing; nothing is reserved here, so no token is known.
            raise _Refusal(508, "reservation")
        version = _version(attributes.get(Attribute.REQUESTED_ADDRESS_FAMILY))
        if not self._ports.has(version):
            raise _Refusal(440, "address-family")
        limits = self.limits
        usage = self._usage.get(credential.username)
        most = limits.per_viewer if credential.viewer else limits.per_credential
        if usage is not None and usage.allocations >= most:
            raise _Refusal(486, "quota")
        if len(self._allocations) >= limits.allocations:
            raise _Refusal(508, "capacity")
        port = self._ports.open(version, local=path.local, even=even is not None)
        if port is None:
            raise _Refusal(508, "capacity")

        if usage is None:
            rate = limits.bytes_per_second
            usage = self._usage[credential.username] = Usage(Bucket(rate, rate / 2, now))
        usage.allocations += 1
        allocation = Allocation(path, credential, port, bandwidth=usage.bandwidth, ends_at=now + self._longest)
        lifetime = self._prolong(allocation, message, now)
        answer = [
            (Attribute.XOR_RELAYED_ADDRESS, address_value(port.address, message.transaction)),
            (Attribute.LIFETIME, lifetime.to_bytes(4, "big")),
            (Attribute.XOR_MAPPED_ADDRESS, address_value(path.source, message.transaction)),
        ]
        if Attribute.ADDITIONAL_ADDRESS_FAMILY in attributes:  # one address per allocation (RFC 8656 §7.2)
            family = attributes[Attribute.ADDITIONAL_ADDRESS_FAMILY][:1] or b"\2"
            answer.append((Attribute.ADDRESS_ERROR_CODE, family + error_value(440)[1:]))
        allocation.transaction = message.transaction
        allocation.answer = _response(message, Kind.SUCCESS, answer, key=credential.key)
        self._allocations[path.key] = allocation
        self._by_relayed[port.address] = allocation
        self.counters.allocations += 1
        return [Opened(allocation), Reply(allocation.answer)]

    def _refresh(self, message: Message, path: ClientPath, now: float, wall: float) -> list[Output]:
        allocation = self._own(message, path, now)
        family = message.attributes.get(Attribute.REQUESTED_ADDRESS_FAMILY)
        if family is not None and _version(family) != allocation.version:
            raise _Refusal(443, "address-family")
        outputs: list[Output] = []
        if message.attributes.get(Attribute.LIFETIME) == bytes(4):
            outputs += self._end(allocation, "the client released it")
            lifetime = 0
        else:
            lifetime = self._prolong(allocation, message, now)
        answer = [(Attribute.LIFETIME, lifetime.to_bytes(4, "big"))]
        return [*outputs, Reply(_response(message, Kind.SUCCESS, answer, key=allocation.credential.key))]

    def _prolong(self, allocation: Allocation, message: Message, now: float) -> int:
        """Gives it as long as it asks for, within bounds; the seconds."""
        asked = int.from_bytes(message.attributes.get(Attribute.LIFETIME, b""), "big")
        lifetime = min(max(asked, _LIFETIME), _LONGEST, allocation.ends_at - now)
        allocation.expires_at = now + lifetime
        self._watch(allocation)
        return int(lifetime)

    def _watch(self, allocation: Allocation) -> None:
        """One entry for each allocation, or a client that refreshes all the time would fill the memory."""
        if allocation.watched_at > allocation.expires_at:
            allocation.watched_at = allocation.expires_at
            self._number += 1
            heapq.heappush(self._deadlines, (allocation.expires_at, self._number, allocation))

    def lost(self, key: Hashable) -> list[Output]:
        """A client's connection has ended, and with it its allocation (RFC 8656 §3.2: the 5-tuple is gone)."""
        allocation = self._allocations.get(key)
        return self._end(allocation, "its connection ended") if allocation is not None else []

    def shut_down(self) -> list[Output]:
        """End all allocations."""
        return [output for one in list(self._allocations.values()) for output in self._end(one, "the server stops")]

    def tick(self, now: float) -> list[Output]:
        """Ends what was not refreshed in time."""
        outputs: list[Output] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            at, _, allocation = heapq.heappop(self._deadlines)
            if at != allocation.watched_at or self._allocations.get(allocation.path.key) is not allocation:
                continue  # it has ended, or is looked at sooner
            if allocation.expires_at <= now:
                self.counters.expired += 1
                outputs += self._end(allocation, "it was not refreshed")
            else:
                allocation.watched_at = float("inf")
                self._watch(allocation)
        return outputs

    def next_deadline(self) -> float | None:
        """When `tick` may have something to do."""
        return self._deadlines[0][0] if self._deadlines else None

    def _end(self, allocation: Allocation, reason: str) -> list[Output]:
        del self._allocations[allocation.path.key]
        del self._by_relayed[allocation.relayed]
        allocation.expires_at = 0.0
        name = allocation.credential.username
        usage = self._usage[name]
        usage.allocations -= 1
        if not usage.allocations:
            del self._usage[name]
        return [Closed(allocation, reason)]

    # -- peers

    def _checked_peer(self, value: bytes, message: Message, allocation: Allocation) -> tuple[Address, Verdict]:
        """A peer's address that may be relayed to, and what the rules say of it."""
        peer = read_address(value, message.transaction)
        if (":" in peer[0]) != (allocation.version == 6):
            raise _Refusal(443, "peer-family")
        verdict = self.rules.verdict(peer[0])
        if verdict is Verdict.DENIED:
            raise _Refusal(403, "peer-denied")
        return peer, verdict

    def _create_permission(self, message: Message, path: ClientPath, now: float, wall: float) -> list[Output]:
        allocation = self._own(message, path, now)
        if not message.peers:
            raise _Refusal(400, "malformed")
        peers = [self._checked_peer(value, message, allocation)[0] for value in message.peers]  # all of them or none
        for host in dict.fromkeys(peer[0] for peer in peers):
            self._permit(allocation, host, now)
        return [Reply(_response(message, Kind.SUCCESS, [], key=allocation.credential.key))]

    def _permit(self, allocation: Allocation, host: str, now: float) -> None:
        if host not in allocation.permissions and len(allocation.permissions) >= self.limits.permissions:
            allocation.forget_expired(now)
            if len(allocation.permissions) >= self.limits.permissions:
                raise _Refusal(508, "permissions")
        allocation.permissions[host] = now + PERMISSION_LIFETIME

    def _channel_bind(self, message: Message, path: ClientPath, now: float, wall: float) -> list[Output]:
        allocation = self._own(message, path, now)
        number_value = message.attributes.get(Attribute.CHANNEL_NUMBER, b"")
        if len(number_value) != 4 or not message.peers:
            raise _Refusal(400, "malformed")
        number = int.from_bytes(number_value[:2], "big")
        if not _FIRST_CHANNEL <= number <= _LAST_CHANNEL:
            raise _Refusal(400, "malformed")
        peer, verdict = self._checked_peer(message.peers[0], message, allocation)
        channel, other = allocation.channels.get(number), allocation.by_peer.get(peer)
        if (channel is not other) and any(one is not None and one.expires_at > now for one in (channel, other)):
            raise _Refusal(400, "channel-in-use")
        if channel is None or channel is not other:
            allocation.forget_expired(now)
            if len(allocation.channels) >= self.limits.channels:
                raise _Refusal(508, "channels")
            channel = Channel(allocation, number, peer, verdict)
        self._permit(allocation, peer[0], now)
        allocation.channels[number] = allocation.by_peer[peer] = channel
        channel.verdict = verdict
        channel.expires_at = now + CHANNEL_LIFETIME
        return [Reply(_response(message, Kind.SUCCESS, [], key=allocation.credential.key))]

    # -- data

    def _send(self, message: Message, path: ClientPath, now: float) -> list[Output]:
        data = message.attributes.get(Attribute.DATA)
        allocation = self._allocations.get(path.key)
        if allocation is None or data is None or not message.peers or message.unknown_attributes(_KNOWN[Method.SEND]):
            raise MalformedMessage("nothing to relay")
        peer = read_address(message.peers[0], message.transaction)
        if allocation.permissions.get(peer[0], 0.0) <= now or allocation.expires_at <= now:
            self.counters.rejected["no-permission"] += 1
            return []
        if not self._passes(allocation, len(data), 1, now):
            return []
        target, leaves = self.target(allocation, peer, self.rules.verdict(peer[0]), 1, now)
        if leaves:
            return [ToPeer(allocation, peer, data)]
        if target is None:
            return []
        channel = self.incoming(target, allocation.relayed, len(data), 1, now)
        if channel is None:
            return []
        if isinstance(channel, Channel):
            return [ToClient(target, channel.header(len(data)) + data)]
        return [ToClient(target, data_indication(allocation.relayed, data, message.transaction))]

    def outgoing(self, allocation: Allocation, number: int, size: int, packets: int, now: float) -> Channel | None:
        """The channel of ``packets`` pieces of ChannelData of a client, ``size`` bytes together; None: drop them.

        `target` says where they go.
        """
        channel = allocation.channels.get(number)
        if channel is None or channel.expires_at <= now or allocation.expires_at <= now:
            self.counters.rejected["no-channel"] += packets
            return None
        return channel if self._passes(allocation, size, packets, now) else None

    def _passes(self, allocation: Allocation, size: int, packets: int, now: float) -> bool:
        counters = self.counters
        if not allocation.bandwidth.take(size, now):
            counters.rejected["bandwidth"] += packets
            return False
        counters.packets_to_peers += packets
        counters.bytes_to_peers += size
        return True

    def target(
        self, allocation: Allocation, peer: Address, verdict: Verdict, packets: int, now: float
    ) -> tuple[Allocation | None, bool]:
        """Where data for a peer go: to an allocation of this server, in memory; or out of the socket (True)."""
        if verdict is Verdict.ALLOWED:
            return None, True
        target = self._by_relayed.get(peer) if verdict is not Verdict.DENIED else None
        if target is not None:
            self.counters.packets_in_memory += packets
            return target, False
        if verdict is Verdict.OWN_OPEN or (verdict is Verdict.OWN and allocation.asking.get(peer, 0.0) > now):
            return None, True
        self.counters.rejected["own-port"] += packets
        return None, False

    def heard(self, allocation: Allocation, peer: Address, data: bytes, now: float) -> None:
        """A peer's datagram that may be an ICE check, over the network. Raises nothing.

        This machine's own ports are closed to guests. One that sends a check of its own accord wants an answer, so it
        gets what the client has for it: it is a viewer on this machine, while services never begin by themselves.
        """
        if allocation.permissions.get(peer[0], 0.0) <= now or self.rules.verdict(peer[0]) is not Verdict.OWN:
            return
        try:
            message = parse(data)
        except MalformedMessage:
            return
        if message.kind != Kind.REQUEST or message.method != Method.BINDING:
            return
        if Attribute.USERNAME not in message.attributes or not message.integrity_at:
            return  # it asks for its address, and not for a path (RFC 8445 §7.1.1)
        if peer not in allocation.asking and len(allocation.asking) >= self.limits.permissions:
            allocation.forget_expired(now)
            if len(allocation.asking) >= self.limits.permissions:
                return
        allocation.asking[peer] = now + PERMISSION_LIFETIME

    def incoming(
        self, allocation: Allocation, peer: Address, size: int, packets: int, now: float
    ) -> Channel | bool | None:
        """How data of a peer reach the client: on a channel, as Data indications (True), or not at all (None)."""
        if allocation.permissions.get(peer[0], 0.0) <= now or allocation.expires_at <= now:
            self.counters.rejected["no-permission"] += packets
            return None
        if not allocation.bandwidth.take(size, now):
            self.counters.rejected["bandwidth"] += packets
            return None
        self.counters.packets_to_clients += packets
        self.counters.bytes_to_clients += size
        channel = allocation.by_peer.get(peer)
        return channel if channel is not None and channel.expires_at > now else True


def data_indication(peer: Address, data: bytes, transaction: bytes) -> bytes:
    """A peer's data for a client that has no channel to it (RFC 8656 §11.3)."""
    attributes = [(Attribute.XOR_PEER_ADDRESS, address_value(peer, transaction)), (Attribute.DATA, data)]
    return encode(Kind.INDICATION, Method.DATA, transaction, attributes)


def _response(
    message: Message, kind: Kind, attributes: Sequence[tuple[int, bytes]], *, key: bytes | None = None
) -> bytes:
    fingerprint = Attribute.FINGERPRINT in message.attributes
    return encode(kind, message.method, message.transaction, attributes, key=key, fingerprint=fingerprint)


def _unknown(message: Message, unknown: list[int]) -> bytes:
    attributes = [
        (Attribute.ERROR_CODE, error_value(420)),
        (Attribute.UNKNOWN_ATTRIBUTES, _unknown_value(unknown)),
    ]
    return _response(message, Kind.ERROR, attributes)


def _unknown_value(unknown: list[int]) -> bytes:
    return b"".join(kind.to_bytes(2, "big") for kind in unknown[:8])


def _version(family: bytes | None) -> int:
    """The IP version of a REQUESTED-ADDRESS-FAMILY: 4 where there is none (RFC 8656 §7.2)."""
    if family is None:
        return 4
    if len(family) != 4 or family[0] not in (1, 2):
        raise _Refusal(440, "address-family")
    return 4 if family[0] == 1 else 6


def _place(path: ClientPath) -> str:
    return f"{path.source[0]} {path.source[1]}"
