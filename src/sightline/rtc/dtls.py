"""DTLS 1.2 with keys for SRTP (RFC 6347, RFC 5764, RFC 8827 §6.5), without input, output or a clock of its own.

OpenSSL reads and writes memory; datagrams are handed in and taken out, and the time is passed in. What OpenSSL leaves
to be wished for a camera is done here, around it:

- Its retransmission waits a whole second. A flight that stays unanswered is sent again after 0.1 s, and then ever more
  slowly, *to the byte*: for the peer that is a datagram which the network has doubled, and no replay check minds one.
- Its own, slower timer still runs. It puts new sequence numbers on a flight, which is what makes a peer repeat a last
  flight of its own that was lost.
- A client that repeats its last flight has lost ours, which is the very last one: it gets ours again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from .certificates import Certificate
from .fingerprint import Fingerprint, certificate_matches
from .openssl import MAX_RECEIVED, MTU, context_for, drain, reason_of
from .srtp import SrtpSession, profile_named

__all__ = ["DtlsSession", "DtlsState"]

_FIRST_RESEND = 0.1
"""Seconds: above the round trip of most paths. libwebrtc takes 0.05, RFC 6347 §4.2.4.1 1.0, for networks of 2012."""

_SLOWEST_RESEND = 2.0

_HANDSHAKE_LIMIT = 30.0
"""Seconds after which nobody is there: twice what our viewers wait for a connection."""

_HELLO_LIMIT = 10.0
"""Seconds that a server waits for a client's hello, once there is a path. Firefox never begins a new session on an old
connection, whatever the fingerprint says: the sooner it loses the path again, the sooner its page connects anew."""

_STALE_LIMIT = 2.0
"""The same, when what comes in belongs to an older session."""

_ANSWER_PAUSE = 0.05
"""Seconds between two answers to a client that repeats its last flight."""

_MAX_WAITING = 64
"""Datagrams of application data that are kept until they are taken: more come only when nobody takes any."""

_HANDSHAKE_RECORDS = (20, 22)  # change_cipher_spec, handshake


class DtlsState(StrEnum):
    """The states of RTCDtlsTransport in the W3C's WebRTC."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing comes or goes any more."""
        return self in (DtlsState.CLOSED, DtlsState.FAILED)


class DtlsSession:
    """One association with one peer. It outlives ICE restarts, which change only the way that datagrams take.

    After each call: ``take_outgoing``, ``take_data``, look at ``state``, and set a timer for ``next_timeout``.
    """

    def __init__(self, certificate: Certificate, *, client: bool, fingerprints: Sequence[Fingerprint]) -> None:
        """``client``: whether we begin (``a=setup:active``); ``fingerprints``: those in the peer's description."""
        self.state = DtlsState.NEW
        self.failure = ""
        """Why the state is ``failed``, for the log."""
        self.srtp: SrtpSession | None = None
        """There from ``connected`` on, unless the peer did not ask for media keys."""
        self.client = client
        self.certificate = certificate
        self._fingerprints = tuple(fingerprints)
        self._ssl: SSL.Connection | None = None
        self._outgoing: list[bytes] = []
        self._data: list[bytes] = []
        self._flight: list[bytes] = []
        self._resend_pause = _FIRST_RESEND
        self._resend_at: float | None = None
        self._openssl_at: float | None = None
        self._started_at = 0.0
        self._deadline = 0.0
        self._answered_at = float("-inf")

    def start(self, now: float) -> None:
        """Begin: a client says hello, a server listens. Calls after the first do nothing."""
        if self.state is not DtlsState.NEW:
            return
        connection = SSL.Connection(context_for(self.certificate))
        connection.set_ciphertext_mtu(MTU)
        if self.client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        self._ssl = connection
        self.state = DtlsState.CONNECTING
        self._started_at = now
        self._deadline = now + (_HANDSHAKE_LIMIT if self.client else _HELLO_LIMIT)
        self._advance(connection, now)

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram of the DTLS kind from the peer. Anything else is dropped, as is all before ``start``."""
        connection = self._ssl
        if connection is None or not 0 < len(datagram) <= MAX_RECEIVED:
            return
        repeated = bool(self._flight) and self.state is DtlsState.CONNECTED and datagram[0] in _HANDSHAKE_RECORDS
        connection.bio_write(datagram)
        if self.state is DtlsState.CONNECTING:
            if not self._flight and _is_encrypted(datagram):
                self._deadline = min(self._deadline, now + _STALE_LIMIT)
            self._advance(connection, now)
        if self.state is DtlsState.CONNECTED:
            self._read(connection)
        if repeated and self.state is DtlsState.CONNECTED and now >= self._answered_at + _ANSWER_PAUSE:
            self._answered_at = now
            self._outgoing += self._flight

    def tick(self, now: float) -> None:
        """To be called when ``next_timeout`` has come; at other times it does nothing."""
        connection = self._ssl
        if connection is None or self.state is not DtlsState.CONNECTING:
            return
        if now >= self._deadline:
            begun = self.client or self._flight
            self._fail("the handshake took too long" if begun else "the peer begins no handshake")
            return
        if self._openssl_at is not None and now >= self._openssl_at:
            self._handle_timeout(connection, now)
        if self._resend_at is not None and now >= self._resend_at:
            self._outgoing += self._flight
            self._resend_pause = min(2 * self._resend_pause, _SLOWEST_RESEND)
            self._resend_at = now + self._resend_pause

    def next_timeout(self) -> float | None:
        """When ``tick`` has something to do, on the clock of ``now``; None for never."""
        if self.state is not DtlsState.CONNECTING:
            return None
        return min(at for at in (self._deadline, self._resend_at, self._openssl_at) if at is not None)

    def send_data(self, data: bytes) -> None:
        """Encrypt application data (SCTP, RFC 8261). Raises ConnectionError unless connected."""
        if self._ssl is None or self.state is not DtlsState.CONNECTED:
            raise ConnectionError(f"DTLS is {self.state}")
        try:
            self._ssl.send(data)
        except SSL.Error as error:
            self._fail(reason_of(error))
            raise ConnectionError(f"DTLS failed: {self.failure}") from error
        self._outgoing += drain(self._ssl)

    def close(self) -> None:
        """Say goodbye (close_notify, which a lost datagram may swallow) and forget the keys. Idempotent."""
        if self.state.is_final:
            return
        if self._ssl is not None:
            self._say_goodbye(self._ssl)
        self._end(DtlsState.CLOSED)

    def take_outgoing(self) -> list[bytes]:
        """The datagrams to be sent since the last call."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def take_data(self) -> list[bytes]:
        """The application data received since the last call."""
        data, self._data = self._data, []
        return data

    def _advance(self, connection: SSL.Connection, now: float) -> None:
        """Go on with the handshake, as far as what was received allows."""
        failure = ""
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            connected = False
        except SSL.Error as error:
            connected, failure = False, reason_of(error)
        else:
            connected = True
        flight = drain(connection)
        if failure:
            self._outgoing += flight  # the alert that says so
            self._fail(failure)
            return
        if flight:
            if not self._flight:
                self._deadline = self._started_at + _HANDSHAKE_LIMIT
            self._flight = flight
            self._outgoing += flight
            self._resend_pause = _FIRST_RESEND
            self._resend_at = now + self._resend_pause
        if connected:
            self._check_peer(connection)
        self._follow_openssl(connection, now)

    def _check_peer(self, connection: SSL.Connection) -> None:
        """Nobody gets or gives keys but the one that the signalled fingerprint names (RFC 8827 §6.5)."""
        peer = connection.get_peer_certificate(as_cryptography=True)
        der = peer.public_bytes(serialization.Encoding.DER) if peer is not None else b""
        if not der or not certificate_matches(der, self._fingerprints):
            self._say_goodbye(connection)
            self._fail("the peer's certificate is not the one in its description")
            return
        profile = profile_named(connection.get_selected_srtp_profile().decode("ascii", "replace"))
        if profile is not None:
            keying = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.keying_length)
            self.srtp = SrtpSession.from_keying(profile, keying, client=self.client)
        self.state = DtlsState.CONNECTED
        self._resend_at = None
        if self.client:
            self._flight = []  # the last flight is the server's, and only the last one may be asked for again

    def _handle_timeout(self, connection: SSL.Connection, now: float) -> None:
        # OpenSSL asks its own clock, and may find that it is too early: then nothing comes out.
        try:
            connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(reason_of(error))
            return
        flight = drain(connection)
        if flight:
            self._flight = flight
            self._outgoing += flight
            if self._resend_at is not None:
                self._resend_at = now + self._resend_pause
        self._follow_openssl(connection, now)

    def _follow_openssl(self, connection: SSL.Connection, now: float) -> None:
        remaining = connection.DTLSv1_get_timeout() if self.state is DtlsState.CONNECTING else None
        # Never at once again, so that a clock that runs apart from OpenSSL's makes no busy loop.
        self._openssl_at = now + max(remaining, 0.01) if remaining is not None else None

    def _read(self, connection: SSL.Connection) -> None:
        """Take the application data out of what was received."""
        while True:
            try:
                data = connection.recv(MAX_RECEIVED)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._say_goodbye(connection)
                self._end(DtlsState.CLOSED)
                return
            except SSL.Error as error:
                self._fail(reason_of(error))
                return
            if len(self._data) < _MAX_WAITING:
                self._data.append(data)
        # What OpenSSL answers by itself: its last flight again, a refusal to negotiate anew.
        self._outgoing += drain(connection)

    def _say_goodbye(self, connection: SSL.Connection) -> None:
        try:
            connection.shutdown()
        except SSL.Error:
            return  # nothing to say before there are keys
        self._outgoing += drain(connection)

    def _fail(self, why: str) -> None:
        self.failure = why
        self._end(DtlsState.FAILED)

    def _end(self, state: DtlsState) -> None:
        self.state = state
        self.srtp = None
        self._ssl = None
        self._flight = []
        self._resend_at = self._openssl_at = None


def _is_encrypted(datagram: bytes) -> bool:
    """Whether its first record is of an epoch with keys (RFC 6347 §4.1)."""
    return datagram[3:5] > b"\x00\x00"
