"""Service, certificate, clock: each failure by its real condition, on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import msgspec
import pytest

from sightline.doctor import reach
from sightline.doctor.findings import Mark
from sightline.doctor.visit import Visit
from tests.unit.doctor.world import NOW, dated, http_server, target
from tests.unit.rtc.ice.certificate import tls_contexts

pytestmark = pytest.mark.realtime


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def visit_to(endpoint: str, *, now: float = NOW, **trust: object) -> Visit:
    return Visit(msgspec.structs.replace(target(endpoint), **trust), clock=lambda: now)


async def test_a_stopped_service_is_told_from_a_machine_that_is_off() -> None:
    port = closed_port()
    verdict = await reach.reachable(visit_to(f"http://localhost:{port}"))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")
    assert f"port {port}: connection refused" in verdict.measured
    assert "sightline serve" in verdict.advice


async def test_a_name_that_nobody_has() -> None:
    verdict = await reach.reachable(visit_to("https://nowhere.invalid:8443"))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")
    assert "nowhere.invalid" in verdict.measured


async def test_a_firewall_that_drops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_CONNECT", 0.05)
    with socket.socket() as full:  # its queue is full: what comes now is not answered
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = [socket.socket() for _ in range(3)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        verdict = await reach.reachable(visit_to(f"http://127.0.0.1:{full.getsockname()[1]}"))
        for each in queued:
            each.close()
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")
    assert "timed out" in verdict.measured
    assert "firewall" in verdict.meaning


async def test_no_network() -> None:
    # Refused by the rule that tests stay on this machine, with the error of a machine that has no network.
    verdict = await reach.reachable(visit_to("https://192.0.2.1:8443"))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "offline")


async def test_an_open_port() -> None:
    async with http_server(dated(NOW)) as port:
        visit = visit_to(f"http://localhost:{port}")
        verdict = await reach.reachable(visit)
    assert verdict.mark is Mark.OK
    assert "127.0.0.1" in verdict.measured
    assert [stage.name for stage in visit.stages] == ["name and port"]


async def test_a_certificate_of_an_unknown_ca_and_whose_it_is(tmp_path: Path) -> None:
    server, _ = tls_contexts(tmp_path)
    async with http_server(dated(NOW), tls=server) as port:
        refused = await reach.tls_trust(visit_to(f"https://127.0.0.1:{port}"))
        ca = (tmp_path / "server.pem",)
        trusted = await reach.tls_trust(visit_to(f"https://127.0.0.1:{port}", ca_files=ca))
        alone = await reach.tls_trust(visit_to(f"https://127.0.0.1:{port}", ca_bundle=ca[0]))
    assert (refused.mark, refused.reason) == (Mark.FAILED, "tls-trust")
    assert "for 127.0.0.1, self-signed" in refused.measured
    assert "ca.pem" in refused.advice
    assert trusted.mark is alone.mark is Mark.OK
    assert "self-signed" in trusted.measured


async def test_a_certificate_for_other_names(tmp_path: Path) -> None:
    server, _ = tls_contexts(tmp_path)
    async with http_server(dated(NOW), tls=server) as port:
        visit = visit_to(f"https://localhost:{port}", ca_files=(tmp_path / "server.pem",))
        verdict = await reach.tls_trust(visit)
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "tls-trust")
    assert "other names than localhost" in verdict.meaning
    assert "--public-host" in verdict.advice


async def test_plain_http_where_tls_is_expected() -> None:
    async with http_server(dated(NOW)) as port:
        verdict = await reach.tls_trust(visit_to(f"https://127.0.0.1:{port}"))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")
    assert "no TLS on port" in verdict.measured


async def test_plain_http_is_right_on_this_machine_only() -> None:
    assert (await reach.tls_trust(visit_to("http://localhost:8080"))).mark is Mark.OK
    assert (await reach.tls_trust(visit_to("http://cam.example:8080"))).mark is Mark.WARNING


@pytest.mark.parametrize(
    ("behind", "mark", "said"),
    [
        (0.0, Mark.OK, "agrees"),
        (5.0, Mark.OK, "within"),
        (-90.0, Mark.WARNING, "ahead of the service's"),
        (600.0, Mark.FAILED, "10 minutes behind the service's"),
        (-3 * 86_400.0, Mark.FAILED, "3 days ahead of the service's"),
    ],
)
async def test_clocks_that_differ(behind: float, mark: Mark, said: str) -> None:
    async with http_server(dated(NOW)) as port:
        visit = visit_to(f"http://localhost:{port}", now=NOW - behind)
        verdict = await reach.clock(visit)
    assert verdict.mark is mark
    assert said in verdict.measured
    assert verdict.reason == ("" if mark is Mark.OK else "clock-skew")
    assert visit.is_sightline
    assert visit.now == pytest.approx(NOW, abs=5.5)


async def test_the_clock_is_asked_for_even_where_the_certificate_is_not_trusted(tmp_path: Path) -> None:
    server, _ = tls_contexts(tmp_path)
    async with http_server(dated(NOW), tls=server) as port:
        assert (await reach.clock(visit_to(f"https://127.0.0.1:{port}"))).mark is Mark.OK


async def test_something_that_is_no_http_server() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        verdict = await reach.clock(visit_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "service-unreachable")


def test_what_is_trusted_is_what_clients_trust(tmp_path: Path) -> None:
    tls_contexts(tmp_path)
    usual = len(ssl.create_default_context().get_ca_certs())
    beside = reach.trusting(visit_to("https://localhost:1", ca_files=(tmp_path / "server.pem",)))
    alone = reach.trusting(visit_to("https://localhost:1", ca_bundle=tmp_path / "server.pem"))
    # A certificate that is no CA's is trusted for itself, and not listed among the CAs.
    assert len(beside.get_ca_certs()) == usual
    assert alone.cert_store_stats()["x509"] == 1
