"""1:1 calls with the people in a room (seed 004), for devices and programs."""

from ..media.decoder import AudioFrame, VideoFrame
from ..media.recorder import Recorder, Recording
from ..sessions.call import CallOptions
from ..sessions.call.messages import CallState
from ..viewer.streams import Stream
from .call import Call
from .events import CallEvent, CallStateChanged, LobbyChanged, SendingChanged, TextReceived, UsersChanged
from .failure import ENDINGS, CallEnded, CallError, RoomFull, ending
from .outgoing import Sending
from .session import CallSession, CallStatistics, Ring

__all__ = [
    "ENDINGS",
    "AudioFrame",
    "Call",
    "CallEnded",
    "CallError",
    "CallEvent",
    "CallOptions",
    "CallSession",
    "CallState",
    "CallStateChanged",
    "CallStatistics",
    "LobbyChanged",
    "Recorder",
    "Recording",
    "Ring",
    "RoomFull",
    "Sending",
    "SendingChanged",
    "Stream",
    "TextReceived",
    "UsersChanged",
    "VideoFrame",
    "ending",
]
