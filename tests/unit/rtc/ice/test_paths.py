"""Bursts arrive as the datagrams they were, whatever the kernel can and whatever the socket takes."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence

import pytest
from aioice import Candidate
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.ice import paths
from sightline.rtc.ice.paths import DatagramBurst, PeerPath


@pytest.fixture(params=["127.0.0.1", "::1"])
def sockets(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender, socket.socket(family, socket.SOCK_DGRAM) as receiver:
        for sock in (sender, receiver):
            sock.setblocking(False)
            sock.bind((request.param, 0))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        yield sender, receiver


def arrived(receiver: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(receiver.recv(65_535))
        except BlockingIOError:
            return found


def address(sock: socket.socket) -> tuple[str, int]:
    host, port = sock.getsockname()[:2]
    return host, port


@pytest.mark.parametrize(
    "sizes",
    [
        [1200],
        [1200] * 7 + [300],
        [300] + [1200] * 7 + [300] + [80, 80, 80, 2] + [1200],
        [1200] * 150,  # more than one call can take
        [10] * 70,
        [],
    ],
)
def test_every_datagram_arrives_as_it_was(sockets: tuple[socket.socket, socket.socket], sizes: list[int]) -> None:
    sender, receiver = sockets
    burst = DatagramBurst(sender, address(receiver))
    datagrams = [bytes([index % 256]) * size for index, size in enumerate(sizes)]
    assert burst.send(datagrams) == len(sizes)
    assert arrived(receiver) == datagrams
    assert (burst.sent, burst.dropped) == (len(sizes), 0)


def test_a_connected_socket_needs_no_address(sockets: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = sockets
    sender.connect(address(receiver))
    burst = DatagramBurst(sender, None)
    datagrams = [bytes(500)] * 5 + [b"end"]
    assert burst.send(datagrams) == 6
    assert burst.send([b"one"]) == 1
    assert arrived(receiver) == [*datagrams, b"one"]


class FakeSocket:
    """Counts calls; fails as it is told."""

    def __init__(self, *, group_error: int = 0, single_error_after: int = -1) -> None:
        self.groups: list[list[int]] = []
        self.singles = 0
        self._group_error = group_error
        self._single_error_after = single_error_after

    def sendmsg(self, buffers: Sequence[bytes], control: object, flags: int = 0, to: object = None) -> int:
        self.groups.append([len(buffer) for buffer in buffers])
        if self._group_error:
            raise OSError(self._group_error, "no")
        return sum(self.groups[-1])

    def sendto(self, data: bytes, to: object) -> int:
        if self.singles == self._single_error_after:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.singles += 1
        return len(data)


def over(sock: FakeSocket) -> DatagramBurst:
    return DatagramBurst(sock, ("192.0.2.1", 5000))  # type: ignore[arg-type]


def test_a_frame_is_one_system_call() -> None:
    sock = FakeSocket()
    assert over(sock).send([bytes(1200)] * 27 + [b"end"]) == 28
    assert (len(sock.groups), sock.singles) == (1, 0)


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.EOPNOTSUPP])
def test_without_segmentation_it_sends_one_by_one_for_good(code: int) -> None:
    sock = FakeSocket(group_error=code)
    burst = over(sock)
    for _ in range(3):
        assert burst.send([bytes(100)] * 10 + [bytes(50)] * 3) == 13
    assert (len(sock.groups), sock.singles) == (1, 39)
    assert not burst.segments


def test_elsewhere_than_on_linux_it_does_not_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_HAS_SEGMENTATION", False)
    sock = FakeSocket()
    assert over(sock).send([bytes(100)] * 10) == 10
    assert (sock.groups, sock.singles) == ([], 10)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENETUNREACH, errno.ENOBUFS, errno.EPERM])
def test_what_the_socket_does_not_take_is_dropped_and_counted(code: int) -> None:
    sock = FakeSocket(group_error=code)
    burst = over(sock)
    assert burst.send([bytes(100)] * 10) == 0
    assert (burst.sent, burst.dropped, burst.segments) == (0, 10, True)


def test_after_a_full_buffer_the_rest_of_a_frame_is_not_tried() -> None:
    sock = FakeSocket(group_error=errno.EIO, single_error_after=4)
    burst = over(sock)
    assert burst.send([bytes(100)] * 10) == 4
    assert (burst.sent, burst.dropped) == (4, 6)


def test_a_closed_socket_takes_nothing() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.close()
    burst = DatagramBurst(sock, ("127.0.0.1", 9))
    assert burst.send([b"a"]) == 0
    assert burst.send([b"a", b"b"]) == 0
    assert burst.dropped == 3


@given(st.lists(st.integers(1, 2500), max_size=200))
def test_groups_are_what_the_kernel_takes(sizes: list[int]) -> None:
    sock = FakeSocket()
    assert over(sock).send([bytes(size) for size in sizes]) == len(sizes)
    assert sum(map(len, sock.groups)) + sock.singles == len(sizes)
    for group in sock.groups:
        assert 2 <= len(group) <= 64
        assert sum(group) <= 65_507
        assert len(set(group[:-1])) == 1
        assert group[-1] <= group[0]


def test_a_path_says_what_it_is() -> None:
    local = Candidate("1", 1, "udp", 1, "10.0.0.5", 4000, "relay")
    remote = Candidate("2", 1, "udp", 1, "2001:db8::1", 5000, "prflx")
    path = PeerPath(over(FakeSocket()), local=local, remote=remote, priority=1, now=0.0, via="tls")
    assert path.describe() == "relay over tls 10.0.0.5:4000 → prflx [2001:db8::1]:5000"
    remote.type = "srflx"  # signalled after the check that taught it
    assert path.remote_kind == "srflx"
    path.measured(0.1)
    path.measured(0.2)
    assert path.rtt == pytest.approx(0.1125)
