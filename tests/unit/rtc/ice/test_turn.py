"""The TURN client against a server of our own: what it relays, what it survives, what it says when it cannot."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.ice import turn, turn_channel, turn_messages
from sightline.rtc.ice.servers import TurnServer
from sightline.rtc.ice.turn import TurnClient
from tests.unit.rtc.ice.certificate import tls_contexts
from tests.unit.rtc.ice.peers import eventually
from tests.unit.rtc.ice.turn_server import TurnServerForTests, turn_server

pytestmark = pytest.mark.realtime

TRANSPORTS = ["udp", "tcp", "tls"]


class Peer:
    """A socket somewhere behind the relay."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.received: list[tuple[bytes, tuple[str, int]]] = []
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    @property
    def datagrams(self) -> list[bytes]:
        return [data for data, _ in self.received]

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        self._socket.sendto(data, to)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                self.received.append(self._socket.recvfrom(65_535))
            except BlockingIOError:
                return


class Relay:
    """A client, and what came of it."""

    def __init__(self, server: TurnServerForTests, transport: str, tls: ssl.SSLContext | None, password: str) -> None:
        self.data: list[tuple[bytes, tuple[str, int]]] = []
        self.lost = 0
        self.client = TurnClient(
            TurnServer("127.0.0.1", server.port, transport, server.username, password),
            tls=tls,
            on_data=lambda data, peer: self.data.append((data, peer)),
            on_lost=self._lost,
        )

    def _lost(self) -> None:
        self.lost += 1


@asynccontextmanager
async def relayed(
    server: TurnServerForTests, *, transport: str = "udp", tls: ssl.SSLContext | None = None, password: str = "secret"
) -> AsyncIterator[tuple[Relay, Peer]]:
    relay, peer = Relay(server, transport, tls, password), Peer()
    try:
        yield relay, peer
    finally:
        await relay.client.aclose()
        peer.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_datagrams_go_both_ways(transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_RELEASE_PATIENCE", 20.0)
    server_tls, client_tls = tls_contexts(tmp_path) if transport == "tls" else (None, None)
    async with (
        turn_server(transport=transport, tls=server_tls) as server,
        relayed(server, transport=transport, tls=client_tls) as (relay, peer),
    ):
        allocation = await relay.client.allocate()
        assert allocation.relayed[0] == "127.0.0.1"
        relay.client.bind(peer.address)
        sender = relay.client.sender(peer.address)
        await eventually(lambda: sender.bound_at is not None)
        # Lengths that need no padding over TCP, and some that do; the last of a burst may be shorter.
        burst = [bytes([number]) * 1001 for number in range(7)] + [b"end"]
        assert sender.send(burst) == 8
        await eventually(lambda: len(peer.received) == 8)
        assert peer.datagrams == burst
        assert {source for _, source in peer.received} == {allocation.relayed}
        peer.send(b"back", allocation.relayed)
        await eventually(lambda: relay.data == [(b"back", peer.address)])
        assert (sender.sent, sender.dropped) == (8, 0)
        await relay.client.aclose()
        assert server.released == 1
        assert not server.allocations


async def test_a_check_waits_for_the_channel_and_media_does_not() -> None:
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        relay.client.send_to(peer.address, b"check")
        assert relay.client.sender(peer.address).send([b"frame", b"frame"]) == 0
        await eventually(lambda: peer.datagrams == [b"check"])
        assert relay.client.sender(peer.address).dropped == 2


async def test_binding_the_same_peer_twice_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_FIRST_RETRY", 30.0)  # requests are counted: none shall be repeated
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        for _ in range(5):
            relay.client.bind(peer.address)
        await eventually(lambda: relay.client.sender(peer.address).bound_at is not None)
        assert server.requests["CHANNEL_BIND"] == 1


async def test_a_peer_of_the_other_family_is_not_asked_for() -> None:
    async with turn_server() as server, relayed(server) as (relay, _):
        await relay.client.allocate()
        relay.client.bind(("::1", 5000))
        await asyncio.sleep(0.05)
        assert server.requests["CHANNEL_BIND"] == 0


async def test_another_port_of_a_known_peer_gets_through() -> None:
    """Behind a symmetric NAT the peer's check comes from a port that nobody has signalled."""
    async with turn_server() as server, relayed(server) as (relay, peer):
        allocation = await relay.client.allocate()
        relay.client.bind(("127.0.0.1", 9))
        await eventually(lambda: relay.client.sender(("127.0.0.1", 9)).bound_at is not None)
        peer.send(b"from elsewhere", allocation.relayed)
        await eventually(lambda: relay.data == [(b"from elsewhere", peer.address)])


async def test_a_stale_nonce_is_replaced() -> None:
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        server.new_nonce()
        relay.client.send_to(peer.address, b"still works")
        await eventually(lambda: peer.datagrams == [b"still works"])


async def test_a_forbidden_peer_costs_only_that_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_FIRST_RETRY", 30.0)
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        server.forbidden.add(9)
        relay.client.send_to(("127.0.0.1", 9), b"no")
        relay.client.send_to(peer.address, b"yes")
        await eventually(lambda: peer.datagrams == [b"yes"])
        relay.client.send_to(("127.0.0.1", 9), b"no")
        await asyncio.sleep(0.05)
        assert server.requests["CHANNEL_BIND"] == 2
        assert relay.lost == 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (403, turn_messages.TurnForbidden),
        (437, turn_messages.TurnMismatch),
        (441, turn_messages.TurnUnauthorized),
        (486, turn_messages.TurnQuotaReached),
        (508, turn_messages.TurnOutOfCapacity),
        (420, turn_messages.TurnError),
    ],
)
async def test_a_refusal_is_typed(code: int, kind: type[turn_messages.TurnError]) -> None:
    async with turn_server() as server, relayed(server) as (relay, _):
        server.errors[stun.Method.ALLOCATE] = code
        with pytest.raises(turn_messages.TurnError) as caught:
            await relay.client.allocate()
        assert type(caught.value) is kind
        assert caught.value.code == code
        assert str(code) in str(caught.value)


async def test_wrong_credentials_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_FIRST_RETRY", 30.0)
    async with turn_server() as server, relayed(server, password="wrong") as (relay, _):
        with pytest.raises(turn_messages.TurnUnauthorized):
            await relay.client.allocate()
        assert server.requests["ALLOCATE"] == 2


async def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_PATIENCE", 0.4)
    monkeypatch.setattr(turn, "_FIRST_RETRY", 0.1)
    async with turn_server() as server, relayed(server) as (relay, _):
        server.silent = True
        with pytest.raises(turn_messages.TurnUnreachable):
            await relay.client.allocate()


async def test_a_lost_request_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_FIRST_RETRY", 0.05)
    async with turn_server() as server, relayed(server) as (relay, _):
        server.silent = True
        allocating = asyncio.create_task(relay.client.allocate())
        await asyncio.sleep(0.07)
        server.silent = False
        await allocating


async def test_no_server_at_all() -> None:
    async with turn_server(transport="tcp") as server, relayed(server, transport="tcp") as (relay, _):
        await server.aclose()
        with pytest.raises(turn_messages.TurnUnreachable):
            await relay.client.allocate()


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    server_tls, _ = tls_contexts(tmp_path)
    async with (
        turn_server(transport="tls", tls=server_tls) as server,
        relayed(server, transport="tls", tls=ssl.create_default_context()) as (relay, _),
    ):
        with pytest.raises(turn_messages.TurnUnreachable, match="certificate"):
            await relay.client.allocate()


async def test_a_connection_that_breaks_is_told_once() -> None:
    async with turn_server(transport="tcp") as server, relayed(server, transport="tcp") as (relay, peer):
        await relay.client.allocate()
        sender = relay.client.sender(peer.address)
        await eventually(lambda: sender.bound_at is not None)
        server.cut_connections()
        await eventually(lambda: relay.lost == 1)
        assert sender.send([b"frame"]) == 0
        await relay.client.aclose()
        assert relay.lost == 1


async def test_a_slow_connection_drops_instead_of_swelling() -> None:
    async with turn_server(transport="tcp") as server, relayed(server, transport="tcp") as (relay, peer):
        await relay.client.allocate()
        sender = relay.client.sender(peer.address)
        await eventually(lambda: sender.bound_at is not None)
        # Without turns of the event loop in between, the server reads nothing.
        frame = [bytes(1200)] * 40
        taken = [sender.send(frame) for _ in range(200)]
        assert taken[0] == 40
        assert taken[-1] == 0
        assert sender.dropped > 0
        await eventually(lambda: sender.send([b"later"]) == 1)


async def test_an_allocation_and_its_channels_are_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_CHANNEL_REFRESH", 0.5)
    async with turn_server(lifetime=2) as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        relay.client.bind(peer.address)
        await eventually(lambda: server.requests["REFRESH"] >= 1 and server.requests["CHANNEL_BIND"] >= 2)
        relay.client.send_to(peer.address, b"still here")
        await eventually(lambda: peer.datagrams == [b"still here"])
        assert relay.lost == 0


async def test_a_server_that_forgot_the_allocation_is_noticed() -> None:
    async with turn_server(lifetime=2) as server, relayed(server) as (relay, _):
        await relay.client.allocate()
        server.forget()
        await eventually(lambda: relay.lost == 1)


async def test_a_server_that_forgot_it_is_noticed_at_the_next_channel() -> None:
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        server.forget()
        relay.client.send_to(peer.address, b"lost")
        await eventually(lambda: relay.lost == 1)


async def test_a_channel_that_was_refused_once_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_channel, "_BIND_AGAIN", 0.05)
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        server.errors[stun.Method.CHANNEL_BIND] = 500
        relay.client.send_to(peer.address, b"lost")
        await eventually(lambda: server.requests["CHANNEL_BIND"] == 1)
        server.errors.clear()
        await eventually(lambda: relay.client.send_to(peer.address, b"again") or peer.received)
        assert relay.lost == 0


async def test_a_server_that_is_gone_is_noticed_when_the_allocation_has_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn, "_PATIENCE", 0.2)
    monkeypatch.setattr(turn, "_REFRESH_AGAIN", 0.1)
    async with turn_server(lifetime=2) as server, relayed(server) as (relay, _):
        await relay.client.allocate()
        server.silent = True
        await eventually(lambda: relay.lost == 1)


async def test_a_connection_that_breaks_in_the_middle_of_a_request() -> None:
    async with turn_server(transport="tcp") as server, relayed(server, transport="tcp") as (relay, _):
        server.silent = True
        allocating = asyncio.create_task(relay.client.allocate())
        await eventually(lambda: server._streams)
        await asyncio.sleep(0.02)
        server.cut_connections()
        with pytest.raises(turn_messages.TurnUnreachable, match="lost"):
            await allocating
        assert relay.lost == 0


async def test_a_name_that_nobody_knows() -> None:
    client = TurnClient(
        TurnServer("turn.invalid", 3478, "udp", "user", "secret"), on_data=lambda data, peer: None, on_lost=lambda: None
    )
    with pytest.raises(turn_messages.TurnUnreachable, match="name"):
        await client.allocate()
    await client.aclose()


async def test_malformed_answers_harm_nobody() -> None:
    chance = random.Random(2)
    async with turn_server() as server, relayed(server) as (relay, peer):
        await relay.client.allocate()
        for _ in range(2000):
            datagram = bytearray(chance.randbytes(chance.randrange(0, 80)))
            if datagram and chance.random() < 0.8:
                datagram[0] &= 0x43
            if len(datagram) >= 20:
                datagram[2:4] = (len(datagram) - 20).to_bytes(2, "big")
            relay.client._received(bytes(datagram))
        relay.client.send_to(peer.address, b"still here")
        await eventually(lambda: peer.datagrams == [b"still here"])
        assert relay.data == []


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_a_stream_is_cut_into_its_frames(payloads: list[bytes], step: int) -> None:
    frames = [b"\x40\x00" + len(p).to_bytes(2, "big") + p + bytes(-len(p) % 4) for p in payloads]
    message = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(12), {"USERNAME": "abc"}))
    frames.insert(len(frames) // 2, message)
    stream, cutter = b"".join(frames), turn_messages.StreamFrames()
    found = [frame for at in range(0, len(stream), step) for frame in cutter.feed(stream[at : at + step])]
    assert found == frames


async def test_a_stream_that_is_not_turn_is_given_up() -> None:
    async with turn_server(transport="tcp") as server, relayed(server, transport="tcp") as (relay, _):
        await relay.client.allocate()
        for stream in server._streams:
            stream._transport.write(b"\xffnot TURN")
        await eventually(lambda: relay.lost == 1)


def test_channel_data_that_is_cut_short() -> None:
    with pytest.raises(ValueError, match="short"):
        turn_messages.channel_frame(b"\x40\x00\x00\x09abc")


async def test_closing_does_not_wait_for_a_server_that_is_gone() -> None:
    async with turn_server() as server, relayed(server) as (relay, _):
        await relay.client.allocate()
        server.silent = True
        before = asyncio.get_running_loop().time()
        await relay.client.aclose()
        assert asyncio.get_running_loop().time() - before < 5.0
