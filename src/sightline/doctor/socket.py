"""A signaling socket for one examination: it does not reconnect, and remembers everything that it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec

from ..client.refusals import SocketRefused
from ..client.socket import SignalingSocket, http_session, open_socket
from ..errors import MalformedMessage
from ..reasons import Reason, reason_of_close
from ..wire.extras import Extra, Notice, empty_payload, master_state, read_notice
from ..wire.messages import MessageType, ServerMessage, encode_client_message
from ..wire.payload import decode_payload, encode_payload

__all__ = ["DoctorSocket", "Place"]

_FIRST_WORD = 2.0
"""Seconds in which a Sightline says who is there, or why not: it does so at once."""

_CLOSED = 1006
"""What stands for a socket that ended without a close frame (RFC 6455 §7.4.1)."""


class Place(msgspec.Struct, frozen=True):
    """Where a socket is opened: a presigned URL, and certificates to trust beside the system's."""

    url: str
    ca_files: Sequence[Path] = ()

    def __repr__(self) -> str:
        return "Place(…)"  # the URL is a secret


class DoctorSocket:
    """Made by `open`; close it with `aclose`."""

    def __init__(self, http: aiohttp.ClientSession, socket: SignalingSocket) -> None:
        self.notices: list[Notice] = []
        self.camera_present: bool | None = None
        """What the service said last; None: it says nothing of the kind."""
        self.close_code: int | None = None
        """Set when the socket has closed."""
        self.messages: asyncio.Queue[ServerMessage] = asyncio.Queue()
        """Answers, candidates and the rest, in order."""
        self.changed = asyncio.Event()
        """Set at whatever comes; who waits clears it."""
        self._http = http
        self._socket = socket
        # Owned: awaited in aclose().
        self._reader = asyncio.get_running_loop().create_task(self._read(), name="doctor's socket")

    @classmethod
    async def open(cls, place: Place, *, extras: bool) -> DoctorSocket:
        """Open it; with `extras` hear the service's first word. Raises ServiceUnreachable and SocketRefused."""
        http = http_session()
        try:
            opened = cls(http, await open_socket(http, place))
        except BaseException:
            await http.close()
            raise
        if extras:
            await opened.until(lambda: opened.camera_present is not None or opened.close_code is not None, _FIRST_WORD)
        if opened.close_code is not None:
            await opened.aclose()
            raise opened._turned_away(opened.close_code)
        return opened

    async def until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait until it holds; whether it does before `within` seconds are over."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return condition()
        return True

    async def send(self, action: MessageType, content: Mapping[str, object]) -> None:
        """Send an offer or a candidate to the camera. A socket that has closed takes it in silence."""
        await self._socket.send(encode_client_message(action, encode_payload(content), correlation_id="doctor"))

    async def ask(self) -> None:
        """Have the service look whether the camera is alive; what it finds comes as a notice. Sightline only."""
        await self._socket.send(encode_client_message(Extra.ASK, empty_payload()))

    async def aclose(self) -> None:
        """Idempotent."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.aclose()
        await self._http.close()

    async def _read(self) -> None:
        while (message := await self._socket.read()) is not None:
            self._take(message)
            self.changed.set()
        self.close_code = self._socket.close_code or _CLOSED
        self.changed.set()

    def _take(self, message: ServerMessage) -> None:
        try:
            if message.message_type == Extra.MASTER:
                self.camera_present = master_state(decode_payload(message.payload) or {}).present
            elif message.message_type == Extra.NOTICE:
                self.notices.append(read_notice(decode_payload(message.payload) or {}))
            else:
                self.messages.put_nowait(message)
        except MalformedMessage:
            return  # as clients do, which log it

    def _turned_away(self, close_code: int) -> SocketRefused:
        notice = self.notices[-1] if self.notices else None
        known = notice is not None and notice.reason in set(Reason)
        reason = Reason(notice.reason) if notice and known else reason_of_close(close_code) or Reason.SIGNALING_REFUSED
        said = notice.message if notice else f"The service closed the socket at once ({close_code})."
        return SocketRefused(said, reason=reason)
