"""Signature Version 4, both sides (KVS.md §3).

Verifying serves every client of KVS.md §3.1: it takes exactly the headers that the client says it signed, sorts the
query itself, accepts the host with and without a port, and header values with and without collapsed inner spaces.
Time is passed in; nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from ..errors import SignatureRejected
from ..reasons import Reason
from .ids import check_client_id

__all__ = [
    "EMPTY_BODY_SHA256",
    "EXTRAS_PARAMETER",
    "SERVICE",
    "Authorization",
    "Credentials",
    "SignedRequest",
    "format_time",
    "parse_authorization",
    "presign",
    "presign_websocket",
    "verify",
]

SERVICE: Final = "kinesisvideo"
"""The service name in the credential scope, for all three APIs and the sockets."""

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = 300.0
"""Seconds that a client's clock may be off."""

MAX_EXPIRES: Final = 604_800
"""Seconds; the C SDK presigns for a week (KVS.md §3.2)."""

EXTRAS_PARAMETER: Final = "X-Sightline-Extras"
"""The signed query parameter by which a socket asks for what KVS does not have."""

EMPTY_BODY_SHA256: Final = hashlib.sha256(b"").hexdigest()
UNSIGNED_BODY: Final = "UNSIGNED-PAYLOAD"

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r" {2,}")


class Credentials(msgspec.Struct, frozen=True):
    """What a client signs with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, …)"


class SignedRequest(msgspec.Struct, frozen=True):
    """The parts of an HTTP request that a signature covers.

    ``path`` and ``query`` are as they came on the wire, still percent-encoded. ``headers`` has lower-case names, the
    values of a repeated header joined with commas. ``body_sha256`` is the hash of the body that really came.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body_sha256: str = EMPTY_BODY_SHA256


class Authorization(msgspec.Struct, frozen=True):
    """What a request says about its own signature, before anything of it is believed."""

    access_key_id: str
    date: str
    region: str
    service: str
    time: str
    signed_headers: tuple[str, ...]
    signature: str
    expires: int | None
    """Seconds for the query form, None for the header form."""
    session_token: str | None


# ---------------------------------------------------------------------------------------------- reading


def parse_authorization(request: SignedRequest) -> Authorization:
    """Read the signature of a request, from its header or its query.

    Raises SignatureRejected when there is none or when it is incomplete.
    """
    header = request.headers.get("authorization")
    if header is not None:
        return _from_header(header, request.headers)
    if "X-Amz-Signature=" in request.query or "X-Amz-Algorithm=" in request.query:
        return _from_query(request.query)
    raise SignatureRejected(
        "Missing Authentication Token: the request is not signed.", code="MissingAuthenticationTokenException"
    )


def _from_header(header: str, headers: Mapping[str, str]) -> Authorization:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Authorization must use {ALGORITHM}.")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    time = headers.get("x-amz-date")
    if time is None:
        raise _incomplete("Authorization header requires the 'X-Amz-Date' header.")
    return _authorization(
        fields["Credential"],
        time,
        fields["SignedHeaders"],
        fields["Signature"],
        expires=None,
        session_token=headers.get("x-amz-security-token"),
    )


def _from_query(query: str) -> Authorization:
    fields: dict[str, str] = {}
    for name, value in _query_pairs(query):
        if name in fields and name.startswith("X-Amz-"):
            raise _incomplete(f"The query parameter {name!r} stands twice.")
        fields[name] = _unquote(value)
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"X-Amz-Algorithm must be {ALGORITHM}.")
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        if not fields.get(name):
            raise _incomplete(f"The query parameter {name} is missing.")
    expires = fields["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6 and 1 <= int(expires) <= MAX_EXPIRES):
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES}.")
    return _authorization(
        fields["X-Amz-Credential"],
        fields["X-Amz-Date"],
        fields["X-Amz-SignedHeaders"],
        fields["X-Amz-Signature"],
        expires=int(expires),
        session_token=fields.get("X-Amz-Security-Token") or None,
    )


def _authorization(
    credential: str,
    time: str,
    signed_headers: str,
    signature: str,
    *,
    expires: int | None,
    session_token: str | None,
) -> Authorization:
    # An access key id of any form may hold slashes: the scope is the last four parts.
    scope = credential.rsplit("/", 4)
    if len(scope) != 5 or not all(scope) or scope[4] != "aws4_request":
        raise _incomplete("Credential must be of the form KEY/YYYYMMDD/REGION/kinesisvideo/aws4_request.")
    if _TIME.fullmatch(time) is None:
        raise _incomplete("X-Amz-Date must be of the form YYYYMMDDTHHMMSSZ.")
    if scope[1] != time[:8]:
        raise SignatureRejected(
            f"Date in Credential scope does not match YYYYMMDD from X-Amz-Date: {scope[1]!r} is not {time[:8]!r}."
        )
    if _SIGNATURE.fullmatch(signature) is None:
        raise _incomplete("Signature must be 64 lower-case hexadecimal digits.")
    names = tuple(signed_headers.lower().split(";"))
    if "host" not in names:
        raise SignatureRejected("The 'host' header must be among the signed headers.")
    return Authorization(scope[0], scope[1], scope[2], scope[3], time, names, signature, expires, session_token)


def _incomplete(message: str) -> SignatureRejected:
    return SignatureRejected(message, code="IncompleteSignatureException")


# -------------------------------------------------------------------------------------------- verifying


def verify(
    request: SignedRequest,
    authorization: Authorization,
    secret_access_key: str,
    *,
    region: str,
    now: float,
    base_path: str = "",
) -> None:
    """Check scope, time and signature, in this order; raises SignatureRejected.

    ``now`` is epoch seconds. ``base_path`` is a prefix that a proxy in front may have stripped from the path.
    """
    if authorization.service != SERVICE:
        raise SignatureRejected(
            f"Credential should be scoped to correct service: '{SERVICE}', not {authorization.service!r}."
        )
    if authorization.region != region:
        raise SignatureRejected(
            f"Credential should be scoped to a valid region: this service is in {region!r}, "
            f"and the request was signed for {authorization.region!r}. Set the client's region to {region!r}.",
            reason=Reason.WRONG_REGION,
        )
    _check_time(authorization, now)
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is not None and claimed not in (request.body_sha256, UNSIGNED_BODY):
        raise SignatureRejected("The provided 'x-amz-content-sha256' header does not match what was computed.")
    for host, collapse, path in _variants(request, authorization, base_path):
        canonical = _canonical_request(request, authorization, host=host, collapse=collapse, path=path)
        if hmac.compare_digest(_sign(canonical, authorization, secret_access_key), authorization.signature):
            return
    raise SignatureRejected(
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method."
    )


def _check_time(authorization: Authorization, now: float) -> None:
    signed = _parse_time(authorization.time)
    # The C SDK looks for these very words and then corrects its clock from the Date header (KVS.md §2.4).
    lifetime = SKEW if authorization.expires is None else float(authorization.expires)
    if signed + lifetime < now:
        window = "5 min." if authorization.expires is None else f"{authorization.expires} s."
        raise SignatureRejected(
            f"Signature expired: {authorization.time} is now earlier than {format_time(now - lifetime)} "
            f"({format_time(now)} - {window})",
            reason=Reason.CLOCK_SKEW,
        )
    if signed > now + SKEW:
        raise SignatureRejected(
            f"Signature not yet current: {authorization.time} is still later than {format_time(now + SKEW)} "
            f"({format_time(now)} + 5 min.)",
            reason=Reason.CLOCK_SKEW,
        )


def _variants(request: SignedRequest, authorization: Authorization, base_path: str) -> Iterable[tuple[str, bool, str]]:
    """What different clients sign for the same request, the likeliest first (KVS.md §3.1 and §3.3)."""
    host = request.headers.get("host", "")
    bare = _without_port(host)
    hosts = list(dict.fromkeys((host, bare, bare + ":443")))
    inner_spaces = any("  " in request.headers.get(name, "").strip() for name in authorization.signed_headers)
    paths = [request.path] if not base_path else list(dict.fromkeys((request.path, base_path + request.path)))
    for path in paths:
        for name in hosts:
            yield name, True, path
            if inner_spaces:
                yield name, False, path


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host


def _canonical_request(
    request: SignedRequest, authorization: Authorization, *, host: str, collapse: bool, path: str
) -> str:
    lines: list[str] = []
    for name in authorization.signed_headers:
        value = host if name == "host" else request.headers.get(name, "").strip()
        lines.append(f"{name}:{_SPACES.sub(' ', value) if collapse else value}\n")
    if authorization.expires is None:
        body = request.headers.get("x-amz-content-sha256", request.body_sha256)
        # A header-signed GET has no query of ours to leave out.
        query = _canonical_query(_query_pairs(request.query))
    else:
        body = EMPTY_BODY_SHA256
        query = _canonical_query(pair for pair in _query_pairs(request.query) if pair[0] != "X-Amz-Signature")
    return "\n".join(
        (
            request.method,
            _canonical_path(path),
            query,
            "".join(lines),
            ";".join(authorization.signed_headers),
            body,
        )
    )


def _sign(canonical: str, authorization: Authorization, secret_access_key: str) -> str:
    scope = f"{authorization.date}/{authorization.region}/{authorization.service}/aws4_request"
    digest = hashlib.sha256(_bytes(canonical)).hexdigest()
    text = f"{ALGORITHM}\n{authorization.time}\n{scope}\n{digest}"
    key = _signing_key(secret_access_key, authorization.date, authorization.region, authorization.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4096)
def _signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret_access_key).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _bytes(text: str) -> bytes:
    """The bytes that came on the wire: those that are not UTF-8 stand in a header as surrogates."""
    return text.encode("utf-8", "surrogateescape")


# -------------------------------------------------------------------------------------- canonical forms


def _canonical_path(path: str) -> str:
    """The path without empty and dot segments, encoded once more, as every service but S3 has it."""
    if path in ("", "/"):
        return "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(quote(_bytes(segment), safe="~"))
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _query_pairs(query: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_unquote(name), value))
    return pairs


def _canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Sorted, each name and value encoded by RFC 3986 whatever encoding it came in."""
    return "&".join(f"{name}={value}" for name, value in sorted((_quote(n), _quote(_unquote(v))) for n, v in pairs))


def _quote(text: str) -> str:
    return quote(_bytes(text), safe="-_.~")


def _unquote(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _parse_time(time: str) -> float:
    match = _TIME.fullmatch(time)
    try:
        if match is None:
            raise ValueError(time)
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
    except ValueError:
        raise _incomplete("X-Amz-Date is not a date.") from None


def format_time(now: float) -> str:
    """Epoch seconds as ``YYYYMMDDTHHMMSSZ``."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


# ---------------------------------------------------------------------------------------------- signing


def presign(
    url: str,
    *,
    credentials: Credentials,
    region: str,
    params: Sequence[tuple[str, str]] = (),
    now: float,
    expires: int = 299,
) -> str:
    """The URL with a signature in its query, valid for ``expires`` seconds from ``now`` (epoch seconds).

    299 s is what the JS SDK, Android and the Python sample use.
    """
    parts = urlsplit(url)
    time = format_time(now)
    date = time[:8]
    pairs = [
        *params,
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key_id}/{date}/{region}/{SERVICE}/aws4_request"),
        ("X-Amz-Date", time),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if credentials.session_token:
        pairs.append(("X-Amz-Security-Token", credentials.session_token))
    query = _canonical_query((name, _quote(value)) for name, value in pairs)
    authorization = Authorization(
        credentials.access_key_id,
        date,
        region,
        SERVICE,
        time,
        ("host",),
        "",
        expires,
        credentials.session_token,
    )
    request = SignedRequest("GET", parts.path or "/", query, {"host": parts.netloc})
    canonical = _canonical_request(request, authorization, host=parts.netloc, collapse=True, path=request.path)
    signature = _sign(canonical, authorization, credentials.secret_access_key)
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={signature}"


def presign_websocket(
    endpoint: str,
    *,
    credentials: Credentials,
    region: str,
    channel_arn: str,
    client_id: str | None = None,
    now: float,
    expires: int = 299,
    extras: bool = False,
) -> str:
    """The URL of a signaling socket at a WSS endpoint (KVS.md §5.1); ``client_id`` for viewers only.

    ``extras`` asks a Sightline for more than KVS has; never set it towards AWS. Raises InvalidClientId.
    """
    params = [("X-Amz-ChannelARN", channel_arn)]
    if client_id is not None:
        params.append(("X-Amz-ClientId", check_client_id(client_id)))
    if extras:
        params.append((EXTRAS_PARAMETER, "1"))
    return presign(endpoint, credentials=credentials, region=region, params=params, now=now, expires=expires)
