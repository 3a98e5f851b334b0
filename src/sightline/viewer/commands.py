"""Commands to the camera's device, over the data channel of the connection of the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from ..errors import CommandFailed, ConfigError, SightlineError
from ..rtc.data_requests import COMMANDS, Json
from ..rtc.datachannel import RequestFailed

__all__ = ["Commands"]

_SENTENCES: Final = {
    "not-connected": "There is no connection to the camera, or it takes no commands: {name!r} was not sent.",
    "not-sent": "{name!r} could not be sent: it is too long, or too much waits to be sent.",
    "no-answer": "The camera did not answer {name!r} within {timeout:g} s. It may have carried it out, or not.",
    "connection-lost": "The connection was lost before the camera had answered {name!r}. "
    "It may have carried it out, or not; it is not sent again.",
}
"""What a person is told where it is not the camera that says why."""


class CommandChannels(Protocol):
    """What is needed of ``rtc.datachannel.DataChannels``."""

    on_open: Callable[[str], None] | None

    @property
    def labels(self) -> tuple[str, ...]: ...
    async def request(self, value: Json, *, label: str, timeout: float) -> object: ...
    def abandon(self) -> None: ...


class Commands:
    """Nothing is ever sent twice: a command belongs to one connection, and fails with it."""

    def __init__(self, *, wanted: bool) -> None:
        """``wanted``: whether the viewer opens a channel for them at all."""
        self._wanted = wanted
        self._channels: CommandChannels | None = None
        self._open = asyncio.Event()
        self._over: str | None = "The viewer has not begun."

    def begin(self) -> None:
        """There is a connection, or there will be one."""
        self._over = None
        self._open.clear()

    def connected(self, channels: CommandChannels) -> None:
        """There is one; its channel is being opened."""
        self._channels = channels
        channels.on_open = lambda label: self._look()
        self._look()

    def lost(self) -> None:
        """The connection is being given up; there may be another one."""
        channels, self._channels = self._channels, None
        self._open.clear()
        if channels is not None:
            channels.abandon()

    def end(self, why: str) -> None:
        """There will be no more. Idempotent."""
        self.lost()
        self._over = why
        self._open.set()

    async def send(self, name: str, value: Json, *, timeout: float) -> object:
        """See ``Viewer.command``."""
        if not self._wanted:
            raise ConfigError("This viewer sends no commands: make it with commands=True.")
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise CommandFailed(f"What goes with {name!r} is no JSON: {error}", reason="bad-request") from None
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                await self._open.wait()
        except TimeoutError:
            raise _failed("not-connected", name, timeout) from None
        if self._channels is None:
            raise CommandFailed(self._over or _failed("not-connected", name, timeout).message, reason="not-connected")
        left = max(0.001, deadline - asyncio.get_running_loop().time())
        try:
            return await self._channels.request({"command": name, "value": value}, label=COMMANDS, timeout=left)
        except RequestFailed as failure:
            if failure.code in _SENTENCES:
                raise _failed(failure.code, name, timeout) from None
            raise CommandFailed(str(failure), reason=failure.code) from None

    def _look(self) -> None:
        if self._channels is not None and COMMANDS in self._channels.labels:
            self._open.set()


def _failed(reason: str, name: str, timeout: float) -> CommandFailed:
    return CommandFailed(_SENTENCES[reason].format(name=name, timeout=timeout), reason=reason)


def why_over(failure: SightlineError | None) -> str:
    """Why no command can be sent any more."""
    return "The viewer is closed." if failure is None else f"There is no connection to the camera: {failure}"
