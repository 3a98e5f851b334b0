"""How relayed data leave: in bursts, with as few system calls as the kernel allows, and never waiting."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Callable, Sequence

__all__ = ["SEGMENTED", "DatagramRoute", "Route", "StreamRoute", "receive_in_bursts"]

SEGMENTED = (17, 104)
"""SOL_UDP and UDP_GRO (udp(7)): level and kind of the control message that says how long each datagram is."""

_SOL_UDP, _UDP_SEGMENT = 17, 103
_MAX_SEGMENTS = 64
_MAX_BYTES = 65_000
_NO_SEGMENTATION = (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EMSGSIZE)
"""An old kernel, an interface without checksum offload, or segments that do not fit the path's MTU."""

_SEGMENT = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size)) for size in range(2048)]
_LONGEST = len(_SEGMENT) - 1
_HAS_SEGMENTATION = sys.platform == "linux"

_BACKLOG = 131_072
"""Bytes that may wait for a TCP client: what comes on top is dropped, as it would be on a full line."""
_PADDING = [b"", b"\0", b"\0\0", b"\0\0\0"]

Control = list[tuple[int, int, bytes]]
Data = bytes | memoryview


def receive_in_bursts(sock: socket.socket) -> None:
    """Have the kernel hand over datagrams of one sender as it has got them from the network: many at once."""
    if _HAS_SEGMENTATION:
        try:
            sock.setsockopt(*SEGMENTED, 1)
        except OSError:
            return  # an old kernel: one at a time


class DatagramRoute:
    """To one address from one socket. `add` collects, `flush` sends; what was added must stay as it is until then."""

    __slots__ = (
        "_address",
        "_buffers",
        "_control",
        "_ended",
        "_segment",
        "_segmentation",
        "_socket",
        "_step",
        "_total",
        "dropped",
        "waiting",
    )

    def __init__(
        self, sock: socket.socket, address: tuple[object, ...], control: Control, *, headers: bool = True
    ) -> None:
        """``control`` goes with everything that is sent: from which address of ours, for instance.

        ``headers``: whether any datagram will have one.
        """
        self._step = 2 if headers else 1
        self._socket = sock
        self._address = address
        self._control = control
        self._segmentation = _HAS_SEGMENTATION
        self._buffers: list[Data] = []
        self._segment = 0
        self._total = 0
        self._ended = False
        self.waiting = 0
        """Datagrams that were added and not flushed."""
        self.dropped = 0

    def add(self, header: bytes, data: Data) -> None:
        """One datagram: the header, which may be empty, and the data."""
        size = len(header) + len(data)
        if self.waiting:
            if (
                self._ended
                or size > self._segment
                or self.waiting == _MAX_SEGMENTS
                or self._total + size > _MAX_BYTES
                or not size
            ):
                self.flush()
                self._segment = size
            elif size < self._segment:
                self._ended = True  # of equal ones, only the last may be shorter (udp(7))
        else:
            self._segment = size
        if self._step == 2:
            self._buffers.append(header)
        self._buffers.append(data)
        self._total += size
        self.waiting += 1

    def add_equal(self, header: bytes, pieces: Sequence[Data]) -> None:
        """Datagrams of the same size with the same header: as `add` for each, but at once."""
        count, size = len(pieces), len(header) + len(pieces[0])
        if self.waiting or count > _MAX_SEGMENTS or count * size > _MAX_BYTES:
            for piece in pieces:
                self.add(header, piece)
            return
        if self._step == 2:
            self._buffers = [header] * (2 * count)
            self._buffers[1::2] = pieces
        else:
            self._buffers.extend(pieces)
        self._segment, self._total, self.waiting = size, count * size, count

    def flush(self) -> None:
        """Send all of it."""
        buffers, count, segment = self._buffers, self.waiting, self._segment
        self._buffers, self.waiting, self._total, self._ended = [], 0, 0, False
        try:
            if count == 1:
                self._socket.sendmsg(buffers, self._control, 0, self._address)
                return
            if self._segmentation and 0 < segment <= _LONGEST:
                try:
                    self._socket.sendmsg(buffers, [*self._control, _SEGMENT[segment]], 0, self._address)
                    return
                except OSError as error:
                    if error.errno not in _NO_SEGMENTATION:
                        raise
                    self._segmentation = False
            self._send_singly(buffers)
        except OSError:
            self.dropped += count  # a full buffer, an unreachable peer, a socket that was closed meanwhile

    def _send_singly(self, buffers: Sequence[Data]) -> None:
        for index in range(0, len(buffers), self._step):
            self._socket.sendmsg(buffers[index : index + self._step], self._control, 0, self._address)


class StreamRoute:
    """To a client over TCP or TLS; ChannelData is padded there (RFC 8656 §12.5)."""

    __slots__ = ("_frames", "_transport", "_write", "dropped", "waiting")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._frames: list[bytes] = []
        # Over TLS each frame is a record of its own: there are clients that take one frame from each (coturn's).
        secure = transport.get_extra_info("sslcontext") is not None
        self._write: Callable[[list[bytes]], None] = transport.writelines if secure else self._join
        self.waiting = 0
        self.dropped = 0

    def add(self, header: bytes, data: Data) -> None:
        """As `DatagramRoute.add`."""
        self._frames.append(b"".join((header, data, _PADDING[-(len(header) + len(data)) % 4])))
        self.waiting += 1

    def add_equal(self, header: bytes, pieces: Sequence[Data]) -> None:
        """As `DatagramRoute.add_equal`."""
        for piece in pieces:
            self.add(header, piece)

    def flush(self) -> None:
        """Write it, unless the client does not read."""
        frames, count = self._frames, self.waiting
        self._frames, self.waiting = [], 0
        transport = self._transport
        if transport.is_closing() or transport.get_write_buffer_size() > _BACKLOG:
            self.dropped += count
        else:
            self._write(frames)

    def _join(self, frames: list[bytes]) -> None:
        self._transport.write(b"".join(frames))


Route = DatagramRoute | StreamRoute
