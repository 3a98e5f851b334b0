"""TURN on the wire (RFC 8656): errors, long-term credentials, ChannelData. No input or output."""

from __future__ import annotations

import hashlib
import struct
from typing import ClassVar

from aioice import stun

from ...errors import PeerError

__all__ = [
    "LongTermCredentials",
    "StreamFrames",
    "TurnError",
    "TurnForbidden",
    "TurnMismatch",
    "TurnOutOfCapacity",
    "TurnQuotaReached",
    "TurnUnauthorized",
    "TurnUnreachable",
    "channel_frame",
    "is_channel_data",
    "turn_error",
]

_CHANNEL_HEADER = struct.Struct("!HH")
_LENGTH = struct.Struct("!xxH")


class TurnError(PeerError):
    """A TURN server was of no use. ``code`` is its error code (RFC 8656 §19), 0 where it gave none."""

    id: ClassVar[str] = "peer/turn"

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class TurnUnreachable(TurnError):
    """No answer, no connection, or an answer that is not TURN."""

    id = "peer/turn-unreachable"


class TurnUnauthorized(TurnError):
    """401 or 441: user name or credential is wrong or has expired."""

    id = "peer/turn-unauthorized"


class TurnForbidden(TurnError):
    """403: the server's policy forbids this, for instance to relay to that peer."""

    id = "peer/turn-forbidden"


class TurnMismatch(TurnError):
    """437: the server knows no such allocation (any more), or knows one where there should be none."""

    id = "peer/turn-mismatch"


class TurnQuotaReached(TurnError):
    """486: this user has as many allocations as he may."""

    id = "peer/turn-quota"


class TurnOutOfCapacity(TurnError):
    """508: the server has no relayed addresses left."""

    id = "peer/turn-capacity"


_BY_CODE: dict[int, tuple[type[TurnError], str]] = {
    401: (TurnUnauthorized, "does not accept the user name and credential; they are wrong or have expired"),
    441: (TurnUnauthorized, "does not accept these credentials for an allocation made with others"),
    403: (TurnForbidden, "forbids it"),
    437: (TurnMismatch, "does not know the allocation"),
    486: (TurnQuotaReached, "grants this user no more allocations"),
    508: (TurnOutOfCapacity, "has no relay addresses left"),
}


def turn_error(response: stun.Message) -> TurnError:
    """The typed error for an error response."""
    code, reason = response.attributes.get("ERROR-CODE", (0, ""))
    kind, meaning = _BY_CODE.get(code, (TurnError, "refused the request"))
    return kind(f"the server {meaning} ({code} {reason})".replace(" )", ")"), code=code)


class LongTermCredentials:
    """The long-term credential mechanism (RFC 8489 §9.2): realm and nonce are learned from the server's errors."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._realm = ""
        self._nonce = b""
        self.key: bytes | None = None
        """Signs requests, and the server's answers to them; None until the server has named its realm."""

    def sign(self, request: stun.Message) -> None:
        """Add the credentials, once they are known. To be done last."""
        if self.key is not None:
            request.attributes["USERNAME"] = self._username
            request.attributes["REALM"] = self._realm
            request.attributes["NONCE"] = self._nonce
            request.add_message_integrity(self.key)

    def learn(self, error: stun.Message) -> bool:
        """Take realm and nonce from an error response; returns whether the request is worth another try."""
        nonce, realm = error.attributes.get("NONCE"), error.attributes.get("REALM")
        if nonce is None:
            return False
        if error.error_code == 401 and realm is not None and self.key is None:
            self._realm = realm
            secret = f"{self._username}:{realm}:{self._password}"
            self.key = hashlib.md5(secret.encode(), usedforsecurity=False).digest()
        elif error.error_code != 438 or self.key is None:  # stale nonce
            return False
        self._nonce = nonce
        return True

    def is_genuine(self, response: stun.Message, *, key: bytes | None) -> bool:
        """Whether a response to a request signed with ``key`` is the server's (RFC 8489 §9.2.5)."""
        if key is None or (response.message_class is stun.Class.ERROR and response.error_code in (401, 438)):
            return True
        return response.check_message_integrity(key)


def is_channel_data(datagram: bytes) -> bool:
    """By the first two bits (RFC 8656 §12.4)."""
    return len(datagram) >= 4 and datagram[0] & 0xC0 == 0x40


def channel_frame(datagram: bytes) -> tuple[int, bytes]:
    """Channel number and payload of ChannelData. Raises ValueError when it is cut short."""
    number, length = _CHANNEL_HEADER.unpack_from(datagram)
    if len(datagram) < 4 + length:
        raise ValueError("ChannelData is cut short")
    return number, datagram[4 : 4 + length]


class StreamFrames:
    """Cuts a TCP stream into STUN messages and ChannelData (RFC 8656 §12.5)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises ValueError when the stream is not TURN."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start = 0
        while len(buffer) - start >= 4:
            kind = buffer[start] & 0xC0
            if kind not in (0x00, 0x40):
                raise ValueError("the stream is neither STUN nor ChannelData")
            (length,) = _LENGTH.unpack_from(buffer, start)
            size = 4 + length + stun.padding_length(length) if kind else stun.HEADER_LENGTH + length
            if len(buffer) - start < size:
                break
            frames.append(bytes(buffer[start : start + size]))
            start += size
        del buffer[:start]
        return frames
