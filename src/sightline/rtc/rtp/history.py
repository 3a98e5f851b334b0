"""What was sent lately, so that it can be sent again: references to the shared payloads, never copies."""

from __future__ import annotations

from bisect import bisect_left

from .packetize import Packets

__all__ = ["History"]

_MAX_PACKETS = 1024
"""Half of what an SRTP session with a window of 2048 still protects again; a keyframe of 1.2 MB."""

_MAX_AGE = 2.0
"""Seconds: no receiver waits longer for a packet."""


class History:
    """The frames of one stream by their first sequence number, which counts on without wrapping.

    Of each its timestamp and header extension are kept too: what is repeated must be the same to the last bit.
    """

    __slots__ = ("_entries", "_head", "_held")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, bytes, Packets, float]] = []
        self._head = 0
        self._held = 0

    def __len__(self) -> int:
        """Packets that can be found."""
        return self._held

    def add(self, first: int, timestamp: int, extension: bytes, packets: Packets, now: float) -> None:
        """A frame of which packet ``first`` is sent next; ``timestamp`` as on the wire."""
        entries, head = self._entries, self._head
        entries.append((first, timestamp, extension, packets, now))
        self._held += len(packets.payloads)
        while (self._held > _MAX_PACKETS or now - entries[head][4] > _MAX_AGE) and head < len(entries) - 1:
            self._held -= len(entries[head][3].payloads)
            head += 1
        if head > 64:
            del entries[:head]
            head = 0
        self._head = head

    def find(self, sequence: int) -> tuple[int, bool, bytes, bytes] | None:
        """Timestamp, marker, extension and payload of the packet with the (unwrapped) number, or None."""
        position = bisect_left(self._entries, (sequence + 1,)) - 1
        if position < self._head:
            return None
        first, timestamp, extension, packets, _ = self._entries[position]
        index, last = sequence - first, len(packets.payloads) - 1
        if index > last:
            return None
        return timestamp, packets.marker and index == last, extension, packets.payloads[index]
