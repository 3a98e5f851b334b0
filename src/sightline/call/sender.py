"""What the others see and hear of somebody in a room: in mid-call too, and in all calls that follow."""

from __future__ import annotations

from ..media.source import Source
from .connection import CallConnection
from .outgoing import Sending
from .peers import Peers

__all__ = ["Sender"]


class Sender:
    """The part of ``Call`` that says what is sent."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._connection: CallConnection | None = None

    @property
    def sending(self) -> Sending:
        """What there is to send, without what is switched off."""
        return self._peers.outgoing.sending

    @property
    def muted(self) -> bool:
        """See ``set_muted``."""
        return self._peers.outgoing.muted

    @property
    def picture_off(self) -> bool:
        """See ``set_picture_off``."""
        return self._peers.outgoing.picture_off

    async def set_source(self, source: Source | str | None) -> None:
        """Send something else from now on: another camera, a file, the test picture; None: nothing.

        A call goes on without a break. A text is opened by ``open_source``, as at the beginning; the source before is
        closed, unless it was given as an object. Raises ConfigError and MediaError when it cannot be opened, and
        everything stays as it was; CallError before the room is entered and after it is left.
        """
        await self._peers.change(source, self._sending_changed)

    def set_muted(self, muted: bool) -> None:
        """Send silence in place of the sound, or the sound again. The other side is told."""
        self._peers.outgoing.muted = muted
        self._sending_changed()

    def set_picture_off(self, off: bool) -> None:
        """Send no picture, or the picture again. The other side is told, and sees no last one that stands still."""
        self._peers.outgoing.picture_off = off
        self._sending_changed()

    def _sending_changed(self) -> None:
        if self._connection is not None:
            self._connection.sending_changed()
