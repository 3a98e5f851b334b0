"""The camera's side of a channel."""

from .master import Master, MasterSession, SessionProvider
from .viewer_session import Viewer

__all__ = ["Master", "MasterSession", "SessionProvider", "Viewer"]
