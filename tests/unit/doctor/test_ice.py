"""ICE configuration, STUN and TURN, against servers on loopback that answer, lie, refuse or are dead."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from aioice import stun

from sightline.doctor import ice
from sightline.doctor.findings import Mark, Verdict
from sightline.doctor.visit import IceEntry, Visit
from sightline.rtc.ice.turn import Allocation, TurnClient
from tests.unit.doctor.world import ARN, NOW, ScriptedVisit, target
from tests.unit.rtc.ice.certificate import tls_contexts
from tests.unit.rtc.ice.stun_server import stun_server
from tests.unit.rtc.ice.turn_server import turn_server

pytestmark = pytest.mark.realtime


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how long is waited: little for what is dead, more where something else has to answer in that time."""

    def be(seconds: float) -> None:
        monkeypatch.setattr(ice, "_PATIENCE", seconds)
        monkeypatch.setattr(ice, "_TURN_PATIENCE", seconds)

    return be


def visit(*entries: IceEntry, trusting: Path | None = None) -> Visit:
    made = Visit(msgspec.structs.replace(target(), ca_files=(trusting,) if trusting else ()), channel="porch")
    made.ice = entries
    return made


def relay(port: int, kind: str = "turn", transport: str = "udp", *, password: str = "secret") -> IceEntry:
    return IceEntry((f"{kind}:127.0.0.1:{port}?transport={transport}",), "user", password)


@contextmanager
def dead_port() -> Iterator[int]:
    """Bound, and nobody reads it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


# ---------------------------------------------------------------------------------- the configuration


async def configured(*servers: dict[str, object], now: float = NOW) -> Verdict:
    seen = ScriptedVisit(
        {"get_ice_server_config": {"IceServerList": list(servers)}}, channel="porch", clock=lambda: now
    )
    seen.arn, seen.endpoints = ARN, {"HTTPS": "https://h"}
    return await ice.configuration(seen)


def turn_entry(expiry: float, ttl: int = 300) -> dict[str, object]:
    return {"Uris": ["turn:h:3478?transport=udp"], "Username": f"{expiry:.0f}:x", "Password": "p", "Ttl": ttl}


async def test_fresh_credentials() -> None:
    verdict = await configured(turn_entry(NOW + 300))
    assert verdict.mark is Mark.OK
    assert "good for 300 s" in verdict.measured
    assert verdict.details == ("turn:h:3478?transport=udp",)


async def test_credentials_that_have_expired_already() -> None:
    verdict = await configured(turn_entry(NOW - 60))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "ice-expired")
    assert "60 s ago" in verdict.measured


async def test_credentials_that_last_too_short_and_no_servers() -> None:
    short = await configured(turn_entry(NOW + 10))
    assert (short.mark, short.reason) == (Mark.WARNING, "ice-expired")
    by_ttl = await configured({"Uris": ["turn:h:3478"], "Username": "bob", "Password": "p", "Ttl": 86_400})
    assert "86400 s" in by_ttl.measured
    assert (await configured()).mark is Mark.WARNING


# ---------------------------------------------------------------------------------------------- STUN


async def test_a_stun_server_that_answers() -> None:
    async with stun_server(mapped="203.0.113.5") as server:
        verdict = await ice.stun(visit(IceEntry((f"stun:127.0.0.1:{server.port}",))))
    assert verdict.mark is Mark.OK
    assert "sees 203.0.113.5:" in verdict.measured


async def test_a_dead_stun_server(patience: Callable[[float], None]) -> None:
    patience(0.05)
    with dead_port() as port:
        verdict = await ice.stun(visit(IceEntry((f"stun:127.0.0.1:{port}",))))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "stun")
    assert f"127.0.0.1:{port}: no answer" in verdict.measured


async def test_one_of_two_is_dead(patience: Callable[[float], None]) -> None:
    patience(1.0)
    with dead_port() as port:
        async with stun_server() as server:
            entry = IceEntry((f"stun:127.0.0.1:{server.port}", f"stun:127.0.0.1:{port}"))
            verdict = await ice.stun(visit(entry))
    assert verdict.mark is Mark.WARNING
    assert verdict.measured.startswith("1 of 2")
    assert any("no answer" in line for line in verdict.details)


async def test_a_symmetric_nat_is_seen_from_two_servers() -> None:
    async with stun_server(mapped="203.0.113.5") as one, stun_server(mapped="203.0.113.6") as two:
        urls = (f"stun:127.0.0.1:{one.port}", f"stun:127.0.0.1:{two.port}")
        verdict = await ice.stun(visit(IceEntry(urls)))
    assert verdict.mark is Mark.WARNING
    assert "symmetric NAT" in verdict.measured


async def test_turn_servers_over_udp_are_asked_too_and_a_name_that_nobody_has_is_told() -> None:
    async with stun_server() as server:
        verdict = await ice.stun(visit(relay(server.port)))
    assert verdict.mark is Mark.OK
    verdict = await ice.stun(visit(IceEntry(("stun:nowhere.invalid:3478",))))
    assert verdict.mark is Mark.FAILED
    assert "its name is not known" in verdict.measured
    assert (await ice.stun(visit())).mark is Mark.SKIPPED


# ---------------------------------------------------------------------------------------------- TURN


async def test_a_relay_over_udp_tcp_and_tls(tmp_path: Path) -> None:
    server_tls, _ = tls_contexts(tmp_path)
    async with (
        turn_server() as udp,
        turn_server(transport="tcp") as tcp,
        turn_server(transport="tls", tls=server_tls) as tls,
    ):
        entries = relay(udp.port), relay(tcp.port, transport="tcp"), relay(tls.port, "turns", "tcp")
        verdict = await ice.turn(visit(*entries, trusting=tmp_path / "server.pem"))
        assert verdict.mark is Mark.OK, verdict
        assert "udp, tcp, tls" in verdict.measured
        assert len(verdict.details) == 3
        # Given back at once.
        assert [server.released for server in (udp, tcp, tls)] == [1, 1, 1]


async def test_a_relay_with_another_secret() -> None:
    async with turn_server() as server:
        verdict = await ice.turn(visit(relay(server.port, password="another")))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "ice-expired")
    assert "401" in verdict.details[0]
    assert "another" not in repr(verdict)


async def test_a_relay_behind_a_nat_that_gives_out_its_inner_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def allocate(self: TurnClient) -> Allocation:
        return Allocation(relayed=("10.0.0.5", 50_000), mapped=("8.8.4.4", 1234))

    monkeypatch.setattr(TurnClient, "allocate", allocate)
    verdict = await ice.turn(visit(relay(3478)))
    assert verdict.mark is Mark.WARNING
    assert "10.0.0.5:50000" in verdict.measured
    assert "--turn-external-ip" in verdict.advice


async def test_a_dead_relay_and_one_that_answers(patience: Callable[[float], None]) -> None:
    with dead_port() as port:
        patience(0.05)
        dead = await ice.turn(visit(relay(port)))
        patience(3.0)
        async with turn_server() as server:
            half = await ice.turn(visit(relay(port), relay(server.port)))
    assert (dead.mark, dead.reason) == (Mark.FAILED, "turn")
    assert "no answer" in dead.details[0]
    assert half.mark is Mark.WARNING
    assert half.measured.startswith("1 of 2")


async def test_a_relay_with_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    server_tls, _ = tls_contexts(tmp_path)
    async with turn_server(transport="tls", tls=server_tls) as server:
        verdict = await ice.turn(visit(relay(server.port, "turns", "tcp")))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "turn")
    assert "certificate" in verdict.details[0].lower()


async def test_a_relay_that_has_no_room_and_none_at_all() -> None:
    async with turn_server() as server:
        server.errors[stun.Method.ALLOCATE] = 508
        verdict = await ice.turn(visit(relay(server.port)))
    assert (verdict.mark, verdict.reason) == (Mark.FAILED, "turn")
    assert "508" in verdict.details[0]
    assert (await ice.turn(visit(IceEntry(("stun:127.0.0.1:1",))))).mark is Mark.WARNING
    await asyncio.sleep(0)
