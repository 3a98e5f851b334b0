"""What goes between a viewer and the camera's program beside pictures and sound: messages, questions, commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..observe.log import Log
from ..rtc.data_requests import COMMANDS, Json
from ..rtc.datachannel import DataChannels, DataRequest, RequestFailed
from .commands import Commands

__all__ = ["CameraData"]


class CameraData:
    """The data channels of the connection of the moment, which are opened anew at each connection."""

    def __init__(
        self,
        labels: Sequence[str],
        *,
        commands: bool,
        on_message: Callable[[str, str | bytes], None],
        on_request: Callable[[DataRequest], None] | None,
        log: Log,
    ) -> None:
        """``labels``: of the channels to open, beside that of ``commands``."""
        self.commands = Commands(wanted=commands)
        self._labels = (*labels, *((COMMANDS,) if commands else ()))
        self._on_message = on_message
        self._on_request = on_request
        self._log = log
        self._channels: DataChannels | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the viewer uses data channels at all."""
        return bool(self._labels) or self._on_request is not None

    def send(self, message: str | bytes, label: str | None) -> bool:
        """See ``Viewer.send``."""
        return self._channels is not None and self._channels.send(message, label) > 0

    async def request(self, value: Json, *, label: str, timeout: float) -> object:
        """See ``Viewer.request``."""
        if self._channels is None:
            raise RequestFailed("There is no connection to the camera.")
        return await self._channels.request(value, label=label, timeout=timeout)

    # -- the connection

    def begin(self) -> None:
        """There will be one."""
        self.commands.begin()

    def connected(self, channels: DataChannels) -> None:
        """There is one, or it is back."""
        self._channels = channels
        channels.on_message = self._on_message
        channels.on_request = self._on_request
        self.commands.connected(channels)
        for label in self._labels:
            if label not in channels.labels:
                try:
                    channels.open(label)
                except ConnectionError as error:
                    self._log.warning("the camera takes no data channels: %s", error)

    def lost(self) -> None:
        """It is being given up; there may be another one."""
        self._channels = None
        self.commands.lost()
