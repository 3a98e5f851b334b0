"""DTLS over whatever paths ICE has: the handshake, the keys, what comes out of each datagram (RFC 5764, RFC 7983)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from .certificates import Certificate
from .demultiplex import DatagramKind, datagram_kind
from .dtls import DtlsSession, DtlsState
from .fingerprint import Fingerprint
from .ice.session import IceSession
from .srtp import SrtpSession

__all__ = ["SecureTransport"]

log = logging.getLogger(__name__)

_MAX_EARLY = 256
"""Media packets that are kept until there are keys: 300 KB. On another path they overtake the end of the handshake."""

_MAX_WAITING = 32
"""DTLS datagrams that wait for the first path: a flight has two or three."""


class SecureTransport:
    """One DTLS association over one ICE session, through all its generations.

    ``on_rtp`` and ``on_rtcp`` get each such packet of the peer, decrypted; ``on_data`` each message of the association
    (SCTP); ``on_change`` is called when ``state`` has changed. Without ``on_rtp`` media is dropped as it comes. Times
    are passed in.
    """

    def __init__(
        self,
        ice: IceSession,
        certificate: Certificate,
        *,
        on_rtcp: Callable[[bytes], None],
        on_data: Callable[[bytes], None],
        on_change: Callable[[], None],
        on_rtp: Callable[[bytes], None] | None = None,
    ) -> None:
        self.certificate = certificate
        self._ice = ice
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._on_data = on_data
        self._on_change = on_change
        self._dtls: DtlsSession | None = None
        self._state = DtlsState.NEW
        self._waiting: list[bytes] = []
        self._early: deque[bytes] = deque(maxlen=_MAX_EARLY)

    @property
    def state(self) -> DtlsState:
        """The association's."""
        return self._state

    @property
    def is_client(self) -> bool | None:
        """Whether we begin the handshake; None before that is agreed."""
        return self._dtls.client if self._dtls is not None else None

    @property
    def srtp(self) -> SrtpSession | None:
        """The keys for media, once there are any."""
        return self._dtls.srtp if self._dtls is not None else None

    def begin(self, now: float, *, client: bool, fingerprints: Sequence[Fingerprint]) -> None:
        """It is agreed who is who. Calls after the first do nothing: an association outlives renegotiations."""
        if self._dtls is None:
            self._dtls = DtlsSession(self.certificate, client=client, fingerprints=fingerprints)
            self.path_found(now)

    def path_found(self, now: float) -> None:
        """There is a path, or another one: what waited for it goes out. A server listens before there is any."""
        dtls = self._dtls
        if dtls is None:
            return
        has_path = bool(self._ice.targets())
        if dtls.state is DtlsState.NEW and (has_path or not dtls.client):
            dtls.start(now)
            self._follow(dtls)
        if has_path and self._waiting:
            waiting, self._waiting = self._waiting, []
            self._ice.send(waiting)

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram that is not STUN. What cannot be read or is not the viewer's own is dropped."""
        dtls = self._dtls
        if dtls is None:
            return
        kind = datagram_kind(datagram)
        if kind is DatagramKind.DTLS:
            dtls.receive(datagram, now)
            self._follow(dtls)
        elif kind is DatagramKind.RTCP and dtls.srtp is not None:
            packet = dtls.srtp.unprotect_rtcp(datagram)
            if isinstance(packet, bytes):
                self._on_rtcp(packet)
        elif kind is DatagramKind.RTP and self._on_rtp is not None:
            if dtls.srtp is not None:
                self._take_media(datagram, dtls.srtp, self._on_rtp)
            elif not dtls.state.is_final:
                self._early.append(datagram)

    def send_data(self, data: bytes) -> None:
        """Send a message of the association; it is lost when there is none."""
        dtls = self._dtls
        if dtls is not None and dtls.state is DtlsState.CONNECTED:
            dtls.send_data(data)
            self._follow(dtls)

    def next_timeout(self) -> float | None:
        """When ``tick`` has something to do."""
        return self._dtls.next_timeout() if self._dtls is not None else None

    def tick(self, now: float) -> None:
        """To be called then; harmless at other times."""
        if self._dtls is not None:
            self._dtls.tick(now)
            self._follow(self._dtls)

    def close(self) -> None:
        """Say goodbye (close_notify) and forget the keys. Idempotent."""
        if self._dtls is not None:
            self._dtls.close()
            self._early.clear()
            self._state = self._dtls.state
            self._send(self._dtls.take_outgoing())

    def _follow(self, dtls: DtlsSession) -> None:
        self._send(dtls.take_outgoing())
        if dtls.state is not self._state:
            self._state = dtls.state
            if dtls.failure:
                log.info("DTLS failed: %s", dtls.failure)
            self._on_change()
            while self._early and dtls.srtp is not None and self._on_rtp is not None:
                self._take_media(self._early.popleft(), dtls.srtp, self._on_rtp)
        for data in dtls.take_data():
            self._on_data(data)

    @staticmethod
    def _take_media(datagram: bytes, srtp: SrtpSession, take: Callable[[bytes], None]) -> None:
        packet = srtp.unprotect(datagram)
        if isinstance(packet, bytes):
            take(packet)

    def _send(self, datagrams: list[bytes]) -> None:
        if self._ice.targets():
            self._ice.send(datagrams)
        else:
            # The viewer's hello may come before our own check of its path is answered.
            self._waiting = (self._waiting + datagrams)[-_MAX_WAITING:]
