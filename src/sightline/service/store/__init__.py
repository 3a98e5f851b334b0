"""Where channels, tags, keys and links are kept."""

from .base import Store
from .records import OPERATE, ROLE_ACTIONS, Channel, Grant, Key, KeyKind, KeyRole, KeyState
from .sqlite import SqliteStore

__all__ = [
    "OPERATE",
    "ROLE_ACTIONS",
    "Channel",
    "Grant",
    "Key",
    "KeyKind",
    "KeyRole",
    "KeyState",
    "SqliteStore",
    "Store",
]
