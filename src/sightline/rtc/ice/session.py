"""An ICE session: one generation after the other, so that a restart never interrupts what is sent (RFC 8445 §9)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

import msgspec
from aioice import Candidate

from ...sessions.connection_state import IceConnectionState
from ..wake_timer import WakeTimer
from .agent import IceAgent
from .choice import Choice
from .config import IceConfig, IceTimes
from .paths import PeerPath

__all__ = ["IceSession", "IceStats", "PairStats"]

log = logging.getLogger(__name__)

_MAX_EARLY = 100
"""Candidates kept until their description has come (RFC 8838 §8.2)."""


class PairStats(msgspec.Struct, frozen=True, kw_only=True):
    """The selected pair."""

    local_kind: str
    """``host``, ``srflx``, ``prflx`` or ``relay``; so is ``remote_kind``."""
    remote_kind: str
    via: str
    """How a relay of ours is reached: ``udp``, ``tcp`` or ``tls``."""
    local: tuple[str, int]
    remote: tuple[str, int]
    rtt: float | None
    """Seconds, smoothed, from liveness queries; None before the first answer."""
    sent: int
    """Datagrams."""
    dropped: int
    """Datagrams that the socket or the relay did not take."""

    @classmethod
    def of(cls, path: PeerPath) -> PairStats:
        """A snapshot of a path."""
        return cls(
            local_kind=path.kind,
            remote_kind=path.remote_kind,
            via=path.via,
            local=path.local,
            remote=path.remote,
            rtt=path.rtt,
            sent=path.sent,
            dropped=path.dropped,
        )


class IceStats(msgspec.Struct, frozen=True, kw_only=True):
    """How the session sends now."""

    state: IceConnectionState
    generations: int
    """How many there were: one, and one for each restart."""
    selected: PairStats | None
    valid_pairs: tuple[str, ...]
    """Of all generations, for people."""
    server_problems: dict[str, str]
    """STUN and TURN servers that gave no candidate, and why."""


class IceSession:
    """Generations of one peer. Offer or answer: ``restart`` makes a generation, ``start`` lets it connect.

    ``on_candidate`` gets a local candidate, or None at their end, and the ``local_ufrag`` of the description that it
    belongs to. ``on_change`` is called when ``ice_connection_state``, ``targets`` or ``has_path`` has changed.
    """

    def __init__(
        self,
        *,
        controlling: bool,
        config: IceConfig,
        on_datagram: Callable[[bytes], None],
        on_candidate: Callable[[Candidate | None, str], None],
        on_change: Callable[[], None],
        times: IceTimes | None = None,
    ) -> None:
        self.ice_connection_state = IceConnectionState.NEW
        self.controlling = controlling
        """Our role in the generations that are begun from now on."""
        self.new_paths = 0
        """Grows when a path is added to ``targets``: the receiver there may need a keyframe."""
        self._config = config
        self._times = times or IceTimes()
        self._on_datagram = on_datagram
        self._on_candidate = on_candidate
        self._on_change = on_change
        self._choice: Choice[PeerPath] = Choice(self._times)
        self._agents: dict[int, IceAgent] = {}
        self._started: set[int] = set()
        self._count = 0
        self._targets: tuple[PeerPath, ...] = ()
        self._early: deque[tuple[str | None, Candidate | None]] = deque(maxlen=_MAX_EARLY)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: dict[int, asyncio.Task[None]] = {}
        self._timer = WakeTimer(self._update)
        self._refused = False
        self._closed = False

    # -- how it is

    @property
    def active(self) -> IceAgent | None:
        """The newest generation, whose descriptions are current. None before the first and after the end."""
        return self._agents[max(self._agents)] if self._agents else None

    @property
    def has_path(self) -> bool:
        """Whether the newest generation has a valid pair."""
        agent = self.active
        return agent is not None and bool(agent.paths())

    @property
    def last_heard(self) -> float:
        """When the last sign of life came (``time.monotonic``); minus infinity before the first."""
        heard = max((agent.last_heard for agent in self._agents.values()), default=float("-inf"))
        return max(heard, self._choice.last_heard)

    @property
    def rtt(self) -> float | None:
        """Seconds of the round trip on the selected path, None before it is known."""
        return self._targets[0].rtt if self._targets else None

    @property
    def turn_refused(self) -> bool:
        """Whether a TURN server has refused the credentials of the newest generation."""
        agent = self.active
        return self._refused if agent is None else agent.turn_refused

    def targets(self) -> Sequence[PeerPath]:
        """The paths on which ``send`` sends: the selected one first."""
        return self._targets

    def send(self, datagrams: Sequence[bytes]) -> int:
        """Hand over all datagrams now, on every target; never waits. Returns how many went out on the best of them."""
        taken = 0
        for path in self._targets:
            taken = max(taken, path.send(datagrams))
        return taken

    def stats(self) -> IceStats:
        """A snapshot."""
        agents = list(self._agents.values())
        path = self._targets[0] if self._targets else None
        return IceStats(
            state=self.ice_connection_state,
            generations=self._count,
            selected=PairStats.of(path) if path else None,
            valid_pairs=tuple(path.describe() for agent in agents for path in agent.paths()),
            server_problems={server: why for agent in agents for server, why in agent.server_problems.items()},
        )

    # -- what it does

    def restart(self, config: IceConfig | None = None) -> IceAgent:
        """A new generation with credentials of its own: the first one, or the next. To be gathered and started.

        ``config``: for this generation and those that follow, such as fresh TURN credentials.
        Nothing changes for the generations before it until the new one has found a path. Also revives a session that
        has ``failed``. Raises RuntimeError after ``aclose``.
        """
        if self._closed:
            raise RuntimeError("the ICE session is closed")
        self._config = config or self._config
        self._count += 1
        number = self._count
        for other in [n for n in self._agents if n not in self._started]:
            self._drop(other)  # an offer of ours that was never answered
        agent = self._agents[number] = IceAgent(
            controlling=self.controlling,
            config=self._config,
            times=self._times,
            on_datagram=self._on_datagram,
            on_candidate=lambda candidate: self._on_candidate(candidate, agent.local_ufrag),
            on_valid=lambda: self._paths_changed(number),
            on_nominated=lambda: self._paths_changed(number),
        )
        return agent

    def start(self, agent: IceAgent, ufrag: str, password: str) -> None:
        """Connect a generation with the peer's credentials. Gathers if that was not done; does not wait.

        Raises InvalidSdp for credentials that cannot be any.
        """
        number = self._number_of(agent)
        if number is None or number in self._started:
            return
        agent.set_remote(ufrag, password)
        self._started.add(number)
        self._choice.started(number)
        kept = [(named, candidate) for named, candidate in self._early if named in (None, ufrag)]
        self._early.clear()
        self._connecting[number] = self._spawn(self._connect(number, agent, [candidate for _, candidate in kept]))
        self._update()

    def abandon(self, agent: IceAgent) -> None:
        """Take back a generation, such as one of our own offers that lost against the peer's."""
        number = self._number_of(agent)
        if number is not None:
            self._choice.ended(number)
            self._drop(number)
            self._update()

    async def add_remote_candidate(self, candidate: Candidate | None, *, ufrag: str | None = None) -> None:
        """A candidate, or None at their end, of the description with this ``ufrag``.

        One for a description that has not come yet is kept; one that names none is the newest's, and kept for the next
        as well when that is being negotiated.
        """
        if self._closed:
            return
        agents = [self._agents[number] for number in sorted(self._started & self._agents.keys())]
        if ufrag is not None:
            agents = [agent for agent in agents if agent.remote_ufrag == ufrag]
        if not agents or (ufrag is None and len(self._started & self._agents.keys()) < len(self._agents)):
            self._early.append((ufrag, candidate))
        if agents:
            await agents[-1].add_remote_candidate(candidate)

    async def sleep(self) -> None:
        """Close all generations and their sockets. The state is ``failed``, and ``restart`` revives the session."""
        if not self._closed:
            self._choice.slept()
            await self._end()

    async def aclose(self) -> None:
        """Close all generations for good. Idempotent, safe from any state."""
        self._closed = True
        self._choice.closed()
        await self._end()

    async def _end(self) -> None:
        for number in list(self._agents):
            self._drop(number)
        self._update()
        if self._closed:
            self._timer.cancel()
        # Those of now: a generation that is begun meanwhile is nothing that a sleeper waits for.
        ending = set(self._tasks)
        if ending:
            await asyncio.wait(ending)

    # -- inside

    async def _connect(self, number: int, agent: IceAgent, candidates: list[Candidate | None]) -> None:
        try:
            await agent.gather()
            for candidate in candidates:
                await agent.add_remote_candidate(candidate)
            await agent.connect()
            self._paths_changed(number)
        except ConnectionError as error:
            if number in self._agents:
                log.info("ICE generation %d: %s", number, error)
                self._choice.ended(number)
                self._update()

    def _paths_changed(self, number: int) -> None:
        agent = self._agents.get(number)
        if agent is not None:
            nominated = agent.nominated is not None or agent.settled
            self._choice.paths_changed(number, agent.paths(), nominated=nominated, now=time.monotonic())
            self._update()

    def _update(self) -> None:
        decision = self._choice.update(time.monotonic())
        for number in decision.reap:
            self._drop(number)
        if decision.wake is None:
            self._timer.cancel()
        else:
            self._timer.at(time.monotonic() + decision.wake)
        changed = decision.state is not self.ice_connection_state or decision.targets != self._targets
        if any(path not in self._targets for path in decision.targets):
            self.new_paths += 1
        self.ice_connection_state, self._targets = decision.state, decision.targets
        if changed:
            self._on_change()

    def _number_of(self, agent: IceAgent) -> int | None:
        return next((number for number, known in self._agents.items() if known is agent), None)

    def _drop(self, number: int) -> None:
        agent = self._agents.pop(number, None)
        self._started.discard(number)
        connecting = self._connecting.pop(number, None)
        if agent is not None:
            self._refused = agent.turn_refused
            self._spawn(self._close(agent, connecting))

    async def _close(self, agent: IceAgent, connecting: asyncio.Task[None] | None) -> None:
        await agent.aclose()
        if connecting is not None and connecting is not asyncio.current_task():
            connecting.cancel()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
