"""What happens to a viewer, for programs: callbacks, and streams to iterate over."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from ..sessions.viewer.messages import ViewerState
from .streams import Broadcast, Stream

__all__ = ["Callback", "Events", "Message", "NoticeGiven", "StateChanged", "ViewerEvent"]

log = logging.getLogger(__name__)

_QUEUE = 1024
"""Events that may wait for a reader; then the oldest are left out."""


class StateChanged(msgspec.Struct, frozen=True, tag="state"):
    """See ``sessions.viewer.messages.ViewerState``."""

    before: ViewerState
    after: ViewerState


class NoticeGiven(msgspec.Struct, frozen=True, tag="notice"):
    """Why there is no picture, or that all is well again (no reason)."""

    reason: str | None
    """An id of ``sightline.reasons``."""
    message: str
    """A sentence for people; empty without a reason."""


class Message(msgspec.Struct, frozen=True, tag="message"):
    """The camera sent something on a data channel."""

    label: str
    content: str | bytes


ViewerEvent = StateChanged | NoticeGiven | Message
Callback = Callable[[ViewerEvent], None]


class Events:
    """Hands every event to the callback and to all streams. A callback's own error is logged and harms nobody."""

    def __init__(self, callback: Callback | None) -> None:
        self._callback = callback
        self._streams = Broadcast[ViewerEvent](keep=_QUEUE)

    def stream(self) -> Stream[ViewerEvent]:
        """A new stream."""
        return self._streams.stream()

    def publish(self, event: ViewerEvent) -> None:
        """It happened."""
        self._streams.put(event)
        if self._callback is not None:
            try:
                self._callback(event)
            except Exception:
                log.exception("a callback for an event of the viewer failed")

    def end(self, error: Exception | None) -> None:
        """End all streams. Idempotent."""
        self._streams.end(error)
