"""Where to send, and how the connection is: decided from what was heard on which path. No input or output.

One generation is *active*: media goes out on its selected path. During a restart the next one is *pending*, and from
its first valid pair on media goes out on both, until it is nominated: libwebrtc may take six seconds to nominate after
its old pair died silently. Then the old one is *retired*: it is still listened to for a second, and closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from ...sessions.connection_state import IceConnectionState
from .config import IceTimes

__all__ = ["Choice", "Decision"]

_ANSWERS = 1.5
"""Seconds: a pair answers when its last answer is no older; in silence each is asked every 0.5 s."""

_MAX_EXTRA = 3
"""Other pairs that are sent on in silence. Each costs the stream's whole bandwidth."""

_POLL = 0.1
"""Seconds between two looks at the other pairs during silence."""


class Observed(Protocol):
    """What is known of a path, see ``PeerPath``: times in seconds of one clock."""

    heard: float
    answered: float
    closed: bool


P = TypeVar("P", bound=Observed)


class Decision(msgspec.Struct, Generic[P], frozen=True):
    """What holds now."""

    state: IceConnectionState
    targets: tuple[P, ...]
    """Send every datagram on each of these."""
    reap: tuple[int, ...]
    """Close these generations; they are forgotten here."""
    wake: float | None
    """Seconds until something can change by the mere passing of time."""


class _Generation(Generic[P]):
    def __init__(self) -> None:
        self.paths: Sequence[P] = ()
        self.nominated = False
        self.retired_at: float | None = None

    def open_paths(self) -> list[P]:
        return [path for path in self.paths if not path.closed]


class Choice(Generic[P]):
    """Call a method for what happened, then ``update``. Generations are known by ascending numbers."""

    def __init__(self, times: IceTimes) -> None:
        self._times = times
        self._generations: dict[int, _Generation[P]] = {}
        self._active: int | None = None
        self._reap: list[int] = []
        self._failed = False
        self._closed = False
        self.last_heard = float("-inf")
        """The last sign of life on any path of any generation."""

    # -- what happened

    def started(self, number: int) -> None:
        """A generation begins its checks. Those still pending are superseded, unless they have found a way."""
        for other, generation in list(self._generations.items()):
            if other != self._active and generation.retired_at is None and not generation.paths:
                self._forget(other)
        self._generations[number] = _Generation()
        self._failed = False

    def paths_changed(self, number: int, paths: Sequence[P], *, nominated: bool, now: float) -> None:
        """The valid pairs of a generation, its nominated one first."""
        generation = self._generations.get(number)
        if generation is None:
            return
        generation.paths, generation.nominated = paths, nominated
        if generation.retired_at is not None or not paths:
            return
        if nominated and (self._active is None or number >= self._active):
            for other, older in self._generations.items():
                if other < number and older.retired_at is None:
                    older.retired_at = now
            self._active = number
        elif self._active is None:
            self._active = number

    def ended(self, number: int) -> None:
        """A generation has found no way, or is not wanted any more."""
        if number in self._generations:
            self._forget(number)
            if self._active is None and not self._pending():
                self._fail()

    def slept(self) -> None:
        """Every generation is given up; another may be started."""
        self._fail()

    def closed(self) -> None:
        """The end."""
        self._closed = True
        for number in list(self._generations):
            self._forget(number)

    # -- what holds

    def update(self, now: float) -> Decision[P]:
        """Decide for this moment."""
        self._look(now)
        state = self._state(now)
        if state is IceConnectionState.FAILED:
            self._fail()
        targets = self._targets(now)
        reap, self._reap = tuple(self._reap), []
        return Decision(state, targets, reap, self._wake(now, state))

    def _look(self, now: float) -> None:
        for number, generation in list(self._generations.items()):
            self._listen(generation)
            if generation.retired_at is not None and now - generation.retired_at >= self._times.reap:
                self._forget(number)

    def _listen(self, generation: _Generation[P]) -> None:
        for path in generation.paths:
            self.last_heard = max(self.last_heard, path.heard)

    def _state(self, now: float) -> IceConnectionState:
        if self._closed:
            return IceConnectionState.CLOSED
        if self._failed:
            return IceConnectionState.FAILED
        if not self._generations:
            return IceConnectionState.NEW
        if self._active is None or self._pending():
            return IceConnectionState.CHECKING
        silence = now - self.last_heard
        if silence >= self._times.failed:
            return IceConnectionState.FAILED
        if silence >= self._times.disconnected:
            return IceConnectionState.DISCONNECTED
        return (
            IceConnectionState.COMPLETED if self._generations[self._active].nominated else IceConnectionState.CONNECTED
        )

    def _targets(self, now: float) -> tuple[P, ...]:
        targets: list[P] = []
        for number in [self._active, *self._pending()]:
            if number is not None:
                targets += self._generations[number].open_paths()[:1]
        heard = self._heard_on_selected()
        if self._active is not None and now - heard >= self._times.bicast:
            others = [
                path
                for generation in self._generations.values()
                for path in generation.open_paths()
                if path not in targets and path.answered > heard and now - path.answered <= _ANSWERS
            ]
            others.sort(key=lambda path: -path.answered)
            targets += others[:_MAX_EXTRA]
        return tuple(targets)

    def _wake(self, now: float, state: IceConnectionState) -> float | None:
        times = [g.retired_at + self._times.reap for g in self._generations.values() if g.retired_at is not None]
        if self._active is not None:
            if self._has_others():
                silent_at = self._heard_on_selected() + self._times.bicast
                times.append(silent_at if silent_at > now else now + _POLL)
            if state is not IceConnectionState.CHECKING:
                for limit in (self._times.disconnected, self._times.failed):
                    times.append(self.last_heard + limit)
        return max(0.001, min(at for at in times if at > now) - now) if times else None

    def _has_others(self) -> bool:
        """Whether there is any pair beside the selected one."""
        return sum(len(generation.open_paths()) for generation in self._generations.values()) > 1

    def _heard_on_selected(self) -> float:
        paths = self._generations[self._active].open_paths() if self._active is not None else []
        return paths[0].heard if paths else float("-inf")

    def _pending(self) -> list[int]:
        if self._active is None:
            return [number for number, generation in self._generations.items() if generation.retired_at is None]
        return [number for number in self._generations if number > self._active]

    def _forget(self, number: int) -> None:
        self._listen(self._generations.pop(number))
        self._reap.append(number)
        if number == self._active:
            self._active = None
            # A pending generation that has found a way stands in.
            self._active = next((n for n in self._pending() if self._generations[n].paths), None)

    def _fail(self) -> None:
        self._failed = True
        for number in list(self._generations):
            self._forget(number)
