"""Who may allocate, and what strangers get (RFC 8489 §9.2, KVS.md §4.1)."""

from __future__ import annotations

import pytest
from aioice import stun

from sightline.relay import ClientPath, Nonces, RelayLimits
from sightline.relay.stun_format import Attribute, Kind, Method, encode
from sightline.wire.turn_credentials import mint

from .lab import PEER, SECRET, UDP, Client, RelayLab


def test_a_minted_credential_is_accepted() -> None:
    Client(RelayLab()).ready()


@pytest.mark.parametrize(
    "username",
    [
        "",
        "x",
        ":",
        "1790009999",
        "1790009999:",
        "nobody:x",
        "9999999999999:x",
        "1790009999:ä",
        "-1:x",
        "1:" + "x" * 300,
    ],
)
def test_names_that_were_never_made(username: str) -> None:
    client = Client(RelayLab())
    client.username = username
    assert client.allocate().error_code in (400, 401)
    assert len(client.lab.server) == 0


def test_another_services_credential_is_foreign() -> None:
    client = Client(RelayLab())
    client.password = mint("another secret", "camera", ttl=300, now=client.lab.wall).password
    assert client.allocate().error_code == 401
    assert client.lab.server.counters.rejected["wrong-credentials"] == 1


def test_a_lengthened_credential_is_foreign() -> None:
    """The expiry is part of what is signed."""
    client = Client(RelayLab())
    client.username = str(int(client.username.partition(":")[0]) + 3600) + ":camera"
    assert client.allocate().error_code == 401


def test_a_viewers_mark_cannot_be_taken_off() -> None:
    client = Client(RelayLab(), owner="v.abc")
    client.username = client.username.replace("v.", "")
    assert client.allocate().error_code == 401


def test_an_expired_credential_makes_no_allocation() -> None:
    client = Client(RelayLab())
    client.lab.now += 301
    answer = client.allocate()
    assert answer.error_code == 401
    assert client.lab.server.counters.rejected["expired-credentials"] == 1
    assert len(client.lab.server) == 0


def test_an_allocation_outlives_its_credential_by_hours() -> None:
    """Else every relayed picture would die after five minutes: clients have one credential for one session."""
    lab = RelayLab()
    client = Client(lab, ttl=30).ready()
    for minute in range(4 * 60 * 6):
        lab.later(10)
        if minute % 24 == 0:
            client.challenge_stale()
            assert client.refresh(600).message_class is stun.Class.RESPONSE
            assert client.permit().message_class is stun.Class.RESPONSE
            assert client.bind().message_class is stun.Class.RESPONSE
        assert lab.server.outgoing(client.allocation, 0x4000, 100, 1, lab.now) is not None
        assert lab.server.incoming(client.allocation, PEER, 100, 1, lab.now) is not None


def test_an_allocation_belongs_to_the_credential_that_made_it() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    thief = Client(lab, owner="thief")
    thief.nonce = client.nonce
    for answer in (thief.refresh(0), thief.permit(), thief.bind()):
        assert answer.error_code == 441
    assert len(lab.server) == 1
    assert lab.server.counters.rejected["foreign-credentials"] == 3


def test_a_stale_nonce_is_recovered_from() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    lab.later(599)
    client.refresh()
    lab.later(5)
    answer = client.refresh()
    assert answer.error_code == 438
    assert answer.attributes["REALM"] == client.realm
    client.nonce = answer.attributes["NONCE"]
    assert client.refresh().message_class is stun.Class.RESPONSE


def test_a_nonce_is_for_one_address() -> None:
    nonces = Nonces(b"k", lifetime=600)
    nonce = nonces.make("192.0.2.1 5", 1000)
    assert len(nonce) == 16
    assert nonces.is_fresh(nonce, "192.0.2.1 5", 1600)
    assert not nonces.is_fresh(nonce, "192.0.2.1 6", 1000)
    assert not nonces.is_fresh(nonce, "192.0.2.1 5", 1601)
    assert not nonces.is_fresh(nonce, "192.0.2.1 5", 999), "from the future"
    assert not Nonces(b"other", lifetime=600).is_fresh(nonce, "192.0.2.1 5", 1000)


@pytest.mark.parametrize("nonce", [b"", b"x", b"=====", b"A" * 16, b"A" * 400, b"\xff\xfe" * 8, b"AAAA" + b"\0" * 12])
def test_nonces_that_were_never_made(nonce: bytes) -> None:
    client = Client(RelayLab())
    client.challenge()
    client.nonce = nonce
    assert client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP).error_code == 438


def test_every_request_is_checked() -> None:
    lab = RelayLab()
    client = Client(lab).ready()
    good = client.password
    client.password = "wrong"
    for answer in (client.refresh(0), client.permit(), client.bind()):
        assert answer.error_code == 401
    for method in (stun.Method.REFRESH, stun.Method.CREATE_PERMISSION, stun.Method.CHANNEL_BIND):
        assert client.ask(method, signed=False, LIFETIME=0, XOR_PEER_ADDRESS=PEER).error_code == 401
    client.password = good
    assert len(lab.server) == 1
    assert client.allocation.permissions == {}


def test_what_follows_the_signature_counts_for_nothing() -> None:
    """Else anybody on the way could append LIFETIME=0."""
    client = Client(RelayLab()).ready()
    signing = [
        (Attribute.USERNAME, client.username.encode()),
        (Attribute.REALM, client.realm.encode()),
        (Attribute.NONCE, client.nonce),
    ]
    request = bytearray(encode(Kind.REQUEST, Method.REFRESH, bytes(12), signing, key=client.key))
    request += b"\0\x0d\0\4\0\0\0\0"
    request[2:4] = (len(request) - 20).to_bytes(2, "big")
    answer = client.ask_raw(bytes(request))
    assert answer.attributes.get("LIFETIME", 600) == 600
    assert len(client.lab.server) == 1


class TestStrangers:
    """Before a client has proved that it is where it says, it gets little."""

    def test_answers_are_hardly_longer_than_questions(self) -> None:
        client = Client(RelayLab())
        smallest = bytes(client.message(stun.Method.ALLOCATE, {"REQUESTED-TRANSPORT": UDP}, signed=False))
        reply = client.take(smallest)[0]
        headers = 28  # IP and UDP
        assert headers + len(reply.data) <= 1.7 * (headers + len(smallest))  # type: ignore[union-attr]
        binding = bytes(client.message(stun.Method.BINDING, {}, signed=False))
        assert len(client.take(binding)[0].data) <= len(binding) + 12  # type: ignore[union-attr]

    def test_one_address_gets_only_so_many(self) -> None:
        lab = RelayLab(limits=RelayLimits(strangers_per_second=5))
        binding = encode(Kind.REQUEST, Method.BINDING, bytes(12))

        def answers(host: str, count: int = 100) -> int:
            paths = [ClientPath((host, port), (host, port), "", False) for port in range(count)]
            return sum(bool(lab.server.take(binding, path, now=lab.now, wall=lab.wall)) for path in paths)

        assert answers("192.0.2.1") == 50
        assert answers("192.0.2.2") == 50, "another address has its own"
        lab.now += 2
        assert answers("192.0.2.1") == 10
        assert lab.server.counters.rejected["too-many-answers"] == 190

    def test_challenges_count_too_but_not_over_tcp(self) -> None:
        lab = RelayLab(limits=RelayLimits(strangers_per_second=1))
        client = Client(lab)
        request = bytes(client.message(stun.Method.ALLOCATE, {"REQUESTED-TRANSPORT": UDP}, signed=False))
        assert sum(bool(client.take(request)) for _ in range(50)) == 10
        proved = Client(lab, stream=True)
        assert sum(bool(proved.take(request)) for _ in range(50)) == 50

    def test_who_has_an_allocation_is_no_stranger(self) -> None:
        lab = RelayLab(limits=RelayLimits(strangers_per_second=1))
        client = Client(lab).ready()
        assert all(client.ask(stun.Method.BINDING, signed=False) for _ in range(50))

    def test_the_memory_of_them_is_bounded(self) -> None:
        from sightline.relay import Strangers

        strangers = Strangers(1.0, remembered=100)
        for number in range(1000):
            strangers.may_answer(f"2001:db8::{number:x}", 0.0)
        assert len(strangers) == 100


def test_nothing_secret_is_in_a_representation() -> None:
    client = Client(RelayLab()).ready()
    assert client.key.hex() not in repr(client.allocation.credential)
    assert repr(client.key) not in repr(client.allocation.credential)
    assert SECRET not in repr(client.allocation.credential)
