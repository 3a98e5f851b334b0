"""In which of the W3C's six states a viewer's connection is, and what is kept for it (issue 3, DESIGN.md).

::

                 answer            path and keys           silence 3 s
          new ───────────► connecting ───────► connected ◄─────────────► disconnected
                              │    ▲                          heard           │
             not within 30 s  │    └───── ICE restart ─────┐                  │ silence 10 s; 3 s when
                              ▼                            │                  ▼ signaling is closed too
                            failed ◄───────────────────── failed (asleep: keys, no sockets) ──► closed after 60 s

    close_notify, RTCP BYE, a page's farewell, the master's own end: closed, from any state, at once
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..timers import DEFAULT_TIMERS, Timers

__all__ = ["ConnectionMachine", "ConnectionState", "Held", "IceConnectionState", "Reason", "Transition"]


class ConnectionState(StrEnum):
    """The W3C's six states (seed 000.2)."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"

    @property
    def is_final(self) -> bool:
        """Whether the viewer is gone: only a late ICE restart revives one that failed."""
        return self in (ConnectionState.FAILED, ConnectionState.CLOSED)


class IceConnectionState(StrEnum):
    """The W3C's states of the path; ``checking`` also during a restart."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why a connection came into its state."""

    ANSWERED = "answered"
    CONNECTED = "path-and-keys"
    HEARD = "heard-again"
    SILENT = "silent"
    NO_PATH = "no-path"
    NO_KEYS = "no-keys"
    RESTART = "ice-restart"
    CLOSE_NOTIFY = "close-notify"
    BYE = "bye"
    FAREWELL = "farewell"
    REPLACED = "replaced"
    ENDED = "ended"
    SLEPT = "not-revived"
    BROKEN = "broken"


class Held(StrEnum):
    """What a connection still holds."""

    EVERYTHING = "everything"
    KEYS = "keys"
    """DTLS and SRTP only: nothing is sent and no socket is open."""
    NOTHING = "nothing"


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A change of state, as it stands in the log: ``before → after (reason)``."""

    before: ConnectionState
    after: ConnectionState
    reason: Reason


class ConnectionMachine:
    """One viewer's connection. Times are seconds of one steady clock; each input returns the change that it made."""

    def __init__(self, now: float, *, timers: Timers = DEFAULT_TIMERS) -> None:
        self.state = ConnectionState.NEW
        self.since = now
        """When it came into the state."""
        self.reason: Reason | None = None
        self._timers = timers
        self._has_path = False
        self._has_keys = False
        self._heard_at = now
        self._signaling_closed = False
        self._connect_by = 0.0

    @property
    def held(self) -> Held:
        """What is kept for it now."""
        if not self.state.is_final:
            return Held.EVERYTHING
        return Held.KEYS if self.state is ConnectionState.FAILED and self._has_keys else Held.NOTHING

    # ------------------------------------------------------------------------------------------ it comes up

    def answered(self, now: float) -> Transition | None:
        """The viewer's first offer was answered."""
        if self.state is not ConnectionState.NEW:
            return None
        self._connect_by = now + self._timers.viewer_connect
        return self._enter(ConnectionState.CONNECTING, Reason.ANSWERED, now)

    def path_valid(self, now: float) -> Transition | None:
        """A pair of the newest ICE generation has answered a check (RFC 8445 §7.2.5.3)."""
        self._has_path = True
        return self.heard(now) or self._complete(now)

    def keys_agreed(self, now: float) -> Transition | None:
        """The DTLS handshake is done: there are keys for SRTP (RFC 5764)."""
        self._has_keys = True
        return self.heard(now) or self._complete(now)

    def _complete(self, now: float) -> Transition | None:
        if self.state is ConnectionState.CONNECTING and self._has_path and self._has_keys:
            return self._enter(ConnectionState.CONNECTED, Reason.CONNECTED, now)
        return None

    def heard(self, at: float) -> Transition | None:
        """Something valid came from the viewer at that time: a check or its answer, DTLS, RTP, RTCP."""
        self._heard_at = max(self._heard_at, at)
        if self.state is ConnectionState.DISCONNECTED and at > self.since:
            return self._enter(ConnectionState.CONNECTED, Reason.HEARD, at)
        return None

    def restart(self, now: float) -> Transition | None:
        """An ICE restart of this session began, ours or the viewer's: one more while for it, and life for a sleeper."""
        if self.state is not ConnectionState.CONNECTED:
            self._heard_at = max(self._heard_at, now)
        self._connect_by = now + self._timers.viewer_connect
        if self.state is ConnectionState.FAILED and self._has_keys:
            self._has_path = False
            return self._enter(ConnectionState.CONNECTING, Reason.RESTART, now)
        return None

    # -------------------------------------------------------------------------------------------- it ends

    def signaling(self, *, is_open: bool) -> None:
        """The viewer's signaling socket came or went. Alone it frees nothing: some close it when media flows."""
        self._signaling_closed = not is_open

    def no_path(self, now: float) -> Transition | None:
        """ICE has given up: no check of a first offer succeeded, or all paths have been silent for long."""
        if self.state in (ConnectionState.NEW, ConnectionState.FAILED, ConnectionState.CLOSED):
            return None
        return self._enter(ConnectionState.FAILED, Reason.SILENT if self._has_path else Reason.NO_PATH, now)

    def no_keys(self, now: float) -> Transition | None:
        """The DTLS handshake failed, or the association broke: there is nothing to go on with."""
        if self.state.is_final:
            return None
        self._has_keys = False
        return self._enter(ConnectionState.FAILED, Reason.NO_KEYS, now)

    def ended(self, reason: Reason, now: float) -> Transition | None:
        """Somebody said goodbye, or the session can no longer be used: everything is freed at once."""
        if self.state is ConnectionState.CLOSED:
            return None
        return self._enter(ConnectionState.CLOSED, reason, now)

    # ------------------------------------------------------------------------------------------------ time

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do at the earliest."""
        match self.state:
            case ConnectionState.CONNECTING:
                return self._connect_by
            case ConnectionState.CONNECTED:
                return self._heard_at + self._timers.viewer_disconnected
            case ConnectionState.DISCONNECTED:
                return self._heard_at + self._patience
            case ConnectionState.FAILED:
                return self.since + (self._timers.viewer_sleep if self._has_keys else 0.0)
        return None

    def tick(self, now: float) -> Transition | None:
        """The change that is due; to be called again until there is none."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return None
        match self.state:
            case ConnectionState.CONNECTED:
                return self._enter(ConnectionState.DISCONNECTED, Reason.SILENT, now)
            case ConnectionState.DISCONNECTED:
                return self._enter(ConnectionState.FAILED, Reason.SILENT, now)
            case ConnectionState.CONNECTING:
                why = Reason.NO_KEYS if self._has_path else Reason.NO_PATH
                return self._enter(ConnectionState.FAILED, why, now)
        return self._enter(ConnectionState.CLOSED, Reason.SLEPT, now)

    @property
    def _patience(self) -> float:
        timers = self._timers
        return timers.viewer_failed_without_signaling if self._signaling_closed else timers.viewer_failed

    def _enter(self, state: ConnectionState, reason: Reason, now: float) -> Transition:
        transition = Transition(self.state, state, reason)
        self.state, self.since, self.reason = state, now, reason
        return transition
