"""Malformed and hostile STUN and TURN: the server neither fails, nor leaks, nor sends where it must not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.relay import Closed, Opened, PeerRules, RelayLimits, Reply, StreamCutter, ToClient, ToPeer, Verdict
from sightline.relay.stun_format import Attribute, Kind, Method, address_value, encode
from tests.unit.relay.lab import HERE, Client, FakePorts, RelayLab

pytestmark = pytest.mark.realtime

MANY = settings(max_examples=100)

HOSTS = st.sampled_from(
    [
        *("203.0.113.9", "8.8.8.8", HERE, "127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "255.255.255.255"),
        *("2001:db8::5", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1", "ff02::1"),
    ]
)
TRANSACTIONS = st.binary(min_size=12, max_size=12)
VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", bytes(4), b"\x11\0\0\0", b"\x40\0\0\0", b"\x7f\xfe\0\0", b"\1\0\0\0", b"\2\0\0\0", b"\x80"]),
    st.builds(address_value, st.tuples(HOSTS, st.integers(0, 65_535)), st.just(bytes(12))),
)
NAMES = st.one_of(st.sampled_from(list(Attribute)), st.integers(0, 0xFFFF))
ATTRIBUTES = st.lists(st.tuples(NAMES.map(int), VALUES), max_size=8)
METHODS = st.sampled_from(list(Method))
KINDS = st.sampled_from(list(Kind))


class Hostile:
    """Clients that do what they like, and what must hold whatever they do."""

    def __init__(self) -> None:
        self.lab = RelayLab(
            limits=RelayLimits(allocations=6, per_credential=4, permissions=3, channels=3),
            rules=PeerRules(relays=[HERE], own=[HERE, "10.9.9.9"]),
            ports=FakePorts({4: HERE}),
        )
        self.clients = [Client(self.lab, ("192.0.2.1", 1000 + n), owner=f"c{n % 2}", ttl=90_000) for n in range(8)]

    def signed(self, client: Client, kind: int, method: int, attributes: list[tuple[int, bytes]]) -> bytes:
        signing: list[tuple[int, bytes]] = [
            (Attribute.USERNAME, client.username.encode()),
            (Attribute.REALM, client.realm.encode()),
            (Attribute.NONCE, client.nonce),
        ]
        return encode(kind, method, bytes(12), [*attributes, *signing], key=client.key)

    def take(self, client: Client, data: bytes) -> None:
        for output in client.take(data):
            if isinstance(output, ToPeer):
                assert self.lab.rules.verdict(output.peer[0]) is Verdict.ALLOWED
                assert output.allocation.permissions[output.peer[0]] > self.lab.now
            elif isinstance(output, Reply):
                assert len(output.data) <= len(data) + 150
                if data[8:20] != output.data[8:20]:
                    raise AssertionError("an answer to something else")
            else:
                assert isinstance(output, Opened | Closed | ToClient)
        self.check()

    def check(self) -> None:
        server = self.lab.server
        assert len(server) == len(self.lab.ports.open_now) <= 6
        for client in self.clients:
            allocation = server.allocation(client.path.key)
            if allocation is not None:
                assert len(allocation.permissions) <= 3
                assert len(allocation.channels) == len(allocation.by_peer) <= 3
                for channel in allocation.channels.values():
                    assert self.lab.rules.verdict(channel.peer[0]) is not Verdict.DENIED
                for host in allocation.permissions:
                    assert self.lab.rules.verdict(host) is not Verdict.DENIED

    def end(self) -> None:
        self.lab.later(90_000)
        assert len(self.lab.server) == 0
        assert self.lab.ports.open_now == set()
        assert self.lab.server._usage == {}
        assert self.lab.server._by_relayed == {}
        assert self.lab.server.next_deadline() is None


@MANY
@given(st.lists(st.tuples(st.integers(0, 7), st.binary(max_size=200)), max_size=10))
def test_bytes(sent: list[tuple[int, bytes]]) -> None:
    hostile = Hostile()
    for number, data in sent:
        hostile.take(hostile.clients[number], data)
    hostile.end()


@MANY
@given(st.lists(st.tuples(st.integers(0, 7), KINDS, METHODS, ATTRIBUTES, st.booleans()), max_size=12))
def test_messages_of_strangers_and_of_clients_with_credentials(
    sent: list[tuple[int, Kind, Method, list[tuple[int, bytes]], bool]],
) -> None:
    hostile = Hostile()
    for client in hostile.clients[:3]:
        client.ready()
    for client in hostile.clients:
        client.nonce = client.nonce or hostile.lab.server._nonces.make("192.0.2.1 1000", hostile.lab.now)
    for number, kind, method, attributes, signed in sent:
        client = hostile.clients[number]
        if signed:
            hostile.take(client, hostile.signed(client, kind, method, attributes))
        else:
            hostile.take(client, encode(kind, method, bytes(12), attributes))
    hostile.end()


@MANY
@given(
    st.lists(
        st.tuples(
            st.integers(0, 7),
            st.sampled_from(
                ["allocate", "release", "refresh", "permit", "bind", "send", "data", "heard", "later", "lost"]
            ),
            HOSTS,
            st.integers(0x3FFF, 0x4004),
        ),
        max_size=60,
    )
)
def test_whatever_clients_do(steps: list[tuple[int, str, str, int]]) -> None:
    """Long sequences of well-formed requests: nothing leaks, and nothing is sent to a denied peer."""
    hostile = Hostile()
    lab = hostile.lab
    for client in hostile.clients:
        client.nonce = lab.server._nonces.make(f"{client.path.source[0]} {client.path.source[1]}", lab.now)
    for number, step, host, channel in steps:
        client = hostile.clients[number]
        peer = (Attribute.XOR_PEER_ADDRESS, address_value((host, channel), bytes(12)))
        allocation = lab.server.allocation(client.path.key)
        match step:
            case "later":
                lab.later(60 * number)
                for each in hostile.clients:
                    each.nonce = lab.server._nonces.make(f"{each.path.source[0]} {each.path.source[1]}", lab.now)
                hostile.check()
            case "lost":
                lab.done(lab.server.lost(client.path.key))
                hostile.check()
            case "data" if allocation is not None:
                found = lab.server.outgoing(allocation, channel, 100, 1, lab.now)
                if found is not None:
                    target, leaves = lab.server.target(allocation, found.peer, found.verdict, 1, lab.now)
                    asked = found.peer in allocation.asking and lab.rules.verdict(found.peer[0]) is Verdict.OWN
                    assert not leaves or asked or lab.rules.verdict(found.peer[0]) is Verdict.ALLOWED
                    if target is not None:
                        lab.server.incoming(target, allocation.relayed, 100, 1, lab.now)
            case "heard" if allocation is not None:
                check = [(Attribute.USERNAME, b"theirs:ours")]
                data = encode(Kind.REQUEST, Method.BINDING, bytes(12), check, key=b"password")
                lab.server.heard(allocation, (host, channel), data, lab.now)
            case "send":
                data = encode(Kind.INDICATION, Method.SEND, bytes(12), [peer, (Attribute.DATA, b"x" * 50)])
                hostile.take(client, data)
            case _:
                method, attributes = {
                    "allocate": (Method.ALLOCATE, [(Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0")]),
                    "release": (Method.REFRESH, [(Attribute.LIFETIME, bytes(4))]),
                    "permit": (Method.CREATE_PERMISSION, [peer]),
                    "bind": (
                        Method.CHANNEL_BIND,
                        [peer, (Attribute.CHANNEL_NUMBER, channel.to_bytes(2, "big") + b"\0\0")],
                    ),
                }.get(step, (Method.REFRESH, []))
                hostile.take(client, hostile.signed(client, Kind.REQUEST, method, list(attributes)))
    hostile.end()


@MANY
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 255))
def test_damaged_requests(tail: bytes, at: int, value: int) -> None:
    """One byte of a good request is another one: it is a good one still, or refused, or silence."""
    hostile = Hostile()
    client = hostile.clients[0].ready()
    request = bytearray(hostile.signed(client, Kind.REQUEST, Method.REFRESH, [(Attribute.LIFETIME, bytes(4))]))
    request[at % len(request)] = value
    for output in client.take(bytes(request) + tail):
        assert isinstance(output, Reply | Closed)
    hostile.check()
    hostile.end()


@MANY
@given(st.lists(st.binary(max_size=400), max_size=20))
def test_streams(chunks: list[bytes]) -> None:
    cutter, hostile = StreamCutter(), Hostile()
    client = hostile.clients[0]
    for chunk in chunks:
        try:
            frames = cutter.feed(chunk)
        except ValueError:
            break
        assert cutter.waiting < 65_540
        for frame in frames:
            hostile.take(client, frame)
    hostile.end()
