"""The local certificate authority and the server certificate that it signs, as files in ``DATA_DIR/tls``.

::

    tls/            0700
      ca.pem        0644   the CA's certificate: what people and clients are asked to trust; made once
      ca.key        0600   its key: whoever has it can pose as any site to those who trust the CA
      server.pem    0600   server key and certificate in one file, so that they are replaced together
      .lock         0600   held while files are made; a second process that starts at the same moment waits

Blocking file work throughout; time is passed in as epoch seconds.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import ConfigError

__all__ = ["LocalCa", "certificate_names"]

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)
"""Browsers refuse server certificates that are valid for 398 days or more."""
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(hours=26)
"""Certificates begin in the past, for cameras whose clock is a day behind."""


def certificate_names(public_hosts: Iterable[str] = ()) -> tuple[str, ...]:
    """Every name and address under which this machine may be reached, sorted, without duplicates.

    localhost, the host name (and its ``.local`` form for mDNS), all interface addresses except link-local IPv6
    (URLs cannot carry their zone), and `public_hosts`.
    """
    names = {"localhost", "127.0.0.1", "::1"}
    host = socket.gethostname().lower()
    if host:
        names.add(host)
        if "." not in host:
            names.add(f"{host}.local")
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            address = ipaddress.ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
            if not address.is_link_local or address.version == 4:
                names.add(str(address))
    names.update(_normalised(name) for name in public_hosts)
    return tuple(sorted(names))


class LocalCa:
    """A directory with a CA of our own and a server certificate that always fits this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca_path = directory / "ca.pem"
        self.server_path = directory / "server.pem"
        self._ca_key_path = directory / "ca.key"

    def ensure(self, names: Sequence[str], *, now: float) -> bool:
        """Makes what is missing, and the server certificate anew when it does not fit `names` exactly or ends
        within 30 days. True when the server certificate is a new one.

        Raises ConfigError when a file cannot be used, OSError when the directory cannot be written.
        """
        moment = datetime.fromtimestamp(now, UTC)
        if self._fits(names, moment):
            return False
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        with self._locked():
            if self._fits(names, moment):  # another process made it while we waited
                return False
            ca_key, ca = self._authority(moment)
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _server_certificate(names, key=key, ca=ca, ca_key=ca_key, moment=moment)
            _write(self.server_path, _key_pem(key) + _pem(certificate), mode=0o600)
        return True

    def _fits(self, names: Sequence[str], moment: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(self.server_path.read_bytes())
            ca = x509.load_pem_x509_certificate(self.ca_path.read_bytes())
            certificate.verify_directly_issued_by(ca)
            present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:  # missing, damaged, of another CA: whatever it is, a new one cures it
            return False
        if set(present) != set(_general_names(names)):
            return False
        return certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc - RENEW_BEFORE

    def _authority(self, moment: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """The CA, made now when there is none (or when it has expired, and with it everybody's trust)."""
        have_key, have_certificate = self._ca_key_path.exists(), self.ca_path.exists()
        if have_certificate:
            certificate = self._read_ca()
            if moment < certificate.not_valid_after_utc - RENEW_BEFORE:
                if not have_key:
                    raise ConfigError(
                        f"{self._ca_key_path} is missing, so no server certificate can be signed by "
                        f"{self.ca_path}. Put the key back, or delete {self.ca_path} to have a new local CA "
                        "made (which then has to be trusted anew)."
                    )
                return self._read_ca_key(certificate), certificate
        # ca.key is written first: killed in between, the next start finds a key without a certificate and
        # makes both anew; nobody can have trusted that CA yet.
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _ca_certificate(key, moment=moment)
        _write(self._ca_key_path, _key_pem(key), mode=0o600)
        _write(self.ca_path, _pem(certificate), mode=0o644)
        return key, certificate

    def _read_ca(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(self.ca_path.read_bytes())
        except ValueError as error:
            raise ConfigError(
                f"{self.ca_path} is not a certificate in PEM form. Put the right file back, or delete it to have "
                "a new local CA made."
            ) from error

    def _read_ca_key(self, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(self._ca_key_path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self._ca_key_path} is not a private key in PEM form.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ConfigError(
                f"{self._ca_key_path} does not belong to {self.ca_path}. Put the right pair back, or delete "
                f"{self.ca_path} to have a new local CA made."
            )
        return key

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


# ------------------------------------------------------------------------------------------ certificates


def _normalised(name: str) -> str:
    """A host as it stands in a certificate: no brackets, lower case, ASCII."""
    name = name.strip().removeprefix("[").removesuffix("]").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ConfigError(f"{name!r} is not a host name that a certificate can carry.") from error


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    result: list[x509.GeneralName] = []
    for name in names:
        try:
            result.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            result.append(x509.DNSName(name))
    return result


def _ca_certificate(key: ec.EllipticCurvePrivateKey, *, moment: datetime) -> x509.Certificate:
    # The random part tells the CAs of several machines, and of one machine over time, apart in a trust store.
    label = f"Sightline local CA {socket.gethostname()[:32]} {secrets.token_hex(4)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATED)
        .not_valid_after(moment - BACKDATED + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    names: Sequence[str],
    *,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
) -> x509.Certificate:
    # The subject is only shown to people; clients go by the alternative names. A common name has 64 characters.
    label = socket.gethostname()[:64] or "sightline"
    issuer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATED)
        .not_valid_after(min(moment - BACKDATED + SERVER_LIFETIME, ca.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# ------------------------------------------------------------------------------------------------- files


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replaces the file in one step; its mode is right from its first byte, whatever the umask."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
