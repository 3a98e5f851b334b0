"""SCTP packets looked at before aiortc does: it reads what it gets with asserts, and some of it for ever.

A parameter of length 0 keeps ``decode_params`` of aiortc 1.16 in an endless loop, and gap blocks without bounds keep it
busy for seconds. A viewer has shown who it is when its SCTP arrives, but it must not stop the camera of all others.
"""

from __future__ import annotations

import struct

__all__ = ["MalformedSctp", "check_sctp"]

_COMMON_HEADER = 12
_DATA, _SACK, _FORWARD_TSN = 0, 3, 192
_OFFSET_OF_PARAMETERS = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
"""INIT, INIT ACK, HEARTBEAT and its ACK, ABORT, ERROR, RE-CONFIG: bytes in the chunk before the first parameter."""

_DATA_HEADER = 12
_SACK_HEADER = 12

_MAX_GAP = 4096
"""TSNs after the acknowledged one: more are never on the way, as our buffers are bounded."""


class MalformedSctp(ValueError):
    """A packet that does no peer any good."""


def check_sctp(packet: bytes) -> None:
    """Raise MalformedSctp unless chunks, parameters and gap blocks lie where RFC 9260 §3 says (and RFC 6525, 3758)."""
    if len(packet) < _COMMON_HEADER + 4:
        raise MalformedSctp(f"{len(packet)} bytes are too few")
    position = _COMMON_HEADER
    while position < len(packet):
        if len(packet) - position < 4:
            raise MalformedSctp("a chunk's header is cut off")
        kind, _, length = struct.unpack_from("!BBH", packet, position)
        if length < 4 or position + length > len(packet):
            raise MalformedSctp(f"a chunk's length of {length} cannot be")
        _check_chunk(kind, packet[position + 4 : position + length])
        position += length + -length % 4


def _check_chunk(kind: int, body: bytes) -> None:
    if kind in _OFFSET_OF_PARAMETERS:
        _check_parameters(body, _OFFSET_OF_PARAMETERS[kind])
    elif kind == _DATA and len(body) <= _DATA_HEADER:
        raise MalformedSctp("a DATA chunk without data")
    elif kind == _SACK:
        _check_gaps(body)
    elif kind == _FORWARD_TSN and (len(body) < 4 or len(body) % 4):
        raise MalformedSctp("a FORWARD TSN chunk of an odd length")


def _check_parameters(body: bytes, position: int) -> None:
    if len(body) < position:
        raise MalformedSctp("a chunk is cut off before its parameters")
    while position < len(body):
        length = int.from_bytes(body[position + 2 : position + 4])
        if length < 4 or position + length > len(body):
            raise MalformedSctp(f"a parameter's length of {length} cannot be")
        position += length + -length % 4


def _check_gaps(body: bytes) -> None:
    if len(body) < _SACK_HEADER:
        raise MalformedSctp("a SACK chunk is cut off")
    _, _, gaps, duplicates = struct.unpack_from("!LLHH", body)
    if len(body) != _SACK_HEADER + 4 * (gaps + duplicates):
        raise MalformedSctp("a SACK chunk of another length than its blocks have")
    last = 0
    for begin, end in struct.iter_unpack("!HH", body[_SACK_HEADER : _SACK_HEADER + 4 * gaps]):
        if not last < begin <= end <= _MAX_GAP:
            raise MalformedSctp(f"a gap block from {begin} to {end} cannot be")
        last = end
