"""Allocations: how they are made, kept, ended and bounded (RFC 8656 §6 to §8)."""

from __future__ import annotations

import pytest
from aioice import stun

from sightline.relay import ClientPath, Nonces, PeerRules, RelayLimits, ToPeer
from sightline.relay.stun_format import Attribute, Kind, Method, encode

from .lab import HERE, HERE6, PEER, UDP, Client, FakePorts, RelayLab


def test_an_allocation_names_its_address_and_the_clients() -> None:
    lab = RelayLab()
    client = Client(lab)
    answer = client.allocate(LIFETIME=777)
    assert answer.message_class is stun.Class.RESPONSE
    assert answer.attributes["XOR-RELAYED-ADDRESS"] == (HERE, 20_001)
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.50", 50_000)
    assert answer.attributes["LIFETIME"] == 777
    assert answer.check_message_integrity(client.key)
    assert len(lab.server) == 1


@pytest.mark.parametrize(("asked", "granted"), [(None, 600), (0, 600), (10, 600), (1800, 1800), (1 << 31, 3600)])
def test_lifetimes_are_kept_within_bounds(asked: int | None, granted: int) -> None:
    client = Client(RelayLab())
    assert client.allocate(**({} if asked is None else {"LIFETIME": asked})).attributes["LIFETIME"] == granted


def test_a_repeated_request_gets_the_same_answer_and_no_second_allocation() -> None:
    lab = RelayLab()
    client = Client(lab)
    client.challenge()
    request = bytes(client.message(stun.Method.ALLOCATE, {"REQUESTED-TRANSPORT": UDP}))
    first, second = client.take(request)[-1], client.take(request)[-1]
    assert first == second
    assert len(lab.server) == 1
    again = client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP)
    assert again.error_code == 437


def test_what_is_not_refreshed_ends() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    lab.later(599)
    assert client.refresh().attributes["LIFETIME"] == 600
    lab.later(599)
    assert len(lab.server) == 1
    lab.later(2)
    assert len(lab.server) == 0
    assert lab.ports.open_now == set()
    assert client.refresh().error_code in (437, 438)
    assert lab.server.counters.expired == 1


def test_an_end_is_noticed_before_the_clock_has_ticked() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    client.bind()
    lab.now += 601
    client.challenge()
    assert client.refresh().error_code == 437
    assert lab.server.outgoing(client.allocation, 0x4000, 1, 1, lab.now) is None
    assert lab.server.incoming(client.allocation, PEER, 1, 1, lab.now) is None
    client.lab.now += 0
    credential = Client(lab, owner="again")
    credential.ready()
    assert len(lab.server) == 1
    assert lab.ports.open_now == {credential.allocation.handle}


def test_lifetime_zero_releases() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    answer = client.refresh(0)
    assert answer.message_class is stun.Class.RESPONSE
    assert answer.attributes["LIFETIME"] == 0
    assert len(lab.server) == 0
    assert lab.ports.open_now == set()
    assert client.refresh(0).error_code == 437


def test_a_lost_connection_ends_it() -> None:
    lab = RelayLab()
    client = Client(lab, stream=True).ready()
    lab.done(lab.server.lost(client.path.key))
    assert len(lab.server) == 0
    assert lab.server.lost(client.path.key) == []


def test_shutting_down_closes_every_port() -> None:
    lab = RelayLab()
    for port in range(20):
        Client(lab, ("192.0.2.1", port)).ready()
    lab.done(lab.server.shut_down())
    assert lab.ports.open_now == set()


def test_after_a_day_it_ends_however_often_it_was_refreshed() -> None:
    """Else one credential of five minutes would relay for ever."""
    lab = RelayLab()
    client = Client(lab).ready(LIFETIME=3600)
    for _ in range(95):
        lab.later(900)
        client.challenge_stale()
        assert client.refresh(3600).message_class is stun.Class.RESPONSE
    assert client.refresh(3600).attributes["LIFETIME"] == 86_400 - 95 * 900
    lab.later(901)
    assert len(lab.server) == 0


@pytest.mark.realtime
def test_ten_thousand_abandoned_allocations_are_all_reclaimed() -> None:
    lab = RelayLab(limits=RelayLimits(allocations=10_000, per_credential=10_000, strangers_per_second=1e9))
    client = Client(lab)
    nonces, key = Nonces(b"nonce-secret", lifetime=600), client.key
    for number in range(10_000):
        source = (f"192.0.2.{number % 200}", 1000 + number // 200)
        attributes = [
            (Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0"),
            (Attribute.USERNAME, client.username.encode()),
            (Attribute.REALM, client.realm.encode()),
            (Attribute.NONCE, nonces.make(f"{source[0]} {source[1]}", lab.now)),
        ]
        request = encode(Kind.REQUEST, Method.ALLOCATE, bytes(12), attributes, key=key)
        lab.server.take(request, ClientPath(source, source, "", False), now=lab.now, wall=lab.wall)
    assert len(lab.server) == len(lab.ports.open_now) == 10_000
    refused = Client(lab, ("192.0.2.251", 1), owner="other")
    assert refused.allocate().error_code == 508
    assert lab.server.next_deadline() == lab.now + 600
    lab.later(600.5)
    assert len(lab.server) == 0
    assert lab.ports.open_now == set()
    assert lab.server.next_deadline() is None
    Client(lab, ("192.0.2.251", 1), owner="other").ready()


def test_refreshing_all_the_time_costs_no_memory() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    for number in range(200):
        client.refresh(3600 if number % 2 else 600)
    assert len(lab.server._deadlines) < 5
    lab.later(599)
    assert len(lab.server) == 1
    client.challenge_stale()
    client.refresh(600)
    lab.later(599)
    assert len(lab.server) == 1
    lab.later(2)
    assert len(lab.server) == 0


class TestQuotas:
    def test_a_credential_has_so_many_and_gets_them_back(self) -> None:
        lab = RelayLab(limits=RelayLimits(per_credential=3))
        clients = [Client(lab, ("192.0.2.1", port)) for port in range(4)]
        for client in clients[:3]:
            client.ready()
        assert clients[3].allocate().error_code == 486
        assert Client(lab, ("192.0.2.2", 1), owner="other").allocate().message_class is stun.Class.RESPONSE
        clients[0].refresh(0)
        clients[3].ready()

    def test_a_viewer_has_fewer_than_a_master(self) -> None:
        lab = RelayLab()
        viewers = [Client(lab, ("192.0.2.1", port), owner="v.abc") for port in range(25)]
        for viewer in viewers[:24]:
            viewer.ready()
        assert viewers[24].allocate().error_code == 486

    def test_all_together_have_so_many(self) -> None:
        lab = RelayLab(limits=RelayLimits(allocations=2))
        for port in range(2):
            Client(lab, ("192.0.2.1", port), owner=f"c{port}").ready()
        assert Client(lab, ("192.0.2.1", 9), owner="c9").allocate().error_code == 508
        assert lab.server.counters.rejected["capacity"] == 1

    def test_no_port_left(self) -> None:
        lab = RelayLab(ports=FakePorts(most=1))
        Client(lab, ("192.0.2.1", 1)).ready()
        assert Client(lab, ("192.0.2.1", 2)).allocate().error_code == 508
        assert len(lab.server) == 1

    def test_bandwidth_is_one_credentials_both_ways_and_on_all_relays(self) -> None:
        lab = RelayLab(limits=RelayLimits(bytes_per_second=100_000))
        one, two = (Client(lab, ("192.0.2.1", port)).ready() for port in (1, 2))
        other = Client(lab, ("192.0.2.1", 3), owner="other").ready()
        for client in (one, two, other):
            client.bind()
        server, now = lab.server, lab.now
        passed = sum(server.outgoing(one.allocation, 0x4000, 1000, 1, now) is not None for _ in range(30))
        passed += sum(server.incoming(two.allocation, PEER, 1000, 1, now) is not None for _ in range(30))
        assert passed == 50, "half a second's worth at once"
        assert server.counters.rejected["bandwidth"] == 10
        assert server.outgoing(other.allocation, 0x4000, 1000, 1, now) is not None
        lab.now += 0.1
        assert sum(server.outgoing(one.allocation, 0x4000, 1000, 1, lab.now) is not None for _ in range(30)) == 10


class TestRequests:
    def refusal(self, lab: RelayLab, **attributes: object) -> int:
        client = Client(lab)
        client.challenge()
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        return client.ask_raw(bytes(client.message(stun.Method.ALLOCATE, named))).error_code

    def test_a_transport_is_needed_and_only_udp_is_relayed(self) -> None:
        assert self.refusal(RelayLab()) == 400
        assert self.refusal(RelayLab(), REQUESTED_TRANSPORT=6 << 24) == 442

    def raw(self, client: Client, *attributes: tuple[int, bytes]) -> stun.Message:
        client.challenge()
        signing = [
            (Attribute.USERNAME, client.username.encode()),
            (Attribute.REALM, client.realm.encode()),
            (Attribute.NONCE, client.nonce),
        ]
        request = encode(
            Kind.REQUEST,
            Method.ALLOCATE,
            bytes(range(12)),
            [(Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0"), *attributes, *signing],
            key=client.key,
            fingerprint=True,
        )
        return client.ask_raw(request)

    def test_ipv6_where_there_is_some(self) -> None:
        client = Client(RelayLab())
        answer = self.raw(client, (Attribute.REQUESTED_ADDRESS_FAMILY, b"\2\0\0\0"))
        assert answer.attributes["XOR-RELAYED-ADDRESS"] == (HERE6, 20_001)
        assert client.permit(("2001:db8:9::1", 5)).message_class is stun.Class.RESPONSE
        assert client.permit(PEER).error_code == 443

    def test_no_ipv6_where_there_is_none(self) -> None:
        client = Client(RelayLab(ports=FakePorts({4: HERE})))
        assert self.raw(client, (Attribute.REQUESTED_ADDRESS_FAMILY, b"\2\0\0\0")).error_code == 440
        assert self.raw(client, (Attribute.REQUESTED_ADDRESS_FAMILY, b"\7\0\0\0")).error_code == 440
        assert client.lab.ports.open_now == set()

    def test_a_second_family_is_declined_without_harm(self) -> None:
        """RFC 8656 §7.2: the allocation is made, and an attribute says that it has one address."""
        answer = self.raw(Client(RelayLab()), (Attribute.ADDITIONAL_ADDRESS_FAMILY, b"\2\0\0\0"))
        assert answer.message_class is stun.Class.RESPONSE

    def test_an_even_port(self) -> None:
        answer = self.raw(Client(RelayLab()), (Attribute.EVEN_PORT, b"\0"))
        assert answer.attributes["XOR-RELAYED-ADDRESS"][1] % 2 == 0

    @pytest.mark.parametrize(
        "attribute",
        [(Attribute.EVEN_PORT, b"\x80"), (Attribute.RESERVATION_TOKEN, bytes(8)), (Attribute.EVEN_PORT, b"")],
    )
    def test_nothing_is_reserved(self, attribute: tuple[int, bytes]) -> None:
        assert self.raw(Client(RelayLab()), attribute).error_code == 508

    def test_what_must_be_understood_and_is_not(self) -> None:
        lab = RelayLab()
        answer = self.raw(Client(lab), (Attribute.DONT_FRAGMENT, b""), (0x7001, b"x"), (0x8099, b"optional"))
        assert answer.error_code == 420
        assert len(lab.server) == 0

    def test_fingerprints_are_answered_with_fingerprints(self) -> None:
        client = Client(RelayLab())
        assert "FINGERPRINT" in self.raw(client).attributes
        assert "FINGERPRINT" not in client.ask(stun.Method.BINDING, signed=False).attributes

    def test_methods_without_an_allocation(self) -> None:
        client = Client(RelayLab())
        client.challenge()
        assert client.permit().error_code == 437
        assert client.bind().error_code == 437
        assert client.refresh().error_code == 437
        assert client.send(b"x") == []


def test_binding_tells_the_address() -> None:
    client = Client(RelayLab(), ("192.0.2.7", 12))
    answer = client.ask(stun.Method.BINDING, signed=False)
    assert answer.attributes == {"XOR-MAPPED-ADDRESS": ("192.0.2.7", 12)}


def test_relays_can_be_closed_to_private_networks_and_opened() -> None:
    """The rules are the server's, not the request's: every way to a peer asks them."""
    lab = RelayLab(rules=PeerRules(relays=[HERE], own=[HERE], allow=["10.0.0.0/8"]))
    client = Client(lab).ready()
    assert client.permit(("10.1.1.1", 1)).message_class is stun.Class.RESPONSE
    assert client.permit(("192.168.1.1", 1)).error_code == 403
    assert isinstance(client.send(b"x", ("10.1.1.1", 1))[0], ToPeer)
