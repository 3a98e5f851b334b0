"""A TCP port of one namespace that leads to a port of another: the way for signaling, with a delay of its own."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

MAX_WAITING = 256
"""Chunks on the way in one direction before the sender has to wait."""


class Pipe:
    """One direction of a connection: what was read, and when it may be written."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source, self.target = source, target
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.finished = False

    def read(self, due: float) -> None:
        if self.finished or len(self.waiting) >= MAX_WAITING or self.source.fileno() < 0:
            return  # the last: closed by what else happened at the same moment
        with contextlib.suppress(BlockingIOError):
            try:
                data = self.source.recv(65536)
            except ConnectionError:
                data = b""
            self.finished = not data
            self.waiting.append((due, data))

    def write(self, now: float) -> bool:
        """Send on what is due; False when the connection is over."""
        while self.waiting and self.waiting[0][0] <= now:
            due, data = self.waiting[0]
            if not data:
                return False
            try:
                sent = self.target.send(data)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            self.waiting.popleft()
            if sent < len(data):
                self.waiting.appendleft((due, data[sent:]))
        return True


class Relay:
    """Every connection to `listener` gets one made by `connect`; all that is said arrives `delay` seconds later."""

    def __init__(
        self,
        listener: socket.socket,
        connect: Callable[[], socket.socket],
        selector: selectors.BaseSelector,
        *,
        delay: float,
    ) -> None:
        self._listener = listener
        self._connect = connect
        self._selector = selector
        self._delay = delay
        self._cut = False
        self._connections: list[tuple[Pipe, Pipe]] = []
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, self._accept)

    @property
    def next_time(self) -> float | None:
        """When there is something to write next."""
        times = [pipe.waiting[0][0] for both in self._connections for pipe in both if pipe.waiting]
        return min(times) if times else None

    def set(self, *, delay: float, cut: bool) -> None:
        self._delay = delay
        self._cut = cut
        if cut:
            for both in list(self._connections):
                self._close(both)

    def move(self, now: float) -> None:
        for both in list(self._connections):
            if not all(pipe.write(now) for pipe in both):
                self._close(both)

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:
            return  # who came has gone again
        if self._cut:
            near.close()
            return
        try:
            far = self._connect()
        except OSError:
            near.close()
            return
        both = Pipe(near, far), Pipe(far, near)
        self._connections.append(both)
        for pipe in both:
            pipe.source.setblocking(False)
            pipe.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(pipe.source, selectors.EVENT_READ, self._reader(both, pipe))

    def _reader(self, both: tuple[Pipe, Pipe], pipe: Pipe) -> Callable[[], None]:
        def read() -> None:
            pipe.read(time.monotonic() + self._delay)
            if pipe.finished:
                self._selector.unregister(pipe.source)

        return read

    def _close(self, both: tuple[Pipe, Pipe]) -> None:
        self._connections.remove(both)
        for pipe in both:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(pipe.source)
            pipe.source.close()
