"""SigV4 written once more, from the specification, with every knob in the open.

boto3 and the JavaScript SDKs sign for themselves in the tests. This signer plays the clients that cannot run here
(the C SDK) and the ones that do it wrong: other regions, wrong secrets, stale clocks, unsigned tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Key:
    """A signing key: its public id, its secret, and perhaps a session token."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def but(self, **changes: str) -> Key:
        """The same key with something changed."""
        return replace(self, **changes)


def amz_date(now: float) -> str:
    """`now` (epoch seconds) as X-Amz-Date writes it: 20260506T201400Z."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")


def _signature(key: Key, *, date: str, region: str, service: str, canonical: str) -> tuple[str, str]:
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing_key = b"AWS4" + key.secret_access_key.encode()
    for part in (date[:8], region, service, "aws4_request"):
        signing_key = hmac.new(signing_key, part.encode(), hashlib.sha256).digest()
    return scope, hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()


def sign_headers(
    method: str,
    url: str,
    body: bytes,
    *,
    key: Key,
    now: float | None = None,
    region: str = "us-west-2",
    scope_service: str = "kinesisvideo",
    headers: Mapping[str, str] | None = None,
    signed: Sequence[str] = ("content-type", "host", "x-amz-date"),
    host: str | None = None,
    sign_token: bool = True,
) -> dict[str, str]:
    """The headers of a request signed in its headers, as boto3 does; `signed` names those that are signed.

    `host` replaces the URL's host and port in the Host header. With `sign_token=False` the session token is sent
    unsigned, as the C SDK does.
    """
    parts = urlsplit(url)
    date = amz_date(time.time() if now is None else now)
    sent = {"host": host or parts.netloc, "content-type": "application/json", "x-amz-date": date}
    sent.update({name.lower(): value for name, value in (headers or {}).items()})
    names = set(signed)
    if key.session_token is not None:
        sent["x-amz-security-token"] = key.session_token
        if sign_token:
            names.add("x-amz-security-token")
    listed = ";".join(sorted(names))
    canonical = "\n".join(
        [
            method,
            quote(parts.path or "/", safe="/-_.~"),
            parts.query,
            *(f"{name}:{sent[name].strip()}" for name in sorted(names)),
            "",
            listed,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope, signature = _signature(key, date=date, region=region, service=scope_service, canonical=canonical)
    sent["authorization"] = (
        f"{ALGORITHM} Credential={key.access_key_id}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return sent


def presign(
    url: str,
    parameters: Mapping[str, str],
    *,
    key: Key,
    now: float | None = None,
    expires: int = 299,
    region: str = "us-west-2",
    service: str = "kinesisvideo",
    host: str | None = None,
) -> str:
    """`url` (ws or wss, perhaps with a path) with `parameters` and a signature in its query.

    The signature comes last and the rest is sorted, as the C SDK writes it.
    """
    parts = urlsplit(url)
    date = amz_date(time.time() if now is None else now)
    query = {
        **dict(parse_qsl(parts.query)),
        **parameters,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{key.access_key_id}/{date[:8]}/{region}/{service}/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": "host",
    }
    if key.session_token is not None:
        query["X-Amz-Security-Token"] = key.session_token
    written = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted(query.items()))
    path = parts.path or "/"
    canonical = "\n".join(
        [
            "GET",
            quote(path, safe="/-_.~"),
            written,
            f"host:{host or parts.netloc}",
            "",
            "host",
            EMPTY_SHA256,
        ]
    )
    _scope, signature = _signature(key, date=date, region=region, service=service, canonical=canonical)
    return f"{parts.scheme}://{parts.netloc}{path}?{written}&X-Amz-Signature={signature}"
