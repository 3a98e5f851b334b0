"""What a refusal means: one typed error with one sentence for a person, and a reason of ``sightline.reasons``.

::

    ConnectError
    ├── ServiceUnreachable
    │   ├── CertificateNotTrusted
    │   └── NotAService        something answers, and it does not speak KVS
    └── ServiceRefused
        ├── UnknownChannel
        ├── WrongKey           unknown, expired or revoked key, wrong secret, or no key at all
        │   └── WrongRegion    the request was signed for another region
        ├── ClockSkew          this machine's clock and the service's differ by more than five minutes
        ├── NotAllowed         the key is right, and may not do this
        ├── SocketRefused      the upgrade to a signaling socket was refused
        └── LinkRefused        the service does not accept the link, or the page's request
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

import botocore.exceptions as bc
import msgspec
from botocore.parsers import ResponseParserError

from ..errors import (
    ConnectError,
    InvalidArn,
    InvalidChannelName,
    InvalidClientId,
    ServiceRefused,
    ServiceUnreachable,
    SightlineError,
)
from ..reasons import Reason
from .target import Target

__all__ = [
    "CertificateNotTrusted",
    "ClockSkew",
    "LinkRefused",
    "NotAService",
    "NotAllowed",
    "Refusal",
    "SocketRefused",
    "UnknownChannel",
    "WrongKey",
    "WrongRegion",
    "from_transport",
    "reason_of",
    "reason_of_refusal",
    "refused",
]


class CertificateNotTrusted(ServiceUnreachable):
    """The service's certificate is of a CA that this machine does not know, or for another name."""

    id = "connect/certificate-not-trusted"


class NotAService(ServiceUnreachable):
    """Something answers at the endpoint, and it is neither Sightline nor KVS."""

    id = "connect/not-a-service"


class UnknownChannel(ServiceRefused):
    """There is no channel of this name or ARN."""

    id = "connect/unknown-channel"


class WrongKey(ServiceRefused):
    """The service does not accept the key, or there is none."""

    id = "connect/wrong-key"


class WrongRegion(WrongKey):
    """The request was signed for another region than the service's."""

    id = "connect/wrong-region"


class ClockSkew(ServiceRefused):
    """The clocks differ by more than the five minutes that signatures allow (KVS.md §2.4)."""

    id = "connect/clock-skew"


class NotAllowed(ServiceRefused):
    """The key's role does not permit the operation on this channel."""

    id = "connect/not-allowed"


class SocketRefused(ServiceRefused):
    """The upgrade to a signaling socket was refused; ``reason`` says why, as far as the service told."""

    id = "connect/socket-refused"

    def __init__(self, message: str, *, reason: Reason, code: str = "", status: int = 0) -> None:
        super().__init__(message, code=code, status=status)
        self.reason = reason


class LinkRefused(ServiceRefused):
    """The service gives no session for this link; ``reason`` says why."""

    id = "connect/link-refused"

    def __init__(self, message: str, *, reason: Reason, status: int = 0) -> None:
        super().__init__(message, code=reason.value, status=status)
        self.reason = reason


class Refusal(msgspec.Struct, frozen=True):
    """What a service said when it said no."""

    status: int
    code: str
    """Exception name, or the status as text when the answer named none."""
    text: str
    date: str = ""
    """The answer's ``Date`` header."""


_WRONG_KEY: Final = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidClientException",
        "ExpiredTokenException",
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
    }
)


def refused(refusal: Refusal, target: Target, *, channel: str | None = None, now: float) -> ConnectError:
    """The typed error for an answer that is not 2xx. `now` (epoch seconds) is when it arrived."""
    status, code, text = refusal.status, refusal.code, refusal.text

    def error(kind: type[ServiceRefused], message: str) -> ServiceRefused:
        return kind(message, code=code, status=status)

    reason = reason_of_refusal(refusal)
    if reason is Reason.CLOCK_SKEW:
        return error(ClockSkew, _skew(refusal, target, now))
    if code == "ResourceNotFoundException" and channel is not None:
        make = f" Make it with `sightline channel create {channel}`." if not channel.startswith("arn:") else ""
        return error(UnknownChannel, f"There is no channel {channel!r} at {_name(target)}.{make}")
    if reason is Reason.WRONG_REGION:
        return error(WrongRegion, text)  # the service's own sentence names both regions
    if code in _WRONG_KEY or (status == 403 and code in ("403", "ForbiddenException")):
        return error(
            WrongKey,
            f"{_name(target)} does not accept the key of {target.credentials_from}: {text or code}"
            + ("" if text.endswith(".") else ".")
            + (
                ""
                if target.is_aws
                else " Use a key of this service: its file DATA_DIR/credentials, or `sightline credentials create`."
            ),
        )
    if code in ("AccessDeniedException", "NotAuthorizedException") or status in (401, 403):
        return error(NotAllowed, f"The key of {target.credentials_from} may not do this: {text or code}")
    if code == str(status):  # nothing in the answer looked like KVS
        return NotAService(
            f"What answers at {_name(target)} is neither Sightline nor KVS (HTTP {status}). Check the endpoint."
        )
    return error(ServiceRefused, f"{_name(target)} refused: {text or code}")


def reason_of_refusal(refusal: Refusal) -> Reason | None:
    """Why a request or a socket's upgrade was refused (KVS.md §2.4, §5.1); None where that does not show."""
    code, text = refusal.code, refusal.text
    if "Signature expired" in text or "Signature not yet current" in text or "not yet valid" in text:
        return Reason.CLOCK_SKEW
    if "region" in text and refusal.status == 403:
        return Reason.WRONG_REGION
    if code in _WRONG_KEY:
        return Reason.WRONG_KEY
    if code == "ResourceNotFoundException" or refusal.status == 404:
        return Reason.UNKNOWN_CHANNEL
    if code == "ClientLimitExceededException" or refusal.status == 429:
        return Reason.VIEWER_LIMIT if "viewers" in text else Reason.TOO_MANY_REQUESTS
    if code == "InvalidArgumentException" and "client" in text.lower():
        return Reason.BAD_CLIENT_ID
    if code in ("AccessDeniedException", "NotAuthorizedException") or refusal.status in (401, 403):
        return Reason.NOT_ALLOWED
    return Reason.BAD_REQUEST if refusal.status == 400 else None


_REASONS: Final[tuple[tuple[type[SightlineError], Reason], ...]] = (
    (WrongRegion, Reason.WRONG_REGION),
    (WrongKey, Reason.WRONG_KEY),
    (ClockSkew, Reason.CLOCK_SKEW),
    (UnknownChannel, Reason.UNKNOWN_CHANNEL),
    (InvalidArn, Reason.UNKNOWN_CHANNEL),
    (InvalidChannelName, Reason.UNKNOWN_CHANNEL),
    (NotAllowed, Reason.NOT_ALLOWED),
    (InvalidClientId, Reason.BAD_CLIENT_ID),
    (ServiceUnreachable, Reason.SERVICE_UNREACHABLE),
)


def reason_of(error: SightlineError) -> Reason:
    """Why there is no session or no socket, of whatever a client's call raised."""
    if isinstance(error, SocketRefused | LinkRefused):
        return error.reason
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    if isinstance(error, ServiceRefused):
        return reason_of_refusal(Refusal(error.status, error.code, error.message)) or Reason.SIGNALING_REFUSED
    return Reason.SERVICE_UNREACHABLE


def from_transport(error: Exception, target: Target) -> ConnectError:
    """The typed error for a request that got no usable answer at all."""
    name = _name(target)
    if isinstance(error, bc.SSLError):
        return CertificateNotTrusted(
            f"The certificate of {name} is not trusted here ({_reason(error)}). For a service with a local CA, copy "
            "DATA_DIR/tls/ca.pem from its machine and set SIGHTLINE_CA_BUNDLE to that file."
        )
    if isinstance(error, bc.NoCredentialsError | bc.PartialCredentialsError):
        return WrongKey(
            f"There is no key for {name}: set SIGHTLINE_ACCESS_KEY_ID and SIGHTLINE_SECRET_ACCESS_KEY, or name the "
            "service's data directory in SIGHTLINE_DATA_DIR."
            if not target.is_aws
            else "There is no AWS key here: configure one as for the AWS command line (`aws configure`)."
        )
    if isinstance(error, bc.NoRegionError):
        return ConnectError("No region is configured: set SIGHTLINE_REGION (or AWS_REGION).")
    if isinstance(error, ResponseParserError):
        return NotAService(f"What answers at {name} is neither Sightline nor KVS. Check the endpoint.")
    if isinstance(error, bc.ReadTimeoutError | bc.ConnectTimeoutError):
        return ServiceUnreachable(f"{name} did not answer in time. {_what_to_do(target)}")
    if isinstance(error, bc.HTTPClientError | bc.ConnectionError):
        return ServiceUnreachable(f"Nothing answers at {name}{_what_to_do(target, first=False)}")
    if isinstance(error, bc.BotoCoreError):
        return ConnectError(f"The request to {name} could not be made: {error}")
    raise error


def _what_to_do(target: Target, *, first: bool = True) -> str:
    if target.is_loopback:
        sentence = "start it with `sightline serve`."
    elif target.is_aws:
        sentence = "check this machine's way to the internet."
    else:
        sentence = "check the address, and that the service runs there."
    return sentence[0].upper() + sentence[1:] if first else "; " + sentence


def _skew(refusal: Refusal, target: Target, now: float) -> str:
    try:
        seconds = parsedate_to_datetime(refusal.date).timestamp() - now
    except (ValueError, TypeError):
        return f"This machine's clock is more than 5 minutes off that of {_name(target)}. Set it right."
    way = "behind" if seconds > 0 else "ahead of"
    return (
        f"This machine's clock is {round(abs(seconds) / 60)} minutes {way} that of {_name(target)}; signatures allow "
        "5. Set it right (for example with NTP)."
    )


def _reason(error: Exception) -> str:
    text = str(error)
    for phrase in ("self-signed certificate", "hostname mismatch", "IP address mismatch", "has expired"):
        if phrase.lower() in text.lower():
            return phrase
    return "certificate verify failed"


def _name(target: Target) -> str:
    return "AWS" if target.is_aws else target.endpoint
