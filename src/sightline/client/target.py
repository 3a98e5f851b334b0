"""Which service a client talks to, with which key, trusting which certificates.

One rule for the SDK and the command line; everything it depends on is passed in or read here, once.
"""

from __future__ import annotations

import configparser
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ..config import load_settings
from ..errors import ConfigError
from ..wire.sigv4 import Credentials

__all__ = ["AWS", "Profile", "Target", "find_ca_files", "find_target", "is_loopback", "read_credentials_file"]

AWS: Final = "aws"
"""The value of ``--endpoint`` that means Amazon's own service; nothing else ever leads there."""


class Profile(msgspec.Struct, frozen=True):
    """A key and what is known of its service."""

    credentials: Credentials | None
    region: str | None
    source: str
    """Where the key came from, for people."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A service and how to sign for it."""

    endpoint: str
    """Control-plane URL without a trailing slash, or ``aws``."""
    region: str | None
    """None: what botocore's configuration says."""
    credentials: Credentials | None
    """None: botocore's credential chain."""
    credentials_from: str
    """Where the key came from, for error messages."""
    ca_bundle: Path | None = None
    """The only certificates to trust, as the user said; None for the usual ones (with ``AWS_CA_BUNDLE``)."""
    local_ca: Path | None = None
    """A CA of our own, to trust beside the usual ones."""
    ca_files: tuple[Path, ...] = ()
    """All certificates to trust beside the system's, for TLS connections that are not botocore's."""

    @property
    def is_aws(self) -> bool:
        """Whether this is Amazon's service."""
        return self.endpoint == AWS

    @property
    def is_loopback(self) -> bool:
        """Whether the service is on this machine, by its address."""
        return not self.is_aws and is_loopback(self.endpoint)


def find_target(
    endpoint: str | None = None,
    *,
    region: str | None = None,
    credentials: Credentials | None = None,
    data_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Target:
    """Decides by arguments, then environment, then the local service's files.

    Endpoint: `endpoint`, ``SIGHTLINE_ENDPOINT``, ``AWS_ENDPOINT_URL_KINESIS_VIDEO``, ``http://localhost:8080``
    (or another ``http_port`` of the service's settings). Key: `credentials`, ``SIGHTLINE_ACCESS_KEY_ID`` and
    ``SIGHTLINE_SECRET_ACCESS_KEY``, ``DATA_DIR/credentials`` (unless the endpoint is remote and
    ``AWS_ACCESS_KEY_ID`` is set), botocore's chain. Raises ConfigError.
    """
    environment = os.environ if environment is None else environment
    settings = load_settings(environment=environment)  # those of a service on this machine, if there is one
    data_dir = data_dir or settings.data_dir
    named_by_aws = False
    if not endpoint:
        endpoint = environment.get("SIGHTLINE_ENDPOINT")
    if not endpoint:
        named = environment.get("AWS_ENDPOINT_URL_KINESIS_VIDEO")
        endpoint, named_by_aws = (_checked(named), True) if named else (None, False)
    if not endpoint:
        endpoint = f"http://localhost:{settings.http_port}"
    endpoint = endpoint if endpoint == AWS else _checked(endpoint)

    if endpoint == AWS:
        # Our own service's key must never be tried on AWS, nor our CA be trusted for it.
        return Target(
            endpoint=AWS,
            region=region or environment.get("SIGHTLINE_REGION"),
            credentials=credentials,
            credentials_from="the AWS configuration",
        )

    profile = _own_profile(endpoint, data_dir, environment) if credentials is None else None
    profile = profile or Profile(credentials, None, "the arguments" if credentials else "the AWS configuration")
    bundle = environment.get("SIGHTLINE_CA_BUNDLE")
    own_ca = _local_ca(endpoint, data_dir)
    region = region or environment.get("SIGHTLINE_REGION") or profile.region
    if region is None and not named_by_aws and is_loopback(endpoint):
        # A region that the shell has for other work with AWS says nothing about the service on this machine.
        region = settings.region
    return Target(
        endpoint=endpoint,
        region=region,
        credentials=profile.credentials,
        credentials_from=profile.source,
        ca_bundle=Path(bundle) if bundle else None,
        local_ca=own_ca if endpoint.startswith("https:") else None,
        ca_files=_ca_files(environment, own_ca),
    )


def find_ca_files(endpoint: str, *, environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """The certificates to trust beside the system's for a service that is only known by its address (a link)."""
    environment = os.environ if environment is None else environment
    return _ca_files(environment, _local_ca(endpoint, load_settings(environment=environment).data_dir))


def _local_ca(endpoint: str, data_dir: Path) -> Path | None:
    """The certificate of a service whose data directory is on this machine.

    On loopback also where the API is reached by plain HTTP: its TURN over TLS has a certificate in any case.
    """
    file = data_dir / "tls" / "ca.pem"
    return file if (endpoint.startswith("https:") or is_loopback(endpoint)) and file.is_file() else None


def _ca_files(environment: Mapping[str, str], local_ca: Path | None) -> tuple[Path, ...]:
    bundle = environment.get("SIGHTLINE_CA_BUNDLE")
    files = (bundle,) if bundle else (environment.get("AWS_CA_BUNDLE"), local_ca)
    return tuple(Path(file) for file in files if file)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is ``localhost`` or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def read_credentials_file(path: Path) -> Profile | None:
    """The ``[default]`` profile of a file in AWS form, None when there is no such file.

    Raises ConfigError when the file cannot be read or has no key in it.
    """
    parser = configparser.RawConfigParser(default_section="")
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        profile = parser["default"]
        key, secret = profile["aws_access_key_id"], profile["aws_secret_access_key"]
        return Profile(Credentials(key, secret, profile.get("aws_session_token")), profile.get("region"), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"The service's key in {path} cannot be read: {error.strerror}. Run this as the user of the service, "
            "or set SIGHTLINE_ACCESS_KEY_ID and SIGHTLINE_SECRET_ACCESS_KEY."
        ) from error
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} holds no key: a [default] profile with aws_access_key_id and aws_secret_access_key is "
            "expected there."
        ) from error


def _own_profile(endpoint: str, data_dir: Path, environment: Mapping[str, str]) -> Profile | None:
    key = environment.get("SIGHTLINE_ACCESS_KEY_ID")
    secret = environment.get("SIGHTLINE_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret):
        raise ConfigError("SIGHTLINE_ACCESS_KEY_ID and SIGHTLINE_SECRET_ACCESS_KEY must be given together.")
    if key and secret:
        return Profile(Credentials(key, secret), None, "SIGHTLINE_ACCESS_KEY_ID")
    if is_loopback(endpoint) or not environment.get("AWS_ACCESS_KEY_ID"):
        return read_credentials_file(data_dir / "credentials")
    return None


def _checked(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    try:
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment:
        raise ConfigError(
            f"{endpoint!r} is not an endpoint: it reads http://localhost:8080, https://HOST:8443, or aws."
        )
    return endpoint.rstrip("/")
