"""The STUN responder, asked by hand-made datagrams and by aioice's own client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import aioice
import ifaddr
import pytest
import pytest_asyncio
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sightline.service.stun import StunCounters, StunResponder, answer

HOME = ("192.0.2.7", 50000)


def request(method: stun.Method, *, fingerprint: bool = False, **attributes: object) -> stun.Message:
    message = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    if fingerprint:
        message.add_fingerprint()
    return message


def reply_to(message: stun.Message, source: tuple[str, int] = HOME) -> stun.Message:
    reply = answer(bytes(message), source=source, counters=StunCounters())
    assert reply is not None
    parsed = stun.parse_message(reply)
    assert parsed.transaction_id == message.transaction_id
    return parsed


@pytest.mark.parametrize(
    ("source", "mapped"),
    [
        (("192.0.2.7", 50000), ("192.0.2.7", 50000)),
        (("2001:db8::9", 1234), ("2001:db8::9", 1234)),
        (("::ffff:192.0.2.7", 1234), ("192.0.2.7", 1234)),
        (("fe80::1%eth0", 1234), ("fe80::1", 1234)),
    ],
)
def test_binding_tells_the_address_it_came_from(source: tuple[str, int], mapped: tuple[str, int]) -> None:
    reply = reply_to(request(stun.Method.BINDING), source)
    assert reply.message_method is stun.Method.BINDING
    assert reply.message_class is stun.Class.RESPONSE
    assert reply.attributes == {"XOR-MAPPED-ADDRESS": mapped}


def test_fingerprint_is_given_to_those_who_send_one() -> None:
    assert "FINGERPRINT" in reply_to(request(stun.Method.BINDING, fingerprint=True)).attributes
    assert "FINGERPRINT" in reply_to(request(stun.Method.ALLOCATE, fingerprint=True)).attributes
    assert "FINGERPRINT" not in reply_to(request(stun.Method.ALLOCATE)).attributes


def test_allocate_is_refused_with_508_even_with_credentials() -> None:
    bare = request(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=0x11000000)
    assert reply_to(bare).attributes["ERROR-CODE"] == (508, "Insufficient Capacity")
    signed = request(stun.Method.ALLOCATE, USERNAME="1790000000:x", REALM="r", NONCE=b"n")
    signed.add_message_integrity(b"key")
    reply = reply_to(signed)
    assert reply.message_class is stun.Class.ERROR
    assert reply.error_code == 508


def garbage() -> list[bytes]:
    binding = bytes(request(stun.Method.BINDING, fingerprint=True))
    return [
        b"",
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(20),
        binding[:-1],
        binding + b"\x00",
        binding[:-1] + bytes([binding[-1] ^ 1]),  # wrong fingerprint
        b"\x80\x60" + bytes(30),  # RTP
        bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.ERROR)),
        bytes(stun.Message(stun.Method.REFRESH, stun.Class.REQUEST)),
        bytes(stun.Message(stun.Method.SEND, stun.Class.INDICATION)),
        b"\x3e\xef" + binding[2:],  # unknown method
        b"\x00\x01\x00\x08" + binding[4:20] + b"\x00\x20\x00\x04\x00\x01\x00\x00",  # short address attribute
    ]


@pytest.mark.parametrize("datagram", garbage(), ids=range(len(garbage())))
def test_everything_else_gets_silence_and_is_counted(datagram: bytes) -> None:
    counters = StunCounters()
    assert answer(datagram, source=HOME, counters=counters) is None
    assert counters == StunCounters(ignored=1)


@given(st.binary(max_size=80), st.booleans())
def test_no_datagram_raises_or_is_amplified(tail: bytes, well_formed_head: bool) -> None:
    datagram = tail
    if well_formed_head:
        head = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        datagram = head[:2] + len(tail).to_bytes(2, "big") + head[4:] + tail
    reply = answer(datagram, source=("2001:db8::1", 9), counters=StunCounters())
    # The smallest request has 20 bytes; its answer must carry an IPv6 address (24 more).
    assert reply is None or len(reply) <= max(len(datagram), 20) + 32


def test_the_refusal_is_not_much_larger_than_the_request() -> None:
    smallest = bytes(request(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=0x11000000))
    reply = answer(smallest, source=HOME, counters=StunCounters())
    assert reply is not None
    assert len(reply) < 2 * len(smallest)


# --- on real loopback sockets -------------------------------------------------------------------------------


def have_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        return True
    return False


@pytest_asyncio.fixture
async def responder() -> AsyncIterator[StunResponder]:
    server = StunResponder()
    yield server
    await server.aclose()


async def ask(host: str, port: int, datagram: bytes) -> tuple[bytes, tuple[str, int], tuple[str, int]]:
    """Sends one datagram from an unconnected socket; what came back, from where, and the own address."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((host if ":" in host else "127.0.0.1", 0))
        await loop.sock_sendto(sock, datagram, (host, port))
        data, source = await asyncio.wait_for(loop.sock_recvfrom(sock, 1500), 5)
        return data, source[:2], sock.getsockname()[:2]


async def test_answers_on_ipv4(responder: StunResponder) -> None:
    bound = await responder.start(["127.0.0.1"], 0)
    assert bound
    assert bound.port == responder.port > 0
    data, source, own = await ask("127.0.0.1", bound.port, bytes(request(stun.Method.BINDING)))
    assert stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == own
    assert source == ("127.0.0.1", bound.port)
    assert responder.counters == StunCounters(bindings=1)


@pytest.mark.skipif(not have_ipv6(), reason="no IPv6 loopback on this machine")
async def test_answers_on_ipv6_on_the_same_port(responder: StunResponder) -> None:
    bound = await responder.start(["127.0.0.1", "::1"], 0)
    assert bound.hosts == ("127.0.0.1", "::1")
    for host in bound.hosts:
        data, _, own = await ask(host, bound.port, bytes(request(stun.Method.BINDING)))
        assert stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == own


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives every address of 127.0.0.0/8 to loopback")
async def test_answers_from_the_address_that_was_asked(responder: StunResponder) -> None:
    """Clients drop an answer that comes from another address than the one they asked."""
    bound = await responder.start(["0.0.0.0"], 0)
    _, source, _ = await ask("127.0.0.5", bound.port, bytes(request(stun.Method.BINDING)))
    assert source == ("127.0.0.5", bound.port)


async def test_a_busy_port_falls_back_and_says_so(responder: StunResponder) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        busy = other.getsockname()[1]
        bound = await responder.start(["127.0.0.1"], busy)
        assert not bound
        assert bound.port not in (0, busy)
        assert "in use" in bound.problem
        data, _, _ = await ask("127.0.0.1", bound.port, bytes(request(stun.Method.BINDING)))
        assert stun.parse_message(data).message_class is stun.Class.RESPONSE


async def test_addresses_that_are_not_here_are_left_out(responder: StunResponder) -> None:
    bound = await responder.start(["192.0.2.1", "127.0.0.1"], 0)
    assert bound.hosts == ("127.0.0.1",)


async def test_nothing_to_bind_is_an_error(responder: StunResponder) -> None:
    with pytest.raises(OSError, match="assign"):
        await responder.start(["192.0.2.1"], 0)
    assert responder.port == 0


async def test_garbage_does_not_stop_it(responder: StunResponder) -> None:
    bound = await responder.start(["127.0.0.1"], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for datagram in garbage() * 10:
            sock.sendto(datagram, ("127.0.0.1", bound.port))
    data, _, _ = await ask("127.0.0.1", bound.port, bytes(request(stun.Method.BINDING)))
    assert stun.parse_message(data).message_class is stun.Class.RESPONSE
    assert responder.counters.ignored == len(garbage()) * 10


async def test_aclose_is_idempotent_and_frees_the_port(responder: StunResponder) -> None:
    bound = await responder.start(["127.0.0.1"], 0)
    await responder.aclose()
    await responder.aclose()
    assert responder.port == 0
    assert await responder.start(["127.0.0.1"], bound.port)


async def test_aioice_is_told_at_once_that_there_is_no_relay(responder: StunResponder) -> None:
    bound = await responder.start(["127.0.0.1"], 0)
    with pytest.raises(stun.TransactionFailed, match="508"):
        await asyncio.wait_for(
            aioice.turn.create_turn_endpoint(
                asyncio.DatagramProtocol,
                server_addr=("127.0.0.1", bound.port),
                username="u",
                password="p",
            ),
            5,
        )
    assert responder.counters == StunCounters(allocations_refused=1)


def own_address() -> str | None:
    """An IPv4 address of this machine beside loopback: aioice gathers no loopback candidates."""
    addresses = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str))
    return next((address for address in addresses if not address.startswith("127.")), None)


@pytest.mark.skipif(own_address() is None, reason="this machine has no IPv4 address beside loopback")
async def test_aioice_gathers_with_it_without_waiting_for_a_timeout(responder: StunResponder) -> None:
    address = own_address()
    assert address is not None
    bound = await responder.start([address], 0)
    agent = aioice.Connection(
        ice_controlling=True,
        stun_server=(address, bound.port),
        turn_server=(address, bound.port),
        turn_username="u",
        turn_password="p",
    )
    try:
        started = asyncio.get_running_loop().time()
        await agent.gather_candidates()
        assert asyncio.get_running_loop().time() - started < 4  # aioice gives up after 5 s
        assert responder.counters.bindings > 0
        assert responder.counters.allocations_refused > 0
    finally:
        await agent.close()
