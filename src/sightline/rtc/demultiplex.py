"""What arrives on a peer's one port: told apart by the first bytes (RFC 7983, RFC 5761 §4)."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["DatagramKind", "datagram_kind"]


class DatagramKind(Enum):
    """``UNKNOWN`` is dropped without an answer: ZRTP, QUIC, stray TURN channels, noise, nothing at all."""

    STUN = auto()
    DTLS = auto()
    RTP = auto()
    RTCP = auto()
    UNKNOWN = auto()


def datagram_kind(datagram: bytes) -> DatagramKind:
    """RTP and RTCP are told apart by the payload type's place, where RTCP packet types lie within 192 to 223."""
    if len(datagram) < 2:
        return DatagramKind.UNKNOWN
    first = datagram[0]
    if 128 <= first <= 191:
        return DatagramKind.RTCP if 192 <= datagram[1] <= 223 else DatagramKind.RTP
    if 20 <= first <= 63:
        return DatagramKind.DTLS
    if first <= 3:
        return DatagramKind.STUN
    return DatagramKind.UNKNOWN
