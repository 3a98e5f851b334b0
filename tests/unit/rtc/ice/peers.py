"""Two ends of a connection on this machine, and what stands between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aioice import Candidate

from sightline.rtc.ice.agent import IceAgent
from sightline.rtc.ice.config import IceConfig, IceTimes
from sightline.rtc.ice.session import IceSession

LOOPBACK = ("lo",)
"""Host candidates on 127.0.0.1 and ::1 alone: quick, and the same on each machine."""

QUICK = IceTimes(connect=5.0, bicast=0.3, disconnected=1.0, failed=2.0, consent=0.3, backup=0.5, reap=0.2)
"""The shell's tests wait for real sockets; that the times are obeyed exactly is shown with a fake clock elsewhere."""


class Server(msgspec.Struct):
    """A STUN or TURN server as it stands in a configuration."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class End:
    """An agent with its peer's address book: every candidate goes to ``other`` at once."""

    def __init__(self, *, controlling: bool, config: IceConfig, times: IceTimes = QUICK) -> None:
        self.other: End | None = None
        self.received: list[bytes] = []
        self.candidates: list[Candidate | None] = []
        self.events: list[str] = []
        self.signals = True
        """Whether ``other`` is told our candidates."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.agent = IceAgent(
            controlling=controlling,
            config=config,
            times=times,
            on_datagram=self.received.append,
            on_candidate=self._candidate,
            on_valid=lambda: self.events.append("valid"),
            on_nominated=lambda: self.events.append("nominated"),
        )

    def _candidate(self, candidate: Candidate | None) -> None:
        self.candidates.append(candidate)
        if self.other is not None and self.signals:
            task = asyncio.get_running_loop().create_task(self.other.agent.add_remote_candidate(candidate))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def kinds(self) -> list[str]:
        return [candidate.type for candidate in self.candidates if candidate is not None]


@asynccontextmanager
async def two_agents(
    first: IceConfig, second: IceConfig, *, times: IceTimes = QUICK, roles: tuple[bool, bool] = (True, False)
) -> AsyncIterator[tuple[End, End]]:
    """Two agents that know each other's credentials."""
    a = End(controlling=roles[0], config=first, times=times)
    b = End(controlling=roles[1], config=second, times=times)
    a.other, b.other = b, a
    a.agent.set_remote(b.agent.local_ufrag, b.agent.local_password)
    b.agent.set_remote(a.agent.local_ufrag, a.agent.local_password)
    try:
        yield a, b
    finally:
        await asyncio.gather(a.agent.aclose(), b.agent.aclose())


async def connect(a: End, b: End) -> None:
    """Gather and check on both sides."""
    await asyncio.gather(a.agent.gather(), b.agent.gather())
    await asyncio.gather(a.agent.connect(), b.agent.connect())


class Party:
    """A session, and descriptions that reach the other one after ``delay`` seconds."""

    def __init__(self, *, controlling: bool, config: IceConfig, times: IceTimes = QUICK) -> None:
        self.received: list[bytes] = []
        self.received_at: list[float] = []
        self.states: list[str] = []
        self.other: Party | None = None
        self.delay = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.session = IceSession(
            controlling=controlling,
            config=config,
            times=times,
            on_datagram=self._datagram,
            on_candidate=self._candidate,
            on_change=self._change,
        )

    def _datagram(self, datagram: bytes) -> None:
        self.received.append(datagram)
        self.received_at.append(time.monotonic())

    def _change(self) -> None:
        state = str(self.session.ice_connection_state)
        if not self.states or self.states[-1] != state:
            self.states.append(state)

    def _candidate(self, candidate: Candidate | None, ufrag: str) -> None:
        self._later(lambda other: other.session.add_remote_candidate(candidate, ufrag=ufrag))

    def _later(self, deliver: Callable[[Party], object]) -> None:
        async def later() -> None:
            await asyncio.sleep(self.delay)
            assert self.other is not None
            await deliver(self.other)  # type: ignore[misc]

        task = asyncio.get_running_loop().create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def offer(self) -> IceAgent:
        """Begin a generation; the other side answers, and both connect."""
        agent = self.session.restart()
        await agent.gather()
        self._later(lambda other: other._answer(agent.local_ufrag, agent.local_password, agent))
        return agent

    async def _answer(self, ufrag: str, password: str, theirs: IceAgent) -> None:
        agent = self.session.restart()
        await agent.gather()
        self.session.start(agent, ufrag, password)

        async def accept(other: Party) -> None:
            other.session.start(theirs, agent.local_ufrag, agent.local_password)

        self._later(accept)


@asynccontextmanager
async def two_parties(
    first: IceConfig, second: IceConfig, *, times: IceTimes = QUICK, delay: float = 0.0
) -> AsyncIterator[tuple[Party, Party]]:
    """Two sessions, connected."""
    a = Party(controlling=True, config=first, times=times)
    b = Party(controlling=False, config=second, times=times)
    a.other, b.other = b, a
    a.delay = b.delay = delay
    try:
        await a.offer()
        await eventually(lambda: a.session.ice_connection_state == b.session.ice_connection_state == "completed")
        yield a, b
    finally:
        await asyncio.gather(a.session.aclose(), b.session.aclose())


async def eventually(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)
