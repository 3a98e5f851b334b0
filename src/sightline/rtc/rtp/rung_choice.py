"""Which rendition one viewer gets: the greatest that its path carries, without going to and fro."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["RungChoice"]

_SEVERE, _MILD = 0.75, 0.95
"""Parts of what the picture takes: a path with less than the one is far too narrow, with less than the other a bit."""

_SEVERE_AFTER, _MILD_AFTER = 0.9, 3.0
"""Seconds for which that must last. One step back of an estimator, to 0.85, is over within two."""

_FITS = 1.1
"""Room that a lower rendition must have, to be gone down to and not past."""

_SETTLE = 2.0
"""Seconds after a switch in which what is heard of the path still tells of the rendition before."""

_STABLE = 4.0
"""Seconds without any sign of a full path before a greater rendition is thought of."""

_ROOM = 1.2
"""Room that a greater rendition must have: its keyframes, and a scene that is busier than the last ones."""

_PROBE = 1.3
"""What is probed for, so that the outcome shows that room."""

_PROBE_AGAIN = 1.0
"""Seconds after which a probe is asked for once more, as long as nothing came of it: who probes knows how often it may.
"""

_FIRST_WAIT, _LAST_WAIT = 4.0, 120.0
"""Seconds until the next rise after one that failed; doubled each time."""

_PROVEN = 15.0
"""Seconds after which a rise has not failed."""


class RungChoice:
    """One viewer's. Renditions are numbered from the greatest, 0. Keeps no clock: ``now`` is passed in, in seconds."""

    def __init__(self, rung: int = 0) -> None:
        self.rung = rung
        """The one wanted now."""
        self._tight_since: float | None = None
        self._severe_since: float | None = None
        self._calm_since: float | None = None
        self._switched_at = float("-inf")
        self._rose_at: float | None = None
        self._wait = _FIRST_WAIT
        self._not_before = 0.0
        self._probe_not_before = 0.0

    def switched(self, now: float) -> None:
        """The wanted rendition is the one that is sent from now on."""
        self._switched_at = now
        self._tight_since = self._severe_since = self._calm_since = None
        if self._rose_at is not None:
            self._rose_at = now

    def step(
        self, now: float, *, needs: Sequence[float | None], available: float | None, limited: bool, starved: bool
    ) -> int | None:
        """Look again, several times a second. Returns what to probe for, in bits per second, or None.

        ``needs``: the bits per second that each rendition takes with all that goes with it, None for one of which that
        is not known. ``available`` and ``limited`` as ``Bandwidth`` has them; ``starved``: pictures were left out for
        this viewer since the last look.
        """
        self.rung = min(self.rung, len(needs) - 1)
        if self._rose_at is not None and now - self._rose_at >= _PROVEN:
            self._rose_at, self._wait = None, _FIRST_WAIT
        self._observe(now, needs[self.rung], available, limited=limited, starved=starved)
        if now - self._switched_at < _SETTLE:
            return None
        if self._is_too_narrow(now):
            self._fall(now, needs, available)
            return None
        return self._look_up(now, needs, available)

    def probed(self, now: float, *, possible: bool) -> None:
        """What came of asking for a probe: it has its turn, or there is nothing to probe with, so that the greater
        rendition has to be its own trial."""
        if possible:
            self._probe_not_before = now + _PROBE_AGAIN
        else:
            self._rise(now, self.rung - 1)

    # -- inside

    def _observe(
        self, now: float, need: float | None, available: float | None, *, limited: bool, starved: bool
    ) -> None:
        narrow = limited and need is not None and available is not None
        severe = starved or (narrow and _times(available, 1) < _times(need, _SEVERE))
        tight = severe or (narrow and _times(available, 1) < _times(need, _MILD))
        self._severe_since = _since(self._severe_since, now) if severe else None
        self._tight_since = _since(self._tight_since, now) if tight else None
        self._calm_since = None if limited or starved else _since(self._calm_since, now)

    def _is_too_narrow(self, now: float) -> bool:
        severe, tight = self._severe_since, self._tight_since
        return (severe is not None and now - severe >= _SEVERE_AFTER) or (
            tight is not None and now - tight >= _MILD_AFTER
        )

    def _fall(self, now: float, needs: Sequence[float | None], available: float | None) -> None:
        last = len(needs) - 1
        if self.rung == last:
            return
        if self._rose_at is not None:
            self._wait = min(_LAST_WAIT, self._wait * 2)
            self._not_before = now + self._wait
            self._rose_at = None
        lower = range(self.rung + 1, last)
        self.rung = next((rung for rung in lower if self._fits(needs[rung], available, _FITS)), last)
        self.switched(now)

    def _look_up(self, now: float, needs: Sequence[float | None], available: float | None) -> int | None:
        if self.rung == 0 or self._calm_since is None or now - self._calm_since < _STABLE or now < self._not_before:
            return None
        for rung in range(self.rung):
            if self._fits(needs[rung], available, _ROOM):
                self._rise(now, rung)
                return None
        if now < self._probe_not_before or self._rose_at is not None:
            return None
        need = needs[self.rung - 1]
        if need is None:
            self._rise(now, self.rung - 1)
            return None
        return round(need * _PROBE)

    def _rise(self, now: float, rung: int) -> None:
        self.rung = rung
        self._rose_at = now
        self.switched(now)

    @staticmethod
    def _fits(need: float | None, available: float | None, margin: float) -> bool:
        return need is not None and available is not None and available >= need * margin


def _since(before: float | None, now: float) -> float:
    return now if before is None else before


def _times(value: float | None, factor: float) -> float:
    return 0.0 if value is None else value * factor
