#!/usr/bin/env python3
"""Packets per second of one core that relays, and the latency that it adds: Sightline's TURN server and coturn.

Each server runs on one core with a number of clients, the generator (clients and their peers) on another. Packets of
1,200 bytes go from clients to peers ("up") and back ("down") through bound channels over UDP, as many as the server
takes: each client keeps a window of them on their way. They are sent one by one, or in bursts of eight as senders do
that use UDP_SEGMENT (Sightline's masters are such). The servers take turns within every round. What counts is the
server's CPU time per packet, all its threads together; its inverse is the capacity of a core, whoever else is using
the machine. Latency: one packet at a time there and back, less the same without a relay, halved.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import os
import select
import shutil
import socket
import statistics
import struct
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sightline.relay.stun_format import Attribute, Kind, Method, address_value, encode, parse, read_address
from support.channels import create_channels
from support.processes import Server, cores, cpu_seconds, free_port, server, sightline
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/turn.py                 everything, about a minute
  python benchmarks/turn.py --rounds 1 --seconds 1"""

SIZE = 1200
BURST = 8
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
SECRET = "secret-of-a-benchmark"
GOAL = 0.5
CHANNEL = 0x4000


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="sightline-turn-") as directory, contextlib.ExitStack() as stack:
        folder = Path(directory)
        os.sched_setaffinity(0, cores()[1])
        relays = [stack.enter_context(our_relay(folder))]
        if shutil.which("turnserver"):
            relays.append(stack.enter_context(coturn(folder)))
        else:
            say("coturn is not installed: no comparison")
        results: dict[str, dict[str, list[float]]] = {relay.name: {} for relay in relays}
        latency: dict[str, list[float]] = {relay.name: [] for relay in relays}
        direct: list[float] = []
        for _ in range(args.rounds):
            direct += round_trips(None)
            for relay in relays:
                with contextlib.ExitStack() as one:
                    clients = [one.enter_context(Client(relay)) for _ in range(args.clients)]
                    for way in ("up", "down"):
                        for burst in (1, BURST):
                            spent, packets = load(relay, clients, way, burst, args.seconds)
                            name = f"{way}, {'one by one' if burst == 1 else f'bursts of {burst}'}"
                            results[relay.name].setdefault(name, []).append(packets / spent)
                    latency[relay.name] += round_trips(clients[0])
    report(results, latency, direct)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each server is measured (3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (2)")
    parser.add_argument("--clients", type=int, default=4, help="clients at a time (4)")
    return parser.parse_args()


# ------------------------------------------------------------------------------------------------ servers


@dataclass
class Relay:
    """A TURN server, and how one gets a credential."""

    name: str
    pid: int
    port: int
    username: str
    password: str


@contextlib.contextmanager
def our_relay(folder: Path) -> Iterator[Relay]:
    """The service as it is installed; the generator's addresses, which are loopback, are allowed."""
    port = free_port(socket.SOCK_DGRAM)
    settings = {
        "SIGHTLINE_TURN_PORT": str(port),
        "SIGHTLINE_TURN_TLS_PORT": "off",
        "SIGHTLINE_TURN_ALLOW_PEER": "127.0.0.0/8",
        "SIGHTLINE_TURN_MBPS": "100000",
    }
    with sightline(folder, settings=settings) as running:
        (channel,) = create_channels(running, 1)
        username, password = session_credential(running, channel)
        yield Relay("sightline", running.pid, port, username, password)


def session_credential(running: Server, channel: object) -> tuple[str, str]:
    """As a page on this machine gets it."""
    name = getattr(channel, "name", None) or str(channel).rsplit("/", 2)[-2]
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/sightline/v1/session",
        data=json.dumps({"channel": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        servers = json.load(answer)["iceServers"]
    relay = next(server for server in servers if "username" in server)
    return relay["username"], relay["credential"]


@contextlib.contextmanager
def coturn(folder: Path) -> Iterator[Relay]:
    """Debian's coturn with its defaults, on loopback, with credentials of the same kind."""
    port = free_port()
    command = [
        *(
            "turnserver",
            "--no-cli",
            "--log-file",
            str(folder / "coturn-own.log"),
            "--simple-log",
            "--no-tls",
            "--no-dtls",
        ),
        *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers"),
        *("--listening-port", str(port), "--use-auth-secret", "--static-auth-secret", SECRET),
        *("--realm", "coturn.example", "--userdb", str(folder / "turndb"), "--pidfile", str(folder / "turn.pid")),
    ]
    with server("coturn", command, ports=(port, port), folder=folder) as running:
        username = f"{int(time.time()) + 86_400}:benchmark"
        digest = hmac.digest(SECRET.encode(), username.encode(), "sha1")
        yield Relay("coturn", running.pid, port, username, base64.b64encode(digest).decode())


# ----------------------------------------------------------------------------------------------- generator


@dataclass
class Client:
    """An allocation with one channel, and the peer at its other end."""

    relay: Relay
    sock: socket.socket = field(init=False)
    peer: socket.socket = field(init=False)
    relayed: tuple[str, int] = field(init=False)
    _signing: list[tuple[int, bytes]] = field(default_factory=list)
    _key: bytes | None = None

    def __enter__(self) -> Client:
        self.sock, self.peer = udp(), udp()
        self.sock.connect(("127.0.0.1", self.relay.port))
        udp_requested = (Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0")
        challenge = self._ask(Method.ALLOCATE, udp_requested)
        realm, nonce = challenge.attributes[Attribute.REALM], challenge.attributes[Attribute.NONCE]
        name = self.relay.username.encode()
        self._signing = [(Attribute.USERNAME, name), (Attribute.REALM, realm), (Attribute.NONCE, nonce)]
        self._key = hashlib.md5(name + b":" + realm + b":" + self.relay.password.encode()).digest()
        answer = self._ask(Method.ALLOCATE, udp_requested)
        assert answer.kind == Kind.SUCCESS, answer
        self.relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
        bound = self._ask(Method.CHANNEL_BIND, (Attribute.CHANNEL_NUMBER, CHANNEL.to_bytes(2, "big") + b"\0\0"))
        assert bound.kind == Kind.SUCCESS, bound
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._ask(Method.REFRESH, (Attribute.LIFETIME, bytes(4)))
        self.sock.close()
        self.peer.close()

    def _ask(self, method: Method, *attributes: tuple[int, bytes]):  # type: ignore[no-untyped-def]
        transaction = os.urandom(12)
        if method is Method.CHANNEL_BIND:
            attributes += ((Attribute.XOR_PEER_ADDRESS, address_value(self.peer.getsockname(), transaction)),)
        request = encode(Kind.REQUEST, method, transaction, [*attributes, *self._signing], key=self._key)
        for _ in range(20):
            self.sock.send(request)
            while select.select([self.sock], [], [], 0.5)[0]:
                data = self.sock.recv(65_536)
                if data[8:20] == transaction:
                    return parse(data)
        raise OSError(f"{self.relay.name} does not answer")

    def send(self, way: str, burst: int) -> None:
        """A burst of packets on their way."""
        if way == "up":
            frame = struct.pack("!HH", CHANNEL, SIZE) + bytes(SIZE)
            sock, to = self.sock, None
        else:
            frame, sock, to = bytes(SIZE), self.peer, self.relayed
        with contextlib.suppress(BlockingIOError):
            if burst == 1:
                for _ in range(BURST):
                    sock.send(frame) if to is None else sock.sendto(frame, to)
            else:
                control = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", len(frame)))]
                if to is None:
                    sock.sendmsg([frame] * burst, control)
                else:
                    sock.sendmsg([frame] * burst, control, 0, to)


def udp() -> socket.socket:
    """A socket of the generator's: large buffers, and bursts are taken as they come."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    sock.setsockopt(SOL_UDP, UDP_GRO, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def received(sock: socket.socket, slot: memoryview, size: int) -> int:
    """How many packets wait there; reads them."""
    count = 0
    for _ in range(64):
        try:
            got = sock.recvmsg_into([slot], 64)[0]
        except (BlockingIOError, ConnectionError):
            break
        count += max(1, round(got / size))
    return count


def load(relay: Relay, clients: list[Client], way: str, burst: int, seconds: float) -> tuple[float, int]:
    """Keep every client's window full; CPU seconds of the server, and packets that arrived."""
    slot, window = memoryview(bytearray(65_536)), 4 * BURST
    ends = {(client.peer if way == "up" else client.sock): client for client in clients}
    size = SIZE if way == "up" else SIZE + 4
    poll = select.epoll()
    by_number = {end.fileno(): end for end in ends}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    waiting = dict.fromkeys(ends, 0)
    arrived = 0

    def run(until: float) -> None:
        nonlocal arrived
        while time.monotonic() < until:
            for end, client in ends.items():
                while waiting[end] + BURST <= window:
                    client.send(way, burst)
                    waiting[end] += BURST
            ready = poll.poll(0.02)
            if not ready:
                waiting.update(dict.fromkeys(ends, 0))  # some were lost
            for number, _ in ready:
                end = by_number[number]
                count = received(end, slot, size)
                waiting[end] = max(0, waiting[end] - count)
                arrived += count

    run(time.monotonic() + 0.3)
    before, arrived = cpu_seconds(relay.pid).running, 0
    run(time.monotonic() + seconds)
    spent = cpu_seconds(relay.pid).running - before
    poll.close()
    for end in ends:
        time.sleep(0.01)
        received(end, slot, size)
    return spent, arrived


def round_trips(client: Client | None, count: int = 300) -> list[float]:
    """Seconds there and back, one packet at a time; without a client directly between two sockets."""
    if client is None:
        with udp() as near, udp() as far:
            near.connect(far.getsockname())
            far.connect(near.getsockname())
            return [trip(near, far, bytes(SIZE), None) for _ in range(count)]
    frame = struct.pack("!HH", CHANNEL, SIZE) + bytes(SIZE)
    return [trip(client.sock, client.peer, frame, client.relayed) for _ in range(count)]


def trip(near: socket.socket, far: socket.socket, data: bytes, back: tuple[str, int] | None) -> float:
    began = time.perf_counter()
    near.send(data)
    if select.select([far], [], [], 1)[0]:
        echo = far.recv(65_536)
        far.send(echo) if back is None else far.sendto(echo, back)
        if select.select([near], [], [], 1)[0]:
            near.recv(65_536)
    time.sleep(0.002)
    return time.perf_counter() - began - 0.002


# -------------------------------------------------------------------------------------------------- report


def report(results: dict[str, dict[str, list[float]]], latency: dict[str, list[float]], direct: list[float]) -> None:
    base = statistics.median(direct)
    rows, goals = [], {}
    values: dict[str, dict[str, object]] = {}
    names = list(results)
    for way in results[names[0]]:
        best = {name: statistics.median(results[name][way]) for name in names}
        ratio = best["sightline"] / best["coturn"] if "coturn" in best else None
        rows.append([way, *(f"{best[name]:,.0f}" for name in names), "" if ratio is None else f"{ratio:.2f}"])
        if ratio is not None:
            goals[f"{way}: at least {GOAL} of coturn's packets per second of a core"] = ratio >= GOAL
        values[way] = {**{name: round(value) for name, value in best.items()}, "ratio": ratio and round(ratio, 2)}
    added = {
        name: {
            "p50": (statistics.median(trips) - base) / 2 * 1e6,
            "p99": (statistics.quantiles(trips, n=100)[98] - base) / 2 * 1e6,
        }
        for name, trips in latency.items()
    }
    say()
    table(["packets/s of one core, 1,200 B", *names, "ratio"], rows)
    say()
    table(
        ["added one way", "p50 µs", "p99 µs"],
        [[name, f"{figures['p50']:.0f}", f"{figures['p99']:.0f}"] for name, figures in added.items()],
    )
    finish("turn", {"packets_per_core_second": values, "added_latency_us": added}, goals)


if __name__ == "__main__":
    sys.exit(main())
