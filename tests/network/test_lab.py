"""The lab itself: lines do what they are told, hosts see what real ones would. Nothing of Sightline takes part."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import RemoteDisconnected
from urllib.error import URLError

import pytest

from tests.harness.network import GOOD, Host, Lab, LabUnavailable, Line
from tests.harness.network.line import Direction
from tests.harness.polling import eventually
from tests.harness.service import free_port

PROBE = (sys.executable, "-m", "tests.harness.network.udp_probe")
PORT = 5000


@dataclass
class Round:
    """What came back of numbered datagrams."""

    numbers: list[int]
    trips: list[float]


@contextmanager
def echo(host: Host, address: str) -> Iterator[None]:
    with subprocess.Popen(host.command(*PROBE, "echo", address, str(PORT)), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield
        process.kill()


def ask(host: Host, address: str, count: int, interval: float = 0.005, size: int = 200) -> Round:
    said = host.run(*PROBE, "ask", address, str(PORT), str(count), str(interval), str(size))
    return Round(**json.loads(said))


class Pair:
    """A host with one interface that answers, and one with two that asks."""

    def __init__(self, lab: Lab) -> None:
        self.far = lab.host("far")
        self.near = lab.host("near")
        self.there = self.far.connect("eth0")
        self.wifi = self.near.connect("wlan0")
        self.lte = self.near.connect("lte0")

    def ask(self, count: int, interval: float = 0.005, size: int = 200) -> Round:
        return ask(self.near, self.there.address, count, interval, size)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    try:
        made_lab = Lab()
    except LabUnavailable as error:
        pytest.skip(str(error))
    with made_lab as lab:
        made = Pair(lab)
        with echo(made.far, made.there.address):
            yield made


@pytest.fixture(autouse=True)
def _good_lines(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "pair" in request.fixturenames:
        pair: Pair = request.getfixturevalue("pair")
        for interface in (pair.there, pair.wifi, pair.lte):
            interface.set(GOOD)


class TestLines:
    def test_a_good_line_loses_nothing_and_takes_no_time(self, pair: Pair) -> None:
        seen = pair.ask(200)
        assert seen.numbers == list(range(200))
        assert min(seen.trips) < 0.003

    def test_delay_is_added_each_way(self, pair: Pair) -> None:
        pair.wifi.set(Line(delay=0.03), up=Line(delay=0.01))
        seen = pair.ask(100)
        assert seen.numbers == list(range(100))
        assert 0.04 <= min(seen.trips) < 0.045

    def test_loss_takes_its_share(self, pair: Pair) -> None:
        pair.wifi.set(Line(loss=0.2), up=GOOD)
        before = pair.wifi.count()
        seen = pair.ask(1000, 0.002)
        after = pair.wifi.count()
        lost, came = (after["down"][what] - before["down"][what] for what in ("lost", "delivered"))
        assert after["up"]["delivered"] - before["up"]["delivered"] == lost + came == 1000
        assert 150 <= lost <= 250
        assert len(seen.numbers) == came

    def test_jitter_makes_packets_overtake_each_other(self, pair: Pair) -> None:
        pair.wifi.set(Line(delay=0.01, jitter=0.2), up=GOOD)
        seen = pair.ask(400)
        assert sorted(seen.numbers) == list(range(400))
        assert seen.numbers != sorted(seen.numbers)
        assert 0.01 <= min(seen.trips) < 0.04
        assert statistics.median(seen.trips) > 0.08

    def test_jitter_in_order(self, pair: Pair) -> None:
        pair.wifi.set(Line(jitter=0.1, in_order=True), up=GOOD)
        seen = pair.ask(200)
        assert seen.numbers == list(range(200))
        assert max(seen.trips) > 0.07

    def test_rate_limits_and_a_full_queue_loses(self, pair: Pair) -> None:
        pair.wifi.set(GOOD, up=Line(rate=1_000_000, queue=0.1))
        before = pair.wifi.count()["up"]
        seen = pair.ask(300, 0.0, 1222)  # 1250 bytes with its headers: 375 kB, as fast as this machine makes them
        after = pair.wifi.count()["up"]
        assert min(seen.trips) >= 0.01, "one packet takes 10 ms at 1 Mbit/s"
        assert 11 <= len(seen.numbers) <= 150, "a queue of 0.1 s, and 100 packets per second"
        assert after["overflowed"] - before["overflowed"] == 300 - len(seen.numbers)

    def test_a_silent_line_says_nothing(self, pair: Pair) -> None:
        pair.wifi.set(Line(silent=True))
        assert pair.ask(20).numbers == []
        pair.wifi.set(GOOD)
        assert pair.ask(20).numbers == list(range(20))


class TestModel:
    """The same lines to the microsecond, by a clock of the test's own."""

    def travel(self, line: Line, count: int = 100, *, every: float = 0.001, size: int = 1250) -> dict[int, float]:
        """Send numbered packets; when each of them arrived, in the order of arrival."""
        direction = Direction(line, seed=7)
        for number in range(count):
            direction.send(number.to_bytes(2, "big").ljust(size, b"\0"), now=number * every)
        seen = {}
        while (at := direction.next_arrival) is not None:
            for packet in direction.arrived(now=at):
                seen[int.from_bytes(packet[:2], "big")] = at
        assert direction.delivered == len(seen)
        assert direction.delivered + direction.lost + direction.overflowed == count
        return seen

    def test_delay(self) -> None:
        seen = self.travel(Line(delay=0.5))
        assert [round(at - number * 0.001, 6) for number, at in seen.items()] == [0.5] * 100

    def test_jitter(self) -> None:
        seen = self.travel(Line(delay=0.5, jitter=0.2), 1000)
        delays = [at - number * 0.001 for number, at in seen.items()]
        assert 0.5 <= min(delays) < 0.51
        assert 0.69 < max(delays) <= 0.7
        assert list(seen) != sorted(seen)

    def test_jitter_in_order(self) -> None:
        seen = self.travel(Line(jitter=0.2, in_order=True), 1000)
        assert list(seen) == list(range(1000))

    def test_rate_and_queue(self) -> None:
        seen = self.travel(Line(rate=1_000_000, queue=0.1))  # 100 packets per second; 1000 come
        assert [number for number in seen if number < 11] == list(range(11)), "the queue takes 0.1 s"
        assert [round(at, 6) for at in seen.values()] == [round(0.01 * (turn + 1), 6) for turn in range(len(seen))]
        assert max(at - number * 0.001 for number, at in seen.items()) < 0.111

    def test_two_runs_lose_the_same(self) -> None:
        line = Line(loss=0.5, jitter=0.1)
        assert self.travel(line) == self.travel(line)
        assert 30 < len(self.travel(line)) < 70

    def test_a_cut_loses_what_is_on_the_way(self) -> None:
        direction = Direction(Line(delay=1))
        direction.send(b"1", now=0)
        direction.cut()
        assert direction.next_arrival is None
        assert direction.lost == 1


class TestHosts:
    def test_pulling_the_plug_moves_a_host_to_its_other_interface(self, pair: Pair) -> None:
        pair.lte.set(Line(delay=0.02))
        try:
            pair.wifi.switch(on=False)
            seen = pair.ask(20)
            assert seen.numbers == list(range(20))
            assert min(seen.trips) >= 0.04
        finally:
            pair.wifi.switch(on=True)
        assert min(pair.ask(20).trips) < 0.01

    def test_an_address_goes_its_own_way(self, pair: Pair) -> None:
        """What a host sends from its second address travels on the second line, whatever the default route says."""
        script = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            f"s.bind(({pair.lte.address!r}, 0)); s.settimeout(20); s.sendto(b'x', ({pair.there.address!r}, {PORT})); "
            "print(s.recv(9))"
        )
        before = pair.lte.count()
        assert pair.near.run(sys.executable, "-c", script) == "b'x'\n"
        after = pair.lte.count()
        assert after["up"]["delivered"] == before["up"]["delivered"] + 1
        assert after["down"]["delivered"] == before["down"]["delivered"] + 1

    def test_a_host_reaches_nothing_else(self, pair: Pair) -> None:
        script = "import socket; print([name for _, name in socket.if_nameindex()])"
        assert re.findall(r"'(\w+)'", pair.far.run(sys.executable, "-c", script)) == ["lo", "eth0"]


class TestRelays:
    """Signaling has its own way, with its own delay, so that a test of media is not one of signaling."""

    @pytest.fixture
    def web(self, pair: Pair) -> Iterator[int]:
        """A web server on the far host's loopback; its port."""
        port = str(free_port())  # on this machine too, where it is relayed
        command = pair.far.command(sys.executable, "-u", "-m", "http.server", port, "--bind", "127.0.0.1")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            found = re.search(r"port (\d+)", process.stdout.readline())
            assert found is not None
            yield int(found[1])
            process.kill()

    def get(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                return bool(answer.status == 200 and answer.read())
        except (URLError, RemoteDisconnected, ConnectionError):
            return False

    def time_of(self, port: int) -> float:
        began = time.monotonic()
        assert self.get(port)
        return time.monotonic() - began

    def test_from_this_machine_with_delay_and_cut(self, pair: Pair, web: int) -> None:
        relayed = pair.far.lab.relay(web, pair.far)
        assert self.get(web)
        relayed.slow(0.1)
        assert 0.2 <= min(self.time_of(web) for _ in range(5)) < 0.4
        relayed.cut()
        assert not self.get(web)
        relayed.mend()
        assert self.get(web)

    def test_from_another_host(self, pair: Pair, web: int) -> None:
        pair.far.lab.relay(web, pair.far, on=pair.near)
        script = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{web}/').status)"
        assert pair.near.run(sys.executable, "-c", script) == "200\n"


@pytest.mark.usefixtures("pair")  # and so is skipped with the others
def test_everything_ends_with_the_lab() -> None:
    with Lab() as lab:
        host = lab.host("only")
        host.connect("eth0")
        pid = lab.pid
        assert host.run("true") == ""

    def gone() -> bool:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as reader:
                return reader.read().split()[2] == "Z"
        except OSError:
            return True

    eventually(gone, "the forwarder to end")
