"""The TLS side of the HTTPS listener: one ``SSLContext`` whose certificate follows the world.

`TlsKeeper` serves either the automatic local CA (``--tls auto``, `local_ca`) or a real certificate
(``--tls-cert``, ``--tls-key``). The service calls `TlsKeeper.refresh` from a timer; connections that are opened
afterwards get the new certificate, open ones keep theirs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ConfigError
from .local_ca import LocalCa, certificate_names

__all__ = ["REFRESH_INTERVAL", "TlsKeeper", "how_to_trust"]

logger = logging.getLogger(__name__)

REFRESH_INTERVAL = 60.0
"""Seconds between calls of `TlsKeeper.refresh`: how long a laptop in a new network has the wrong certificate."""


class TlsKeeper:
    """Gives the server's ``SSLContext`` and keeps its certificate right.

    Use `automatic` or `from_files`; both do blocking file work and raise ConfigError with a sentence for the
    person who started the service.
    """

    def __init__(
        self,
        *,
        certificate: Path,
        key: Path | None,
        ca_path: Path | None,
        renew: Callable[[float], bool],
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._renew = renew
        self._complaint = ""
        self.ca_path = ca_path
        """The local CA's certificate, None with a real certificate."""
        self.context = _server_context()
        self.context.load_cert_chain(certificate, key)

    @classmethod
    def automatic(
        cls,
        data_dir: Path,
        *,
        now: float,
        public_hosts: Sequence[str] = (),
        names: Callable[[Sequence[str]], Sequence[str]] = certificate_names,
    ) -> TlsKeeper:
        """A local CA in ``data_dir/tls``, made at the first start. `now` is epoch seconds; `public_hosts` are
        names and addresses beside the machine's own; `names` is for tests."""
        ca = LocalCa(data_dir / "tls")

        def renew(now: float) -> bool:
            try:
                return ca.ensure(names(public_hosts), now=now)
            except OSError as error:
                raise ConfigError(
                    f"The certificate files in {ca.directory} cannot be written: {error.strerror}."
                ) from error

        renew(now)
        return cls(certificate=ca.server_path, key=None, ca_path=ca.ca_path, renew=renew)

    @classmethod
    def from_files(cls, certificate: Path, key: Path | None) -> TlsKeeper:
        """A certificate chain and its key in PEM files; `key` None when the chain's file holds it too.

        The files are read again when they change (as certificate renewal tools do under a running server).
        """
        check_pair(certificate, key)
        seen = _stamp(certificate, key)

        def renew(_now: float) -> bool:
            nonlocal seen
            stamp = _stamp(certificate, key)
            if stamp == seen:
                return False
            check_pair(certificate, key)  # half-written or mismatching: keep the old one, look again next time
            seen = stamp
            return True

        return cls(certificate=certificate, key=key, ca_path=None, renew=renew)

    async def refresh(self, now: float) -> bool:
        """Makes or reads a new certificate if one is due, and puts it into the context. True when it did.

        `now` is epoch seconds. A problem is logged and the certificate in use stays: a running service must not
        fall over because someone copies files.
        """
        try:
            if not await asyncio.to_thread(self._renew, now):
                return False
            # On the event loop's thread on purpose: no handshake may begin between certificate and key.
            self.context.load_cert_chain(self._certificate, self._key)
        except (ConfigError, OSError) as error:
            if str(error) != self._complaint:  # once, not at every turn of the timer
                self._complaint = str(error)
                logger.error("the TLS certificate could not be renewed, the old one stays in use: %s", error)
            return False
        self._complaint = ""
        logger.info("new TLS certificate from %s", self._certificate)
        return True


def check_pair(certificate: Path, key: Path | None) -> None:
    """Raises ConfigError with one clear sentence unless the files hold a certificate and its unencrypted key."""
    for path, flag in ((certificate, "--tls-cert"), (key, "--tls-key")):
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise ConfigError(f"The file {path} of {flag} cannot be read: {error.strerror}.") from error
    try:
        _server_context().load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"The key in {key or certificate} does not belong to the certificate in {certificate}."
            ) from error
        raise ConfigError(
            f"{certificate} and {key or 'the key in it'} could not be loaded as a PEM certificate chain and its "
            f"private key ({error.reason or error})."
        ) from error


def _no_password() -> str:
    raise ConfigError("The private key is encrypted with a password; give one without.")


def _stamp(*paths: Path | None) -> tuple[tuple[int, int, int], ...]:
    """What changes when one of the files is replaced or rewritten."""
    stamps = []
    for path in paths:
        if path is not None:
            try:
                status = path.stat()
            except OSError:
                stamps.append((0, 0, 0))
                continue
            stamps.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(stamps)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # HTTP/1.1 only: WebSockets are upgraded from it, and the C SDK breaks when h2 is negotiated (KVS.md §5.1).
    context.set_alpn_protocols(["http/1.1"])
    # Resumption is not worth its tickets here: without them a handshake costs 30 µs less (SERVER.md §3).
    context.num_tickets = 0
    return context


def how_to_trust(ca_path: Path) -> str:
    """What a person can do so that browsers and clients trust the local CA, one way per line."""
    return f"""\
The HTTPS address uses a certificate of this machine's own CA. To trust it, take {ca_path} and
  Debian, Ubuntu     sudo cp {ca_path} /usr/local/share/ca-certificates/sightline.crt && sudo update-ca-certificates
  macOS              sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {ca_path}
  Chrome, Edge       Settings > Privacy and security > Security > Manage certificates > import as an authority
  Firefox            Settings > Privacy & Security > View Certificates > Authorities > Import
  iPhone, iPad       open the file, install the profile, then switch it on in Settings > General > About >
                     Certificate Trust Settings
  Android            Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  boto3, AWS CLI     export AWS_CA_BUNDLE={ca_path}
  Node.js            export NODE_EXTRA_CA_CERTS={ca_path}
  KVS C SDK          export AWS_KVS_CACERT_PATH={ca_path}
For a quick look, browsers also let people proceed past their warning."""
