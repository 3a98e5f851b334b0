"""Requests that are no requests, bodies without end, files that are not there: never a bare 500."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sightline.service import routing

from .inside import Inside, inside

DESCRIBE = "/describeSignalingChannel"
SESSION = "/sightline/v1/session"


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Inside]:
    async with inside() as started:
        await started.channel("demo")
        yield started


@pytest.fixture
def no_accident(caplog: pytest.LogCaptureFixture) -> object:
    """Fails the test in which an error was caught that nobody thought of."""
    yield
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


RAW = b"\xff\xfe".decode("utf-8", "surrogateescape")


@pytest.mark.usefixtures("no_accident")
class TestBytesThatAreNoText:
    async def test_in_a_path(self, room: Inside) -> None:
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            for path in (f"/{RAW}", f"/view/{RAW}", f"/?{RAW}", f"/sdk/{RAW}.js", "/%ff", "/view/%00"):
                answer = await room.ask(method, path)
                assert answer.status in (200, 400, 404, 405), (method, path)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": RAW},
            {"Authorization": f"AWS4-HMAC-SHA256 Credential=A/{RAW}/r/s/aws4_request, SignedHeaders=host, Signature=0"},
            {
                "Authorization": "AWS4-HMAC-SHA256 Credential=ADMINKEY/20260921/us-west-2/kinesisvideo/aws4_request, "
                f"SignedHeaders=host;{RAW}, Signature={'0' * 64}",
                "X-Amz-Date": "20260921T142640Z",
            },
            {
                "Authorization": f"AWS4-HMAC-SHA256 Credential={RAW}/20260921/{RAW}/{RAW}/aws4_request, "
                f"SignedHeaders=host, Signature={'0' * 64}",
                "X-Amz-Date": "20260921T142640Z",
            },
        ],
    )
    async def test_in_a_signature(self, room: Inside, headers: dict[str, str]) -> None:
        answer = await room.ask("POST", DESCRIBE, headers=headers, body=b"{}")
        assert answer.status == 403
        assert answer.kind

    async def test_in_signed_headers(self, room: Inside) -> None:
        answer = await room.call(DESCRIBE, {"ChannelName": "demo"}, **{"x-note": "plain"})
        assert answer.status == 200
        for name in ("Host", "User-Agent", "Origin", "X-Amz-Content-Sha256"):
            answer = await room.ask("POST", DESCRIBE, headers={name: f"x{RAW}"}, body=b"{}")
            assert answer.status in (400, 403)

    async def test_in_a_token(self, room: Inside) -> None:
        headers = {"Content-Type": "application/json", "X-Sightline-Link": f"x.{RAW}"}
        answer = await room.ask("POST", SESSION, headers=headers, body=b'{"channel":"demo"}')
        assert (answer.status, answer.json["error"]) != (500, None)
        assert "link-invalid" in answer.body.decode()

    async def test_in_the_query_of_a_socket(self, room: Inside) -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        for query in (f"X-Amz-Signature={RAW}", "X-Amz-%FF=1&X-Amz-%FF=2&X-Amz-Signature=", "X-Amz-Signature=%FF"):
            answer = await room.ask("GET", f"/viewer?{query}", headers=headers)
            assert answer.status in (400, 403)

    async def test_in_a_body(self, room: Inside) -> None:
        headers = {"Content-Type": "application/json"}
        for path in (DESCRIBE, SESSION, "/sightline/v1/credentials/list"):
            for body in [b"\xff", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"[" * 50_000]:
                answer = await room.ask("POST", path, headers=headers, body=body)
                assert 400 <= answer.status < 404, (path, body[:20])


class TestBodies:
    @pytest.mark.parametrize("path", [DESCRIBE, SESSION, "/sightline/v1/links/create"])
    async def test_one_that_is_too_long_is_refused_without_reading_it_all(self, room: Inside, path: str) -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: {room.host}\r\nContent-Length: 99999999\r\n\r\n".encode()
        answer = await room.raw(head + b" " * (routing.MAX_BODY + 1))
        assert answer.status == 413
        assert "262144" in answer.message

    async def test_the_longest_that_is_read(self, room: Inside) -> None:
        answer = await room.ask("POST", SESSION, body=b" " * routing.MAX_BODY)
        assert answer.status == 400

    async def test_one_in_chunks_is_as_good(self, room: Inside) -> None:
        head = f"POST {SESSION} HTTP/1.1\r\nHost: {room.host}\r\nContent-Type: application/json\r\n".encode()
        answer = await room.raw(
            head + b"Transfer-Encoding: chunked\r\n\r\n", b'12\r\n{"channel":"demo"}\r\n', b"0\r\n\r\n"
        )
        assert answer.status == 200
        assert answer.json["channel"] == "demo"

    async def test_one_that_never_ends_is_given_up(self, room: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routing, "_BODY_TIMEOUT", 0.05)
        head = f"POST {DESCRIBE} HTTP/1.1\r\nHost: {room.host}\r\nContent-Length: 100\r\n\r\n".encode()
        answer = await room.raw(head + b"{")
        assert (answer.status, answer.kind) == (408, "RequestTimeoutException")


NO_FILES = [
    "/sdk/../errors.py",
    "/sdk/../../errors.py",
    "/sdk/..%2ferrors.py",
    "/sdk/%2e%2e/errors.py",
    "/sdk/..",
    "/sdk/.",
    "/sdk/",
    "/sdk",
    "/sdk/__init__.py",
    "/sdk/index.js/x",
    "/sdk/index.js%00",
    "/sdk/index.js\\..\\x.js",
    "/sdk//../index.js/..",
    "/sdk/.hidden.js",
    "/sdk/index..js",
    "/sdk/INDEX.JS",
    "/pages/..%5cview.html",
    "/pages/../sdk/index.js",
    "/web/sdk/index.js",
    "/view",
    "/view/",
    "/view/a/b",
    "//etc/passwd",
    "/../../../../etc/passwd",
]


class TestFiles:
    async def test_nothing_but_the_files_themselves(self, room: Inside) -> None:
        for path in NO_FILES:
            answer = await room.ask("GET", path)
            assert answer.status == 404, path
            assert answer.headers["content-type"].startswith("text/"), path
            assert b"import " not in answer.body, path
            assert b"root:" not in answer.body, path

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/", "text/html"),
            ("/view/demo", "text/html"),
            ("/view/%ed%95%9c", "text/html"),
            ("/sdk/index.js", "text/javascript"),
            ("/sdk/sightline.js", "text/javascript"),
            ("//sdk//index.js", "text/javascript"),
            ("/view/demo/", "text/html"),
            ("/pages/style.css", "text/css"),
        ],
    )
    async def test_each_with_its_type_and_the_strict_rules(self, room: Inside, path: str, kind: str) -> None:
        answer = await room.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["style-src"] == "'self'"
        assert policy["connect-src"] == f"'self' ws://{room.host}"
        assert policy["base-uri"] == policy["form-action"] == "'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-sightline"] == "1"
        assert "access-control-allow-origin" not in answer.headers

    async def test_a_host_cannot_write_into_the_policy(self, room: Inside) -> None:
        for host in ("evil.example; script-src *", "evil.example *", "a,b"):
            policy = (await room.ask("GET", "/view/demo", headers={"Host": host})).headers["content-security-policy"]
            assert f"ws://127.0.0.1:{room.port};" in policy
            assert "evil" not in policy


async def test_a_public_url_with_a_path_of_its_own() -> None:
    """A proxy may strip the path or not; clients sign it either way."""
    async with inside(public_url="https://cam.example/kvs") as room:
        channel = await room.channel()
        for path in ("/getSignalingChannelEndpoint", "/kvs/getSignalingChannelEndpoint"):
            answer = await room.call(path, {"ChannelARN": channel.arn})
            assert answer.status == 200
            urls = {item["Protocol"]: item["ResourceEndpoint"] for item in answer.json["ResourceEndpointList"]}  # type: ignore[attr-defined]
            assert urls == {"WSS": "wss://cam.example/kvs/viewer", "HTTPS": "https://cam.example/kvs"}
        assert (await room.ask("GET", "/kvs/healthz")).status == 200
        assert (await room.ask("GET", "/kvsx/healthz")).status == 404
        policy = (await room.ask("GET", "/kvs/view/demo")).headers["content-security-policy"]
        assert "connect-src 'self' wss://cam.example;" in policy


async def test_a_service_that_stops_says_so() -> None:
    async with inside() as room:
        assert (await room.ask("GET", "/readyz")).status == 200
        room.context.draining = True
        assert (await room.ask("GET", "/readyz")).status == 503
        assert (await room.ask("GET", "/healthz")).status == 200
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        assert (await room.ask("GET", "/viewer", headers=headers)).status == 503


async def test_an_accident_is_a_500_with_a_name_and_the_log_says_what(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with inside() as room:

        async def broken(*_: object) -> dict[str, object]:
            raise RuntimeError("a secret detail")

        monkeypatch.setattr(routing, "call", broken)
        answer = await room.call(DESCRIBE)
        assert (answer.status, answer.kind) == (500, "InternalFailure")
        assert b"secret detail" not in answer.body
        assert "secret detail" in caplog.text
        assert answer.headers["x-amzn-requestid"] in {record.trace_id for record in caplog.records}
