"""One ICE generation: candidates both ways as they come, checks, and the paths that were found (RFC 8445, RFC 8838)."""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import random
import re
import time
from collections.abc import Callable, Coroutine, Sequence

from aioice import Candidate
from aioice.ice import CandidatePair

from ...errors import InvalidSdp
from . import gathering
from .config import IceConfig, IceTimes
from .connection import CheckedConnection, Counters
from .gatherer import Gatherer
from .liveness import due_checks
from .nomination import Nominator
from .paths import PeerPath
from .protocol import AgentProtocol

__all__ = ["IceAgent"]

_LATE_CHECK_PACE = 0.05
"""Seconds between checks that begin after nomination (RFC 8445 §14.2)."""

_MAX_REMOTE_CANDIDATES = 100

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
        self._times = times or IceTimes()
        self._on_candidate = on_candidate
        self._on_valid = on_valid
        self._on_nominated = on_nominated
        self._paths: tuple[PeerPath, ...] = ()
        self._nominated: PeerPath | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._nominator: Nominator[PeerPath] = Nominator()
        self._nominating: asyncio.TimerHandle | None = None
        self._roll = random.random()
        self._remote_count = 0
        self._remote_ended = False
        self._gathering = False
        self._checking = False
        self._settled = False
        self._closed = False
        self._connection = CheckedConnection(
            controlling=controlling,
            deliver=on_datagram,
            make_path=self._make_path,
            gather_hosts=lambda: self._gatherer.hosts(),
            on_pairs=self._pairs_changed,
            on_nominated=self._pairs_changed,
            on_learned=lambda candidate, protocol: self._gatherer.bind((candidate.host, candidate.port), protocol),
            on_check_failed=self._give_up_if_hopeless,
        )
        self._gatherer = Gatherer(
            config,
            make_protocol=lambda: AgentProtocol(self._connection),
            on_candidate=self._candidate,
            on_relay=self._relay_came,
            on_lost=self._connection.protocol_lost,
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
    def local_candidates(self) -> list[Candidate]:
        """What ``on_candidate`` was called with so far."""
        return self._gatherer.candidates

    @property
    def gathered(self) -> bool:
        """Whether all local candidates are there."""
        return self._gatherer.done

    @property
    def server_problems(self) -> dict[str, str]:
        """Why servers gave no candidate: address and reason, for people."""
        return self._gatherer.problems

    @property
    def turn_refused(self) -> bool:
        """Whether a TURN server has refused our credentials, at once or later."""
        return self._gatherer.turn_refused

    @property
    def nominated(self) -> PeerPath | None:
        """The path that the controlling agent chose, None before."""
        return self._nominated

    @property
    def settled(self) -> bool:
        """Whether ``connect`` has ended well: with a nominated path, or with a valid one after a long wait."""
        return self._settled

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
        if not self._closed and not self._gathering:
            self._gathering = True
            await self._connection.gather_candidates()
            self._gatherer.hosts_done()

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
        self._gatherer.bind((candidate.host, candidate.port))
        await self._connection.add_remote_candidate(candidate)
        self._check_now()

    async def connect(self) -> None:
        """Check until a pair is nominated, or for ``IceTimes.connect`` seconds: then a valid one will do.

        Raises ConnectionError when no pair was valid in that time, when all checks have failed and both sides have no
        more candidates, and when the agent is closed meanwhile.
        """
        self._checking = True
        try:
            async with asyncio.timeout(self._times.connect):
                await self._connection.connect()
        except TimeoutError:
            if not self._paths:
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
        if self._nominating is not None:
            self._nominating.cancel()
        await self._gatherer.aclose()
        await self._connection.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for path in self._paths:
            path.closed = True
        self._paths, self._nominated = (), None

    # -- candidates and checks

    def _candidate(self, candidate: Candidate | None) -> None:
        self._on_candidate(candidate)
        if candidate is None:
            self._give_up_if_hopeless()

    def _relay_came(self, protocol: AgentProtocol) -> None:
        self._connection.add_relay(protocol)
        for candidate in self._connection.remotes():
            self._gatherer.bind((candidate.host, candidate.port), protocol)
        self._check_now()

    def _make_path(self, protocol: AgentProtocol, pair: CandidatePair, priority: int) -> PeerPath:
        sender, via = self._gatherer.sender(protocol, pair.remote_addr)
        return PeerPath(
            sender,
            local=pair.local_candidate,
            remote=pair.remote_candidate,
            priority=priority,
            now=time.monotonic(),
            via=via,
        )

    def _pairs_changed(self) -> None:
        paths, self._paths = self._paths, tuple(self._connection.valid())
        nominated, self._nominated = self._nominated, self._connection.selected()
        self._schedule()
        self._nominate()
        if self._paths != paths:
            self._on_valid()
        if self._nominated is not nominated and self._nominated is not None:
            self._on_nominated()

    def _nominate(self) -> None:
        if self._nominating is not None:
            self._nominating.cancel()
            self._nominating = None
        if self._closed or not self._connection.ice_controlling:
            return
        now = time.monotonic()
        path, again = self._nominator.update(self._paths, self._nominated, now)
        if again is not None:
            self._nominating = asyncio.get_running_loop().call_later(max(0.001, again - now), self._nominate)
        if path is not None:
            self._connection.nominate(path)

    def _check_now(self) -> None:
        """A new pair is checked at once; aioice looks for new ones only every 20 ms, and after nomination never."""
        if self._checking and not self._closed:
            self._connection.check_next()
            if self._settled:
                self._schedule()

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
        self._nominate()
        if self._settled and self._connection.check_next():
            delay = min(delay, _LATE_CHECK_PACE)
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
