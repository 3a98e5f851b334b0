"""Who watches: the viewers of one master, as it shows them to its program and to the service (seed 000.3 and 000.4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from .connection_state import ConnectionState, IceConnectionState

__all__ = ["Happening", "Roster", "Viewer", "ViewerEvent"]


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A viewer as it is now."""

    client_id: str
    connection_state: ConnectionState = ConnectionState.NEW
    ice_connection_state: IceConnectionState = IceConnectionState.NEW
    since: float = 0.0
    """When it came into its connection state, in epoch seconds."""
    reason: str = ""
    """Why it did, by the names of ``connection_state.Reason``."""
    candidate_pair: str | None = None
    """The path in use, for people: both ends' kinds and addresses."""
    round_trip_time: float | None = None
    """Seconds."""
    loss: float | None = None
    """The fraction, 0 to 1, of the video packets that did not arrive, by its last report (RFC 3550 §6.4.1)."""
    bitrate: float | None = None
    """What is sent to it, in bits per second, over the last seconds."""
    available_bitrate: float | None = None
    """What its path is known to carry, in bits per second (docs/topics/bandwidth.md)."""
    rendition: str | None = None
    """The size in which it gets the pictures, for instance ``720p``."""
    role: str | None = None
    """What it may do, ``viewer`` or ``operator``; None where the service does not say, or not any more."""


class Happening(StrEnum):
    """What can happen to a viewer."""

    JOINED = "joined"
    """It is ``connected`` for the first time."""
    CHANGED = "changed"
    """A state of it changed; its figures alone are no event."""
    LEFT = "left"
    """One that had joined is gone: failed, closed or replaced."""


class ViewerEvent(msgspec.Struct, frozen=True):
    """Something happened to a viewer, which is here as it was right after."""

    kind: Happening
    viewer: Viewer


class _Entry:
    __slots__ = ("joined", "viewer")

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.joined = False


class Roster:
    """Client id to viewer, one session at a time for each."""

    def __init__(self, *, max_viewers: int | None = None) -> None:
        """``max_viewers``: how many sessions there may be at a time, those still connecting included; None: any."""
        self.max_viewers = max_viewers
        self._entries: dict[str, _Entry] = {}

    @property
    def sessions(self) -> Mapping[str, Viewer]:
        """All that are not gone."""
        return {client_id: entry.viewer for client_id, entry in self._entries.items()}

    @property
    def viewers(self) -> Mapping[str, Viewer]:
        """Those that were ``connected`` and are not gone; a ``disconnected`` one keeps its place."""
        return {client_id: entry.viewer for client_id, entry in self._entries.items() if entry.joined}

    def is_connected(self, client_id: str) -> bool:
        """Whether that viewer is ``connected`` now."""
        entry = self._entries.get(client_id)
        return entry is not None and entry.viewer.connection_state is ConnectionState.CONNECTED

    def has_room(self, client_id: str) -> bool:
        """Whether a session of this viewer may begin. Who replaces its own always may."""
        return self.max_viewers is None or client_id in self._entries or len(self._entries) < self.max_viewers

    def update(self, viewer: Viewer) -> list[ViewerEvent]:
        """The viewer as it is now; its first one makes its place, a final state ends it."""
        entry = self._entries.get(viewer.client_id)
        if viewer.connection_state.is_final:
            return self.remove(viewer)
        if entry is None:
            entry = self._entries[viewer.client_id] = _Entry(viewer)
            before = None
        else:
            before, entry.viewer = entry.viewer, viewer
        if viewer.connection_state is ConnectionState.CONNECTED and not entry.joined:
            entry.joined = True
            return [ViewerEvent(Happening.JOINED, viewer)]
        if before is None or _states(before) != _states(viewer):
            return [ViewerEvent(Happening.CHANGED, viewer)]
        return []

    def remove(self, viewer: Viewer) -> list[ViewerEvent]:
        """Its session is gone; ``viewer`` says how it ended. Repeatable."""
        entry = self._entries.pop(viewer.client_id, None)
        if entry is None:
            return []
        return [ViewerEvent(Happening.LEFT if entry.joined else Happening.CHANGED, viewer)]


def _states(viewer: Viewer) -> tuple[ConnectionState, IceConnectionState]:
    return viewer.connection_state, viewer.ice_connection_state
