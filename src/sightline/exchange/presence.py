"""What masters report of their viewers: the latest report of each, for as long as its socket is open (issue 3)."""

from __future__ import annotations

import msgspec

from ..errors import ClientLimitExceeded, InvalidArgument
from ..timers import DEFAULT_TIMERS, Timers
from ..wire.extras import Presence, decode_presence
from .connection import Connection, Role

__all__ = ["PresenceBoard", "Report"]

_BURST = 8
"""Reports that may come at once: a master that was just started has much to tell."""


class Report(msgspec.Struct, frozen=True):
    """What a master said, and when it came by the service's clock (epoch seconds)."""

    presence: Presence
    at: float


class _Reporter:
    __slots__ = ("checked_at", "credit", "report")

    def __init__(self, now: float) -> None:
        self.credit = float(_BURST)
        self.checked_at = now
        self.report: Report | None = None


class PresenceBoard:
    """The reports by socket. ``now`` is a steady clock's, ``wall`` the time of day."""

    def __init__(self, *, timers: Timers = DEFAULT_TIMERS) -> None:
        self._timers = timers
        self._reporters: dict[Connection, _Reporter] = {}

    def __len__(self) -> int:
        """How many masters have reported."""
        return len(self._reporters)

    def put(self, connection: Connection, frame: bytes | str, *, now: float, wall: float) -> None:
        """A report came. Raises InvalidArgument, ClientLimitExceeded and MalformedMessage; the one before then stays.

        A master sends its state again every few seconds, so one report that was too much costs only that long.
        """
        if connection.role is not Role.MASTER or not connection.extras or connection.closed:
            raise InvalidArgument("Only a master that asked for extras reports its viewers.")
        reporter = self._reporters.setdefault(connection, _Reporter(now))
        earned = (now - reporter.checked_at) / self._timers.presence_spacing
        reporter.credit, reporter.checked_at = min(_BURST, reporter.credit + earned), now
        if reporter.credit < 1:
            raise ClientLimitExceeded("Too many presence reports.")
        reporter.credit -= 1
        reporter.report = Report(decode_presence(frame), wall)

    def forget(self, connection: Connection) -> None:
        """The socket is gone. Repeatable."""
        self._reporters.pop(connection, None)

    def of(self, connection: Connection | None) -> Report | None:
        """The latest report of that master, None where it made none."""
        reporter = self._reporters.get(connection) if connection is not None else None
        return reporter.report if reporter is not None else None
