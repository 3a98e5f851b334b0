"""Where the frames of a connection lie on the time axis of a recording, sound and picture together."""

from __future__ import annotations

from typing import Final

from .received import ReceivedFrame, clock_rate

__all__ = ["HOLD", "RunTimes"]

HOLD: Final = 1.0
"""Seconds for which the first frames of a connection are held: until then it shows whether there is sound, and the
camera's sender reports tell how sound and pictures belong together (one at least every 500 ms)."""

_KINDS: Final = frozenset({"video", "audio"})

Placed = tuple[ReceivedFrame, float]
"""A frame and its time in seconds from the recording's beginning."""


class RunTimes:
    """The frames of one connection: their RTP timestamps give the distances, the camera's clock what belongs together
    (when it is known of both), and the times of arrival where on the axis the connection lies.

    So a pause between two connections is a pause in the recording, and what is seen is when it was.
    """

    def __init__(self, begun_at: float | None = None) -> None:
        """``begun_at``: monotonic seconds at which the recording began; None: with this connection's first frame."""
        self.begun_at = begun_at
        self._held: list[ReceivedFrame] = []
        self._offsets: dict[str, float] | None = None
        self._arrival_of_capture: float | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """``video`` and ``audio``, as far as they are there."""
        return frozenset(self._offsets or ())

    def push(self, frame: ReceivedFrame) -> list[Placed]:
        """What can be placed now; nothing while frames are held."""
        if self._offsets is not None:
            return [self._place(frame, self._offsets)]
        self._held.append(frame)
        waited = frame.received - self._held[0].received
        captured = {each.kind for each in self._held if each.capture is not None}
        if captured == _KINDS or waited >= HOLD:
            return self.release()
        return []

    def release(self) -> list[Placed]:
        """Place what is held, whatever is known."""
        held, self._held = self._held, []
        if not held:
            return []
        offsets = self._offsets = self._align(held)
        return [self._place(frame, offsets) for frame in held]

    def _align(self, held: list[ReceivedFrame]) -> dict[str, float]:
        kinds = {frame.kind for frame in held}
        captured = [frame for frame in held if frame.capture is not None]
        if {frame.kind for frame in captured} == kinds:
            # The quickest frame tells best how the two clocks relate: the others waited on the way.
            self._arrival_of_capture = min(frame.received - (frame.capture or 0.0) for frame in captured)
        telling = [frame for frame in held if self._arrival_of_capture is None or frame.capture is not None]
        offsets: dict[str, float] = {
            kind: min(_start(frame, self._arrival(frame)) for frame in telling if frame.kind == kind) for kind in kinds
        }
        if self.begun_at is None:
            self.begun_at = min(offsets[frame.kind] + frame.timestamp / clock_rate(frame) for frame in held)
        return offsets

    def _arrival(self, frame: ReceivedFrame) -> float:
        if self._arrival_of_capture is None or frame.capture is None:
            return frame.received
        return frame.capture + self._arrival_of_capture

    def _place(self, frame: ReceivedFrame, offsets: dict[str, float]) -> Placed:
        if frame.kind not in offsets:  # the sound began late
            offsets[frame.kind] = _start(frame, self._arrival(frame))
        begun_at = self.begun_at if self.begun_at is not None else 0.0
        return frame, max(0.0, offsets[frame.kind] + frame.timestamp / clock_rate(frame) - begun_at)


def _start(frame: ReceivedFrame, arrival: float) -> float:
    """When the RTP timestamp was 0, by the clock of ``arrival``."""
    return arrival - frame.timestamp / clock_rate(frame)
