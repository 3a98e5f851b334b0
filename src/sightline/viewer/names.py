"""Client ids that a person can read out."""

from __future__ import annotations

import secrets
from typing import Final

from ..wire.ids import MAX_NAME

__all__ = ["client_id_of", "new_client_id"]

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike."""


def new_client_id() -> str:
    """A fresh one: seed 001.5 tells of the trap of using one again within a minute."""
    return "viewer-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def client_id_of(name: str, number: int) -> str:
    """``NAME``, ``NAME-2``, ``NAME-3``: masters that are not ours refuse an id that they know (KVS.md §9.5)."""
    suffix = f"-{number}" if number > 1 else ""
    return name[: MAX_NAME - len(suffix)] + suffix
