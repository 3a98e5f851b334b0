"""A relay with clients, all by hand: no socket, no clock, and nothing that is not asked for."""

from __future__ import annotations

import hashlib
import itertools

from aioice import stun

from sightline.relay import (
    Allocation,
    Authority,
    ClientPath,
    Closed,
    Nonces,
    Opened,
    Output,
    PeerRules,
    RelayedPort,
    RelayLimits,
    RelayServer,
    Reply,
)
from sightline.wire.turn_credentials import mint

SECRET = "secret-of-a-test"
REALM = "sightline"
WALL = 1_790_000_000.0
HERE = "198.51.100.1"
HERE6 = "2001:db8:1::1"
PEER = ("203.0.113.9", 4000)
UDP = 17 << 24

Address = tuple[str, int]


class FakePorts:
    """Counts what is open."""

    def __init__(self, hosts: dict[int, str] | None = None, most: int = 100_000) -> None:
        self.hosts = {4: HERE, 6: HERE6} if hosts is None else hosts
        self.most = most
        self.open_now: set[int] = set()
        self._next = itertools.count(20_001)

    def has(self, version: int) -> bool:
        return version in self.hosts

    def open(self, version: int, *, local: str, even: bool) -> RelayedPort | None:
        if len(self.open_now) >= self.most:
            return None
        number = next(self._next)
        while even and number % 2:
            number = next(self._next)
        self.open_now.add(number)
        return RelayedPort((self.hosts[version], number), number)


class RelayLab:
    """The server and its clock."""

    def __init__(
        self,
        *,
        limits: RelayLimits | None = None,
        rules: PeerRules | None = None,
        ports: FakePorts | None = None,
    ) -> None:
        self.now = 5000.0
        self.ports = ports or FakePorts()
        self.rules = rules or PeerRules(relays=[HERE, HERE6], own=[HERE, HERE6, "10.9.9.9"])
        self.server = RelayServer(
            authority=Authority(SECRET, REALM),
            nonces=Nonces(b"nonce-secret", lifetime=600),
            rules=self.rules,
            ports=self.ports,
            limits=limits or RelayLimits(),
        )

    @property
    def wall(self) -> float:
        return WALL + self.now

    def later(self, seconds: float) -> list[Output]:
        self.now += seconds
        return self.done(self.server.tick(self.now))

    def done(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Closed):
                number = output.allocation.handle
                assert isinstance(number, int)
                self.ports.open_now.remove(number)
        return outputs


class Client:
    """A TURN client that says exactly what a test wants."""

    def __init__(
        self,
        lab: RelayLab,
        source: Address = ("192.0.2.50", 50_000),
        *,
        owner: str = "camera",
        ttl: int = 300,
        stream: bool = False,
    ) -> None:
        self.lab = lab
        self.path = ClientPath(("udp", source), source, "198.51.100.1", stream)
        credential = mint(SECRET, owner, ttl=ttl, now=lab.wall)
        self.username, self.password = credential.username, credential.password
        self.realm, self.nonce = REALM, b""

    @property
    def key(self) -> bytes:
        return hashlib.md5(f"{self.username}:{self.realm}:{self.password}".encode()).digest()

    def take(self, data: bytes) -> list[Output]:
        return self.lab.done(self.lab.server.take(data, self.path, now=self.lab.now, wall=self.lab.wall))

    def message(self, method: stun.Method, attributes: dict[str, object], *, signed: bool = True) -> stun.Message:
        message = stun.Message(method, stun.Class.REQUEST, attributes=dict(attributes))
        if signed:
            message.attributes["USERNAME"] = self.username
            message.attributes["REALM"] = self.realm
            message.attributes["NONCE"] = self.nonce
            message.add_message_integrity(self.key)
        return message

    def ask(self, method: stun.Method, *, signed: bool = True, **attributes: object) -> stun.Message:
        """One request, and its answer."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        return self.ask_raw(bytes(self.message(method, named, signed=signed)))

    def ask_raw(self, data: bytes) -> stun.Message:
        outputs = self.take(data)
        (reply,) = [output for output in outputs if isinstance(output, Reply)]
        answer = stun.parse_message(reply.data)
        assert answer.transaction_id == data[8:20]
        return answer

    def challenge(self) -> stun.Message:
        """Learn the nonce."""
        answer = self.ask(stun.Method.ALLOCATE, signed=False, REQUESTED_TRANSPORT=UDP)
        assert answer.error_code == 401
        assert answer.attributes["REALM"] == REALM
        self.nonce = answer.attributes["NONCE"]
        return answer

    def challenge_stale(self) -> None:
        """Learn a fresh nonce where there is an allocation already."""
        answer = self.ask(stun.Method.REFRESH)
        if answer.message_class is stun.Class.ERROR and answer.error_code == 438:
            self.nonce = answer.attributes["NONCE"]

    def allocate(self, **more: object) -> stun.Message:
        """The answer to a whole allocation."""
        self.challenge()
        return self.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP, **more)

    def ready(self, **more: object) -> Client:
        """With an allocation."""
        answer = self.allocate(**more)
        assert answer.message_class is stun.Class.RESPONSE, answer.attributes
        assert answer.check_message_integrity(self.key)
        return self

    @property
    def allocation(self) -> Allocation:
        allocation = self.lab.server.allocation(self.path.key)
        assert allocation is not None
        return allocation

    def bind(self, peer: Address = PEER, number: int = 0x4000) -> stun.Message:
        return self.ask(stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=number, XOR_PEER_ADDRESS=peer)

    def permit(self, peer: Address = PEER) -> stun.Message:
        return self.ask(stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=peer)

    def refresh(self, lifetime: int | None = None) -> stun.Message:
        more = {} if lifetime is None else {"LIFETIME": lifetime}
        return self.ask(stun.Method.REFRESH, **more)

    def send(self, data: bytes, peer: Address = PEER) -> list[Output]:
        indication = stun.Message(stun.Method.SEND, stun.Class.INDICATION)
        indication.attributes["XOR-PEER-ADDRESS"] = peer
        indication.attributes["DATA"] = data
        return self.take(bytes(indication))


def opened(outputs: list[Output]) -> list[Allocation]:
    return [output.allocation for output in outputs if isinstance(output, Opened)]
