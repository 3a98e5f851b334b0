"""What we ask of OpenSSL for DTLS, through pyOpenSSL's public interface: settings, and datagrams out of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from OpenSSL import SSL

from .certificates import Certificate
from .srtp import PROFILES

__all__ = ["MAX_RECEIVED", "MTU", "context_for", "drain", "reason_of"]

MTU = 1200
"""Bytes of a UDP payload that passes everywhere, even in IPv6 tunnels; libwebrtc takes the same."""

MAX_RECEIVED = 16_384
"""OpenSSL reads no more at once; what would be left over must not be taken for the beginning of the next datagram."""

_DTLS_1_2 = 0xFEFD  # pyOpenSSL has no name for it

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
)
"""RSA is for devices whose certificates are; CBC at the end for very old ones (both allowed by RFC 8827 §6.5)."""

_RECORD_HEADER = 13

_contexts: WeakKeyDictionary[Certificate, SSL.Context] = WeakKeyDictionary()


def context_for(certificate: Certificate) -> SSL.Context:
    """What all sessions under one certificate have in common, made once."""
    context = _contexts.get(certificate)
    if context is None:
        context = _contexts[certificate] = _make_context(certificate)
    return context


def drain(connection: SSL.Connection) -> list[bytes]:
    """The datagrams that OpenSSL wants to be sent.

    Its memory is a stream of records (RFC 6347 §4.1): as many go into a datagram as fit, in their order.
    """
    datagrams: list[bytes] = []
    for record in _records(_read_all(connection)):
        if datagrams and len(datagrams[-1]) + len(record) <= MTU:
            datagrams[-1] += record
        else:
            datagrams.append(record)
    return datagrams


def reason_of(error: SSL.Error) -> str:
    """OpenSSL's own words, without the names of its functions."""
    details = error.args[0] if error.args else None
    if isinstance(details, list) and details:
        return str(details[-1][-1])
    return str(error) or type(error).__name__


def _make_context(certificate: Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHERS.encode())
    context.set_tlsext_use_srtp(":".join(profile.name for profile in PROFILES).encode())
    # Any certificate, but there must be one: who it is, the fingerprint tells, once the handshake is done.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _any_certificate)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    return context


def _any_certificate(*_: object) -> bool:
    return True


def _read_all(connection: SSL.Connection) -> bytes:
    parts = []
    while True:
        try:
            parts.append(connection.bio_read(MAX_RECEIVED))
        except SSL.WantReadError:
            return b"".join(parts)


def _records(stream: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(stream):
        end = position + _RECORD_HEADER + int.from_bytes(stream[position + 11 : position + 13])
        yield stream[position:end]
        position = end
