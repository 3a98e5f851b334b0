"""The built-in STUN responder: answers Binding, refuses Allocate at once.

With no TURN server configured the service names itself in ``GetIceServerConfig``. Clients then ask it for
their reflexive address (RFC 8489 §2, Binding) and try to allocate a relay (RFC 8656 §7); the quick refusal
matters, because silence would hold up every client's gathering for five to ten seconds (KVS.md §4.1).

`answer` decides, on aioice's public ``stun`` codec, and touches no socket; `StunResponder` is the asyncio
shell.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import struct
import sys
from collections.abc import Sequence

import msgspec
from aioice import stun

__all__ = ["StunBinding", "StunCounters", "StunResponder", "answer"]

logger = logging.getLogger(__name__)

MAX_DATAGRAM = 1500
"""Bytes read of one datagram; nothing that a client sends here is longer than one Ethernet frame."""

MAX_PER_WAKEUP = 64
"""Datagrams answered before the event loop gets its turn again, so that a flood stalls no WebSocket."""

INSUFFICIENT_CAPACITY = (508, "Insufficient Capacity")  # RFC 8656 §19

_IP_PKTINFO = 8  # Linux; the socket module names it only from Python 3.14 on
_BUSY = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class StunCounters(msgspec.Struct, gc=False):
    """What came in since the start, by what was done with it."""

    bindings: int = 0
    """Binding requests answered."""
    allocations_refused: int = 0
    """Allocate requests answered with 508."""
    ignored: int = 0
    """Datagrams left unanswered: not STUN, malformed, an indication, a response, or another method."""


class StunBinding(msgspec.Struct, frozen=True):
    """Where the responder listens. True when that is the port which was asked for."""

    port: int
    """UDP port, the same on all hosts."""
    wanted_port: int
    """UDP port asked for; 0 asks for any."""
    hosts: tuple[str, ...]
    """Addresses that could be bound."""
    problem: str = ""
    """Why it is another port than the wanted one, in the system's words."""

    def __bool__(self) -> bool:
        return self.wanted_port in (0, self.port)


def answer(datagram: bytes, *, source: tuple[str, int], counters: StunCounters) -> bytes | None:
    """The datagram that answers `datagram`, or None when it deserves silence.

    `source` is the (address, port) from which it came. No answer carries more than the mapped address or the
    error code (no SOFTWARE attribute), so that a forged source address gains an attacker next to nothing.
    """
    try:
        # The top bits and the cookie tell STUN from everything else (RFC 8489 §5); the codec checks neither.
        if datagram[0] > 0x3F or datagram[4:8] != stun.COOKIE.to_bytes(4, "big"):
            raise ValueError("not STUN")
        request = stun.parse_message(datagram)
    except (ValueError, IndexError, struct.error):
        counters.ignored += 1
        return None
    if request.message_class is not stun.Class.REQUEST:
        counters.ignored += 1
        return None

    if request.message_method is stun.Method.BINDING:
        counters.bindings += 1
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
            attributes={"XOR-MAPPED-ADDRESS": (_plain_address(source[0]), source[1])},
        )
    elif request.message_method is stun.Method.ALLOCATE:
        counters.allocations_refused += 1
        response = stun.Message(
            message_method=stun.Method.ALLOCATE,
            message_class=stun.Class.ERROR,
            transaction_id=request.transaction_id,
            attributes={"ERROR-CODE": INSUFFICIENT_CAPACITY},
        )
    else:
        counters.ignored += 1
        return None
    if "FINGERPRINT" in request.attributes:
        response.add_fingerprint()
    return bytes(response)


def _plain_address(host: str) -> str:
    """Without a zone index, and an IPv4-mapped IPv6 address as the IPv4 address that it is."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


class StunResponder:
    """Answers STUN on one UDP port of any number of addresses, IPv4 and IPv6.

    On Linux each answer leaves from the very address at which the request arrived: bound to a wildcard on a
    host with several addresses, the kernel might pick another one, and clients drop such answers.
    """

    def __init__(self) -> None:
        self.counters = StunCounters()
        self._sockets: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The UDP port, 0 while it does not listen."""
        return self._port

    async def start(self, hosts: Sequence[str], port: int) -> StunBinding:
        """Listens on `port` of every one of `hosts` (IP addresses); when it is busy, on a free port.

        Addresses that this machine does not have are left out. Raises OSError when nothing could be bound,
        and RuntimeError when it listens already.
        """
        if self._sockets:
            raise RuntimeError("the STUN responder is already started")
        problem = ""
        try:
            sockets = _bind_all(hosts, port)
        except OSError as error:
            if error.errno not in _BUSY or port == 0:
                raise
            problem = error.strerror or str(error)
            sockets = _bind_all(hosts, 0)
        self._sockets = sockets
        self._port = int(sockets[0].getsockname()[1])
        self._loop = asyncio.get_running_loop()
        for sock in sockets:
            self._loop.add_reader(sock, self._drain, sock)
        bound = tuple(str(sock.getsockname()[0]) for sock in sockets)
        return StunBinding(port=self._port, wanted_port=port, hosts=bound, problem=problem)

    async def aclose(self) -> None:
        """Stops listening. May be called at any time and more than once."""
        sockets, self._sockets, self._port = self._sockets, [], 0
        for sock in sockets:
            assert self._loop is not None
            self._loop.remove_reader(sock)
            sock.close()

    def _drain(self, sock: socket.socket) -> None:
        for _ in range(MAX_PER_WAKEUP):
            try:
                datagram, ancillary, _flags, source = sock.recvmsg(MAX_DATAGRAM, 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # for example ECONNREFUSED: an ICMP answer to something that was sent before
                logger.debug("STUN socket: %s", error)
                continue
            reply = answer(datagram, source=(source[0], source[1]), counters=self.counters)
            if reply is None:
                continue
            try:
                sock.sendmsg([reply], _same_way_back(ancillary), 0, source)
            except OSError as error:  # a full send buffer or an unreachable peer: clients retransmit
                logger.debug("STUN answer not sent: %s", error)


def _same_way_back(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
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
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own socket
        if sys.platform == "linux":
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock
