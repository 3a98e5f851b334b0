"""The checks that go on for ever on a valid pair, ours and the peer's (RFC 7675 §5.1), without the cost of a codec.

aioice's codec takes 70 µs for a query of ours and its answer, and 100 µs to answer one of the peer's: with a hundred
viewers a good part of what the whole engine costs. Nothing changes in these messages but the transaction id, so here
the rest is encoded once and only the two checksums are made anew. Whatever is not plain is left to aioice.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from ipaddress import IPv4Address, ip_address

from aioice import stun

__all__ = ["ConsentAnswerer", "ConsentQuery", "transaction_of"]

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_MESSAGE_INTEGRITY = struct.Struct("!HH20s")
_FINGERPRINT = struct.Struct("!HHI")

_REQUEST = stun.Method.BINDING | stun.Class.REQUEST
_SUCCESS = stun.Method.BINDING | stun.Class.RESPONSE

_USERNAME, _INTEGRITY, _XOR_MAPPED_ADDRESS, _PRIORITY, _USE_CANDIDATE = 0x0006, 0x0008, 0x0020, 0x0024, 0x0025
_CONTROLLED, _CONTROLLING = 0x8029, 0x802A


class ConsentQuery:
    """Our queries on one pair. ``request``: a check without MESSAGE-INTEGRITY; ``key``: the peer's password."""

    __slots__ = ("_attributes", "_key")

    def __init__(self, request: stun.Message, key: bytes) -> None:
        self._attributes = bytes(request)[stun.HEADER_LENGTH :]
        self._key = key

    def encode(self, transaction: bytes) -> bytes:
        """The query with this transaction id of 12 random bytes."""
        return _sealed(_REQUEST, transaction, self._attributes, self._key)

    def is_answer(self, datagram: bytes) -> bool:
        """Whether a datagram with our transaction id is the peer's consent: a success, signed with its password."""
        return _opened(_SUCCESS, datagram, self._key) is not None


class ConsentAnswerer:
    """The peer's queries on one pair, once it is valid.

    ``username``: ours and the peer's user name fragments with a colon between them; ``key``: our password; ``source``:
    the peer's address, as it comes to us.
    """

    __slots__ = ("_key", "_mapped", "_mapped_v6", "_username")

    def __init__(self, username: str, key: bytes, source: tuple[str, int]) -> None:
        self._username = username.encode()
        self._key = key
        address, port = ip_address(source[0]), source[1] ^ (stun.COOKIE >> 16)
        if isinstance(address, IPv4Address):
            # The address is hidden by the cookie alone, so that the attribute is always the same.
            self._mapped = struct.pack("!HHBBHI", _XOR_MAPPED_ADDRESS, 8, 0, 1, port, int(address) ^ stun.COOKIE)
            self._mapped_v6 = 0
        else:
            self._mapped = struct.pack("!HHBBH", _XOR_MAPPED_ADDRESS, 20, 0, 2, port)
            self._mapped_v6 = int(address)

    def answer(self, datagram: bytes, *, controlling: bool, nominated: bool) -> bytes | None:
        """The success response, or None for what aioice has to look at.

        That is all that is not an authentic query, and all that would change something: a nomination of a pair that is
        not ``nominated`` yet, or a peer that claims our own role (``controlling``).
        """
        attributes = _opened(_REQUEST, datagram, self._key)
        if (
            attributes is None
            or attributes.get(_USERNAME) != self._username
            or _PRIORITY not in attributes
            or (_USE_CANDIDATE in attributes and not nominated)
            or (_CONTROLLING if controlling else _CONTROLLED) in attributes
        ):
            return None
        transaction = transaction_of(datagram)
        mapped = self._mapped
        if self._mapped_v6:
            pad = int.from_bytes(stun.COOKIE.to_bytes(4, "big") + transaction, "big")
            mapped += (self._mapped_v6 ^ pad).to_bytes(16, "big")
        return _sealed(_SUCCESS, transaction, mapped, self._key)


def transaction_of(datagram: bytes) -> bytes:
    """The transaction id of what looks like a STUN message."""
    return datagram[8:20]


def _sealed(kind: int, transaction: bytes, attributes: bytes, key: bytes) -> bytes:
    """A message with MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 §14.5, §14.7)."""
    size = len(attributes) + _MESSAGE_INTEGRITY.size
    signed = _HEADER.pack(kind, size, stun.COOKIE, transaction) + attributes
    integrity = _MESSAGE_INTEGRITY.pack(_INTEGRITY, 20, hmac.digest(key, signed, "sha1"))
    message = _HEADER.pack(kind, size + _FINGERPRINT.size, stun.COOKIE, transaction) + attributes + integrity
    return message + _FINGERPRINT.pack(0x8028, 4, binascii.crc32(message) ^ stun.FINGERPRINT_XOR)


def _opened(kind: int, datagram: bytes, key: bytes) -> dict[int, bytes] | None:
    """The attributes before MESSAGE-INTEGRITY of a message of this kind; None when it is another, or not authentic."""
    if len(datagram) < stun.HEADER_LENGTH:
        return None
    found, size, cookie, transaction = _HEADER.unpack_from(datagram)
    if found != kind or cookie != stun.COOKIE or size + stun.HEADER_LENGTH != len(datagram):
        return None
    attributes: dict[int, bytes] = {}
    position = stun.HEADER_LENGTH
    while position + 4 <= len(datagram):
        attribute, length = _ATTRIBUTE.unpack_from(datagram, position)
        value = datagram[position + 4 : position + 4 + length]
        if attribute == _INTEGRITY:
            covered = position - stun.HEADER_LENGTH + _MESSAGE_INTEGRITY.size
            signed = _HEADER.pack(kind, covered, cookie, transaction) + datagram[stun.HEADER_LENGTH : position]
            return attributes if hmac.compare_digest(value, hmac.digest(key, signed, "sha1")) else None
        attributes[attribute] = value
        position += 4 + length + -length % 4
    return None
