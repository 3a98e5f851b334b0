"""The service's state machines, without I/O and without a clock: sockets, pending messages, duplicates, limits."""

from .connection import Close, Connection, Drop, Muted, Output, Ping, Role, Send
from .exchange import Exchange, ExchangeLimits, ExchangeStats
from .failures import FailureLimiter
from .lobby import Lobby
from .lobby_limits import LobbyLimits
from .lobby_member import Member, MemberClose, MemberDrop, MemberOutput, MemberPing, MemberSend
from .presence import PresenceBoard, Report

__all__ = [
    "Close",
    "Connection",
    "Drop",
    "Exchange",
    "ExchangeLimits",
    "ExchangeStats",
    "FailureLimiter",
    "Lobby",
    "LobbyLimits",
    "Member",
    "MemberClose",
    "MemberDrop",
    "MemberOutput",
    "MemberPing",
    "MemberSend",
    "Muted",
    "Output",
    "Ping",
    "PresenceBoard",
    "Report",
    "Role",
    "Send",
]
