"""One ICE generation: candidates both ways as they come, checks, and the paths that were found (RFC 8445, RFC 8838)."""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import logging
import random
import re
import socket
import time
from collections.abc import Callable, Coroutine, Sequence

from aioice import Candidate, stun
from aioice.ice import CandidatePair

from ...errors import InvalidSdp
from . import gathering
from .config import IceConfig, IceTimes
from .connection import CheckedConnection, Counters
from .interfaces import bind_udp, host_addresses
from .liveness import due_checks
from .paths import DatagramBurst, PeerPath
from .protocol import AgentProtocol
from .relay import RelayTransport
from .resolve import resolve
from .servers import StunServer, TurnServer, parse_servers
from .turn import TurnClient, TurnError

__all__ = ["IceAgent"]

log = logging.getLogger(__name__)

_STUN_PATIENCE = 5.0
"""Seconds that a STUN server has for an answer, which nobody waits for: only the end of the gathering does."""

_LATE_CHECK_PACE = 0.05
"""Seconds between checks that begin after nomination (RFC 8445 §14.2)."""

_MAX_REMOTE_CANDIDATES = 100
_MAX_ADDRESSES = 24

_UFRAG = re.compile(r"[\x21-\x7e]{1,256}")
_PASSWORD = re.compile(r"[\x21-\x7e]{1,256}")


class IceAgent:
    """Finds paths to a peer. Use: ``gather``, ``set_remote``, ``connect``; candidates may come at any time.

    All callbacks run in the event loop: ``on_datagram`` for each datagram that is not STUN; ``on_candidate`` for each
    local candidate and with None at the end; ``on_valid`` when ``paths`` has changed; ``on_nominated`` when
    ``nominated`` has.
    """

    def __init__(
        self,
        *,
        controlling: bool,
        config: IceConfig,
        on_datagram: Callable[[bytes], None],
        on_candidate: Callable[[Candidate | None], None],
        on_valid: Callable[[], None],
        on_nominated: Callable[[], None],
        times: IceTimes | None = None,
    ) -> None:
        self.local_candidates: list[Candidate] = []
        """What ``on_candidate`` was called with so far."""
        self.gathered = False
        """Whether all candidates are there."""
        self.server_problems: dict[str, str] = {}
        """Why servers gave no candidate: address and reason, for people."""
        self._config = config
        self._times = times or IceTimes()
        self._on_candidate = on_candidate
        self._on_valid = on_valid
        self._on_nominated = on_nominated
        self._paths: tuple[PeerPath, ...] = ()
        self._nominated: PeerPath | None = None
        self._relays: dict[AgentProtocol, TurnClient] = {}
        self._sockets: dict[AgentProtocol, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers_busy = 0
        self._hosts_done = False
        self._timer: asyncio.Handle | None = None
        self._roll = random.random()
        self._remote_count = 0
        self._remote_ended = False
        self._checking = False
        self._settled = False
        self._closed = False
        self._connection = CheckedConnection(
            controlling=controlling,
            deliver=on_datagram,
            make_path=self._make_path,
            gather_hosts=self._gather_hosts,
            on_pairs=self._pairs_changed,
            on_nominated=self._pairs_changed,
            on_learned=self._bind_learned,
            on_check_failed=self._give_up_if_hopeless,
        )

    # -- what it is

    @property
    def local_ufrag(self) -> str:
        """Our user name fragment (RFC 8445 §5.3)."""
        return self._connection.local_username

    @property
    def local_password(self) -> str:
        """Our password."""
        return self._connection.local_password

    @property
    def remote_ufrag(self) -> str | None:
        """The peer's user name fragment, None before ``set_remote``."""
        return self._connection.remote_username

    @property
    def controlling(self) -> bool:
        """Our role now: a role conflict may have changed it (RFC 8445 §7.3.1.1)."""
        return self._connection.ice_controlling

    @property
    def nominated(self) -> PeerPath | None:
        """The path that the controlling agent chose, None before."""
        return self._nominated

    @property
    def last_heard(self) -> float:
        """When the last sign of life came on any path (``time.monotonic``); minus infinity before the first."""
        return max((path.heard for path in self._paths), default=float("-inf"))

    @property
    def counters(self) -> Counters:
        """What was thrown away."""
        return self._connection.counters

    @property
    def closed(self) -> bool:
        """Whether ``aclose`` was called."""
        return self._closed

    def paths(self) -> Sequence[PeerPath]:
        """The valid pairs: the nominated one first, then by priority."""
        return self._paths

    # -- what it does

    async def gather(self) -> None:
        """Bind sockets and report host candidates; return then. Servers are asked meanwhile, each in its own task.

        Raises nothing: a machine without any network has no candidates, and the peer may still have a relay for us.
        """
        if self._closed:
            return
        stun_servers, turn_servers = parse_servers(self._config.servers)
        for rank, turn_server in enumerate(turn_servers):
            self._ask_server(self._add_relay(turn_server, rank))
        await self._connection.gather_candidates()
        if not self._config.relay_only:
            for stun_server in stun_servers:
                self._ask_server(self._add_reflexive(stun_server))
        self._hosts_done = True
        self._end_gathering_if_done()

    def set_remote(self, ufrag: str, password: str) -> None:
        """The peer's credentials from its description. Raises InvalidSdp when they cannot be any."""
        if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
            raise InvalidSdp("The session description has no usable ICE user name and password (RFC 8839 §5.4).")
        self._connection.remote_username, self._connection.remote_password = ufrag, password

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """One of the peer's candidates, or None at the end of them. Useless ones are ignored, ``.local`` names too."""
        if self._closed:
            return
        if candidate is None:
            self._remote_ended = True
            self._give_up_if_hopeless()
            return
        if self._remote_count >= _MAX_REMOTE_CANDIDATES or not gathering.is_usable_remote(candidate):
            return
        self._remote_count += 1
        candidate = copy.copy(candidate)
        candidate.host = str(ipaddress.ip_address(candidate.host))
        for relay in self._relays.values():
            relay.bind((candidate.host, candidate.port))
        await self._connection.add_remote_candidate(candidate)
        self._check_now()

    async def connect(self) -> None:
        """Check until a pair is nominated.

        Raises ConnectionError when nothing was nominated in ``IceTimes.connect`` seconds, when all checks have failed
        and both sides have no more candidates, and when the agent is closed meanwhile.
        """
        self._checking = True
        try:
            async with asyncio.timeout(self._times.connect):
                await self._connection.connect()
        except TimeoutError:
            raise ConnectionError(f"no path to the peer within {self._times.connect:g} s") from None
        self._connection.resume_cancelled()
        self._settled = True
        self._schedule()

    async def aclose(self) -> None:
        """Release relays, close sockets, end tasks. Idempotent, safe from any state."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        relays = [relay.aclose() for relay in self._relays.values()]
        await asyncio.gather(*self._tasks, *relays, return_exceptions=True)
        await self._connection.close()
        for path in self._paths:
            path.closed = True
        self._paths, self._nominated = (), None

    # -- gathering

    async def _gather_hosts(self) -> list[AgentProtocol]:
        if self._config.relay_only:
            return []
        addresses = host_addresses(self._config.interfaces)[:_MAX_ADDRESSES]
        opened = await asyncio.gather(
            *(self._open(address, rank) for rank, address in enumerate(addresses)), return_exceptions=True
        )
        protocols = [protocol for protocol in opened if isinstance(protocol, AgentProtocol)]
        if self._closed:
            for protocol in protocols:
                protocol.transport.abort()
            return []
        for protocol in protocols:
            self._report(protocol.base)
        for rank, address in enumerate(self._config.advertise):
            for base in [protocol.base for protocol in protocols]:
                if (":" in address) == (":" in base.host):
                    self._report(gathering.advertised(address, base, rank=len(addresses) + rank))
        return protocols

    async def _open(self, address: str, rank: int) -> AgentProtocol:
        try:
            sock = bind_udp(address, ports=self._config.udp_ports, roll=self._roll)
        except OSError as error:
            log.info("no host candidate on %s: %s", address, error)
            raise
        protocol = AgentProtocol(self._connection)
        port = sock.getsockname()[1]
        protocol.local_candidate = gathering.host((address, port), rank=rank)
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=sock)
        except BaseException:
            sock.close()
            raise
        self._sockets[protocol] = sock
        return protocol

    async def _add_reflexive(self, server: StunServer) -> None:
        addresses = await resolve(server.host, server.port)
        bases = [
            (rank, protocol, address)
            for address in addresses
            for rank, protocol in enumerate(self._sockets)
            if _can_reach(protocol.base.host, address[0])
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
            self.server_problems[f"stun:{server.host}:{server.port}"] = "no answer"
            return
        mapped = response.attributes.get("XOR-MAPPED-ADDRESS")
        if mapped is None or self._is_known(mapped):
            return
        self._report(gathering.reflexive(mapped, protocol.base, server=server.host, rank=rank))

    async def _add_relay(self, server: TurnServer, rank: int) -> None:
        protocol = AgentProtocol(self._connection)
        client = TurnClient(
            server,
            tls=self._config.tls,
            on_data=protocol.datagram_received,
            on_lost=lambda: self._relay_lost(protocol),
        )
        try:
            allocation = await client.allocate()
        except TurnError as error:
            self.server_problems[f"{server.host}:{server.port} over {server.transport}"] = str(error)
            log.info("TURN server %s:%d over %s: %s", server.host, server.port, server.transport, error)
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
        self._connection.add_relay(protocol)
        for candidate in self._connection.remotes():
            client.bind((candidate.host, candidate.port))
        self._report(protocol.base)
        self._check_now()

    def _ask_server(self, work: Coroutine[None, None, None]) -> None:
        self._servers_busy += 1
        self._spawn(work).add_done_callback(self._server_done)

    def _server_done(self, task: asyncio.Task[None]) -> None:
        self._servers_busy -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("an ICE server could not be used: %s", error)
        if not self._closed and not self._servers_busy and self._hosts_done:
            self._end_gathering_if_done()

    def _end_gathering_if_done(self) -> None:
        if not self._servers_busy and not self.gathered and not self._closed:
            self.gathered = True
            self._on_candidate(None)
            self._give_up_if_hopeless()

    def _is_known(self, address: tuple[str, int]) -> bool:
        return any((known.host, known.port) == tuple(address) for known in self.local_candidates)

    def _report(self, candidate: Candidate) -> None:
        self.local_candidates.append(candidate)
        self._on_candidate(candidate)

    # -- checks

    def _make_path(self, protocol: AgentProtocol, pair: CandidatePair, priority: int) -> PeerPath:
        relay = self._relays.get(protocol)
        sender = relay.sender(pair.remote_addr) if relay else DatagramBurst(self._sockets[protocol], pair.remote_addr)
        return PeerPath(
            sender,
            local=pair.local_candidate,
            remote=pair.remote_candidate,
            priority=priority,
            now=time.monotonic(),
            via=relay.server.transport if relay else "udp",
        )

    def _pairs_changed(self) -> None:
        paths, self._paths = self._paths, tuple(self._connection.valid())
        nominated, self._nominated = self._nominated, self._connection.selected()
        self._schedule()
        if self._paths != paths:
            self._on_valid()
        if self._nominated is not nominated and self._nominated is not None:
            self._on_nominated()

    def _check_now(self) -> None:
        """A new pair is checked at once; aioice looks for new ones only every 20 ms, and after nomination never."""
        if self._checking and not self._closed:
            self._connection.check_next()
            if self._settled:
                self._schedule()

    def _bind_learned(self, candidate: Candidate, protocol: AgentProtocol) -> None:
        relay = self._relays.get(protocol)
        if relay is not None:
            relay.bind((candidate.host, candidate.port))

    def _relay_lost(self, protocol: AgentProtocol) -> None:
        self._connection.protocol_lost(protocol)

    def _give_up_if_hopeless(self) -> None:
        if self._remote_ended and self.gathered and not self._paths and self._connection.all_failed():
            # aioice ends connect() when it hears of the end of the candidates and has no check left. It hears it only
            # now: told before, it would not wait for a relay of ours, or for the peer's own checks.
            self._spawn(self._connection.add_remote_candidate(None))

    # -- liveness

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._closed:
            self._timer = asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        due, delay = due_checks(
            self._paths,
            now=time.monotonic(),
            consent=self._times.consent,
            backup=self._times.backup,
            roll=self._roll,
        )
        for path in due:
            self._connection.ask(path)
        if self._settled and self._connection.check_next():
            delay = min(delay, _LATE_CHECK_PACE)
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _can_reach(base: str, server: str) -> bool:
    ours, theirs = ipaddress.ip_address(base), ipaddress.ip_address(server)
    return ours.version == theirs.version and (theirs.is_loopback or not ours.is_loopback)
