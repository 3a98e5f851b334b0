"""RTCP, read and written: reports, goodbyes, and what viewers ask for (RFC 3550, RFC 4585, RFC 5104, REMB),
and which packets came when (``transport_feedback``).

Reading is tolerant where stacks in the field are: reduced-size packets (RFC 5506), FIR and PLI without a media SSRC,
unknown packets and feedback in between. What contradicts its own lengths raises MalformedRtcp, and nothing else does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

from ...errors import PeerError
from .transport_feedback import TransportFeedback, build_feedback, parse_feedback

__all__ = [
    "BandwidthEstimate",
    "FullIntraRequest",
    "Goodbye",
    "MalformedRtcp",
    "Nack",
    "PictureLoss",
    "ReceiverReport",
    "Report",
    "ReportBlock",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "build",
    "parse",
]

_NACK, _PLI, _FIR, _AFB, _TWCC = 1, 1, 4, 15, 15
_CNAME = 1


class _Type:
    SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206


_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")
_PAIR = struct.Struct("!II")
_REMB = struct.Struct("!4sI")


class MalformedRtcp(PeerError):
    """The datagram is no RTCP. Only a broken or hostile viewer sends such; it is ignored."""

    id = "peer/malformed-rtcp"


class ReportBlock(msgspec.Struct, frozen=True, gc=False):
    """How a stream arrives (RFC 3550 §6.4.1).

    ``fraction_lost`` is in 1/256, ``jitter`` in ticks, ``last_report`` the middle of an NTP time (0: none yet),
    ``delay`` since then in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    packets_lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_report: int = 0
    delay: int = 0


class SenderReport(msgspec.Struct, frozen=True):
    """The NTP time (64 bits) of an RTP timestamp, and what was sent so far."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


class ReceiverReport(msgspec.Struct, frozen=True):
    """What was received; ``ssrc`` is the receiver's own."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


class SourceDescription(msgspec.Struct, frozen=True):
    """Pairs of SSRC and CNAME; other items are left out."""

    names: tuple[tuple[int, str], ...]


class Goodbye(msgspec.Struct, frozen=True):
    """These sources end."""

    ssrcs: tuple[int, ...]
    reason: str = ""


class Nack(msgspec.Struct, frozen=True):
    """Packets that did not arrive, by 16-bit sequence numbers (RFC 4585 §6.2.1)."""

    sender: int
    media: int
    sequences: tuple[int, ...]


class PictureLoss(msgspec.Struct, frozen=True):
    """PLI: a keyframe is needed (RFC 4585 §6.3.1). ``media`` may be 0 or wrong."""

    sender: int
    media: int


class FullIntraRequest(msgspec.Struct, frozen=True):
    """FIR: a keyframe is needed (RFC 5104 §4.3.1): pairs of SSRC and command number."""

    sender: int
    targets: tuple[tuple[int, int], ...]


class BandwidthEstimate(msgspec.Struct, frozen=True):
    """REMB: ``bitrate`` in bits per second that the viewer thinks it can receive in all."""

    sender: int
    bitrate: int
    ssrcs: tuple[int, ...] = ()


Report: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLoss
    | FullIntraRequest
    | BandwidthEstimate
    | TransportFeedback
)


def parse(datagram: bytes) -> list[Report]:
    """The reports of a compound packet, in order, without those that are not known. Raises MalformedRtcp."""
    reports: list[Report] = []
    position, size = 0, len(datagram)
    if size < 4:
        raise MalformedRtcp(f"{size} bytes are no RTCP packet.")
    while position < size:
        if size - position < 4:
            raise MalformedRtcp(f"{size - position} bytes are left over at the end of an RTCP packet.")
        first, kind, words = _HEADER.unpack_from(datagram, position)
        end = position + 4 + words * 4
        if first >> 6 != 2:
            raise MalformedRtcp(f"RTCP has version 2, not {first >> 6}.")
        if end > size:
            raise MalformedRtcp(f"An RTCP packet of {words * 4 + 4} bytes has only {size - position}.")
        body = datagram[position + 4 : end]
        if first & 0x20:
            body = _without_padding(body)
        try:
            report = _parse_one(kind, first & 0x1F, body)
        except struct.error as error:
            raise MalformedRtcp(f"An RTCP packet of type {kind} is too short: {error}.") from error
        except ValueError as error:
            raise MalformedRtcp(f"An RTCP packet of type {kind} means nothing: {error}.") from error
        if report is not None:
            reports.append(report)
        position = end
    return reports


def build(reports: Sequence[Report]) -> bytes:
    """One compound packet. Start it with a sender's or receiver's report and a description (RFC 3550 §6.1)."""
    return b"".join(map(_build_one, reports))


def _without_padding(body: bytes) -> bytes:
    if not body or not 0 < body[-1] <= len(body):
        raise MalformedRtcp("The padding of an RTCP packet is longer than the packet.")
    return body[: -body[-1]]


def _parse_one(kind: int, count: int, body: bytes) -> Report | None:
    match kind:
        case _Type.SR:
            ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
            return SenderReport(ssrc, ntp, timestamp, packets, octets, _parse_blocks(body, 24, count))
        case _Type.RR:
            (ssrc,) = struct.unpack_from("!I", body)
            return ReceiverReport(ssrc, _parse_blocks(body, 4, count))
        case _Type.SDES:
            return SourceDescription(tuple(_parse_names(body, count)))
        case _Type.BYE:
            return _parse_goodbye(body, count)
        case _Type.RTPFB if count == _NACK:
            sender, media = _PAIR.unpack_from(body)
            return Nack(sender, media, tuple(_parse_lost(body)))
        case _Type.RTPFB if count == _TWCC:
            return parse_feedback(body)
        case _Type.PSFB:
            return _parse_picture_feedback(body, count)
    return None


def _parse_blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for position in range(offset, offset + count * 24, 24):
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, position)
        lost = (loss & 0xFFFFFF) - ((loss & 0x800000) << 1)
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return tuple(blocks)


def _parse_names(body: bytes, count: int) -> Iterator[tuple[int, str]]:
    position = 0
    for _ in range(count):
        (ssrc,) = struct.unpack_from("!I", body, position)
        position += 4
        while position < len(body) and body[position] != 0:
            item, size = struct.unpack_from("!BB", body, position)
            text = body[position + 2 : position + 2 + size]
            if len(text) < size:
                raise MalformedRtcp("An item of an RTCP description is longer than the description.")
            if item == _CNAME:
                yield ssrc, text.decode("utf-8", "replace")
            position += 2 + size
        position = (position // 4 + 1) * 4  # At least one zero ends the chunk, which fills a whole word.


def _parse_goodbye(body: bytes, count: int) -> Goodbye:
    ssrcs = struct.unpack_from(f"!{count}I", body)
    rest = body[count * 4 :]
    # The reason is for people; one that is cut off is no cause to overlook that a viewer leaves.
    return Goodbye(ssrcs, rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else "")


def _parse_lost(body: bytes) -> Iterator[int]:
    for position in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, position)
        yield first
        while mask:
            first = first + 1 & 0xFFFF
            if mask & 1:
                yield first
            mask >>= 1


def _parse_picture_feedback(body: bytes, kind: int) -> Report | None:
    sender, media = _PAIR.unpack_from(body)
    if kind == _PLI:
        return PictureLoss(sender, media)
    if kind == _FIR:
        targets = tuple((ssrc, rest >> 24) for ssrc, rest in struct.iter_unpack("!II", body[8 : len(body) // 8 * 8]))
        # Very old stacks name the stream in the header, as in a PLI.
        return FullIntraRequest(sender, targets or ((media, 0),))
    if kind == _AFB and body[8:12] == b"REMB":
        _, numbers = _REMB.unpack_from(body, 8)
        count, exponent, mantissa = numbers >> 24, numbers >> 18 & 0x3F, numbers & 0x3FFFF
        return BandwidthEstimate(sender, mantissa << exponent, struct.unpack_from(f"!{count}I", body, 16))
    return None


def _build_one(report: Report) -> bytes:
    match report:
        case SenderReport():
            sender = _SENDER.pack(
                report.ssrc, report.ntp, report.timestamp, report.packets & 0xFFFFFFFF, report.octets & 0xFFFFFFFF
            )
            return _packet(_Type.SR, len(report.blocks), sender + _build_blocks(report.blocks))
        case ReceiverReport():
            return _packet(_Type.RR, len(report.blocks), report.ssrc.to_bytes(4, "big") + _build_blocks(report.blocks))
        case SourceDescription():
            return _packet(_Type.SDES, len(report.names), b"".join(_build_name(*name) for name in report.names))
        case Goodbye():
            reason = report.reason.encode()[:255]
            text = _to_words(bytes((len(reason),)) + reason) if reason else b""
            return _packet(_Type.BYE, len(report.ssrcs), struct.pack(f"!{len(report.ssrcs)}I", *report.ssrcs) + text)
        case Nack():
            return _packet(_Type.RTPFB, _NACK, _PAIR.pack(report.sender, report.media) + _build_lost(report.sequences))
        case PictureLoss():
            return _packet(_Type.PSFB, _PLI, _PAIR.pack(report.sender, report.media))
        case FullIntraRequest():
            targets = b"".join(_PAIR.pack(ssrc, number << 24) for ssrc, number in report.targets)
            return _packet(_Type.PSFB, _FIR, _PAIR.pack(report.sender, 0) + targets)
        case BandwidthEstimate():
            exponent = max(0, report.bitrate.bit_length() - 18)
            numbers = len(report.ssrcs) << 24 | exponent << 18 | report.bitrate >> exponent
            body = _PAIR.pack(report.sender, 0) + _REMB.pack(b"REMB", numbers)
            return _packet(_Type.PSFB, _AFB, body + struct.pack(f"!{len(report.ssrcs)}I", *report.ssrcs))
        case TransportFeedback():
            return _padded(_Type.RTPFB, _TWCC, build_feedback(report))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _padded(kind: int, count: int, body: bytes) -> bytes:
    """Filled up to whole words, the last byte saying by how much (RFC 3550 §6.4.1)."""
    missing = -len(body) % 4
    if not missing:
        return _packet(kind, count, body)
    padding = bytes(missing - 1) + bytes((missing,))
    return _HEADER.pack(0xA0 | count, kind, (len(body) + missing) // 4) + body + padding


def _build_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.packets_lost & 0xFFFFFF,
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay,
        )
        for block in blocks
    )


def _build_name(ssrc: int, name: str) -> bytes:
    text = name.encode()[:255]
    return _to_words(ssrc.to_bytes(4, "big") + bytes((_CNAME, len(text))) + text + b"\x00")


def _build_lost(sequences: Sequence[int]) -> bytes:
    pairs: list[tuple[int, int]] = []
    for sequence in sequences:
        distance = sequence - pairs[-1][0] - 1 & 0xFFFF if pairs else 16
        if distance < 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << distance)
        else:
            pairs.append((sequence, 0))
    return b"".join(struct.pack("!HH", *pair) for pair in pairs)


def _to_words(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
