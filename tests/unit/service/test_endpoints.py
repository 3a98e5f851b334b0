"""The addresses that clients are told (KVS.md §3.3, §4.1, §9.9)."""

from __future__ import annotations

import ssl
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sightline.config import Settings
from sightline.exchange import Role
from sightline.service.endpoints import base_url, client_host, socket_url


def request(
    host: str | None, *, tls: bool = True, local: tuple[object, ...] | None = ("10.0.0.5", 8443)
) -> web.Request:
    """A request as it came through a listener."""
    transport = mock.Mock()
    transport.get_extra_info = lambda name, default=None: {"sockname": local}.get(name, default)
    context = mock.Mock(spec=ssl.SSLContext) if tls else None
    made = make_mocked_request(
        "POST", "/", headers={} if host is None else {"Host": host}, transport=transport, sslcontext=context
    )
    assert made.secure is tls
    return made


def settings(**more: object) -> Settings:
    return Settings(data_dir=Path("/data"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "tls", "url"),
    [
        ("cam.example", True, "https://cam.example"),
        ("cam.example:8443", True, "https://cam.example:8443"),
        ("localhost:8080", False, "http://localhost:8080"),
        ("192.0.2.7:8443", True, "https://192.0.2.7:8443"),
        ("[2001:db8::1]:8443", True, "https://[2001:db8::1]:8443"),
        ("[::1]", False, "http://[::1]"),
        # Signers sign an explicit default port and WebSocket clients leave it out.
        ("cam.example:443", True, "https://cam.example"),
        ("[2001:db8::1]:443", True, "https://[2001:db8::1]"),
        ("localhost:80", False, "http://localhost"),
    ],
)
def test_a_client_is_told_the_way_it_came(host: str, tls: bool, url: str) -> None:
    asked = request(host, tls=tls)
    assert base_url(settings(), asked) == url
    scheme, _, rest = url.partition("://")
    sockets = f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
    assert socket_url(settings(), asked, Role.MASTER) == f"{sockets}/master"
    assert socket_url(settings(), asked, Role.VIEWER) == f"{sockets}/viewer"


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example/path",
        "user@evil.example",
        "evil.example?x",
        "evil.example#x",
        "evil.example:port",
        "evil.example:123456",
        "evil.example:",
        "evil example",
        "evil.example\t",
        "evil.example;",
        'evil"example',
        "-evil.example",
        "evil.example.",
        ".",
        "[::1",
        "[evil.example]",
        "::1",
        "[::1]]:1",
        "[fe80::1%eth0]",
        "ëvil.example",
        "cam.example:８０",
        "x" * 300,
    ],
)
def test_junk_in_host_is_not_passed_on(host: str | None) -> None:
    """It would stand in URLs, in Content-Security-Policy and in logs."""
    assert base_url(settings(), request(host)) == "https://10.0.0.5:8443"


def test_the_own_address_is_written_as_a_url_has_it() -> None:
    assert base_url(settings(), request(None, local=("::1", 8443, 0, 0))) == "https://[::1]:8443"
    assert base_url(settings(), request(None, local=("10.0.0.5", 443))) == "https://10.0.0.5"
    assert base_url(settings(), request(None, local=None)) == "https://localhost"


@pytest.mark.parametrize(
    ("public", "url"),
    [
        ("https://cam.example", "https://cam.example"),
        ("https://cam.example/", "https://cam.example"),
        ("https://cam.example:443", "https://cam.example"),
        ("https://cam.example:8443/base/path/", "https://cam.example:8443/base/path"),
        ("https://cam.example:443/base", "https://cam.example/base"),
        ("http://10.0.0.1:80/kvs", "http://10.0.0.1/kvs"),
    ],
)
def test_a_configured_address_counts_whatever_the_host_says(public: str, url: str) -> None:
    configured = settings(public_url=public)
    for asked in (request("evil.example"), request("localhost:8080", tls=False), request(None)):
        assert base_url(configured, asked) == url
        assert socket_url(configured, asked, Role.MASTER) == url.replace("http", "ws", 1) + "/master"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("cam.example:8443", "cam.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        # Browsers may look for ::1 under this name first.
        ("localhost:8080", "127.0.0.1"),
        ("junk/", "10.0.0.5"),
    ],
)
def test_turn_is_where_the_client_came(host: str, expected: str) -> None:
    assert client_host(settings(), request(host)) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"public_host": ("turn.example", "other.example")}, "turn.example"),
        ({"public_host": ("2001:db8::1",)}, "[2001:db8::1]"),
        ({"public_host": ("[2001:db8::1]",)}, "[2001:db8::1]"),
        ({"public_url": "https://cam.example:8443/base"}, "cam.example"),
        ({"public_url": "https://cam.example", "turn_external_ip": ("198.51.100.7",)}, "198.51.100.7"),
        ({"public_url": "https://cam.example", "turn_external_ip": ("2001:db8::7",)}, "[2001:db8::7]"),
        ({"public_host": ("turn.example",), "turn_external_ip": ("198.51.100.7",)}, "turn.example"),
        ({"public_url": "https://[2001:db8::1]:8443/base"}, "[2001:db8::1]"),
    ],
)
def test_turn_is_where_the_configuration_says(more: dict[str, object], expected: str) -> None:
    assert client_host(settings(**more), request("evil.example")) == expected
