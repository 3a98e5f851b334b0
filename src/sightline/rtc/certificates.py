"""The certificates under which we speak DTLS (RFC 8827 §6.5): made ahead, known by their fingerprints alone."""

from __future__ import annotations

import datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .fingerprint import Fingerprint

__all__ = ["Certificate", "CertificatePair"]

# The dates mean nothing to peers, which compare fingerprints. Fixed ones are right whatever the clock of the
# camera says, and end before 2050, where the encoding of dates changes (RFC 5280 §4.1.2.5).
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2049, 12, 31, tzinfo=datetime.UTC)


class Certificate:
    """A self-signed certificate and its private key on P-256, which every WebRTC peer must accept."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @classmethod
    def make(cls) -> Certificate:
        """A new one; takes about 0.2 ms."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        certificate = builder.not_valid_before(_NOT_BEFORE).not_valid_after(_NOT_AFTER).sign(key, hashes.SHA256())
        return cls(key, certificate)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """By sha-256, as it goes into our descriptions."""
        return Fingerprint.of(self.certificate.public_bytes(serialization.Encoding.DER))

    def __repr__(self) -> str:
        return f"<Certificate {self.fingerprint.value[:11]}…>"


class CertificatePair:
    """Two certificates, so that one can be chosen which a viewer has not met in its last session.

    A browser keeps its DTLS association as long as the fingerprint in our descriptions stays the same. When we no
    longer hold the other end of it (a master that started anew, a session that slept too long), an answer under the
    other certificate is what makes the browser begin a new one (RFC 8842 §5.5).
    """

    def __init__(self, first: Certificate | None = None, second: Certificate | None = None) -> None:
        self.first = first or Certificate.make()
        self.second = second or Certificate.make()

    def other(self, of: Certificate | Fingerprint | None) -> Certificate:
        """The one that is not ``of``; the first when ``of`` is None or neither of the two."""
        fingerprint = of.fingerprint if isinstance(of, Certificate) else of
        return self.second if fingerprint == self.first.fingerprint else self.first
