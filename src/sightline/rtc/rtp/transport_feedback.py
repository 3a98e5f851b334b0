"""Feedback on all packets of a connection: which came, and when.

draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1. Statuses come in chunks of 16 bits, runs or vectors, and behind
them the times of what came, each after the one before in steps of 250 µs. A report of a few bytes may stand for 65535
packets, so those that did not come are never listed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec

__all__ = ["MAX_REPORTED", "TransportFeedback", "build_feedback", "parse_feedback"]

REFERENCE_STEP = 256
"""Ticks of 250 µs in a step of the reference time, which is 64 ms."""

MAX_REPORTED = 400
"""Packets that we report on at once, so that the report fits into a datagram however they came."""

_HEAD = struct.Struct("!IIHHI")
_LOST, _SMALL, _LARGE = 0, 1, 2
_RUN, _ONE_BIT, _TWO_BITS = 0x1FFF, 14, 7


class TransportFeedback(msgspec.Struct, frozen=True):
    """Tells of ``count`` packets from ``base`` on (16 bits, as on the wire).

    ``arrivals``: the place of each packet that came, counted from ``base``, and its time in ticks of 250 µs after
    ``reference`` times 64 ms; the reference is a signed number of 24 bits on the receiver's clock. All others are
    missing so far. ``number`` counts the reports, in 8 bits.
    """

    sender: int
    media: int
    base: int
    count: int
    reference: int
    number: int
    arrivals: tuple[tuple[int, int], ...]


def parse_feedback(body: bytes) -> TransportFeedback:
    """From what follows an RTCP packet's first word. Raises ``struct.error`` when it is too short, ``ValueError`` when
    it says what means nothing.
    """
    sender, media, base, count, times = _HEAD.unpack_from(body)
    reference = times >> 8
    if reference >= 1 << 23:
        reference -= 1 << 24
    found: list[tuple[int, bool]] = []
    place, position = 0, _HEAD.size
    while place < count:
        (chunk,) = struct.unpack_from("!H", body, position)
        position += 2
        if chunk < 0x8000:
            symbol, run = chunk >> 13, chunk & _RUN
            if symbol == _LOST:
                place += run
                if not run:
                    raise ValueError("a run of no packets")
                continue
            # Each takes a byte at least: what is there bounds the work.
            run = min(run, count - place)
            if not 0 < run <= len(body) - len(found):
                raise ValueError(f"times of {run} packets and more in {len(body)} bytes")
            symbols: Sequence[int] = [symbol] * run
        elif chunk < 0xC000:
            symbols = [chunk >> bit & 1 for bit in range(13, -1, -1)]
        else:
            symbols = [chunk >> bit & 3 for bit in range(12, -1, -2)]
        for symbol in symbols:
            if symbol > _LARGE:
                raise ValueError("a packet status that does not exist")
            if symbol and place < count:
                found.append((place, symbol == _LARGE))
            place += 1
    return TransportFeedback(sender, media, base, count, reference, times & 0xFF, tuple(_times(body, position, found)))


def build_feedback(report: TransportFeedback) -> bytes:
    """The reverse, without padding. Arrivals must be in order of their places, the steps between them within 8 s."""
    symbols, steps, before = [_LOST] * report.count, [], 0
    for place, ticks in report.arrivals:
        step, before = ticks - before, ticks
        symbols[place] = _SMALL if 0 <= step <= 0xFF else _LARGE
        steps.append(step.to_bytes(1, "big") if 0 <= step <= 0xFF else step.to_bytes(2, "big", signed=True))
    times = (report.reference & 0xFFFFFF) << 8 | report.number & 0xFF
    head = _HEAD.pack(report.sender, report.media, report.base & 0xFFFF, report.count, times)
    chunks = [chunk.to_bytes(2, "big") for chunk in _chunks(symbols)]
    return head + b"".join(chunks) + b"".join(steps)


def _times(body: bytes, position: int, found: Sequence[tuple[int, bool]]) -> Iterator[tuple[int, int]]:
    ticks = 0
    for place, is_large in found:
        (step,) = struct.unpack_from("!h" if is_large else "!B", body, position)
        position += 2 if is_large else 1
        ticks += step
        yield place, ticks


def _chunks(symbols: Sequence[int]) -> Iterator[int]:
    """Long runs as such, all else in vectors of the size that its symbols need."""
    position, total = 0, len(symbols)
    while position < total:
        symbol, run = symbols[position], 1
        while run < _RUN and position + run < total and symbols[position + run] == symbol:
            run += 1
        if run >= _ONE_BIT or (run >= _TWO_BITS and symbol == _LARGE) or position + run == total:
            yield symbol << 13 | run
            position += run
            continue
        vector = symbols[position : position + _ONE_BIT]
        if _LARGE in vector:
            vector = vector[:_TWO_BITS]
            yield 0xC000 | sum(one << 12 - 2 * bit for bit, one in enumerate(vector))
        else:
            yield 0x8000 | sum(one << 13 - bit for bit, one in enumerate(vector))
        position += len(vector)
