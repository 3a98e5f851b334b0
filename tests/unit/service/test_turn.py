"""The built-in TURN server on real loopback sockets: our client, aioice's, hand-made datagrams, and HTTP beside it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aioice
import pytest
from aiohttp import web
from aioice import stun

from sightline.client.control import IceServer
from sightline.config import Settings
from sightline.relay.stun_format import Attribute, Kind, Message, Method, address_value, encode, parse, read_address
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.ice.gatherer import Gatherer
from sightline.rtc.ice.servers import TurnServer as TurnAddress
from sightline.rtc.ice.turn import TurnClient
from sightline.rtc.ice.turn_messages import TurnForbidden, TurnUnauthorized
from sightline.service.turn import TurnServer, turn_secret
from sightline.timers import Timers
from sightline.wire.turn_credentials import mint
from tests.harness.service import free_port
from tests.unit.rtc.ice.certificate import tls_contexts
from tests.unit.rtc.ice.peers import LOOPBACK, connect, eventually, two_agents

pytestmark = pytest.mark.realtime

SECRET = b"service-secret-of-a-test"
TRANSPORTS = ["udp", "tcp", "tls"]


class Clock:
    """The wall's, moved by hand; the steady one is real."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return time.time() + self.ahead


class Lab:
    """A server and clients for it."""

    def __init__(self, server: TurnServer, tls: ssl.SSLContext | None) -> None:
        self.server = server
        self.tls = tls
        self.clock = Clock()

    def address(self, transport: str, *, owner: str = "camera", ttl: int = 300) -> TurnAddress:
        ports = {"udp": self.server.udp_port, "tcp": self.server.tcp_port, "tls": self.server.tls_port}
        credential = mint(turn_secret(SECRET), owner, ttl=ttl, now=time.time())
        return TurnAddress("127.0.0.1", ports[transport], transport, credential.username, credential.password)


@asynccontextmanager
async def serving(
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None, *, timers: Timers | None = None, **settings: object
) -> AsyncIterator[Lab]:
    """Start it on loopback, whose addresses the operator has allowed."""
    values: dict[str, object] = {
        "data_dir": Path("/nowhere"),
        "bind": ("127.0.0.1",),
        "turn_port": free_port(socket.SOCK_DGRAM),
        "turn_tls_port": free_port(),
        "turn_allow_peer": ("127.0.0.0/8",),
    }
    clock = Clock()
    server = TurnServer(
        Settings(**{**values, **settings}),  # type: ignore[arg-type]
        service_secret=SECRET,
        timers=timers or Timers(),
        wall=clock.wall,
        steady=time.monotonic,
    )
    await server.start(tls[0] if tls else None)
    lab = Lab(server, tls[1] if tls else None)
    lab.clock = clock
    try:
        yield lab
    finally:
        await server.aclose()


class Client:
    """Our own TURN client."""

    def __init__(self, lab: Lab, transport: str = "udp", **more: object) -> None:
        self.data: list[tuple[bytes, tuple[str, int]]] = []
        self.lost = 0
        self.turn = TurnClient(
            lab.address(transport, **more),  # type: ignore[arg-type]
            tls=lab.tls,
            on_data=lambda data, peer: self.data.append((bytes(data), peer)),
            on_lost=self._lost,
        )

    def _lost(self) -> None:
        self.lost += 1

    async def __aenter__(self) -> Client:
        try:
            self.relayed = (await self.turn.allocate()).relayed
        except BaseException:
            await self.turn.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.turn.aclose()

    async def bound(self, peer: tuple[str, int]) -> None:
        sender = self.turn.sender(peer)
        await eventually(lambda: sender.bound_at is not None)


class Peer:
    """A UDP socket behind the relay."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()
        self.received: list[tuple[bytes, tuple[str, int]]] = []

    def read(self) -> int:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.received.append(self.socket.recvfrom(65_535))
        return len(self.received)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return tls_contexts(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestOurClient:
    async def test_data_both_ways(self, transport: str, peer: Peer, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        async with serving(tls) as lab, Client(lab, transport) as client:
            assert client.relayed[0] == "127.0.0.1"
            assert 49_152 <= client.relayed[1] <= 65_535
            await client.bound(peer.address)
            sent = [bytes([number]) * size for number, size in enumerate([1, 1200, 1200, 1200, 700, 3, 1200, 0, 5])]
            assert client.turn.sender(peer.address).send(sent) == len(sent)
            await eventually(lambda: peer.read() == len(sent))
            assert [data for data, _ in peer.received] == sent
            assert {source for _, source in peer.received} == {client.relayed}
            for data in sent:
                peer.socket.sendto(data, client.relayed)
            await eventually(lambda: len(client.data) == len(sent))
            assert client.data == [(data, peer.address) for data in sent]
        counters = lab.server.counters
        assert counters.packets_to_peers == counters.packets_to_clients == len(sent)
        assert counters.bytes_to_peers == counters.bytes_to_clients == sum(map(len, sent))

    async def test_relay_to_relay_in_memory(self, transport: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        async with serving(tls) as lab, Client(lab, transport) as one, Client(lab, owner="v.2") as two:
            await one.bound(two.relayed)
            await two.bound(one.relayed)
            frames = [bytes([n]) * 1200 for n in range(40)]
            one.turn.sender(two.relayed).send(frames)
            two.turn.sender(one.relayed).send(frames)
            await eventually(lambda: len(one.data) == len(two.data) == 40)
            assert [data for data, _ in one.data] == [data for data, _ in two.data] == frames
            assert {source for _, source in one.data} == {two.relayed}
            assert lab.server.counters.packets_in_memory == 80

    async def test_release_frees_the_port(self, transport: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        async with serving(tls) as lab:
            async with Client(lab, transport) as client:
                assert lab.server.allocations == 1
            await eventually(lambda: lab.server.allocations == 0 and len(lab.server.connections) == 0)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(client.relayed)

    async def test_a_wrong_credential_is_told_at_once(
        self, transport: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        async with serving(tls) as lab:
            lab.clock.ahead = 301
            async with asyncio.timeout(30):
                with pytest.raises(TurnUnauthorized):
                    await Client(lab, transport).__aenter__()
        assert lab.server.counters.rejected["expired-credentials"] == 1


class HandProtocol:
    """What a gatherer needs of aioice."""

    local_candidate: object = None

    def connection_made(self, transport: object) -> None:
        pass

    def datagram_received(self, data: bytes, address: object) -> None:
        pass


@pytest.mark.parametrize("blocked", [False, True])
async def test_tcp_and_tls_are_for_those_whose_udp_is_blocked(
    blocked: bool, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """Three relays for each viewer would be work for nothing: two of them are never used."""
    async with serving(tls) as lab:
        credential = lab.address("udp")
        port = free_port(socket.SOCK_DGRAM) if blocked else credential.port
        urls = (
            f"turn:127.0.0.1:{port}?transport=udp",
            f"turn:127.0.0.1:{lab.server.tcp_port}?transport=tcp",
            f"turns:127.0.0.1:{lab.server.tls_port}?transport=tcp",
        )
        servers = (IceServer(urls, credential.username, credential.password),)
        told: list[object] = []
        gatherer = Gatherer(
            IceConfig(servers=servers, relay_only=True, tls=lab.tls),
            make_protocol=HandProtocol,  # type: ignore[arg-type]
            on_candidate=told.append,
            on_relay=lambda protocol: None,
            on_lost=lambda protocol: None,
        )
        try:
            await gatherer.hosts()
            gatherer.hosts_done()
            # With UDP blocked its ten seconds of patience are not waited for: the others are there long before.
            await eventually(lambda: lab.server.allocations == (2 if blocked else 1))
            if not blocked:
                await eventually(lambda: gatherer.done)
                assert len([one for one in told if one is not None]) == lab.server.allocations == 1
        finally:
            await gatherer.aclose()


@pytest.mark.parametrize("bind", [("0.0.0.0",), ("0.0.0.0", "::")])
async def test_a_service_that_listens_on_0_0_0_0_relays(
    bind: tuple[str, ...], tls: tuple[ssl.SSLContext, ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tls, bind=bind) as lab:
        for transport in TRANSPORTS:
            async with Client(lab, transport) as client:
                assert client.relayed[1] > 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_camera_that_only_relays_reaches_a_viewer_on_this_machine_without_turn() -> None:
    """This machine's own ports are closed to guests; the viewer's checks open its own."""
    async with serving(turn_allow_peer=()) as lab:
        credential = lab.address("udp")
        url = f"turn:127.0.0.1:{credential.port}?transport=udp"
        camera = IceConfig(servers=(IceServer((url,), credential.username, credential.password),), relay_only=True)
        async with two_agents(camera, IceConfig(interfaces=LOOPBACK), roles=(False, True)) as (a, b):
            await connect(a, b)
            assert a.kinds() == ["relay"]
            assert a.agent.nominated is not None
            a.agent.nominated.send([b"\x80picture"])
            await eventually(lambda: b.received == [b"\x80picture"])


async def test_an_ipv6_relay() -> None:
    """Where the host has IPv6, for a client that asks for it (RFC 8656 §18.8)."""
    try:
        far = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        far.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback on this machine")
    with far:
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        async with serving(bind=(), turn_allow_peer=("::1",)) as lab:
            client = SmallClient(lab)
            with client.socket:
                wanted = [
                    (Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0"),
                    (Attribute.REQUESTED_ADDRESS_FAMILY, b"\2\0\0\0"),
                ]
                challenge = await client.ask(Method.ALLOCATE, wanted)
                client.learn(challenge)
                made = await client.ask(Method.ALLOCATE, wanted)
                assert made.kind == Kind.SUCCESS, made.attributes
                relayed = read_address(made.attributes[Attribute.XOR_RELAYED_ADDRESS], made.transaction)
                assert ":" in relayed[0]
                to = far.getsockname()[:2]
                await client.ask(Method.CREATE_PERMISSION, [], peer=to)
                transaction = os.urandom(12)
                data = [(Attribute.XOR_PEER_ADDRESS, address_value(to, transaction)), (Attribute.DATA, b"six")]
                client.socket.send(encode(Kind.INDICATION, Method.SEND, transaction, data))
                received, source = await asyncio.wait_for(loop.sock_recvfrom(far, 100), 30)
                assert received == b"six"
                assert source[1] == relayed[1]


class SmallClient:
    """A TURN client over UDP that asks for what ours never does."""

    def __init__(self, lab: Lab) -> None:
        self.address = lab.address("udp")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", self.address.port))
        self._signing: list[tuple[int, bytes]] = []
        self._key: bytes | None = None

    def learn(self, challenge: Message) -> None:
        name, realm = self.address.username.encode(), challenge.attributes[Attribute.REALM]
        self._signing = [
            (Attribute.USERNAME, name),
            (Attribute.REALM, realm),
            (Attribute.NONCE, challenge.attributes[Attribute.NONCE]),
        ]
        self._key = hashlib.md5(name + b":" + realm + b":" + self.address.password.encode()).digest()

    async def ask(
        self, method: int, attributes: list[tuple[int, bytes]], *, peer: tuple[str, int] | None = None
    ) -> Message:
        transaction = os.urandom(12)
        if peer is not None:
            attributes = [*attributes, (Attribute.XOR_PEER_ADDRESS, address_value(peer, transaction))]
        self.socket.send(encode(Kind.REQUEST, method, transaction, [*attributes, *self._signing], key=self._key))
        answer = parse(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 2000), 30))
        assert answer.transaction == transaction
        return answer


async def test_denied_peers_are_told(peer: Peer) -> None:
    async with serving(turn_allow_peer=()) as lab, Client(lab) as client:
        with pytest.raises(TurnForbidden):
            await client.turn._request(
                stun.Method.CHANNEL_BIND, {"CHANNEL-NUMBER": 0x4000, "XOR-PEER-ADDRESS": ("127.0.0.2", 9)}
            )
        # Its own address may be named, for relay to relay; but there is no relay at that port.
        await client.bound(peer.address)
        client.turn.sender(peer.address).send([b"GET / HTTP/1.1\r\n\r\n"])
        await eventually(lambda: lab.server.counters.rejected["own-port"] == 1)
        assert peer.read() == 0


async def test_a_lost_connection_ends_the_relay(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(tls) as lab, Client(lab, "tls") as client:
        assert client.turn._wire is not None
        client.turn._wire._transport.abort()  # type: ignore[attr-defined]
        await eventually(lambda: lab.server.allocations == 0)


async def test_stopping_cuts_the_clients() -> None:
    async with serving() as lab:
        client = Client(lab, "tcp")
        async with client:
            await lab.server.aclose()
            await eventually(lambda: client.lost == 1)
            await lab.server.aclose()
        assert lab.server.allocations == 0


async def test_connections_of_strangers_are_closed() -> None:
    async with serving(timers=Timers(turn_stranger=0.05)) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.server.tcp_port)
        async with asyncio.timeout(30):
            assert await reader.read(1) == b""
        writer.close()


async def test_connections_with_a_relay_are_kept() -> None:
    async with serving() as lab, Client(lab, "tcp") as client:
        lab.server.connections.stranger = 0.02
        for connection in list(lab.server.connections._open):
            connection._look()  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)
        assert client.lost == 0
        assert lab.server.allocations == 1


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
)
async def test_junk_over_tcp_is_cut_or_waits_for_its_end(junk: bytes) -> None:
    async with serving(timers=Timers(turn_stranger=0.05)) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.server.tcp_port)
        writer.write(junk)
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                assert await reader.read(1) == b""
        writer.close()
        async with Client(lab):
            pass


class TestAioice:
    """Another implementation's client, as users of aiortc have it."""

    @pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
    async def test_relays(self, transport: str, peer: Peer, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        received: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:  # type: ignore[override]
                received.put_nowait((data, addr))  # type: ignore[arg-type]

        async with serving(tls) as lab:
            address = lab.address(transport)
            made, _ = await aioice.turn.create_turn_endpoint(
                Receiver,
                server_addr=("127.0.0.1", address.port),
                username=address.username,
                password=address.password,
                transport="udp" if transport == "udp" else "tcp",
                ssl=lab.tls if transport == "tls" else False,
            )
            made.sendto(b"hello", peer.address)
            await eventually(lambda: peer.read() == 1)
            assert peer.received[0][0] == b"hello"
            peer.socket.sendto(b"back", peer.received[0][1])
            async with asyncio.timeout(30):
                assert await received.get() == (b"back", peer.address)
            made.close()
            await eventually(lambda: lab.server.allocations == 0)


class TestUdp:
    async def ask(self, host: str, port: int, datagram: bytes) -> tuple[bytes, tuple[str, int], tuple[str, int]]:
        """Sends one datagram from an unconnected socket; what came back, from where, and the own address."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((host if ":" in host else "127.0.0.1", 0))
            await loop.sock_sendto(sock, datagram, (host, port))
            data, source = await asyncio.wait_for(loop.sock_recvfrom(sock, 1500), 30)
            return data, source[:2], sock.getsockname()[:2]

    BINDING = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))

    async def test_binding(self) -> None:
        async with serving() as lab:
            data, source, own = await self.ask("127.0.0.1", lab.server.udp_port, self.BINDING)
            assert stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == own
            assert source == ("127.0.0.1", lab.server.udp_port)

    async def test_binding_on_ipv6(self) -> None:
        async with serving() as lab:
            try:
                data, _, own = await self.ask("::1", lab.server.udp_port, self.BINDING)
            except OSError:
                pytest.skip("no IPv6 loopback on this machine")
            assert stun.parse_message(data).attributes["XOR-MAPPED-ADDRESS"] == own

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives every address of 127.0.0.0/8 to loopback")
    async def test_answers_from_the_address_that_was_asked(self) -> None:
        """Clients drop an answer that comes from another address than the one they asked."""
        async with serving(bind=()) as lab:
            _, source, _ = await self.ask("127.0.0.5", lab.server.udp_port, self.BINDING)
            assert source == ("127.0.0.5", lab.server.udp_port)

    async def test_another_port_by_option(self) -> None:
        port = free_port(socket.SOCK_DGRAM)
        async with serving(stun_port=port) as lab:
            assert port != lab.server.udp_port
            data, source, _ = await self.ask("127.0.0.1", port, self.BINDING)
            assert source == ("127.0.0.1", port)
            assert stun.parse_message(data).message_class is stun.Class.RESPONSE

    async def test_junk_stops_nothing(self) -> None:
        async with serving() as lab:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for junk in (b"", b"\0", b"hello", b"\x40\0", b"\x40\0\xff\xff", bytes(1500), b"\x80\x60" + bytes(30)):
                    sock.sendto(junk, ("127.0.0.1", lab.server.udp_port))
            data, _, _ = await self.ask("127.0.0.1", lab.server.udp_port, self.BINDING)
            assert stun.parse_message(data).message_class is stun.Class.RESPONSE
            assert lab.server.counters.ignored >= 5


class TestBusyPorts:
    async def test_udp_falls_back_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            busy = other.getsockname()[1]
            async with serving(turn_port=busy) as lab, Client(lab):
                assert lab.server.udp_port not in (0, busy)
        assert f"UDP port {busy} is in use" in caplog.text

    async def test_tcp_and_tls_fall_back_and_say_so(
        self, caplog: pytest.LogCaptureFixture, tls: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            busy = other.getsockname()[1]
            async with serving(tls, turn_tls_port=busy) as lab, Client(lab, "tls"):
                assert lab.server.tls_port not in (0, busy)
        assert f"TURN over TLS: TCP port {busy} cannot be used" in caplog.text

    async def test_off_is_off(self) -> None:
        async with serving(turn_port=0, turn_tls_port=0) as lab:
            assert not lab.server.is_listening
            assert lab.server.udp_port == lab.server.tcp_port == lab.server.tls_port == 0


class TestOnePort:
    """TURN over TLS on the port of HTTPS."""

    @asynccontextmanager
    async def shared(self, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[tuple[Lab, int]]:
        async def hello(request: web.BaseRequest) -> web.StreamResponse:
            assert request.secure
            return web.Response(text=f"hello {(await request.read()).decode()}")

        async with serving(tls) as lab:
            http = web.Server(hello)
            runner = web.ServerRunner(http)
            await runner.setup()
            sock = socket.create_server(("127.0.0.1", 0))
            sock.setblocking(False)
            server = await lab.server.share(sock, http, tls[0])
            try:
                yield lab, lab.server.shared_port
            finally:
                server.close()
                await server.wait_closed()
                await runner.cleanup()

    async def test_the_first_byte_decides(self, tls: tuple[ssl.SSLContext, ssl.SSLContext], peer: Peer) -> None:
        async with self.shared(tls) as (lab, port):
            lab.server.tls_port = port
            async with Client(lab, "tls") as client:
                await client.bound(peer.address)
                client.turn.sender(peer.address).send([b"x" * 1200])
                await eventually(lambda: peer.read() == 1)
                for _ in range(2):
                    assert (await self.get(port, tls[1])).endswith(b"hello there")
                peer.socket.sendto(b"back", client.relayed)
                await eventually(lambda: client.data == [(b"back", peer.address)])

    async def get(self, port: int, tls: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-")
        await writer.drain()
        writer.write(b"Length: 5\r\n\r\nthere")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer

    async def test_a_connection_that_says_nothing_does_not_hold_up_the_stop(
        self, tls: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        async with self.shared(tls) as (lab, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls[1])
            await eventually(lambda: len(lab.server.connections) == 1)
            await lab.server.aclose()
            assert len(lab.server.connections) == 0
            writer.close()


async def test_ports_are_of_the_range_and_run_out() -> None:
    first = free_port(socket.SOCK_DGRAM)
    first = min(first, 65_000)
    async with serving(turn_ports=f"{first}-{first + 2}") as lab:
        clients = []
        with contextlib.suppress(Exception):
            for _ in range(5):
                clients.append(await Client(lab).__aenter__())
        assert 1 <= len(clients) <= 3
        assert {first <= client.relayed[1] <= first + 2 for client in clients} == {True}
        assert lab.server.counters.rejected["capacity"] == 1
        for client in clients:
            await client.turn.aclose()


async def test_an_external_address_is_what_peers_are_told() -> None:
    async with serving(turn_external_ip=("198.51.100.77",)) as lab, Client(lab) as one, Client(lab) as two:
        assert one.relayed[0] == two.relayed[0] == "198.51.100.77"
        await one.bound(two.relayed)
        await two.bound(one.relayed)
        one.turn.sender(two.relayed).send([b"in memory, not over the router"])
        await eventually(lambda: len(two.data) == 1)
        assert two.data[0][1] == one.relayed


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, peer: Peer) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as lab, Client(lab) as client:
        await client.bound(peer.address)
        password = client.turn.server.password
    assert password not in caplog.text
    assert turn_secret(SECRET) not in caplog.text
