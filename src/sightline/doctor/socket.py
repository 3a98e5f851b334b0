"""A signaling socket for one examination: it does not reconnect, and remembers everything that it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import aiohttp
import yarl

from ..errors import MalformedMessage, SightlineError
from ..reasons import Reason, reason_of_close
from ..wire.extras import Extra, Notice, empty_payload, master_state, read_notice
from ..wire.messages import MessageType, ServerMessage, decode_server_message, encode_client_message
from ..wire.payload import decode_payload, encode_payload

__all__ = ["DoctorSocket", "SocketRefused"]

_OPEN_LIMIT = 10.0
"""Seconds for TCP, TLS and the upgrade."""

_FIRST_WORD = 2.0
"""Seconds in which a Sightline says who is there, or why not: it does so at once."""


class SocketRefused(SightlineError):
    """The upgrade failed, or the service closed the socket at once. ``status`` is HTTP's, 0 for none."""

    def __init__(self, message: str, *, reason: str, status: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class DoctorSocket:
    """Made by `open`; close it with `aclose`."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
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
    async def open(cls, url: str, *, tls: Any, extras: bool) -> DoctorSocket:
        """Open it; with `extras` hear the service's first word. `tls` as aiohttp's ``ssl``. Raises SocketRefused."""
        http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), trust_env=True)
        try:
            async with asyncio.timeout(_OPEN_LIMIT):
                # The signature is over these very characters.
                address = yarl.URL(url, encoded=True)
                socket = await http.ws_connect(address, ssl=tls, max_msg_size=1 << 20, autoclose=True)
        except aiohttp.WSServerHandshakeError as error:
            await http.close()
            raise _refused(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            await http.close()
            what = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            raise SocketRefused(f"it cannot be opened: {what}", reason=Reason.SIGNALING_REFUSED) from error
        except BaseException:
            await http.close()
            raise
        opened = cls(http, socket)
        if extras:
            await opened.until(lambda: opened.camera_present is not None or opened.close_code is not None, _FIRST_WORD)
        if opened.close_code is not None:
            await opened.aclose()
            notice = opened.notices[-1] if opened.notices else None
            reason = notice.reason if notice else reason_of_close(opened.close_code) or Reason.SIGNALING_REFUSED
            said = notice.message if notice else f"the service closed it at once ({opened.close_code})"
            raise SocketRefused(said, reason=reason)
        return opened

    async def until(self, condition: Any, within: float) -> bool:
        """Wait until `condition()` holds; whether it does before `within` seconds are over."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return bool(condition())
        return True

    async def send(self, action: MessageType, content: Mapping[str, object]) -> None:
        """Send an offer or a candidate to the camera. A socket that has closed takes it in silence."""
        await self._send(encode_client_message(action, encode_payload(content), correlation_id="doctor"))

    async def ask(self) -> None:
        """Have the service look whether the camera is alive; what it finds comes as a notice. Sightline only."""
        await self._send(encode_client_message(Extra.ASK, empty_payload()))

    async def aclose(self) -> None:
        """Idempotent."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()
        await self._http.close()

    async def _send(self, frame: bytes) -> None:
        if not self._socket.closed:
            try:
                await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
            except (aiohttp.ClientError, ConnectionError):
                self.changed.set()

    async def _read(self) -> None:
        while True:
            frame = await self._socket.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                self._take(frame.data)
            elif frame.type is not aiohttp.WSMsgType.BINARY:
                self.close_code = self._socket.close_code or 1006
                self.changed.set()
                return
            self.changed.set()

    def _take(self, data: str) -> None:
        try:
            message = decode_server_message(data)
            if message.message_type == Extra.MASTER:
                self.camera_present = master_state(decode_payload(message.payload) or {}).present
            elif message.message_type == Extra.NOTICE:
                self.notices.append(read_notice(decode_payload(message.payload) or {}))
            else:
                self.messages.put_nowait(message)
        except MalformedMessage:
            return


def _refused(error: aiohttp.WSServerHandshakeError) -> SocketRefused:
    said = unquote(error.headers.get("x-sightline-reason", "")) if error.headers else ""
    kind = error.headers.get("x-amzn-ErrorType", "").partition(":")[0] if error.headers else ""
    reason = {
        "AccessDeniedException": Reason.NOT_ALLOWED,
        "ResourceNotFoundException": Reason.UNKNOWN_CHANNEL,
        "ClientLimitExceededException": Reason.VIEWER_LIMIT if "viewer" in said else Reason.TOO_MANY_REQUESTS,
    }.get(kind) or {403: Reason.NOT_ALLOWED, 404: Reason.UNKNOWN_CHANNEL}.get(error.status, Reason.SIGNALING_REFUSED)
    return SocketRefused(f"HTTP {error.status} {kind} {said}".strip(), reason=reason, status=error.status)
