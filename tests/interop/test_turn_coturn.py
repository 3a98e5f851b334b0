"""coturn in our server's place: our TURN client relays through it, and the service tells when it does not work."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aioice import stun

from sightline.config import TurnServer as TurnSettings
from sightline.rtc.ice.servers import TurnServer
from sightline.rtc.ice.turn import TurnClient
from sightline.rtc.ice.turn_messages import TurnUnauthorized
from sightline.service.turn_health import ExternalServers, check_url
from sightline.timers import Timers
from sightline.wire.turn_credentials import mint
from tests.harness.polling import eventually
from tests.harness.service import Service, free_port
from tests.interop.test_turn import metric, relayed_pair
from tests.unit.rtc.ice.certificate import tls_contexts
from tests.unit.rtc.ice.peers import eventually as soon

SECRET = "shared-secret-of-a-test"
TRANSPORTS = ["udp", "tcp", "tls"]


class Coturn:
    """`turnserver` on loopback with the REST credentials that we mint."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("turnserver")
        assert program is not None, "no turnserver on PATH: apt-get install coturn"
        _, self.tls = tls_contexts(folder)
        self.port, self.tls_port = free_port(), free_port()
        self._command = [
            *(program, "--no-cli", "--log-file", "stdout", "--simple-log", "--no-stdout-log", "--pidfile", ""),
            *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers"),
            *("--listening-port", str(self.port), "--tls-listening-port", str(self.tls_port)),
            *("--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "coturn.example"),
            *("--cert", str(folder / "server.pem"), "--pkey", str(folder / "server.pem")),
            *("--userdb", str(folder / "turndb"), "--no-dtls"),
        ]
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder
        )
        try:
            eventually(self._listens, "coturn to listen")
        except BaseException:
            self.stop()
            raise

    def _listens(self) -> bool:
        """Whether it answers on all its ports: it opens them one after the other."""
        try:
            for port in (self.port, self.tls_port):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(0.5)
                probe.connect(("127.0.0.1", self.port))
                probe.send(bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST)))
                return bool(probe.recv(2000))
        except OSError:
            return False

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def url(self, transport: str) -> str:
        if transport == "tls":
            return f"turns:127.0.0.1:{self.tls_port}?transport=tcp"
        return f"turn:127.0.0.1:{self.port}?transport={transport}"

    def address(self, transport: str, *, secret: str = SECRET) -> TurnServer:
        credential = mint(secret, "camera", ttl=300, now=time.time())
        port = self.tls_port if transport == "tls" else self.port
        return TurnServer("127.0.0.1", port, transport, credential.username, credential.password)


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    server = Coturn(tmp_path_factory.mktemp("coturn"))
    yield server
    server.stop()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_our_client_relays_through_coturn(coturn: Coturn, transport: str) -> None:
    data: list[bytes] = []
    client = TurnClient(
        coturn.address(transport),
        tls=coturn.tls,
        on_data=lambda datagram, _peer: data.append(bytes(datagram)),
        on_lost=lambda: None,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        try:
            relayed = (await client.allocate()).relayed
            sender = client.sender(peer.getsockname())
            await soon(lambda: sender.bound_at is not None)
            sent = [bytes([number]) * 1200 for number in range(20)]
            assert sender.send(sent) == 20
            loop = asyncio.get_running_loop()
            for datagram in sent:
                assert await asyncio.wait_for(loop.sock_recvfrom(peer, 2000), 30) == (datagram, relayed)
                peer.sendto(datagram, relayed)
            await soon(lambda: len(data) == 20)
            assert data == sent
        finally:
            await client.aclose()


def test_the_service_with_coturn_in_its_configuration(
    coturn: Coturn, start_service: Callable[..., Service], clip: Path, tmp_path: Path
) -> None:
    """`[turn]`: clients are told of coturn alone, and camera and viewer meet there."""
    settings = tmp_path / "sightline.toml"
    urls = [coturn.url("udp"), coturn.url("tcp")]
    settings.write_text(f"[turn]\nurls = {urls!r}\nsecret = {SECRET!r}\n", encoding="utf-8")
    service = start_service(environment={"SIGHTLINE_CONFIG": str(settings)})
    with service.spawn("master", "porch", "--create", "--relay-only", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        assert relayed_pair(service, "porch") == ("relay over udp", "relay")
    assert metric(service, "sightline_turn_allocations_made_total", end="other") == 0
    assert metric(service, "sightline_turn_external_up", url=urls[0]) == 1
    assert SECRET not in service.command.output + master.output


async def test_a_wrong_secret_is_told(coturn: Coturn) -> None:
    client = TurnClient(
        coturn.address("udp", secret="another"), on_data=lambda *_: None, on_lost=lambda: None, tls=None
    )
    try:
        with pytest.raises(TurnUnauthorized):
            await client.allocate()
    finally:
        await client.aclose()


class TestHealth:
    """What the service says of servers that the operator has configured."""

    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_one_that_works(self, coturn: Coturn, transport: str) -> None:
        assert await check_url(coturn.url(transport), SECRET, patience=10, tls=coturn.tls) == ""

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    async def test_a_wrong_secret(self, coturn: Coturn, transport: str) -> None:
        problem = await check_url(coturn.url(transport), "another", patience=10)
        assert "does not accept our credentials" in problem
        assert "another" not in problem

    async def test_a_certificate_that_nobody_trusts(self, coturn: Coturn) -> None:
        problem = await check_url(coturn.url("tls"), SECRET, patience=10, tls=ssl.create_default_context())
        assert "certificate is not trusted" in problem

    async def test_a_dead_one_is_left_out_and_comes_back(self, tmp_path: Path, coturn: Coturn) -> None:
        other = Coturn(tmp_path)
        servers = ExternalServers(
            [
                TurnSettings((coturn.url("udp"), coturn.url("tcp")), SECRET),
                TurnSettings((other.url("udp"), other.url("tcp")), SECRET),
            ],
            timers=Timers(turn_health_patience=3.0),
        )
        try:
            await servers.check()
            assert len(servers.in_use) == 2
            other.stop()
            await servers.check()
            assert len(servers.in_use) == 2, "one lost packet is no dead server"
            await servers.check()
            assert servers.in_use == [TurnSettings((coturn.url("udp"), coturn.url("tcp")), SECRET)]
            assert [bool(health.problem) for health in servers.report()] == [False, False, True, True]
            other.start()
            await servers.check()
            assert len(servers.in_use) == 2
        finally:
            other.stop()
