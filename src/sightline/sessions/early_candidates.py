"""Candidates that came before their offer: AWS does not keep the order (KVS.md §5.4)."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Candidate", "EarlyCandidates"]

Candidate = Mapping[str, object]

_LIFETIME = 60.0
_PER_CLIENT = 64
_CLIENTS = 256


class EarlyCandidates:
    """Keeps candidates per client id for a minute, within limits that a flood cannot exceed."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[float, Candidate]]] = {}

    def keep(self, client_id: str, candidate: Candidate, *, now: float) -> None:
        """Remember one; beyond the limits the oldest client's, or this one, is forgotten."""
        entries = self._kept.pop(client_id, [])
        entries = [(since, kept) for since, kept in entries if now - since < _LIFETIME]
        if len(entries) < _PER_CLIENT:
            entries.append((now, candidate))
        self._kept[client_id] = entries
        if len(self._kept) > _CLIENTS:
            del self._kept[next(iter(self._kept))]

    def take(self, client_id: str, *, now: float) -> list[Candidate]:
        """The ones that came for a client id, in order; they are forgotten here."""
        return [kept for since, kept in self._kept.pop(client_id, []) if now - since < _LIFETIME]
