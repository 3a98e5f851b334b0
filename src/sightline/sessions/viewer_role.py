"""Which role a viewer's session has, by what the service says of the sockets of its client id.

Client ids are chosen by viewers, so a socket's role is not yet that of a peer connection made under the same id:
somebody with less rights may have made the connection, and somebody with more may open a socket under its id later.
Therefore a session begins with the role of the socket that is open then, and what is said later can only take from it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HeldRole"]

_RANK: Final = {None: 0, "viewer": 1, "operator": 2}
_UNKNOWN: Final = 1

_KEPT: Final = 60.0
"""Seconds for which a role outlives the socket: a viewer that reconnects to signaling is away for a moment, and of a
link that is revoked while its viewer has no socket nobody tells the master."""


class HeldRole:
    """Sans-IO; ``now`` is a steady clock's."""

    def __init__(self, role: str | None) -> None:
        """``role`` of the socket that is open when the session begins; None where there is none."""
        self._role = role
        self._until = float("inf")

    def opened(self, role: str | None) -> None:
        """A socket of this client id is open, with that role."""
        self._lessen(role)
        self._until = float("inf")

    def closed(self, role: str | None, now: float) -> None:
        """The socket closed; ``role`` is None when its key or link was revoked."""
        self._lessen(role)
        self._until = min(self._until, now + _KEPT)

    def unknown(self, now: float) -> None:
        """The master has connected to the service anew, which is about to say which sockets are open."""
        self._until = min(self._until, now + _KEPT)

    def at(self, now: float) -> str | None:
        """The role; None: the service has not said, or does not vouch for it any more."""
        return self._role if now < self._until else None

    def _lessen(self, role: str | None) -> None:
        if _RANK.get(role, _UNKNOWN) < _RANK.get(self._role, _UNKNOWN):
            self._role = role
