"""The camera's side of a channel."""

from ..sessions.roster import Happening, Viewer, ViewerEvent
from .commands import CommandCall
from .events import EventStream
from .master import Master, MasterSession, SessionProvider

__all__ = [
    "CommandCall",
    "EventStream",
    "Happening",
    "Master",
    "MasterSession",
    "SessionProvider",
    "Viewer",
    "ViewerEvent",
]
