"""The built-in TURN server and other people's clients: coturn's own tool, and Chromium with nothing but relays."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import Chromium
from tests.harness.kvs import PATIENCE, Kvs, unique_name
from tests.harness.plain_viewer import PlainViewer
from tests.harness.polling import eventually
from tests.harness.service import Command, Service, free_port

PACKETS = 60
SERVICE_ENVIRONMENT = {"SIGHTLINE_TURN_ALLOW_PEER": "127.0.0.0/8"}  # the peers here are on loopback, closed by default
TRANSPORTS = ["udp", "tcp", "tls"]


def metric(service: Service, name: str, **labels: str) -> float:
    """One of the service's figures."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{service.http_port}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    wanted = "".join(f',{key}="{value}"' for key, value in labels.items())[1:]
    found = re.search(rf"^{name}{re.escape('{' + wanted + '}') if wanted else ''} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def settled(service: Service, name: str) -> float:
    """A figure when it has not changed for three seconds: what others have left is gone."""
    looks = [metric(service, name)]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (len(looks) > 6 and len(set(looks[-7:])) == 1):
        time.sleep(0.5)
        looks.append(metric(service, name))
    return looks[-1]


@pytest.fixture(scope="module")
def arn(kvs: Kvs) -> str:
    return kvs.create(unique_name("relayed"))


def ice_server(kvs: Kvs, arn: str) -> dict[str, Any]:
    """As any KVS client gets it."""
    (server,) = kvs.signaling(arn).get_ice_server_config(ChannelARN=arn)["IceServerList"]
    return dict(server)


@contextmanager
def echo() -> Iterator[int]:
    """coturn's echo server on loopback; its port."""
    port = free_port()
    with subprocess.Popen(
        [tool("turnutils_peer"), "-L", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            eventually(lambda: echoes(port), "the echo server")
            yield port
        finally:
            process.kill()


def echoes(port: int) -> bool:
    """Whether a datagram comes back from that port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.settimeout(0.5)
        probe.connect(("127.0.0.1", port))
        probe.send(b"there?")
        return probe.recv(100) == b"there?"
    return False


def tool(name: str) -> str:
    """The path of one of coturn's programs."""
    found = shutil.which(name)
    assert found is not None, f"no {name} on PATH: apt-get install coturn"
    return found


def relayed_pair(service: Service, channel: str) -> tuple[str, str]:
    """Watch a channel through relays alone until its pictures come: the kinds of both ends of the path."""
    with service.spawn("view", channel, "--relay", "--json", "--stats", "--no-audio") as viewer:

        def playing() -> str | None:
            figures = [line for line in viewer.json_lines if line["type"] == "statistics"]
            return figures[-1]["candidatePair"] if figures and figures[-1]["frameRate"] > 10 else None

        ours, _, theirs = eventually(playing, f"pictures of {channel}", within=40, every=0.2).partition(" -> ")
    return ours.rpartition(" ")[0], theirs.partition(" ")[0]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("way", [*TRANSPORTS, "the port of HTTPS"])
def test_turnutils_uclient(service: Service, kvs: Kvs, arn: str, way: str) -> None:
    """Debian's own TURN client: there and back, on all four ways in."""
    server = ice_server(kvs, arn)
    options = {"udp": [], "tcp": ["-t"]}.get(way, ["-t", "-S"])
    ports = {"tls": service.turn_tls_port, "the port of HTTPS": service.https_port}
    before = metric(service, "sightline_turn_packets_total", to="peers")
    came_back: list[int] = []
    while len(came_back) < 3 and (not came_back or came_back[-1] < 0.9 * PACKETS):
        # Coturn's own ends have small buffers: a machine that stands still for a moment loses some.
        with echo() as port:
            finished = subprocess.run(
                [
                    *(tool("turnutils_uclient"), *options, "-u", server["Username"], "-w", server["Password"]),
                    *("-p", str(ports.get(way, service.stun_port)), "-e", "127.0.0.1", "-r", str(port)),
                    *("-n", str(PACKETS), "-m", "1", "-l", "1200", "-c", "127.0.0.1"),
                ],
                capture_output=True,
                text=True,
                timeout=40,
                check=False,
            )
        said = finished.stdout + finished.stderr
        counted = re.search(r"start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)
        assert counted is not None, said
        assert int(counted[1]) == PACKETS
        came_back.append(int(counted[2]))
    assert came_back[-1] >= 0.9 * PACKETS, said
    assert metric(service, "sightline_turn_packets_total", to="peers") - before >= PACKETS


@pytest.fixture(scope="module")
def relay_only_camera(service: Service, kvs: Kvs, clip: Path) -> Iterator[tuple[str, Command]]:
    """A channel whose master tells nobody its address."""
    name = unique_name("hidden")
    master = service.spawn("master", name, "--create", "--relay-only", "--source", str(clip))
    master.wait_for_output("waiting for viewers")
    yield name, master
    assert master.stop() == 0, master.output
    master.assert_clean()


@pytest.fixture(scope="module")
def viewer(
    service: Service, chromium: Chromium, relay_only_camera: tuple[str, Command]
) -> Iterator[Callable[..., PlainViewer]]:
    """A function that opens a viewer of that channel in Chromium."""
    with chromium.page(f"{service.http}/healthz") as page:

        def open_viewer(**wanted: Any) -> PlainViewer:
            return PlainViewer(lambda script, argument: page.evaluate(script, argument), relay_only_camera[0], **wanted)

        yield open_viewer


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_relay_to_relay_in_memory(
    service: Service,
    kvs: Kvs,
    viewer: Callable[..., PlainViewer],
    relay_only_camera: tuple[str, Command],
    transport: str,
) -> None:
    """Both ends allow relays only. Both relays are this server's, so the picture leaves it for Chromium alone."""
    channel, _ = relay_only_camera
    info = kvs.control.describe_signaling_channel(ChannelName=channel)["ChannelInfo"]
    server = ice_server(kvs, info["ChannelARN"])
    index = TRANSPORTS.index(transport)
    servers = [{"urls": [server["Uris"][index]], "username": server["Username"], "credential": server["Password"]}]
    memory = metric(service, "sightline_turn_in_memory_packets_total")
    watching = viewer(iceTransportPolicy="relay", iceServers=servers)
    watching.wait_for_picture()
    began = watching.now
    eventually(
        lambda: len({frame.number for frame in watching.frames(began)} - {None}) > 30, "pictures that move", within=30
    )
    stats = watching.stats
    assert stats["local"]["candidateType"] == "relay"
    assert stats["local"]["relayProtocol"] == transport
    assert stats["remote"]["candidateType"] == "relay"
    assert metric(service, "sightline_turn_in_memory_packets_total") - memory > 50
    lines = [text for _, text in watching.ask("() => viewer.notes.candidates")]
    assert lines
    assert all(" typ relay " in f"{line} " for line in lines), "the master told another address"
    watching.ask("() => viewer.close()")


def test_our_own_viewer_and_master(service: Service, relay_only_camera: tuple[str, Command]) -> None:
    """`sightline view --relay` of `sightline master --relay-only`."""
    assert relayed_pair(service, relay_only_camera[0]) == ("relay over udp", "relay")


def test_all_relays_are_given_back(service: Service, viewer: Callable[..., PlainViewer]) -> None:
    """A viewer that leaves, and its master's end of it, leave no relay behind."""
    before = settled(service, "sightline_turn_allocations")  # turnutils_uclient leaves its own to expire
    watching = viewer(iceTransportPolicy="relay")
    watching.wait_for_picture()
    assert metric(service, "sightline_turn_allocations") - before >= 2
    watching.ask("() => viewer.close()")
    eventually(lambda: metric(service, "sightline_turn_allocations") <= before, "the relays to be released")


def test_what_metrics_say_of_strangers(service: Service) -> None:
    """Rejects by cause."""
    assert metric(service, "sightline_turn_rejected_total", cause="no-credentials") > 0
