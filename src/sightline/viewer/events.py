"""What happens to a viewer, for programs: callbacks, and streams to iterate over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..sessions.viewer.messages import ViewerState

__all__ = ["Callback", "Message", "NoticeGiven", "StateChanged", "ViewerEvent"]


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
