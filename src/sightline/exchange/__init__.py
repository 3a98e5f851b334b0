"""The service's state machines, without I/O and without a clock: sockets, pending messages, duplicates, limits."""

from .connection import Close, Connection, Drop, Muted, Output, Ping, Role, Send
from .exchange import Exchange, ExchangeLimits, ExchangeStats
from .failures import FailureLimiter
from .presence import PresenceBoard, Report

__all__ = [
    "Close",
    "Connection",
    "Drop",
    "Exchange",
    "ExchangeLimits",
    "ExchangeStats",
    "FailureLimiter",
    "Muted",
    "Output",
    "Ping",
    "PresenceBoard",
    "Report",
    "Role",
    "Send",
]
