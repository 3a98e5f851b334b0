"""A certificate in one line, for people."""

from __future__ import annotations

import hashlib

__all__ = ["describe"]

_MAX_NAMES = 4


def describe(der: bytes) -> str:
    """Its names, who signed it, until when, and its fingerprint; only the fingerprint without ``cryptography``."""
    digest = hashlib.sha256(der).hexdigest().upper()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, 16, 2)) + ":…"
    try:
        from cryptography import x509
    except ModuleNotFoundError:
        return f"certificate with SHA-256 {fingerprint}"
    try:
        certificate = x509.load_der_x509_certificate(der)
        issuer, until = _name(certificate.issuer), certificate.not_valid_after_utc
        try:
            san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = [str(name.value) for name in san]
        except x509.ExtensionNotFound:
            names = [_name(certificate.subject)]
    except ValueError:
        return f"certificate that cannot be read, SHA-256 {fingerprint}"
    shown = ", ".join(names[:_MAX_NAMES]) + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
    signed = "self-signed" if certificate.issuer == certificate.subject else f"signed by {issuer}"
    return f"for {shown}, {signed}, until {until:%Y-%m-%d}, SHA-256 {fingerprint}"


def _name(name: object) -> str:
    from cryptography import x509

    assert isinstance(name, x509.Name)
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return name.rfc4514_string()
