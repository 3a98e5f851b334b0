"""Signed requests of all the clients of KVS.md §3.1, made without a line of Sightline.

botocore signs for itself; the C SDK and the JavaScript SDKs are played by the harness's signer.
"""

from __future__ import annotations

import hashlib
from calendar import timegm
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from time import gmtime, strftime, strptime
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sightline.wire.sigv4 import SignedRequest, parse_authorization, verify
from tests.harness import signing
from tests.harness.signing import Key

REGION = "us-west-2"
HOST = "kvs.example:8443"
KEY = Key("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY")
TOKEN = "IQoJb3JpZ2luX2VjE+/A=="
ARN = "arn:aws:kinesisvideo:us-west-2:123456789012:channel/demo/1700000000123"
NOW = float(timegm(strptime("20260506T201400Z", "%Y%m%dT%H%M%SZ")))
BODY = b'{"ChannelName":"demo"}'
C_AGENT = "AWS-WEBRTC-KVS-AGENT/1.10.2 GCC/12.2.0  Linux/6.1.0 x86_64"
"""With two spaces, as the C SDK writes it when a part is empty."""


def accept(request: SignedRequest, *, now: float = NOW, base_path: str = "", secret: str | None = None) -> None:
    """What the service does with a signed request; raises SignatureRejected."""
    verify(
        request,
        parse_authorization(request),
        KEY.secret_access_key if secret is None else secret,
        region=REGION,
        now=now,
        base_path=base_path,
    )


def post(path: str, headers: Mapping[str, str], body: bytes = BODY) -> SignedRequest:
    """A POST as it arrives."""
    lower = {name.lower(): value for name, value in headers.items()}
    return SignedRequest("POST", path, "", lower, hashlib.sha256(body).hexdigest())


def upgrade(url: str, *, host: str | None = None) -> SignedRequest:
    """A WebSocket upgrade as it arrives; `host` is what the client's library writes into Host."""
    parts = urlsplit(url)
    return SignedRequest("GET", parts.path or "/", parts.query, {"host": host or parts.netloc})


def change(request: SignedRequest, **headers: str) -> SignedRequest:
    """The request with other headers."""
    changed = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return SignedRequest(request.method, request.path, request.query, changed, request.body_sha256)


# ------------------------------------------------------------------------------------------------ botocore


@contextmanager
def _botocore_at(now: float) -> Iterator[None]:
    with mock.patch.object(
        botocore.auth,
        "get_current_datetime",
        return_value=datetime.fromtimestamp(now, timezone.utc),  # noqa: UP017
    ):
        yield


def boto(
    *, path: str = "/describeSignalingChannel", host: str = HOST, token: str | None = None, now: float = NOW
) -> SignedRequest:
    """boto3 and the AWS CLI: content-type;host;x-amz-date, and the token when there is one."""
    request = AWSRequest("POST", f"http://{host}{path}", {"Content-Type": "application/json", "Host": host}, BODY)
    with _botocore_at(now):
        SigV4Auth(Credentials(KEY.access_key_id, KEY.secret_access_key, token), "kinesisvideo", REGION).add_auth(
            request
        )
    return post(path, dict(request.headers.items()))


def boto_url(
    *, path: str = "/viewer", host: str = HOST, token: str | None = None, expires: int = 299, **params: str
) -> str:
    """AWS's Python sample: botocore's presigner, which does not sort its query."""
    request = AWSRequest("GET", f"https://{host}{path}", {"Host": host}, params={"X-Amz-ChannelARN": ARN, **params})
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key, token)
    with _botocore_at(NOW):
        SigV4QueryAuth(credentials, "kinesisvideo", REGION, expires=expires).add_auth(request)
    assert request.url is not None
    return request.url.replace("https://", "wss://", 1)


# ------------------------------------------------------------------------------------ the JavaScript SDKs


def js_v2(*, path: str = "/describeSignalingChannel", token: str | None = None, host: str = HOST) -> SignedRequest:
    """host;x-amz-content-sha256;x-amz-date(;x-amz-security-token), content-type sent but not signed."""
    return _js(path, path, token=token, host=host, signed=["host", "x-amz-content-sha256", "x-amz-date"])


def js_v3(
    *,
    path: str = "/describeSignalingChannel",
    sent_path: str | None = None,
    token: str | None = None,
    host: str = HOST,
) -> SignedRequest:
    """All of its headers are signed, over the path without doubled slashes whatever path it sends."""
    names = [
        *("amz-sdk-invocation-id", "amz-sdk-request", "content-length", "content-type", "host"),
        *("x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"),
    ]
    return _js(path, sent_path or path, token=token, host=host, signed=names)


def _js(path: str, sent_path: str, *, token: str | None, host: str, signed: list[str]) -> SignedRequest:
    extra = {
        "content-length": str(len(BODY)),
        "x-amz-content-sha256": hashlib.sha256(BODY).hexdigest(),
        "x-amz-user-agent": "aws-sdk-js/3.1116.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.20.0",
        "amz-sdk-invocation-id": "1f5a1a30-8f2e-4c7e-a8a0-0cbb4f1f5f5e",
        "amz-sdk-request": "attempt=1; max=3",
    }
    headers = signing.sign_headers(
        "POST", f"http://{host}{path}", BODY, key=_with(token), now=NOW, headers=extra, signed=signed
    )
    return post(sent_path, headers)


def js_url(*, path: str = "", host: str = HOST, token: str | None = None, **params: str) -> str:
    """The KVS WebRTC SDK: everything sorted, the signature in the middle."""
    url = signing.presign(
        f"wss://{host}{path}", {"X-Amz-ChannelARN": ARN, **params}, key=_with(token), now=NOW, expires=299
    )
    base, _, query = url.partition("?")
    return base + "?" + "&".join(sorted(query.split("&")))


# ------------------------------------------------------------------------------------------------ the C SDK


def c_sdk(
    *, path: str = "/describeSignalingChannel", host: str = "kvs.example", token: str | None = None
) -> SignedRequest:
    """host;user-agent;x-amz-date: the bare host, the user agent as it is, the token sent but not signed."""
    headers = signing.sign_headers(
        "POST",
        f"https://{host}{path}",
        BODY,
        key=_with(token),
        now=NOW,
        headers={"user-agent": C_AGENT},
        signed=["host", "user-agent", "x-amz-date"],
        sign_token=False,
    )
    return post(path, headers)


def c_url(*, host: str = "kvs.example", path: str = "/", token: str | None = None, **params: str) -> str:
    """Sorted, the signature last, valid for a week; the token is signed here."""
    return signing.presign(
        f"wss://{host}{path}", {"X-Amz-ChannelARN": ARN, **params}, key=_with(token), now=NOW, expires=604_800
    )


def _with(token: str | None) -> Key:
    return replace(KEY, session_token=token)


def query_of(url: str) -> dict[str, str]:
    """The decoded query of a URL."""
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def at(seconds: float) -> str:
    """NOW plus `seconds` as X-Amz-Date has it."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(NOW + seconds))
