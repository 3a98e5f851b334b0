"""Ways to the peer, and how a frame's datagrams go out on them: in one system call where the kernel can."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Protocol

from aioice import Candidate

__all__ = ["DatagramBurst", "Path", "PeerPath"]

_SOL_UDP = 17
_UDP_SEGMENT = 103
"""Linux's names (udp(7)); the socket module has neither."""

_MAX_SEGMENTS = 64
_MAX_BYTES = 65_507
"""Of one burst: the kernel's UDP_MAX_SEGMENTS, and what fits into an IPv4 datagram before it is cut."""

_NO_SEGMENTATION = (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT)
"""An old kernel, an interface without checksum offload, or segments that do not fit the path's MTU."""

_HAS_SEGMENTATION = sys.platform == "linux"

_SEGMENT_SIZE = [struct.pack("=H", size) for size in range(2048)]
"""The control message for each size of datagram that can occur, made once."""


class DatagramBurst:
    """Sends datagrams on a UDP socket at once, without waiting: in equal-sized groups by UDP_SEGMENT, or one by one.

    What the socket does not take now is lost and counted in ``dropped``: an old picture is worth nothing. Once the
    kernel has refused segmentation, this burst never asks again.
    """

    __slots__ = ("_address", "_segment", "_socket", "dropped", "sent")

    def __init__(self, sock: socket.socket, address: tuple[str, int] | None) -> None:
        """``address`` is None for a connected socket. The socket stays its owner's; a closed one takes nothing."""
        self._socket = sock
        self._address = address
        self._segment = _HAS_SEGMENTATION
        self.sent = 0
        self.dropped = 0

    @property
    def segments(self) -> bool:
        """Whether the kernel cuts bursts into datagrams, as far as is known."""
        return self._segment

    def send(self, datagrams: Sequence[bytes]) -> int:
        """Hand over all of them; returns how many the kernel took, which are the first ones.

        After one that it did not take the rest is not tried: a picture with a hole is of no more use than none.
        """
        count = len(datagrams)
        done = 0
        if count == 1 or not self._segment:
            done = self._send_singly(datagrams, 0, count)
        else:
            while done < count:
                end = _group_end(datagrams, done, count)
                taken = self._send_group(datagrams, done, end)
                done += taken
                if done < end:
                    break
        self.sent += done
        self.dropped += count - done
        return done

    def _send_group(self, datagrams: Sequence[bytes], start: int, end: int) -> int:
        if end - start == 1 or not self._segment:
            return self._send_singly(datagrams, start, end)
        control = [(_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE[len(datagrams[start])])]
        try:
            if self._address is None:
                self._socket.sendmsg(datagrams[start:end], control)
            else:
                self._socket.sendmsg(datagrams[start:end], control, 0, self._address)
        except OSError as error:
            if error.errno not in _NO_SEGMENTATION:
                return 0
            self._segment = False
            return self._send_singly(datagrams, start, end)
        return end - start

    def _send_singly(self, datagrams: Sequence[bytes], start: int, end: int) -> int:
        sock, address = self._socket, self._address
        for index in range(start, end):
            try:
                if address is None:
                    sock.send(datagrams[index])
                else:
                    sock.sendto(datagrams[index], address)
            except OSError:
                return index - start
        return end - start


def _group_end(datagrams: Sequence[bytes], start: int, count: int) -> int:
    """Where a group ends that begins at ``start``: equal sizes, of which the last may be shorter (udp(7))."""
    size = len(datagrams[start])
    if not 0 < size < len(_SEGMENT_SIZE):
        return start + 1
    limit = min(count, start + min(_MAX_SEGMENTS, _MAX_BYTES // size))
    end = start + 1
    while end < limit and len(datagrams[end]) == size:
        end += 1
    if end < limit and 0 < len(datagrams[end]) < size:
        end += 1
    return end


class Sender(Protocol):
    """What stands behind a path: a socket's burst, or a relay's channel."""

    sent: int
    dropped: int

    def send(self, datagrams: Sequence[bytes]) -> int:
        """As ``Path.send``."""


class Path(Protocol):
    """A way to the peer: a local socket or a relay, and a remote address."""

    @property
    def kind(self) -> str:
        """Type of the local candidate: ``host``, ``srflx``, ``prflx`` or ``relay``."""

    @property
    def remote_kind(self) -> str:
        """Type of the remote candidate."""

    def describe(self) -> str:
        """For people: types and addresses of both ends."""

    def send(self, datagrams: Sequence[bytes]) -> int:
        """Hand over all datagrams now; never waits. Returns how many were taken; the rest is lost and counted.

        Datagrams of equal size (the last may be shorter) go out with one system call where the kernel can.
        """


class PeerPath:
    """A valid candidate pair: sends, and remembers what was heard on it. Times are of ``time.monotonic``, in seconds.

    ``heard``: last datagram, check or answer from the peer; ``answered``: last answer to a check of ours, which shows
    that both directions work; ``asked``: our last check; ``rtt``: smoothed round-trip time, None before it is known.
    """

    __slots__ = (
        *("_remote", "_sender", "answered", "asked", "closed", "heard"),
        *("kind", "local", "priority", "remote", "rtt", "send", "via"),
    )

    def __init__(
        self,
        sender: Sender,
        *,
        local: Candidate,
        remote: Candidate,
        priority: int,
        now: float,
        via: str = "udp",
    ) -> None:
        """``via``: how a relay is reached, ``udp``, ``tcp`` or ``tls``; ``priority`` as in RFC 8445 §6.1.2.3."""
        self._sender = sender
        self.send = sender.send  # no call in between: this runs for each frame and viewer
        self.kind = local.type
        self.local = (local.host, local.port)
        self._remote = remote
        self.remote = (remote.host, remote.port)
        self.priority = priority
        self.via = via
        self.heard = now
        self.answered = now
        self.asked = now
        self.rtt: float | None = None
        self.closed = False

    @property
    def remote_kind(self) -> str:
        """Type of the remote candidate; one learned as ``prflx`` may be signalled later as what it is."""
        return self._remote.type

    @property
    def sent(self) -> int:
        """Datagrams that were taken."""
        return self._sender.sent

    @property
    def dropped(self) -> int:
        """Datagrams that were not."""
        return self._sender.dropped

    def describe(self) -> str:
        """``host 192.0.2.7:5000 → srflx 198.51.100.3:6000``; with the transport where a relay is reached by TCP."""
        relay = f" over {self.via}" if self.via != "udp" else ""
        return f"{self.kind}{relay} {_show(self.local)} → {self.remote_kind} {_show(self.remote)}"

    def __repr__(self) -> str:
        return f"<path {self.describe()}>"

    def measured(self, rtt: float) -> None:
        """A check was answered after ``rtt`` seconds."""
        self.rtt = rtt if self.rtt is None else self.rtt + (rtt - self.rtt) / 8


def _show(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
