"""The fingerprint of a certificate, which is all that WebRTC peers know each other by (RFC 8122)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

import msgspec

__all__ = ["Fingerprint", "certificate_matches"]

_HASHES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
"""What RFC 8122 §5 leaves usable: sha-1 and older ones can be forged, and are not believed."""

_VALUE = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){15,63}")


class Fingerprint(msgspec.Struct, frozen=True):
    """As in ``a=fingerprint``: ``algorithm`` in small letters, ``value`` as ``AB:CD:…`` in capitals."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """From ``sha-256 AB:CD:…``; raises ValueError. Algorithms that are not believed are read all the same."""
        algorithm, _, value = text.strip().partition(" ")
        value = value.strip().upper()
        if not re.fullmatch(r"[\w-]{1,32}", algorithm, re.ASCII) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a certificate's fingerprint: {text[:40]!r}")
        return cls(algorithm.lower(), value)

    @classmethod
    def of(cls, certificate: bytes, algorithm: str = "sha-256") -> Fingerprint:
        """The fingerprint of a certificate in DER form."""
        return cls(algorithm, _HASHES[algorithm](certificate).digest().hex(":").upper())

    @property
    def believed(self) -> bool:
        """Whether its algorithm is strong enough to say who somebody is."""
        return self.algorithm in _HASHES

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def certificate_matches(certificate: bytes, fingerprints: Iterable[Fingerprint]) -> bool:
    """Whether a certificate in DER form is one of those that the peer has announced.

    A peer may announce several certificates, each under several algorithms (RFC 8122 §5). Of the algorithms that
    are believed only the strongest one counts, so that a weaker one never lets in what a stronger one refuses.
    """
    by_strength = {algorithm: [one for one in fingerprints if one.algorithm == algorithm] for algorithm in _HASHES}
    for algorithm, announced in reversed(by_strength.items()):
        if announced:
            value = Fingerprint.of(certificate, algorithm).value
            return any(hmac.compare_digest(value, one.value) for one in announced)
    return False
