"""Every client's way to sign is accepted (KVS.md §3.1 and §3.3), and so is what we sign ourselves."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from sightline.errors import InvalidClientId, SignatureRejected
from sightline.wire.sigv4 import (
    EXTRAS_PARAMETER,
    Credentials,
    SignedRequest,
    format_time,
    parse_authorization,
    presign,
    presign_websocket,
    verify,
)

from . import signers
from .signers import ARN, HOST, KEY, NOW, REGION, TOKEN, accept, upgrade

VECTOR = Credentials("AKIA4F7WJQR7FMMWMNXI", "FakeSecretKey")
VECTOR_TIME = 1575158400.0  # 20191201T000000Z
VECTOR_SIGNATURE = "be1e78950d956a8a9a1997417099ddbd7455619f3d08c4ad20e1e272179ca695"


def test_the_published_vector_of_the_javascript_sdk() -> None:
    """KVS.md §3.4."""
    url = presign(
        "wss://kvs.awsamazon.com",
        credentials=VECTOR,
        region=REGION,
        params=[("X-Amz-TestParam", "test-param-value")],
        now=VECTOR_TIME,
        expires=299,
    )
    assert signers.query_of(url)["X-Amz-Signature"] == VECTOR_SIGNATURE
    request = upgrade(url)
    verify(request, parse_authorization(request), "FakeSecretKey", region=REGION, now=VECTOR_TIME)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signers.boto(), id="boto3"),
        pytest.param(signers.boto(token=TOKEN), id="boto3, token"),
        pytest.param(signers.boto(path="/base/TagResource"), id="boto3, base path"),
        pytest.param(signers.boto(host="kvs.example"), id="boto3, default port"),
        pytest.param(signers.boto(host="[::1]:8080"), id="boto3, IPv6"),
        pytest.param(signers.js_v2(), id="JS v2"),
        pytest.param(signers.js_v2(token=TOKEN), id="JS v2, token"),
        pytest.param(signers.js_v2(path="/base/describeSignalingChannel"), id="JS v2, base path"),
        pytest.param(signers.js_v3(), id="JS v3"),
        pytest.param(signers.js_v3(token=TOKEN), id="JS v3, token"),
        pytest.param(signers.js_v3(sent_path="//describeSignalingChannel"), id="JS v3, slash after the host"),
        pytest.param(
            signers.js_v3(path="/base/describeSignalingChannel", sent_path="/base//describeSignalingChannel"),
            id="JS v3, slash after a base path",
        ),
        pytest.param(signers.c_sdk(), id="C SDK"),
        pytest.param(signers.c_sdk(token=TOKEN), id="C SDK, unsigned token"),
    ],
)
def test_requests_signed_in_their_headers(request_: SignedRequest) -> None:
    accept(request_)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(signers.boto_url(), id="Python sample"),
        pytest.param(signers.boto_url(token=TOKEN, **{"X-Amz-ClientId": "MASTER"}), id="Python sample, master, token"),
        pytest.param(signers.boto_url(path=""), id="Python sample, no path"),
        pytest.param(signers.js_url(**{"X-Amz-ClientId": "viewer-1"}), id="JS SDK"),
        pytest.param(signers.js_url(path="/viewer", token=TOKEN), id="JS SDK, path, token"),
        pytest.param(signers.js_url(path="/base/viewer"), id="JS SDK, base path"),
        pytest.param(signers.c_url(**{"X-Amz-ClientId": "v_1"}), id="C SDK"),
        pytest.param(signers.c_url(token=TOKEN, path="/master"), id="C SDK, token"),
    ],
)
def test_presigned_sockets(url: str) -> None:
    accept(upgrade(url))


@pytest.mark.parametrize(
    ("signed_host", "sent_host"),
    [
        ("kvs.example", "kvs.example:8443"),
        ("kvs.example:443", "kvs.example"),
        ("kvs.example:443", "kvs.example:8443"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]:8443"),
    ],
)
def test_the_host_may_lack_its_port_or_have_443(signed_host: str, sent_host: str) -> None:
    """C, Android and iOS sign the bare name; JS signs an explicit :443 that WebSocket libraries do not send."""
    accept(upgrade(signers.c_url(host=signed_host), host=sent_host))
    accept(signers.change(signers.boto(host=signed_host), host=sent_host))


@pytest.mark.parametrize(
    ("signed_host", "sent_host"),
    [
        ("kvs.example", "evil.example"),
        ("kvs.example:8443", "kvs.example"),
        ("kvs.example:8443", "kvs.example:8444"),
        ("kvs.example", "kvs.example:8443:1"),
        ("kvs.example", "kvs.example:http"),
        ("kvs.example", ""),
    ],
)
def test_another_host_is_not_signed_for(signed_host: str, sent_host: str) -> None:
    with pytest.raises(SignatureRejected):
        accept(signers.change(upgrade(signers.c_url(host=signed_host)), host=sent_host))


def test_inner_spaces_may_be_collapsed_or_not() -> None:
    """The C SDK signs them as they are, botocore's canonicaliser collapses them."""
    asis = signers.c_sdk()
    assert "  " in asis.headers["user-agent"]
    accept(asis)
    collapsed = {**asis.headers, "user-agent": " ".join(signers.C_AGENT.split())}
    signature = signers.signing.sign_headers(
        "POST",
        "https://kvs.example/describeSignalingChannel",
        signers.BODY,
        key=KEY,
        now=NOW,
        headers=collapsed,
        signed=["host", "user-agent", "x-amz-date"],
    )["authorization"]
    accept(signers.change(asis, authorization=signature))
    with pytest.raises(SignatureRejected):
        accept(signers.change(asis, user_agent="another"))


def test_a_path_that_a_proxy_has_stripped() -> None:
    """With SIGHTLINE_PUBLIC_URL=https://host/base clients sign /base/viewer; the proxy passes on /viewer."""
    request = upgrade(signers.js_url(path="/base/viewer"))
    stripped = SignedRequest(request.method, "/viewer", request.query, request.headers)
    accept(stripped, base_path="/base")
    accept(request, base_path="/base")
    for wrong in ("", "/other"):
        with pytest.raises(SignatureRejected):
            accept(stripped, base_path=wrong)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/..//b/", "/b/"),
        ("/a b", "/a%20b"),
    ],
)
def test_paths_are_normalised_before_they_are_signed(path: str, canonical: str) -> None:
    headers = signers.signing.sign_headers(
        "POST", f"http://{HOST}{canonical.replace('%20', ' ')}", signers.BODY, key=KEY, now=NOW
    )
    accept(signers.post(path, headers))


def test_the_query_may_come_in_any_order_and_encoding() -> None:
    url = signers.c_url(**{"X-Amz-ClientId": "a~b"})
    base, _, query = url.partition("?")
    accept(upgrade(f"{base}?{'&'.join(reversed(query.split('&')))}"))
    accept(upgrade(url.replace("%3A", ":").replace("%2F", "/").replace("~", "%7E")))
    accept(upgrade(f"{base}?&{query}&"))


def raw(text: bytes) -> str:
    """Bytes that are not UTF-8 as aiohttp gives them."""
    return text.decode("utf-8", "surrogateescape")


def test_bytes_that_are_not_utf_8_are_signed_as_they_are() -> None:
    """Never an UnicodeEncodeError: any client can send such bytes."""
    agent, other = raw(b"camera \xff"), raw(b"camera \xfe")
    canonical = (
        b"POST\n/x%FF\n\nhost:h\nuser-agent:camera \xff\nx-amz-date:20260506T201400Z\n\nhost;user-agent;x-amz-date\n"
    )
    scope = "20260506/us-west-2/kinesisvideo/aws4_request"
    digest = sha256(canonical + sha256(b"").hexdigest().encode()).hexdigest()
    key = b"AWS4" + KEY.secret_access_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n20260506T201400Z\n{scope}\n{digest}".encode(), sha256).hexdigest()
    headers = {
        "host": "h",
        "user-agent": agent,
        "x-amz-date": "20260506T201400Z",
        "authorization": f"AWS4-HMAC-SHA256 Credential={KEY.access_key_id}/{scope}, "
        f"SignedHeaders=host;user-agent;x-amz-date, Signature={signature}",
    }
    request = signers.post(raw(b"/x\xff"), headers, b"")
    accept(request)
    for tampered in (signers.change(request, user_agent=other), signers.post(raw(b"/x\xfe"), headers, b"")):
        with pytest.raises(SignatureRejected, match="does not match"):
            accept(tampered)


def test_bytes_of_a_query_that_are_not_utf_8_count() -> None:
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key)
    params = [("X-Amz-Note", raw(b"\xff"))]
    url = presign("wss://kvs.example", credentials=credentials, region=REGION, params=params, now=NOW)
    accept(upgrade(url))
    accept(upgrade(url.replace("%FF", raw(b"\xff"))))
    for tampered in (url.replace("%FF", "%FE"), url.replace("%FF", "%EF%BF%BD"), url.replace("%FF", raw(b"\xfe"))):
        with pytest.raises(SignatureRejected):
            accept(upgrade(tampered))


@pytest.mark.parametrize("expires", [1, 300, 604_800])
@pytest.mark.parametrize("age", [0, 1])
def test_a_presigned_url_lives_as_long_as_it_says(expires: int, age: int) -> None:
    request = upgrade(signers.boto_url(expires=expires))
    accept(request, now=NOW - 300)
    accept(request, now=NOW + expires - 1 + age)
    with pytest.raises(SignatureRejected, match=r"^Signature expired: "):
        accept(request, now=NOW + expires + 1)
    with pytest.raises(SignatureRejected, match=r"^Signature not yet current: "):
        accept(request, now=NOW - 301)


class TestPresigning:
    """What our own client and the page sessions sign: botocore finds the same signature."""

    @pytest.mark.parametrize("token", [None, TOKEN])
    @pytest.mark.parametrize(
        "endpoint", ["wss://kvs.example:8443/viewer", "ws://localhost:8080/", "wss://v-1.kvs.example"]
    )
    def test_as_botocore_does(self, endpoint: str, token: str | None) -> None:
        url = presign_websocket(
            endpoint,
            credentials=Credentials(KEY.access_key_id, KEY.secret_access_key, token),
            region=REGION,
            channel_arn=ARN,
            client_id="viewer-1",
            now=NOW,
        )
        ours = signers.query_of(url)
        signature = ours.pop("X-Amz-Signature")
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == endpoint.rstrip("/").removesuffix("/viewer")
        assert parts.path == (urlsplit(endpoint).path or "/")
        assert ours["X-Amz-ChannelARN"] == ARN
        assert ours["X-Amz-ClientId"] == "viewer-1"
        assert ours["X-Amz-Expires"] == "299"
        assert ours.get("X-Amz-Security-Token") == token
        request = AWSRequest("GET", f"https://{parts.netloc}{parts.path}", {"Host": parts.netloc}, params=ours)
        request.context["timestamp"] = ours["X-Amz-Date"]
        signer = SigV4QueryAuth(
            BotoCredentials(KEY.access_key_id, KEY.secret_access_key, token), "kinesisvideo", REGION
        )
        canonical = signer.canonical_request(request)
        assert signer.signature(signer.string_to_sign(request, canonical), request) == signature
        accept(upgrade(url))

    def test_extras_are_asked_for_in_the_signed_query(self) -> None:
        url = presign_websocket(
            "wss://kvs.example/master",
            credentials=VECTOR,
            region=REGION,
            channel_arn=ARN,
            now=NOW,
            extras=True,
        )
        query = signers.query_of(url)
        assert query[EXTRAS_PARAMETER] == "1"
        assert "X-Amz-ClientId" not in query
        request = upgrade(url.replace(f"{EXTRAS_PARAMETER}=1", f"{EXTRAS_PARAMETER}=0"))
        with pytest.raises(SignatureRejected):
            verify(request, parse_authorization(request), VECTOR.secret_access_key, region=REGION, now=NOW)

    def test_towards_aws_nothing_is_asked_for(self) -> None:
        url = presign_websocket(
            "wss://v-1.kvs.example", credentials=VECTOR, region=REGION, channel_arn=ARN, client_id="v", now=NOW
        )
        assert EXTRAS_PARAMETER not in url

    def test_a_client_id_outside_the_rules_is_refused_before_anything_is_sent(self) -> None:
        with pytest.raises(InvalidClientId):
            presign_websocket(
                "wss://kvs.example", credentials=VECTOR, region=REGION, channel_arn=ARN, client_id="AWS_x", now=NOW
            )

    def test_a_secret_does_not_show_in_a_repr(self) -> None:
        assert "FakeSecretKey" not in repr(VECTOR)


def test_times_are_written_in_utc() -> None:
    assert format_time(NOW + 0.9) == "20260506T201400Z"


@pytest.mark.parametrize("make", [signers.boto, signers.js_v2, signers.js_v3, signers.c_sdk])
def test_another_secret_does_not_do(make: Callable[[], SignedRequest]) -> None:
    for secret in ("", KEY.secret_access_key[:-1], KEY.secret_access_key + "x"):
        with pytest.raises(SignatureRejected, match="does not match"):
            accept(make(), secret=secret)
