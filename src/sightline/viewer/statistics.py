"""A viewer's figures, fit to show to a person."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from ..rtc.stats import PeerStatistics
from ..rtc.viewer_peer import EncodedFrame
from ..sessions.viewer.messages import ViewerState

__all__ = ["Meter", "ViewerStatistics"]

_WINDOW: Final = 2.0
"""Seconds over which rates are taken."""

_SPAN: Final = 600.0
"""Delays outside of it come from clocks that are wrong."""


class ViewerStatistics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Times in seconds, rates per second; None where nothing is known."""

    state: ViewerState
    client_id: str
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    frame_rate: float = 0.0
    """Pictures that came."""
    bitrate: float | None = None
    """Bits per second of video and sound that came."""
    loss: float | None = None
    """The fraction, 0 to 1, of video packets that were missed lately."""
    round_trip_time: float | None = None
    candidate_pair: str | None = None
    """The path in use, for people."""
    picture_delay: float | None = None
    """From the camera to the picture's arrival here; as right as both machines' clocks are."""
    pictures: int = 0
    """All that came."""
    decoded: int = 0
    """Those of them that were decoded, because somebody wanted to see them."""
    connections: int = 0
    """How many connections to the camera were begun: more than one means that some were lost or failed."""
    first_picture: float | None = None
    """From the beginning to the first picture."""


class Meter:
    """Counts the pictures that come. All times are passed in with the frames."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        """Width and height in pixels."""
        self.codec: str | None = None
        self.pictures = 0
        self.decoded = 0
        self.delay: float | None = None
        """From the camera to the last picture's arrival; None where a clock is wrong."""
        self._arrivals: deque[float] = deque()
        self._since: float | None = None

    def came(self, frame: EncodedFrame, *, wall: float) -> None:
        """A picture arrived, at ``wall`` in epoch seconds by this machine's clock."""
        self.pictures += 1
        self.codec = frame.codec
        if self._since is None:
            self._since = frame.received
        self._arrivals.append(frame.received)
        self._forget(frame.received)
        if frame.capture is not None:
            delay = wall - frame.capture
            self.delay = delay if abs(delay) < _SPAN else None

    def frame_rate(self, now: float) -> float:
        """Pictures per second lately; ``now`` by the clock of ``received``."""
        self._forget(now)
        elapsed = now - self._since if self._since is not None else 0.0
        return len(self._arrivals) / min(_WINDOW, max(elapsed, 0.5))

    def statistics(
        self,
        peer: PeerStatistics | None,
        *,
        state: ViewerState,
        client_id: str,
        connections: int,
        first_picture: float | None,
        now: float,
    ) -> ViewerStatistics:
        """All of them together."""
        width, height = self.size or (None, None)
        return ViewerStatistics(
            state=state,
            client_id=client_id,
            width=width,
            height=height,
            codec=self.codec,
            frame_rate=self.frame_rate(now),
            bitrate=peer.bitrate if peer is not None else None,
            loss=peer.loss if peer is not None else None,
            round_trip_time=peer.round_trip_time if peer is not None else None,
            candidate_pair=peer.candidate_pair if peer is not None else None,
            picture_delay=self.delay if state is ViewerState.WATCHING else None,
            pictures=self.pictures,
            decoded=self.decoded,
            connections=connections,
            first_picture=first_picture,
        )

    def _forget(self, now: float) -> None:
        while self._arrivals and self._arrivals[0] <= now - _WINDOW:
            self._arrivals.popleft()
