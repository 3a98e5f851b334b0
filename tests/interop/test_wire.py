"""HTTP as the simplest clients need it: one write per answer, Content-Length, CORS for browsers, tolerant paths."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.harness.kvs import PATIENCE, VIEWER, Kvs
from tests.harness.probe import Answer, Wire, ask, signed_post
from tests.harness.service import Service
from tests.harness.signing import sign_headers

ORIGIN = {"Origin": "https://shop.example"}
SDK_HEADERS = (
    "authorization, content-type, x-amz-date, x-amz-content-sha256, x-amz-security-token, "
    "x-amz-user-agent, amz-sdk-invocation-id, amz-sdk-request"
)
LISTENERS = [
    pytest.param(None, id="plain"),
    pytest.param(ssl.TLSVersion.TLSv1_2, id="tls1.2"),
    pytest.param(ssl.TLSVersion.TLSv1_3, id="tls1.3"),
]


@pytest.fixture(params=LISTENERS)
def wire(service: Service, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A connection on which answers are counted in reads or TLS records."""
    with Wire(service, tls=request.param is not None, version=request.param) as connection:
        yield connection


def every_kind_of_answer(service: Service, wire: Wire, arn: str, socket_target: str) -> Iterator[tuple[str, Answer]]:
    """Answers of every part of the service, one after the other on one connection."""
    tls = wire.tls
    port = service.https_port if tls else service.http_port
    host = {"Host": f"localhost:{port}"}

    def signed(path: str, body: object, **more: object) -> Answer:
        return signed_post(service, path, body, tls=tls, wire=wire, **more)  # type: ignore[arg-type]

    yield "describe", signed("/describeSignalingChannel", {"ChannelARN": arn})
    yield "list", signed("/listSignalingChannels", {})
    yield "tags", signed("/ListTagsForResource", {"ResourceARN": arn})
    yield "untag", signed("/UntagResource", {"ResourceARN": arn, "TagKeyList": ["k"]})
    yield "ice", signed("/v1/get-ice-server-config", {"ChannelARN": arn})
    yield "not found", signed("/describeSignalingChannel", {"ChannelName": "nobody"})
    yield "invalid", signed("/createSignalingChannel", {"ChannelName": "a b"})
    yield "malformed", signed("/describeSignalingChannel", None, raw_body=b"{not json")
    yield "wrong secret", signed("/listSignalingChannels", {}, key=service.admin.but(secret_access_key="x"))
    yield "unsigned", wire.ask("POST", "/listSignalingChannels", host, b"{}")
    yield (
        "preflight",
        wire.ask(
            "OPTIONS",
            "/describeSignalingChannel",
            {
                **host,
                **ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": SDK_HEADERS,
            },
        ),
    )
    yield "health", wire.ask("GET", "/healthz", host)
    yield "no such path", wire.ask("GET", "/no/such/path", host)
    yield "wrong method", wire.ask("GET", "/describeSignalingChannel", host)
    upgrade = {
        **host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    yield "refused upgrade", wire.ask("GET", socket_target, upgrade)


def test_every_answer_is_one_write(service: Service, kvs: Kvs, tls_kvs: Kvs, wire: Wire) -> None:
    arn = kvs.create()
    user = tls_kvs if wire.tls else kvs
    url = user.socket_url(VIEWER, arn, "viewer", key=service.admin.but(secret_access_key="wrong"))
    target = url[url.index("/", url.index("//") + 2) :]
    statuses = {}
    for what, answer in every_kind_of_answer(service, wire, arn, target):
        statuses[what] = answer.status
        assert answer.pieces == 1, f"{what}: {answer.pieces} pieces"
        assert len(answer.body) < 4096 or what == "list", f"{what}: too long for small clients"
        assert answer.headers["x-sightline"] == "1", what
        assert "date" in answer.headers, what
    assert statuses.pop("preflight") in (200, 204)
    assert statuses.pop("wrong method") in (403, 404, 405)
    assert statuses == {
        "describe": 200,
        "list": 200,
        "tags": 200,
        "untag": 200,
        "ice": 200,
        "not found": 404,
        "invalid": 400,
        "malformed": 400,
        "wrong secret": 403,
        "unsigned": 403,
        "health": 200,
        "no such path": 404,
        "refused upgrade": 403,
    }


def test_many_answers_are_each_one_write(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    with Wire(service, tls=False) as wire:
        for _ in range(50):
            answer = signed_post(service, "/describeSignalingChannel", {"ChannelARN": arn}, wire=wire)
            assert (answer.status, answer.pieces) == (200, 1)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b'{"ChannelName": 7}', b"[" * 9999]
)
def test_malformed_bodies_are_invalid_arguments(service: Service, body: bytes) -> None:
    answer = signed_post(service, "/describeSignalingChannel", None, raw_body=body)
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"].startswith(answer.kind)
    assert answer.kind in {"InvalidArgumentException", "SerializationException"}
    assert answer.message


def test_a_body_that_is_too_long_is_refused_and_not_read(service: Service) -> None:
    answer = signed_post(service, "/describeSignalingChannel", None, raw_body=b" " * (3 << 20))
    assert answer.status in (400, 413)


def test_slashes_may_be_doubled_as_the_javascript_sdk_does(service: Service, kvs: Kvs) -> None:
    arn = kvs.create()
    body = f'{{"ChannelARN":"{arn}"}}'.encode()
    for path in ("//describeSignalingChannel", "///describeSignalingChannel"):
        headers = sign_headers("POST", f"{service.http}/describeSignalingChannel", body, key=service.admin)
        assert ask(service, "POST", path, headers=headers, body=body).status == 200


def test_paths_differ_by_case(service: Service) -> None:
    for path in ("/DescribeSignalingChannel", "/tagResource"):
        assert signed_post(service, path, {}).status in (403, 404)


def test_a_browser_on_any_site_may_call_the_signed_paths(service: Service) -> None:
    wanted = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": SDK_HEADERS}
    for path in ("/describeSignalingChannel", "/TagResource", "/v1/get-ice-server-config", "//createSignalingChannel"):
        answer = ask(service, "OPTIONS", path, headers=wanted)
        assert answer.status in (200, 204)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
        assert {name.strip() for name in SDK_HEADERS.split(",")} <= allowed
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("name", ["known", "nobody"])
def test_a_browser_may_read_the_error_type_and_the_clock(service: Service, kvs: Kvs, name: str) -> None:
    if name == "known":
        kvs.create(name)
    answer = signed_post(service, "/describeSignalingChannel", {"ChannelName": name}, extra_headers=ORIGIN)
    assert answer.status == (200 if name == "known" else 404)
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"date", "x-amzn-errortype", "x-amzn-requestid"} <= exposed


def test_a_browser_on_another_site_may_not_call_anything_else(service: Service) -> None:
    for path in ("/sightline/v1/session", "/sightline/v1/credentials/list", "/view/demo", "/metrics", "/healthz"):
        asked = {
            **ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-sightline-link",
        }
        assert "access-control-allow-origin" not in ask(service, "OPTIONS", path, headers=asked).headers, path
        assert "access-control-allow-origin" not in ask(service, "GET", path, headers=ORIGIN).headers, path


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /describeSignalingChannel HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"\x00" * 100,
    ],
)
def test_junk_on_the_port_disturbs_nobody(service: Service, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.http_port), timeout=PATIENCE) as connection:
        read = b""
        with contextlib.suppress(OSError):  # the service may hang up before it has read all the junk
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                read += piece
    assert b" 500 " not in read.partition(b"\r\n")[0]
    assert service.answers("/readyz") == 200
