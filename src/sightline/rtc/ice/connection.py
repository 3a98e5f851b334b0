"""ICE checks by aioice, with the changes that a master needs: our subclass of ``aioice.Connection``.

What is used of aioice beyond its documented API, and what for (``tests/unit/rtc/ice/test_aioice_hooks.py`` fails when
any of it changes; aioice is pinned exactly):

=============================================== ======= ===============================================================
hook                                            kind    why
=============================================== ======= ===============================================================
Connection.get_component_candidates             over    our own sockets (port range, loopback); no waiting for servers
Connection.data_received                        over    called for what looked like STUN and was not: counted
Connection.query_consent                        over    never closes; liveness is asked for by ``due_checks``
Connection.build_request                        over    checks do not nominate, but the one that is meant to
Connection.check_complete                       over    learns of each valid pair and of nomination at once
Connection.check_incoming                       over    a check without PRIORITY is ignored; repeats ours at once
Connection.protocol_lost                        over    a lost relay or socket closes its paths
Connection.check_start_task, check_state        call    pairs that came late, or were given up at nomination
Connection.sort_check_list                      call    after a late relay was paired
Connection._check_list                          append  those pairs
Connection._nominated                           read    the selected pair
Connection._closing                             read    a socket that we close ourselves is not lost
Connection._protocols, _local_candidates        append  a relay that came late
Connection._remote_candidates                   read    to pair it, to bind TURN channels
Connection._pair_remote_candidate               call    to pair it
CandidatePair.task, .nominated                  write   a check that connect() cancelled can begin again
ice.StunProtocol                                sub     ``AgentProtocol``: demultiplexing, known addresses
StunProtocol.datagram_received, .send_stun      over    likewise
StunProtocol.request, .transactions, .transport use     reflexive addresses, repeated checks
ice.candidate_pair_priority                     call    order of paths
candidate.candidate_foundation, _priority       call    our own candidates
stun.Message, stun.parse_message                use     liveness queries, TURN
=============================================== ======= ===============================================================
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable

import msgspec
from aioice import Candidate, Connection, TransportPolicy, stun
from aioice.ice import CandidatePair, StunProtocol, candidate_pair_priority

from .consent import ConsentAnswerer, ConsentQuery, transaction_of
from .paths import PeerPath
from .protocol import AgentProtocol

__all__ = ["CheckedConnection", "Counters"]

_ANSWER_LIFETIME = 5.0
"""Seconds for which the answer to a liveness query is waited for."""

_MAX_REMOTES = 150
"""Candidates of the peer, signalled (100 at most, see ``IceAgent``) and learned from its checks."""

_BINDING_REQUEST = b"\x00\x01"

State = CandidatePair.State


class Counters(msgspec.Struct):
    """Datagrams that were thrown away."""

    strangers: int = 0
    """From addresses that had not shown the password."""
    malformed: int = 0
    """Looked like STUN, and was not."""


class CheckedConnection(Connection):
    """One generation's checks. Reports valid pairs as paths; everything runs in the event loop's thread."""

    def __init__(
        self,
        *,
        controlling: bool,
        deliver: Callable[[bytes], None],
        make_path: Callable[[AgentProtocol, CandidatePair, int], PeerPath],
        gather_hosts: Callable[[], Awaitable[list[AgentProtocol]]],
        on_pairs: Callable[[], None],
        on_nominated: Callable[[], None],
        on_learned: Callable[[Candidate, AgentProtocol], None],
        on_check_failed: Callable[[], None],
    ) -> None:
        # With this policy aioice looks neither for addresses (we do, and it takes a millisecond) nor for mDNS names;
        # the server is never asked, see get_component_candidates.
        super().__init__(
            ice_controlling=controlling,
            turn_server=("turn.invalid", 0),
            transport_policy=TransportPolicy.RELAY,
        )
        self.deliver = deliver
        self.counters = Counters()
        self._make_path = make_path
        self._gather_hosts = gather_hosts
        self._on_pairs = on_pairs
        self._on_nominated = on_nominated
        self._on_learned = on_learned
        self._on_check_failed = on_check_failed
        self._queries: dict[PeerPath, ConsentQuery] = {}
        self._answerers: dict[PeerPath, ConsentAnswerer] = {}
        self._selected: PeerPath | None = None
        self._chosen: CandidatePair | None = None
        self._asked: dict[bytes, tuple[PeerPath, float]] = {}

    # -- what aioice calls

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        """Host candidates alone; servers have tasks of their own."""
        protocols = await self._gather_hosts()
        self._protocols += protocols
        return [protocol.local_candidate for protocol in protocols]

    def data_received(self, data: bytes, component: int) -> None:
        """Called only for what begins like STUN and is not: media goes to ``deliver``."""
        self.counters.malformed += 1

    async def query_consent(self) -> None:
        """Nothing: see ``ask``."""

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """A socket or relay is gone."""
        if isinstance(protocol, AgentProtocol):
            for path in protocol.paths.values():
                path.closed = True
        if not self._closing:
            self._on_pairs()

    def build_request(self, pair: CandidatePair, nominate: bool) -> stun.Message:
        """A check. As controlling agent we nominate only what ``nominate`` was called for (RFC 8445 §8.1.1)."""
        return super().build_request(pair, nominate=nominate and self._may_nominate(pair))

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """An authenticated check of the peer."""
        if "PRIORITY" not in message.attributes:
            self.counters.malformed += 1
            return
        known = len(self._remote_candidates)
        if known >= _MAX_REMOTES and addr not in [(other.host, other.port) for other in self._remote_candidates]:
            return  # a peer that checks from ever new ports: each would cost a pair and its checks
        super().check_incoming(message, addr, protocol)
        assert isinstance(protocol, AgentProtocol)
        protocol.repeat_check(addr)
        for candidate in self._remote_candidates[known:]:
            self._on_learned(candidate, protocol)

    def check_complete(self, pair: CandidatePair) -> None:
        """A check has ended, or the peer has nominated a pair that had been valid before."""
        protocol, before = pair.protocol, self._nominated.get(1)
        assert isinstance(protocol, AgentProtocol)
        if not self._may_nominate(pair):
            pair.nominated = False
        unchecked = [other for other in self._check_list if other.state in (State.WAITING, State.FROZEN)]
        super().check_complete(pair)
        self._keep(unchecked)
        protocol.forget_check(pair.remote_addr)
        if pair.state is not State.SUCCEEDED:
            self._on_check_failed()
            return
        protocol.accept(pair.remote_addr)
        if pair.remote_addr not in protocol.paths:
            self._add_path(pair, protocol)
            self._on_pairs()
        if self._nominated.get(1) is not before:
            self._selected = self.selected()
            self._on_nominated()

    def _keep(self, unchecked: list[CandidatePair]) -> None:
        """Nomination throws away what has not been checked yet. We check it later: it may be the way that is left."""
        for pair in unchecked:
            if pair not in self._check_list:
                pair.task = None
                self._check_list.append(pair)

    def _add_path(self, pair: CandidatePair, protocol: AgentProtocol) -> None:
        assert self.remote_password is not None
        priority = candidate_pair_priority(pair.local_candidate, pair.remote_candidate, self.ice_controlling)
        path = protocol.paths[pair.remote_addr] = self._make_path(protocol, pair, priority)
        request = self.build_request(pair, nominate=False)
        self._queries[path] = ConsentQuery(request, self.remote_password.encode())
        username = f"{self.local_username}:{self.remote_username}"
        self._answerers[path] = ConsentAnswerer(username, self.local_password.encode(), pair.remote_addr)

    def _may_nominate(self, pair: CandidatePair) -> bool:
        return not self.ice_controlling or pair is self._chosen

    # -- what the agent calls

    def selected(self) -> PeerPath | None:
        """The nominated pair's path."""
        pair = self._nominated.get(1)
        if pair is None or not isinstance(pair.protocol, AgentProtocol):
            return None
        path = pair.protocol.paths.get(pair.remote_addr)
        return None if path is None or path.closed else path

    def nominate(self, path: PeerPath) -> None:
        """As controlling agent: tell the peer that this pair is to be used. Called again, it says so again."""
        pair = next((pair for pair in self._check_list if self._path_of(pair) is path), None)
        if pair is None or not self.ice_controlling or self._closing:
            return
        protocol = pair.protocol
        assert isinstance(protocol, AgentProtocol)
        if pair is self._chosen and pair.state is State.IN_PROGRESS:
            protocol.repeat_check(pair.remote_addr)
            return
        self._chosen = pair
        if pair.state is not State.IN_PROGRESS:
            pair.task = None
            self.check_state(pair, State.WAITING)
            self.check_start_task(pair)

    @staticmethod
    def _path_of(pair: CandidatePair) -> PeerPath | None:
        return pair.protocol.paths.get(pair.remote_addr) if isinstance(pair.protocol, AgentProtocol) else None

    def valid(self) -> list[PeerPath]:
        """The paths of all valid pairs, the nominated one first, then by priority."""
        paths = [
            path
            for protocol in self._protocols
            if isinstance(protocol, AgentProtocol)
            for path in protocol.paths.values()
            if not path.closed
        ]
        selected = self.selected()
        paths.sort(key=lambda path: (path is not selected, -path.priority))
        return paths

    def add_relay(self, protocol: AgentProtocol) -> None:
        """Pair a relay that came after the gathering."""
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        self.sort_check_list()

    def remotes(self) -> list[Candidate]:
        """The peer's candidates, signalled or learned."""
        return list(self._remote_candidates)

    def all_failed(self) -> bool:
        """Whether there were checks and none has a chance any more."""
        return bool(self._check_list) and all(pair.state is State.FAILED for pair in self._check_list)

    def resume_cancelled(self) -> None:
        """To be called after ``connect``, which cancels the checks under way: they begin again, for other paths."""
        for pair in self._check_list:
            if pair.state is State.IN_PROGRESS:
                pair.task = None
                self.check_state(pair, State.WAITING)

    def check_next(self) -> bool:
        """Start one check of those that came after nomination; returns whether more are waiting."""
        waiting = [pair for pair in self._check_list if pair.state in (State.WAITING, State.FROZEN) and not pair.task]
        if waiting:
            self.check_start_task(waiting[0])
        return len(waiting) > 1

    def ask(self, path: PeerPath) -> None:
        """Send a liveness query on a path; its answer shows in the path's times."""
        query = self._queries.get(path)
        if query is None:
            return
        now = time.monotonic()
        path.asked = now
        self._asked = {key: entry for key, entry in self._asked.items() if now - entry[1] < _ANSWER_LIFETIME}
        transaction = os.urandom(12)
        self._asked[transaction] = (path, now)
        path.send((query.encode(transaction),))

    def take_query(self, datagram: bytes, source: tuple[str, int], protocol: AgentProtocol) -> bool:
        """Whether a datagram was one of the peer's plain queries on a valid pair; it is answered then."""
        path = protocol.paths.get(source)
        if path is None or path.closed or datagram[:2] != _BINDING_REQUEST:
            return False
        answer = self._answerers[path].answer(
            datagram, controlling=self.ice_controlling, nominated=path is self._selected
        )
        if answer is None:
            return False
        path.heard = time.monotonic()
        path.send((answer,))
        return True

    def take_answer(self, datagram: bytes, source: tuple[str, int]) -> bool:
        """Whether a datagram was the answer to a liveness query."""
        entry = self._asked.get(transaction_of(datagram))
        if entry is None:
            return False
        path, sent = entry
        if source == path.remote and self._queries[path].is_answer(datagram):
            del self._asked[transaction_of(datagram)]
            path.heard = path.answered = time.monotonic()
            path.measured(path.heard - sent)
        return True
