"""Two DTLS sessions on a network of our own making: it delays, loses, doubles and reorders, on a fake clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from sightline.rtc.certificates import Certificate
from sightline.rtc.dtls import DtlsSession

CLIENT = Certificate.make()
SERVER = Certificate.make()


class Link:
    """``client`` and ``server``, and the datagrams between them. ``lose`` decides by sender, number and bytes."""

    def __init__(
        self,
        client: DtlsSession | None = None,
        server: DtlsSession | None = None,
        *,
        delay: float = 0.01,
        jitter: float = 0.0,
        loss: float = 0.0,
        doubling: float = 0.0,
        seed: int = 0,
        lose: Callable[[DtlsSession, int, bytes], bool] = lambda sender, number, datagram: False,
    ) -> None:
        self.client = client or DtlsSession(CLIENT, client=True, fingerprints=[SERVER.fingerprint])
        self.server = server or DtlsSession(SERVER, client=False, fingerprints=[CLIENT.fingerprint])
        self.now = 0.0
        self.sent: list[tuple[float, DtlsSession, bytes]] = []
        self.received: dict[DtlsSession, list[bytes]] = {self.client: [], self.server: []}
        self._delay, self._jitter, self._loss, self._doubling, self._lose = delay, jitter, loss, doubling, lose
        self._random = Random(seed)
        self._on_the_way: list[tuple[float, int, DtlsSession, bytes]] = []
        self._order = count()

    def start(self) -> None:
        """Both begin."""
        for session in (self.server, self.client):
            session.start(self.now)
            self.drain(session)

    def drain(self, session: DtlsSession) -> None:
        """Put what a session wants to send on its way."""
        other = self.server if session is self.client else self.client
        for datagram in session.take_outgoing():
            number = sum(1 for _, sender, _ in self.sent if sender is session)
            self.sent.append((self.now, session, datagram))
            if self._lose(session, number, datagram) or self._random.random() < self._loss:
                continue
            for _ in range(2 if self._random.random() < self._doubling else 1):
                at = self.now + self._delay + self._random.random() * self._jitter
                heapq.heappush(self._on_the_way, (at, next(self._order), other, datagram))
        self.received[session] += session.take_data()

    def run(self, until: float) -> None:
        """Let time pass, up to ``until``."""
        while True:
            timers = [at for s in (self.client, self.server) if (at := s.next_timeout()) is not None]
            arrivals = [self._on_the_way[0][0]] if self._on_the_way else []
            upcoming = min([*timers, *arrivals], default=until)
            if upcoming >= until:
                self.now = until
                return
            assert upcoming >= self.now or not arrivals
            self.now = max(self.now, upcoming)
            while self._on_the_way and self._on_the_way[0][0] <= self.now:
                _, _, receiver, datagram = heapq.heappop(self._on_the_way)
                receiver.receive(datagram, self.now)
                self.drain(receiver)
            for session in (self.client, self.server):
                session.tick(self.now)
                self.drain(session)

    def connect(self, *, within: float = 10.0) -> float:
        """Begin and run until both are connected or a second is over; the time it took."""
        self.start()
        while not (self.client.state == self.server.state == "connected"):
            assert self.now < within, (self.client.state, self.server.state)
            self.run(self.now + 0.005)
        return self.now
