"""The viewer's side of a channel."""

from ..media.decoder import AudioFrame, VideoFrame
from ..media.recorder import Recorder, Recording
from ..sessions.viewer import Persistent, RetryOnce, RetryPolicy, ViewerOptions
from ..sessions.viewer.messages import ViewerState
from .events import Message, NoticeGiven, StateChanged, ViewerEvent
from .failure import ViewerFailed
from .statistics import ViewerStatistics
from .streams import Stream
from .viewer import Viewer

__all__ = [
    "AudioFrame",
    "Message",
    "NoticeGiven",
    "Persistent",
    "Recorder",
    "Recording",
    "RetryOnce",
    "RetryPolicy",
    "StateChanged",
    "Stream",
    "VideoFrame",
    "Viewer",
    "ViewerEvent",
    "ViewerFailed",
    "ViewerOptions",
    "ViewerState",
    "ViewerStatistics",
]
