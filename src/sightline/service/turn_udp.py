"""STUN and TURN over UDP: one port on any number of addresses."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Callable, Sequence

import msgspec

from ..relay import CHANNEL_HEADER, Allocation, ClientPath
from .turn_bursts import SEGMENTED, Control, DatagramRoute, receive_in_bursts
from .turn_relaying import Relaying

__all__ = ["UdpBinding", "UdpListener"]

_IP_PKTINFO = 8  # Linux; the socket module names it only from Python 3.14 on
_RECEIVE_BUFFER = 4 << 20
"""Bytes; the kernel gives as much of it as net.core.rmem_max allows."""
_BUSY = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class UdpBinding(msgspec.Struct, frozen=True):
    """Where it listens. True when that is the port which was asked for."""

    port: int
    wanted_port: int
    """0 asks for any."""
    hosts: tuple[str, ...]
    problem: str = ""
    """Why it is another port than the wanted one, in the system's words."""

    def __bool__(self) -> bool:
        return self.wanted_port in (0, self.port)


class _Run:
    """What one client sent on one channel, of all that was read at once."""

    __slots__ = ("allocation", "number", "pieces", "size")

    def __init__(self, allocation: Allocation, number: int) -> None:
        self.allocation = allocation
        self.number = number
        self.pieces: list[memoryview] = []
        self.size = 0


class UdpListener:
    """Reads datagrams of clients. ``number`` tells it from other listeners of the same service.

    On Linux each answer leaves from the very address at which the request arrived: bound to a wildcard on a
    host with several addresses, the kernel might pick another one, and clients drop such answers.
    """

    def __init__(self, relaying: Relaying, *, number: int, wall: Callable[[], float]) -> None:
        self.port = 0
        """0 while it does not listen."""
        self._relaying = relaying
        self._number = number
        self._wall = wall
        self._sockets: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, hosts: Sequence[str], port: int, *, fall_back: bool) -> UdpBinding:
        """Listens on ``port`` of every one of ``hosts`` (IP addresses); when it is busy, on a free port if allowed.

        Addresses that this machine does not have are left out. Raises OSError when nothing could be bound.
        """
        problem = ""
        try:
            sockets = _bind_all(hosts, port)
        except OSError as error:
            if error.errno not in _BUSY or port == 0 or not fall_back:
                raise
            problem = error.strerror or str(error)
            sockets = _bind_all(hosts, 0)
        self._sockets = sockets
        self.port = int(sockets[0].getsockname()[1])
        self._loop = asyncio.get_running_loop()
        for number, sock in enumerate(sockets):
            self._loop.add_reader(sock, self._drain, sock, (self._number, number))
        bound = tuple(str(sock.getsockname()[0]) for sock in sockets)
        return UdpBinding(port=self.port, wanted_port=port, hosts=bound, problem=problem)

    def close(self) -> None:
        """Stops listening. May be called at any time and more than once."""
        sockets, self._sockets, self.port = self._sockets, [], 0
        for sock in sockets:
            assert self._loop is not None
            self._loop.remove_reader(sock)
            sock.close()

    def _drain(self, sock: socket.socket, place: tuple[int, int]) -> None:
        relaying = self._relaying
        receive, space, find = sock.recvmsg_into, relaying.control_space, relaying.server.allocation
        now = relaying.steady()
        unpack, ignored = CHANNEL_HEADER.unpack_from, 0
        runs: dict[object, _Run] = {}
        for slot in relaying.slots:
            try:
                size, control, _, source = receive((slot,), space)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # an ICMP answer to something that was sent before
            segment, local = size or 1, b""
            for level, kind, value in control:
                if (level, kind) == SEGMENTED:
                    segment = int.from_bytes(value[:4], sys.byteorder) or size
                else:
                    local = value
            key = (place, source, local)
            for at in range(0, size, segment):  # as a rule there is one
                end = min(at + segment, size)
                if end - at < 4:
                    ignored += 1
                elif 0x40 <= slot[at] < 0x80:
                    number, length = unpack(slot, at)
                    if at + 4 + length > end:
                        ignored += 1
                        continue
                    run = runs.get((key, number))
                    if run is None:
                        allocation = find(key)
                        if allocation is None:
                            relaying.server.counters.rejected["no-allocation"] += 1
                            continue
                        run = runs[key, number] = _Run(allocation, number)
                    run.pieces.append(slot[at + 4 : at + 4 + length])
                    run.size += length
                else:
                    self._message(sock, bytes(slot[at:end]), key, control, now)
        relaying.server.counters.ignored += ignored
        for run in runs.values():
            relaying.from_client(run.allocation, run.number, run.pieces, run.size, now)
        relaying.flush()

    def _message(
        self,
        sock: socket.socket,
        data: bytes,
        key: tuple[tuple[int, int], tuple[str, int], bytes],
        control: Control,
        now: float,
    ) -> None:
        source = key[1]
        path = ClientPath(key, (_plain(source[0]), source[1]), _local_address(key[2]), False)
        relaying = self._relaying
        outputs = relaying.server.take(data, path, now=now, wall=self._wall())
        if not outputs:
            return
        back = _same_way_back(control)

        def reply(answer: bytes) -> None:
            try:
                sock.sendmsg([answer], back, 0, source)
            except OSError:
                return  # a full send buffer or an unreachable client: clients repeat their requests

        relaying.perform(outputs, reply, DatagramRoute(sock, source, back))


def _plain(host: str) -> str:
    """Without a zone index."""
    return host.partition("%")[0]


def _local_address(info: bytes) -> str:
    """The address of ours in a packet-info control message; empty where there is none."""
    if len(info) == 12:
        return socket.inet_ntop(socket.AF_INET, info[4:8])
    if len(info) == 20:
        return socket.inet_ntop(socket.AF_INET6, info[:16])
    return ""


def _same_way_back(ancillary: Control) -> Control:
    """The control messages that make an answer leave from the address at which the request arrived."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO and len(data) >= 12:
            # struct in_pktinfo {int ifindex; in_addr spec_dst; in_addr addr}: spec_dst is the local address
            return [(level, kind, struct.pack("=i4s4s", 0, data[4:8], bytes(4)))]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) >= 20:
            return [(level, kind, data)]
    return []


def _bind_all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One socket per host, all on one port.

    Raises the OSError of the last host when none could be bound, and at once when the port is busy on one.
    """
    sockets: list[socket.socket] = []
    missing: OSError = OSError(errno.EADDRNOTAVAIL, "no address to listen on")
    try:
        for host in hosts:
            try:
                sock = _bind(host, port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            sockets.append(sock)
            port = port or int(sock.getsockname()[1])
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise missing
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own socket
        if sys.platform == "linux":
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        receive_in_bursts(sock)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock
