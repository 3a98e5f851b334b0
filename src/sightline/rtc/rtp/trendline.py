"""Whether packets come ever later, which is how a queue that fills shows itself (draft-ietf-rmcat-gcc-02 §5.2-5.5).

The draft's Kalman filter is a line of least squares through the delays here, as in libwebrtc since 2016: it needs no
knowledge of the noise.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

__all__ = ["ArrivalGroups", "Trendline", "Usage"]

_TOGETHER = 0.005
"""Seconds within which packets that are sent, or that come, count as one group: links deliver in bursts."""

_LONGEST_BURST = 0.1

_STEP = 3.0
"""Seconds by which arrivals may jump before everything is measured anew: the receiver's clock was set."""

_WINDOW = 20
"""Groups that the line goes through."""

_SMOOTHING = 0.9

_GAIN = 4.0
_MOST_GROUPS = 60
"""A slope counts ``_GAIN`` times as much for each group there was, up to so many."""

_THRESHOLD, _LEAST_THRESHOLD, _MOST_THRESHOLD = 0.0125, 0.006, 0.6
_UP, _DOWN = 8.7, 39.0
"""How fast the threshold follows what is measured, per second: it rises slowly, so as not to be starved by TCP, and
falls quickly."""

_OUTLIER = 0.015
"""Seconds above the threshold beyond which it does not follow: a sudden change is no noise."""

_PATIENCE = 0.01
"""Seconds for which it must be over the threshold."""


class Usage(Enum):
    """What delays say of the path."""

    NORMAL = auto()
    OVERUSE = auto()
    """Packets queue."""
    UNDERUSE = auto()
    """A queue empties."""


class ArrivalGroups:
    """Puts packets that were sent together into groups. Times in seconds, of two clocks that need not agree."""

    __slots__ = ("_before", "_first_arrived", "_first_sent", "_last_arrived", "_last_sent")

    def __init__(self) -> None:
        self._first_sent: float | None = None
        self._last_sent = self._first_arrived = self._last_arrived = 0.0
        self._before: tuple[float, float] | None = None

    def add(self, sent: float, arrived: float) -> tuple[float, float] | None:
        """A packet. When it begins a new group: the steps of sending and of arrival between the two groups before."""
        if self._first_sent is None:
            self._begin(sent, arrived)
            return None
        if sent < self._first_sent:
            return None  # overtaken by others
        if self._belongs(sent, arrived):
            self._last_sent = max(self._last_sent, sent)
            self._last_arrived = max(self._last_arrived, arrived)
            return None
        group, before = (self._last_sent, self._last_arrived), self._before
        self._before = group
        self._begin(sent, arrived)
        if before is None:
            return None
        steps = group[0] - before[0], group[1] - before[1]
        if steps[1] < 0 or steps[1] - steps[0] > _STEP:
            self._before = None
            return None
        return steps

    def _begin(self, sent: float, arrived: float) -> None:
        self._first_sent = self._last_sent = sent
        self._first_arrived = self._last_arrived = arrived

    def _belongs(self, sent: float, arrived: float) -> bool:
        assert self._first_sent is not None
        if sent - self._first_sent <= _TOGETHER:
            return True
        # It waited somewhere on the way and came right behind the others.
        step = arrived - self._last_arrived
        return (
            step - (sent - self._last_sent) < 0 and step <= _TOGETHER and arrived - self._first_arrived < _LONGEST_BURST
        )


class Trendline:
    """Takes the steps between groups; ``usage`` is what they say now."""

    __slots__ = ("_delay", "_groups", "_over", "_over_for", "_points", "_slope", "_smoothed", "_threshold", "usage")

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._points: deque[tuple[float, float]] = deque(maxlen=_WINDOW)
        self._groups = 0
        self._delay = self._smoothed = self._slope = 0.0
        self._threshold = _THRESHOLD
        self._over_for: float | None = None
        self._over = 0

    def add(self, sent: float, arrived: float, at: float) -> None:
        """The steps of sending and of arrival to a group that arrived ``at`` (on the receiver's clock)."""
        self._groups = min(_MOST_GROUPS, self._groups + 1)
        self._delay += arrived - sent
        self._smoothed += (self._delay - self._smoothed) * (1 - _SMOOTHING)
        self._points.append((at, self._smoothed))
        slope = _slope(self._points) if len(self._points) == _WINDOW else self._slope
        self._detect(slope, sent)
        self._follow(abs(self._weighed(slope)), arrived)
        self._slope = slope

    def _weighed(self, slope: float) -> float:
        # In milliseconds the figure would be slope * groups * gain.
        return slope * self._groups * _GAIN / 1000

    def _detect(self, slope: float, step: float) -> None:
        weighed = self._weighed(slope)
        if weighed > self._threshold:
            # It is not known when in between it began.
            self._over_for = step / 2 if self._over_for is None else self._over_for + step
            self._over += 1
            if self._over_for > _PATIENCE and self._over > 1 and slope >= self._slope:
                self._over_for, self._over = 0.0, 0
                self.usage = Usage.OVERUSE
            return
        self._over_for, self._over = None, 0
        self.usage = Usage.UNDERUSE if weighed < -self._threshold else Usage.NORMAL

    def _follow(self, weighed: float, step: float) -> None:
        if weighed > self._threshold + _OUTLIER:
            return
        gain = _DOWN if weighed < self._threshold else _UP
        self._threshold += min(1.0, gain * min(0.1, step)) * (weighed - self._threshold)
        self._threshold = min(_MOST_THRESHOLD, max(_LEAST_THRESHOLD, self._threshold))


def _slope(points: deque[tuple[float, float]]) -> float:
    """Of the line of least squares, in seconds of delay per second."""
    count, begin = len(points), points[0][0]
    x_mean = sum(x for x, _ in points) / count - begin
    y_mean = sum(y for _, y in points) / count
    above = below = 0.0
    for x, y in points:
        distance = x - begin - x_mean
        above += distance * (y - y_mean)
        below += distance * distance
    return above / below if below else 0.0
