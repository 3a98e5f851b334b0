"""STUN messages as bytes (RFC 8489 §5, §14), as far as a TURN server reads and writes them. No input or output.

Not aioice's codec, which our TURN client uses: that one drops attributes that it does not know, and a server has to
name them (420), takes only one XOR-PEER-ADDRESS, and knows neither REQUESTED-ADDRESS-FAMILY nor EVEN-PORT.
"""

from __future__ import annotations

import enum
import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterable

import msgspec

__all__ = [
    "COOKIE",
    "HEADER_LENGTH",
    "Address",
    "Attribute",
    "Kind",
    "MalformedMessage",
    "Message",
    "Method",
    "address_value",
    "encode",
    "error_value",
    "parse",
    "read_address",
]

COOKIE = 0x2112A442
HEADER_LENGTH = 20

_COOKIE_BYTES = COOKIE.to_bytes(4, "big")
_HEADER = struct.Struct("!HH4s12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E
_MAX_ATTRIBUTES = 48
"""More than any client sends; a bound on the work that one datagram can cause."""

Address = tuple[str, int]


class MalformedMessage(ValueError):
    """Not a STUN message, or a broken one."""


class Kind(enum.IntEnum):
    """The class of a message: its two bits where they stand in the type."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Method(enum.IntEnum):
    """RFC 8489 §18.2, RFC 8656 §17."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Attribute(enum.IntEnum):
    """RFC 8489 §18.3, RFC 8656 §18."""

    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028


_INTEGRITY = int(Attribute.MESSAGE_INTEGRITY)
_INTEGRITY_SHA256 = int(Attribute.MESSAGE_INTEGRITY_SHA256)
_FINGERPRINT = int(Attribute.FINGERPRINT)
_PEER = int(Attribute.XOR_PEER_ADDRESS)


class Message(msgspec.Struct, frozen=True):
    """A message as it came. ``attributes`` has the first of each type, ``peers`` every XOR-PEER-ADDRESS."""

    kind: int
    method: int
    transaction: bytes
    attributes: dict[int, bytes]
    peers: tuple[bytes, ...]
    raw: bytes
    integrity_at: int
    """Where MESSAGE-INTEGRITY stands in ``raw``; 0 where there is none."""

    def is_signed_with(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY was made with this key (RFC 8489 §14.5)."""
        at = self.integrity_at
        if not at:
            return False
        return hmac.compare_digest(self.attributes[_INTEGRITY], _integrity(self.raw[:at], key))

    def unknown_attributes(self, known: frozenset[int]) -> list[int]:
        """Those that a server must understand (below 0x8000) and that are not in ``known``."""
        return [kind for kind in self.attributes if kind < 0x8000 and kind not in known]


def parse(data: bytes) -> Message:
    """A whole message. Raises MalformedMessage."""
    if len(data) < HEADER_LENGTH:
        raise MalformedMessage("shorter than a header")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != _COOKIE_BYTES:
        raise MalformedMessage("not STUN")
    if length % 4 or HEADER_LENGTH + length != len(data):
        raise MalformedMessage("its length is wrong")
    attributes: dict[int, bytes] = {}
    peers: list[bytes] = []
    integrity_at, at, end, count = 0, HEADER_LENGTH, len(data), 0
    while at < end:
        count += 1
        if count > _MAX_ATTRIBUTES:
            raise MalformedMessage("too many attributes")
        name, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + 4 : at + 4 + size]
        after = at + 4 + size + -size % 4
        if after > end:
            raise MalformedMessage("an attribute is cut short")
        if name == _FINGERPRINT:
            if after != end or size != 4 or value != _fingerprint(data[:at]):
                raise MalformedMessage("wrong fingerprint")
            attributes[name] = value
        elif integrity_at and name != _INTEGRITY_SHA256:
            pass  # Nobody vouches for what follows the signature (RFC 8489 §14.5).
        elif name == _INTEGRITY:
            if size != 20:
                raise MalformedMessage("MESSAGE-INTEGRITY of a wrong size")
            integrity_at = at
            attributes[name] = value
        else:
            attributes.setdefault(name, value)
            if name == _PEER:
                peers.append(value)
        at = after
    method = (kind & 0xF) | (kind >> 1 & 0x70) | (kind >> 2 & 0xF80)
    return Message(kind & 0x110, method, transaction, attributes, tuple(peers), data, integrity_at)


def encode(
    kind: int,
    method: int,
    transaction: bytes,
    attributes: Iterable[tuple[int, bytes]] = (),
    *,
    key: bytes | None = None,
    fingerprint: bool = False,
) -> bytes:
    """A message of ours; signed with ``key`` where there is one. The method is one of `Method`."""
    parts = [b""]
    for name, value in attributes:
        parts += (_ATTRIBUTE.pack(name, len(value)), value, bytes(-len(value) % 4))
    body = b"".join(parts)
    message = _HEADER.pack(kind | method, len(body), _COOKIE_BYTES, transaction) + body
    if key is not None:
        message = _grown(message, 24) + _ATTRIBUTE.pack(_INTEGRITY, 20) + _integrity(message, key)
    if fingerprint:
        message = _grown(message, 8)
        message += _ATTRIBUTE.pack(_FINGERPRINT, 4) + _checksum(message)
    return message


def _grown(message: bytes, by: int) -> bytes:
    """With a header that counts an attribute which is still to come."""
    return message[:2] + (len(message) - HEADER_LENGTH + by).to_bytes(2, "big") + message[4:]


def _integrity(before: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _grown(before, 24), "sha1")


def _fingerprint(before: bytes) -> bytes:
    return _checksum(_grown(before, 8))


def _checksum(data: bytes) -> bytes:
    return (zlib.crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def address_value(address: Address, transaction: bytes) -> bytes:
    """The value of an XOR-…-ADDRESS attribute (RFC 8489 §14.2)."""
    packed = ipaddress.ip_address(address[0].partition("%")[0]).packed
    mask = (_COOKIE_BYTES + transaction)[: len(packed)]
    family = 1 if len(packed) == 4 else 2
    host = bytes(a ^ b for a, b in zip(packed, mask, strict=True))
    return struct.pack("!BBH", 0, family, address[1] ^ COOKIE >> 16) + host


def read_address(value: bytes, transaction: bytes) -> Address:
    """What `address_value` has written. Raises MalformedMessage."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise MalformedMessage("an address of a wrong size or family")
    mask = _COOKIE_BYTES + transaction
    host = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return str(ipaddress.ip_address(host)), int.from_bytes(value[2:4], "big") ^ COOKIE >> 16


def error_value(code: int, reason: str = "") -> bytes:
    """The value of ERROR-CODE (RFC 8489 §14.8)."""
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()
