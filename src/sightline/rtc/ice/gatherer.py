"""Where a generation's local candidates come from: sockets on this machine's addresses, STUN and TURN servers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import random
import socket
from collections.abc import Callable, Coroutine

from aioice import Candidate, stun

from . import gathering
from .config import IceConfig
from .interfaces import bind_udp, host_addresses
from .paths import DatagramBurst, Sender
from .protocol import AgentProtocol
from .relay import RelayTransport
from .resolve import resolve
from .servers import StunServer, TurnServer, parse_servers
from .turn import TurnClient, TurnError

__all__ = ["Gatherer"]

log = logging.getLogger(__name__)

_STUN_PATIENCE = 5.0
"""Seconds that a STUN server has for an answer, which nobody waits for: only the end of the gathering does."""

_UDP_FIRST = 0.3
"""Seconds that a TURN server has to give a relay over UDP before it is asked over TCP and TLS as well."""

_MAX_ADDRESSES = 24


class Gatherer:
    """Opens what candidates stand for, and owns it. Each server is asked in a task of its own; none delays another.

    ``make_protocol`` makes the protocol for a socket or relay; ``on_candidate`` is told each candidate, and None when
    all servers have answered or been given up; ``on_relay`` and ``on_lost`` are told relays that came and went.
    """

    def __init__(
        self,
        config: IceConfig,
        *,
        make_protocol: Callable[[], AgentProtocol],
        on_candidate: Callable[[Candidate | None], None],
        on_relay: Callable[[AgentProtocol], None],
        on_lost: Callable[[AgentProtocol], None],
    ) -> None:
        self.candidates: list[Candidate] = []
        """What ``on_candidate`` was told so far."""
        self.done = False
        """Whether it was told None."""
        self.problems: dict[str, str] = {}
        """Why servers gave no candidate: address and reason, for people."""
        self._refused = False
        self._config = config
        self._make_protocol = make_protocol
        self._on_candidate = on_candidate
        self._on_relay = on_relay
        self._on_lost = on_lost
        self._sockets: dict[AgentProtocol, socket.socket] = {}
        self._relays: dict[AgentProtocol, TurnClient] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 1  # the hosts
        self._closed = False

    async def hosts(self) -> list[AgentProtocol]:
        """Bind a socket on each address and tell its candidate; none with the relay policy. Servers are asked, too."""
        if self._closed:
            return []
        stun_servers, turn_servers = parse_servers(self._config.servers)
        over_udp = {(each.host, each.username): asyncio.Event() for each in turn_servers if each.transport == "udp"}
        for rank, turn_server in enumerate(turn_servers):
            answered = over_udp.get((turn_server.host, turn_server.username))
            self._ask(self._add_relay_if_needed(turn_server, rank, answered))
        protocols = [] if self._config.relay_only else await self._open_all()
        if not self._config.relay_only and not self._closed:
            for stun_server in stun_servers:
                self._ask(self._add_reflexive(stun_server))
        return protocols

    def hosts_done(self) -> None:
        """To be called when the protocols of ``hosts`` are in use: without servers, that was all."""
        self._finished()

    def sender(self, protocol: AgentProtocol, address: tuple[str, int]) -> tuple[Sender, str]:
        """What sends from a socket or relay to an address, and how the relay is reached (``udp`` for a socket)."""
        relay = self._relays.get(protocol)
        if relay is not None:
            return relay.sender(address), relay.server.transport
        return DatagramBurst(self._sockets[protocol], address), "udp"

    @property
    def turn_refused(self) -> bool:
        """Whether a server has refused our credentials: to begin with, or when an allocation was to be kept."""
        return self._refused or any(relay.refused for relay in self._relays.values())

    def bind(self, address: tuple[str, int], protocol: AgentProtocol | None = None) -> None:
        """Have a channel to a peer's address ready, on one relay or on all."""
        for known, relay in self._relays.items():
            if protocol in (None, known):
                relay.bind(address)

    async def aclose(self) -> None:
        """Stop asking, release the relays. The protocols stay their connection's, who closes them. Idempotent."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        relays = [relay.aclose() for relay in self._relays.values()]
        await asyncio.gather(*self._tasks, *relays, return_exceptions=True)

    # -- hosts

    async def _open_all(self) -> list[AgentProtocol]:
        addresses = host_addresses(self._config.interfaces)[:_MAX_ADDRESSES]
        roll = random.random()
        try:
            opened = await asyncio.gather(
                *(self._open(address, rank, roll) for rank, address in enumerate(addresses)), return_exceptions=True
            )
        except asyncio.CancelledError:
            for protocol in self._sockets:  # nobody gets them any more
                protocol.transport.abort()
            raise
        protocols = [protocol for protocol in opened if isinstance(protocol, AgentProtocol)]
        if self._closed:
            for protocol in protocols:
                protocol.transport.abort()
            return []
        for protocol in protocols:
            self._report(protocol.local_candidate)
        for rank, address in enumerate(self._config.advertise):
            for base in [protocol.local_candidate for protocol in protocols]:
                if (":" in address) == (":" in base.host):
                    self._report(gathering.advertised(address, base, rank=len(addresses) + rank))
        return protocols

    async def _open(self, address: str, rank: int, roll: float) -> AgentProtocol:
        try:
            sock = bind_udp(address, ports=self._config.udp_ports, roll=roll)
        except OSError as error:
            log.warning("a connection goes without the address %s: %s", address, error.strerror or error)
            raise
        protocol = self._make_protocol()
        protocol.local_candidate = gathering.host((address, sock.getsockname()[1]), rank=rank)
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=sock)
        except BaseException:
            sock.close()
            raise
        self._sockets[protocol] = sock
        return protocol

    # -- servers

    async def _add_reflexive(self, server: StunServer) -> None:
        bases = [
            (rank, protocol, address)
            for address in await resolve(server.host, server.port)
            for rank, protocol in enumerate(self._sockets)
            if _can_reach(protocol.local_candidate.host, address[0])
        ]
        await asyncio.gather(*(self._ask_reflexive(server, rank, protocol, to) for rank, protocol, to in bases))

    async def _ask_reflexive(
        self, server: StunServer, rank: int, protocol: AgentProtocol, address: tuple[str, int]
    ) -> None:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        try:
            async with asyncio.timeout(_STUN_PATIENCE):
                response, _ = await protocol.request(request, address)
        except (TimeoutError, stun.TransactionError):
            self.problems[f"{server.host}:{server.port} (STUN)"] = "no answer"
            return
        mapped = response.attributes.get("XOR-MAPPED-ADDRESS")
        if mapped is not None and mapped not in [(known.host, known.port) for known in self.candidates]:
            self._report(gathering.reflexive(mapped, protocol.local_candidate, server=address[0], rank=rank))

    async def _add_relay_if_needed(self, server: TurnServer, rank: int, answered: asyncio.Event | None) -> None:
        """TCP and TLS to a server that relays for us over UDP already add nothing but work, for each viewer."""
        if answered is None:
            await self._add_relay(server, rank)
        elif server.transport == "udp":
            try:
                await self._add_relay(server, rank)
            finally:
                answered.set()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_UDP_FIRST):
                    await answered.wait()
            over_udp = [relay.server for relay in self._relays.values() if relay.server.transport == "udp"]
            if not any((each.host, each.username) == (server.host, server.username) for each in over_udp):
                await self._add_relay(server, rank)

    async def _add_relay(self, server: TurnServer, rank: int) -> None:
        protocol = self._make_protocol()
        client = TurnClient(
            server,
            tls=self._config.tls,
            on_data=protocol.datagram_received,
            on_lost=lambda: self._on_lost(protocol),
        )
        try:
            allocation = await client.allocate()
        except TurnError as error:
            self.problems[f"{server.host}:{server.port} over {server.transport}"] = str(error)
            log.info("TURN server %s:%d over %s: %s", server.host, server.port, server.transport, error)
            self._refused |= client.refused
            await client.aclose()
            return
        except BaseException:
            await client.aclose()
            raise
        protocol.local_candidate = gathering.relayed(
            allocation.relayed,
            allocation.mapped,
            server=server.host,
            via=server.transport,
            rank=rank,
            hide=self._config.relay_only,
        )
        RelayTransport(client, protocol)
        self._relays[protocol] = client
        self._on_relay(protocol)
        self._report(protocol.local_candidate)

    def _ask(self, work: Coroutine[None, None, None]) -> None:
        self._busy += 1
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("an ICE server could not be used: %s", error)
        self._finished()

    def _finished(self) -> None:
        self._busy -= 1
        if not self._busy and not self._closed:
            self.done = True
            self._on_candidate(None)

    def _report(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        self._on_candidate(candidate)


def _can_reach(base: str, server: str) -> bool:
    ours, theirs = ipaddress.ip_address(base), ipaddress.ip_address(server)
    return ours.version == theirs.version and (theirs.is_loopback or not ours.is_loopback)
