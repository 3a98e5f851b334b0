"""The built-in STUN and TURN server: its sockets, its timer, its start and its stop.

`relay` decides; this room has the sockets. On by default, over UDP, TCP and TLS, with credentials that
``GetIceServerConfig`` makes (`ice_servers`).
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import resource
import socket
import ssl
from collections.abc import Callable

from ..config import Settings
from ..relay import Authority, Minting, Nonces, PeerRules, RelayCounters, RelayLimits, RelayServer
from ..timers import Timers
from .turn_addresses import RelayAddresses, listening_hosts, relay_addresses
from .turn_health import ExternalServers
from .turn_relaying import Relaying, RelayPorts
from .turn_stream import TurnConnections
from .turn_udp import UdpListener

__all__ = ["TurnServer", "turn_secret"]

logger = logging.getLogger("sightline.turn")

REALM = "sightline"
_BACKLOG = 4096
_TICK = 1.0
"""Seconds between looks at the allocations' ends."""


def turn_secret(service_secret: bytes) -> str:
    """What the credentials of the built-in server are made with."""
    return hmac.digest(service_secret, b"turn credentials", "sha256").hex()


class TurnServer:
    """Use `start` and `aclose`. Ports of 0 do not listen."""

    def __init__(
        self,
        settings: Settings,
        *,
        service_secret: bytes,
        timers: Timers,
        wall: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        addresses = relay_addresses(settings)
        self._settings = settings
        self._timers = timers
        self._ports = RelayPorts(addresses, settings.turn_port_range)
        self._rules = PeerRules(allow=settings.turn_allow_peer)
        self._use(addresses)
        limits = RelayLimits(
            allocations=min(settings.turn_allocations, _descriptors() // 2),
            per_credential=max(400, 4 * settings.max_viewers),
            bytes_per_second=settings.turn_mbps * 125_000.0,
        )
        self.minting = Minting(limits)
        self.external = ExternalServers(settings.turn, timers=timers)
        self._server = RelayServer(
            authority=Authority(turn_secret(service_secret), REALM),
            nonces=Nonces(hmac.digest(service_secret, b"turn nonces", "sha256"), lifetime=timers.turn_nonce),
            rules=self._rules,
            ports=self._ports,
            limits=limits,
            longest=timers.turn_allocation,
        )
        self._relaying = self._ports.relaying = Relaying(self._server, steady=steady)
        self.connections = TurnConnections(
            self._relaying, wall=wall, stranger=timers.turn_stranger, most=_descriptors() // 4
        )
        self._udp = UdpListener(self._relaying, number=0, wall=wall)
        self._extra = UdpListener(self._relaying, number=1, wall=wall)
        self._servers: list[asyncio.Server] = []
        self._task: asyncio.Task[None] | None = None
        self.tcp_port = 0
        """Of plain TCP."""
        self.tls_port = 0
        """Of TLS, beside the HTTPS port."""
        self.shared_port = 0
        """Of HTTPS, where it takes TURN clients as well."""

    @property
    def udp_port(self) -> int:
        """Of STUN and TURN over UDP."""
        return self._udp.port

    @property
    def is_listening(self) -> bool:
        """Whether clients can allocate anywhere."""
        return bool(self.udp_port or self.tcp_port or self.tls_port or self.shared_port)

    @property
    def counters(self) -> RelayCounters:
        """What it has done."""
        return self._server.counters

    @property
    def allocations(self) -> int:
        """Relays that are open."""
        return len(self._server)

    async def start(self, tls: ssl.SSLContext | None) -> None:
        """Listen where the settings say. A port that is taken is a warning: the picture may do without."""
        settings = self._settings
        hosts = listening_hosts(settings.bind)
        if settings.turn_port:
            self._start_udp(hosts, settings.turn_port)
            self.tcp_port = await self._start_stream(hosts, self._udp.port or settings.turn_port, None, "TURN over TCP")
        if settings.turn_tls_port and tls is not None:
            self.tls_port = await self._start_stream(hosts, settings.turn_tls_port, tls, "TURN over TLS")
        if settings.stun_port:
            try:
                self._extra.start(hosts, settings.stun_port, fall_back=False)
            except OSError as error:
                logger.warning("no STUN on UDP port %d: %s", settings.stun_port, error.strerror or error)
        self._task = asyncio.create_task(self._keep_time(), name="TURN")
        self.external.start()

    async def share(
        self, sock: socket.socket, http: Callable[[], asyncio.Protocol], tls: ssl.SSLContext
    ) -> asyncio.Server:
        """Serve HTTP and TURN on a listening socket of the HTTPS port; the caller closes the server."""
        factory = self.connections.shared_with(http) if self._settings.turn_port else http
        server = await asyncio.get_running_loop().create_server(factory, sock=sock, ssl=tls, backlog=_BACKLOG)
        if self._settings.turn_port:
            self.shared_port = int(sock.getsockname()[1])
        return server

    async def aclose(self) -> None:
        """End all relays and stop listening. Idempotent."""
        await self.external.aclose()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._udp.close()
        self._extra.close()
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        self._relaying.perform(self._server.shut_down(), None, None)
        await self.connections.aclose()
        for server in servers:
            await server.wait_closed()
        self.tcp_port = self.tls_port = self.shared_port = 0

    def _start_udp(self, hosts: list[str], port: int) -> None:
        try:
            binding = self._udp.start(hosts, port, fall_back=True)
        except OSError as error:
            logger.warning("no STUN: UDP port %d cannot be used (%s); clients get no reflexive addresses", port, error)
            return
        if not binding:
            logger.warning("UDP port %d is in use; STUN and TURN answer on port %d instead", port, binding.port)

    async def _start_stream(self, hosts: list[str], port: int, tls: ssl.SSLContext | None, what: str) -> int:
        """The port that it listens on; another one where that is taken, 0 where there is none."""
        loop = asyncio.get_running_loop()
        for wanted in (port, 0):
            sockets: list[socket.socket] = []
            try:
                for host in hosts:
                    sock = _listening(host, wanted)
                    if sock is not None:
                        sockets.append(sock)
                        wanted = int(sock.getsockname()[1])
                for sock in sockets:
                    server = await loop.create_server(self.connections.accept, sock=sock, ssl=tls)
                    self._servers.append(server)
            except OSError as error:
                for sock in sockets:
                    sock.close()
                if wanted:
                    logger.warning("%s: TCP port %d cannot be used: %s", what, wanted, error.strerror or error)
                continue
            if wanted != port and sockets:
                logger.warning("%s answers on port %d instead", what, wanted)
            return wanted if sockets else 0
        return 0

    async def _keep_time(self) -> None:
        looked = self._relaying.steady()
        while True:
            await asyncio.sleep(_TICK)
            now = self._relaying.steady()
            self._relaying.perform(self._server.tick(now), None, None)
            if now - looked >= self._timers.turn_addresses:
                looked = now
                self._use(await asyncio.to_thread(relay_addresses, self._settings))

    def _use(self, addresses: RelayAddresses) -> None:
        self._ports.addresses = addresses
        self._rules.set_addresses(relays=[*addresses.bound.values(), *addresses.told.values()], own=addresses.own)
        self._rules.private = addresses.private


def _listening(host: str, port: int) -> socket.socket | None:
    """A listening socket; None for an address that this machine does not have. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return sock


def _descriptors() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft > 0 else 1 << 20
