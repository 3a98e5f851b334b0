"""To whom the relay sends. Each rule is attacked; the defaults are what is proved."""

from __future__ import annotations

import pytest
from aioice import stun

from sightline.relay import Channel, PeerRules, ToClient, ToPeer, Verdict, is_private

from .lab import HERE, PEER, Client, RelayLab

PUBLIC = PeerRules(relays=["198.51.100.1", "2001:db8:1::1"], own=["198.51.100.1", "10.9.9.9", "2001:db8:1::2"])
HOME = PeerRules(relays=["192.168.1.5"], own=["192.168.1.5", "fe80::1%eth0"], private=True)

NEVER = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"),
    *("169.254.1.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::fb", "240.0.0.1"),
    # where clouds keep their machines' keys: most; Alibaba, Azure, Oracle, AWS and Google on IPv6
    *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
]
DISGUISES = {
    "IPv4-mapped": lambda ip: f"::ffff:{ip}",
    "IPv4-compatible": lambda ip: f"::{ip}",
    "6to4": lambda ip: "2002:{:02x}{:02x}:{:02x}{:02x}::1".format(*map(int, ip.split("."))),
    "NAT64": lambda ip: f"64:ff9b::{ip}",
    "local NAT64": lambda ip: f"64:ff9b:1::{ip}",
    "SIIT": lambda ip: f"::ffff:0:{ip}",
    "Teredo": lambda ip: "2001:0:{:02x}{:02x}:{:02x}{:02x}::".format(*map(int, ip.split("."))),
}


@pytest.mark.parametrize("host", NEVER)
def test_denied_by_default_everywhere(host: str) -> None:
    assert PUBLIC.verdict(host) is Verdict.DENIED
    assert HOME.verdict(host) is Verdict.DENIED


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("host", [host for host in NEVER if "." in host and ":" not in host])
def test_denied_in_every_disguise(host: str, disguise: str) -> None:
    dressed = DISGUISES[disguise](host)
    assert PUBLIC.verdict(dressed) is Verdict.DENIED, dressed
    assert HOME.verdict(dressed) is Verdict.DENIED, dressed


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("host", ["10.9.9.9", "10.0.0.1"])
def test_private_and_own_addresses_in_every_disguise(host: str, disguise: str) -> None:
    assert PUBLIC.verdict(DISGUISES[disguise](host)) is Verdict.DENIED


@pytest.mark.parametrize("host", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1"])
def test_private_networks_are_open_only_from_within(host: str) -> None:
    assert PUBLIC.verdict(host) is Verdict.DENIED
    assert HOME.verdict(host) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "host", ["203.0.113.9", "8.8.8.8", "2001:db8:9::1", "172.32.0.1", "100.128.0.1", "2002:808:808::1"]
)
def test_public_addresses_are_open(host: str) -> None:
    assert PUBLIC.verdict(host) is Verdict.ALLOWED
    assert HOME.verdict(host) is Verdict.ALLOWED


def test_own_addresses() -> None:
    assert PUBLIC.verdict("198.51.100.1") is Verdict.OWN
    assert PUBLIC.verdict("2001:db8:1:0:0:0:0:1") is Verdict.OWN, "however it is written"
    assert PUBLIC.verdict("10.9.9.9") is Verdict.DENIED, "the server's other interface"
    assert PUBLIC.verdict("2001:db8:1::2") is Verdict.DENIED
    assert HOME.verdict("192.168.1.5") is Verdict.OWN
    for dressed in ("2002:c633:6401::", "64:ff9b::198.51.100.1"):
        assert PUBLIC.verdict(dressed) is Verdict.DENIED, "a gateway would lead back here"


class TestAllowed:
    """What `--turn-allow-peer` opens, and what it does not."""

    def rules(self, *allow: str) -> PeerRules:
        return PeerRules(relays=["198.51.100.1"], own=["198.51.100.1", "10.9.9.9", "127.0.0.1"], allow=allow)

    def test_a_network(self) -> None:
        rules = self.rules("10.0.0.0/8", "fd00::/8")
        assert rules.verdict("10.1.2.3") is Verdict.ALLOWED
        assert rules.verdict("fd00::1") is Verdict.ALLOWED
        assert rules.verdict("192.168.0.1") is Verdict.DENIED
        assert rules.verdict("64:ff9b::10.1.2.3") is Verdict.ALLOWED

    def test_not_this_machine_by_chance(self) -> None:
        assert self.rules("10.0.0.0/8").verdict("10.9.9.9") is Verdict.DENIED
        assert self.rules("0.0.0.0/0").verdict("127.0.0.1") is Verdict.DENIED
        assert self.rules("10.9.9.9").verdict("10.9.9.9") is Verdict.ALLOWED
        assert self.rules("127.0.0.0/8").verdict("127.0.0.1") is Verdict.ALLOWED
        assert self.rules("198.51.100.0/24").verdict("198.51.100.1") is Verdict.OWN
        assert self.rules("198.51.100.1").verdict("198.51.100.1") is Verdict.OWN_OPEN

    def test_this_machine_by_name_and_its_relays_still_in_memory(self) -> None:
        lab = RelayLab(rules=self.rules(HERE))
        one, two = (Client(lab, ("192.0.2.1", port)).ready() for port in (1, 2))
        one.permit((HERE, 80))
        assert one.send(b"x", (HERE, 80)) == [ToPeer(one.allocation, (HERE, 80), b"x")]
        two.permit(one.allocation.relayed)
        (output,) = one.send(b"x", two.allocation.relayed)
        assert isinstance(output, ToClient)

    @pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "ff02::1", "::"])
    def test_never_what_is_no_peer(self, host: str) -> None:
        assert self.rules("0.0.0.0/0", "::/0", host).verdict(host) is Verdict.DENIED

    @pytest.mark.parametrize("network", ["", "x", "10.0.0.0/33", "10.0.0.1-10.0.0.9"])
    def test_nonsense(self, network: str) -> None:
        with pytest.raises(ValueError, match="network"):
            self.rules(network)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("2a00::1", False),
    ],
)
def test_which_addresses_are_private(host: str, private: bool) -> None:
    assert is_private(host) is private


class TestThroughTheServer:
    """No way around: permissions, channels and Send indications, in one server with the default rules."""

    @pytest.mark.parametrize("peer", ["127.0.0.1", "169.254.169.254", "10.9.9.9", "10.0.0.1", "224.0.0.1", "0.0.0.0"])
    def test_a_denied_peer(self, peer: str) -> None:
        lab = RelayLab()
        client = Client(lab).ready()
        assert client.permit((peer, 80)).error_code == 403
        assert client.bind((peer, 80)).error_code == 403
        assert client.send(b"x", (peer, 80)) == []
        assert client.allocation.permissions == {}
        assert client.allocation.channels == {}
        assert lab.server.counters.rejected["peer-denied"] == 2

    def test_one_denied_peer_among_many_denies_all(self) -> None:
        from sightline.relay.stun_format import Attribute, Kind, Method, address_value, encode

        client = Client(RelayLab()).ready()
        peers = [(Attribute.XOR_PEER_ADDRESS, address_value((host, 1), bytes(12))) for host in (PEER[0], "127.0.0.1")]
        signing = [
            (Attribute.USERNAME, client.username.encode()),
            (Attribute.REALM, client.realm.encode()),
            (Attribute.NONCE, client.nonce),
        ]
        request = encode(Kind.REQUEST, Method.CREATE_PERMISSION, bytes(12), peers + signing, key=client.key)
        assert client.ask_raw(request).error_code == 403
        assert client.allocation.permissions == {}

    def test_nothing_without_a_permission(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready()
        assert client.send(b"x") == []
        assert lab.server.incoming(client.allocation, PEER, 1, 1, lab.now) is None
        assert lab.server.outgoing(client.allocation, 0x4000, 1, 1, lab.now) is None
        client.permit()
        assert client.send(b"x") == [ToPeer(client.allocation, PEER, b"x")]
        assert client.send(b"x", (PEER[0], 9)) == [ToPeer(client.allocation, (PEER[0], 9), b"x")], "for all ports"
        assert client.send(b"x", ("203.0.113.10", 9)) == []
        assert lab.server.incoming(client.allocation, (PEER[0], 77), 1, 1, lab.now) is True

    def test_a_permission_lasts_five_minutes_and_a_channel_ten(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready()
        client.bind()
        channel = client.allocation.channels[0x4000]
        lab.now += 299
        assert lab.server.incoming(client.allocation, PEER, 1, 1, lab.now) is channel
        lab.now += 2
        assert lab.server.incoming(client.allocation, PEER, 1, 1, lab.now) is None, "the permission is over"
        assert lab.server.outgoing(client.allocation, 0x4000, 1, 1, lab.now) is channel
        client.challenge_stale()
        client.refresh()
        lab.now += 300
        assert lab.server.outgoing(client.allocation, 0x4000, 1, 1, lab.now) is None, "so is the channel"
        client.challenge_stale()
        client.permit()
        assert lab.server.incoming(client.allocation, PEER, 1, 1, lab.now) is True, "no channel, but a permission"

    @pytest.mark.parametrize("port", [80, 443, 3478, 8443, 20_002])
    def test_the_servers_other_ports(self, port: int) -> None:
        """A permission is for an address; what is sent to our own one never reaches a socket."""
        lab = RelayLab()
        client = Client(lab).ready()
        assert client.permit((HERE, port)).message_class is stun.Class.RESPONSE
        assert client.send(b"GET / HTTP/1.1\r\n\r\n", (HERE, port)) == []
        assert client.bind((HERE, port)).message_class is stun.Class.RESPONSE
        channel = lab.server.outgoing(client.allocation, 0x4000, 1, 1, lab.now)
        assert channel is not None
        assert lab.server.target(client.allocation, channel.peer, channel.verdict, 1, lab.now) == (None, False)
        assert lab.server.counters.rejected["own-port"] == 2


def check(**more: object) -> bytes:
    """What an ICE agent sends to see whether a path works."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes.update({"USERNAME": "theirs:ours", "PRIORITY": 1, **more})
    message.add_message_integrity(b"password")
    return bytes(message)


class TestThisMachinesOwnPorts:
    """Closed, since services trust their neighbours; a viewer beside the server asks by its ICE checks."""

    VIEWER = (HERE, 40_000)

    def leaves(self, client: Client, peer: tuple[str, int]) -> bool:
        return client.send(b"x", peer) == [ToPeer(client.allocation, peer, b"x")]

    def test_one_that_sends_a_check_is_answered(self) -> None:
        lab = RelayLab()
        client, other = (Client(lab, ("192.0.2.1", port)).ready() for port in (1, 2))
        client.bind(self.VIEWER)
        other.permit(self.VIEWER)
        channel = client.allocation.channels[0x4000]
        assert not self.leaves(client, self.VIEWER)
        lab.server.heard(client.allocation, self.VIEWER, check(), lab.now)
        assert self.leaves(client, self.VIEWER)
        assert lab.server.target(client.allocation, channel.peer, channel.verdict, 1, lab.now) == (None, True)
        assert not self.leaves(client, (HERE, 40_001)), "its neighbours have asked for nothing"
        assert not self.leaves(other, self.VIEWER), "nor has it asked another client"
        lab.now += 299
        client.permit(self.VIEWER)
        assert self.leaves(client, self.VIEWER)
        lab.now += 2
        assert not self.leaves(client, self.VIEWER), "checks go on while anybody is there"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0\1",
            b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1",  # of a name server
            bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST)),
            bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "theirs:ours"})),
            bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, attributes={"USERNAME": "theirs:ours"})),
            check()[:-4],
        ],
        ids=["nothing", "two bytes", "a name", "without a user", "unsigned", "an answer", "cut short"],
    )
    def test_what_a_service_may_say_opens_nothing(self, data: bytes) -> None:
        lab = RelayLab()
        client = Client(lab).ready()
        client.permit(self.VIEWER)
        lab.server.heard(client.allocation, self.VIEWER, data, lab.now)
        assert not self.leaves(client, self.VIEWER)

    def test_not_without_the_clients_permission_and_not_what_is_denied(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready()
        for peer in (self.VIEWER, ("10.9.9.9", 40_000), ("127.0.0.1", 40_000)):
            lab.server.heard(client.allocation, peer, check(), lab.now)
        assert client.allocation.asking == {}

    def test_only_so_many(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready(LIFETIME=3600)
        client.permit(self.VIEWER)
        for port in range(1000, 1200):
            lab.server.heard(client.allocation, (HERE, port), check(), lab.now)
        assert len(client.allocation.asking) == 128
        lab.now += 301
        client.challenge_stale()
        client.permit(self.VIEWER)
        lab.server.heard(client.allocation, self.VIEWER, check(), lab.now)
        assert set(client.allocation.asking) == {self.VIEWER}


class TestRelayToRelay:
    def test_in_memory_and_only_with_permission(self) -> None:
        lab = RelayLab()
        one, two = (Client(lab, ("192.0.2.1", port)).ready() for port in (1, 2))
        one.bind(two.allocation.relayed)
        assert one.send(b"x", two.allocation.relayed) == [], "the other end has not permitted it"
        two.permit(one.allocation.relayed)
        (output,) = one.send(b"hello", two.allocation.relayed)
        assert isinstance(output, ToClient)
        assert output.allocation is two.allocation
        indication = stun.parse_message(output.data)
        assert indication.message_method is stun.Method.DATA
        assert indication.attributes["DATA"] == b"hello"
        assert indication.attributes["XOR-PEER-ADDRESS"] == one.allocation.relayed

        two.bind(one.allocation.relayed, 0x4FFF)
        (output,) = one.send(b"hello", two.allocation.relayed)
        assert isinstance(output, ToClient)
        assert output.data == b"\x4f\xff\0\5hello"
        assert lab.server.counters.packets_in_memory == 3

        channel = lab.server.outgoing(one.allocation, 0x4000, 5, 1, lab.now)
        assert isinstance(channel, Channel)
        assert lab.server.target(one.allocation, channel.peer, channel.verdict, 1, lab.now) == (two.allocation, False)

    def test_not_to_one_that_has_ended(self) -> None:
        lab = RelayLab()
        one, two = (Client(lab, ("192.0.2.1", port)).ready() for port in (1, 2))
        address = two.allocation.relayed
        one.permit(address)
        two.permit(one.allocation.relayed)
        two.refresh(0)
        assert one.send(b"x", address) == []


class TestChannels:
    def test_a_number_has_one_peer_and_a_peer_one_number(self) -> None:
        client = Client(RelayLab()).ready()
        assert client.bind(PEER, 0x4001).message_class is stun.Class.RESPONSE
        assert client.bind(PEER, 0x4001).message_class is stun.Class.RESPONSE, "that refreshes it"
        assert client.bind(PEER, 0x4002).error_code == 400
        assert client.bind(("203.0.113.9", 4001), 0x4001).error_code == 400
        assert client.bind(("203.0.113.9", 4001), 0x4002).message_class is stun.Class.RESPONSE

    def test_an_expired_one_may_be_bound_anew(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready(LIFETIME=3600)
        client.bind(PEER, 0x4001)
        lab.now += 601
        client.challenge_stale()
        other = ("203.0.113.9", 4001)
        assert client.bind(other, 0x4001).message_class is stun.Class.RESPONSE
        assert client.bind(PEER, 0x4002).message_class is stun.Class.RESPONSE
        allocation = client.allocation
        assert {number: channel.peer for number, channel in allocation.channels.items()} == {
            0x4001: other,
            0x4002: PEER,
        }
        assert set(allocation.by_peer) == {other, PEER}

    @pytest.mark.parametrize("number", [0, 0x3FFF, 0x7FFF, 0x8000, 0xFFFF])
    def test_numbers_out_of_range(self, number: int) -> None:
        assert Client(RelayLab()).ready().bind(PEER, number).error_code == 400

    def test_one_relay_has_only_so_many(self) -> None:
        lab = RelayLab()
        client = Client(lab).ready(LIFETIME=3600)
        for number in range(128):
            assert client.bind(("203.0.113.9", number + 1), 0x4000 + number).message_class is stun.Class.RESPONSE
        assert client.bind(("203.0.113.9", 999), 0x4FFF).error_code == 508
        for number in range(127):
            assert client.permit((f"203.0.114.{number}", 1)).message_class is stun.Class.RESPONSE
        assert client.permit(("203.0.115.1", 1)).error_code == 508
        lab.now += 601
        client.challenge_stale()
        assert client.permit(("203.0.115.1", 1)).message_class is stun.Class.RESPONSE
        assert client.bind(("203.0.113.9", 999), 0x4FFF).message_class is stun.Class.RESPONSE
        assert len(client.allocation.permissions) == 2
        assert len(client.allocation.channels) == 1
