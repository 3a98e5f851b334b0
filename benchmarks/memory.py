#!/usr/bin/env python3
"""Memory per idle socket of the service, and how long its event loop stands still while the sockets open.

Opens 10,000 signaling sockets (100 channels of one master and 99 viewers), 50 handshakes at a time, each with a
presigned URL of its own, on plain connections and then on TLS. Resident memory is taken with all sockets open and
idle ("fresh") and after every viewer has sent one message of 3 KB and got one. Stalls are taken from inside (a timer
of 1 ms, less the time in which others had the core) and from outside (GET /healthz, again and again).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sightline.wire.sigv4 import Credentials, presign_websocket
from support.channels import create_channels
from support.processes import (
    ACCESS_KEY_ID,
    FOLDER,
    REGION,
    SECRET_ACCESS_KEY,
    Server,
    be_nice,
    cores,
    own_waiting,
    raise_file_limit,
    resident_bytes,
    sightline,
)
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/memory.py                          plain and TLS, about 2 minutes
  python benchmarks/memory.py --sockets 2000 --no-tls"""
PER_CHANNEL = 100
GOALS = {"plain": (18.0, 33.0), "tls": (42.0, 68.0)}
"""KiB per socket: fresh, and after a message."""
LONGEST_STALL_MS = 50.0


def main() -> None:
    args = arguments()
    limit = raise_file_limit()
    if limit < args.sockets + 200:
        raise SystemExit(f"The hard limit of open files is {limit}; {args.sockets} sockets need {args.sockets + 200}.")
    if args.nice:
        be_nice(args.nice)
    results = [measure(args, tls) for tls in ([False] if args.no_tls else [False, True])]
    report(results, args.sockets)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sockets", type=int, default=10_000, help="how many, in hundreds (default 10000)")
    parser.add_argument("--in-flight", type=int, default=50, help="handshakes at a time (default 50)")
    parser.add_argument("--no-tls", action="store_true", help="plain connections only")
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N", help="nice value; below 0, as root, where others use the machine"
    )
    return parser.parse_args()


def measure(args: argparse.Namespace, tls: bool) -> dict[str, object]:
    """A fresh service, its sockets, its memory."""
    kind = "tls" if tls else "plain"
    with tempfile.TemporaryDirectory(prefix="sightline-memory-") as directory:
        folder = Path(directory)
        stalls = folder / "stalls"
        command = [sys.executable, "-m", "support.watched_service"]
        settings = {"BENCH_STALLS": str(stalls), "PYTHONPATH": str(FOLDER)}
        with sightline(folder, settings=settings, command=command) as service:
            arns = create_channels(service, args.sockets // PER_CHANNEL)
            time.sleep(1)
            ask(service, stalls)
            base = resident_bytes(service.pid)
            with crowd(plan(service, arns, tls, args.in_flight)) as tell:
                with probe(service) as answers:
                    opened = tell("open")
                say(f"{kind}: {opened['opened']} sockets in {opened['seconds']} s")
                inside = ask(service, stalls)
                time.sleep(1)
                fresh = resident_bytes(service.pid)
                lost = tell("talk")["lost"]
                time.sleep(1)
                talked = resident_bytes(service.pid)
    if lost:
        raise SystemExit(f"{lost} sockets were lost; the service said:\n{service.log.read_text()[-2000:]}")
    count = int(str(opened["opened"]))
    answers.sort()
    return {
        "transport": kind,
        "sockets": count,
        "open_seconds": opened["seconds"],
        "base_mib": round(base / 2**20, 1),
        "kib_per_socket_fresh": round((fresh - base) / 1024 / count, 1),
        "kib_per_socket_after_a_message": round((talked - base) / 1024 / count, 1),
        "stall_while_opening": inside,
        "healthz_while_opening": {
            "answers": len(answers),
            "longest_ms": round(answers[-1] * 1e3, 1),
            "p99_ms": round(answers[int(len(answers) * 0.99)] * 1e3, 1),
        },
    }


def ask(service: Server, stalls: Path) -> dict[str, float]:
    """What the watch inside the service has seen since the last time."""
    os.kill(service.pid, signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not stalls.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the service does not tell of its stalls")
        time.sleep(0.01)
    figures: dict[str, float] = json.loads(stalls.read_text())
    stalls.unlink()
    return figures


def plan(service: Server, arns: list[str], tls: bool, in_flight: int) -> dict[str, object]:
    """What the crowd needs to know: its URLs, signed now, and its messages of 3 KB."""
    endpoint = f"wss://localhost:{service.tls_port}" if tls else f"ws://localhost:{service.port}"
    key = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    names = [f"viewer-{number}" for number in range(PER_CHANNEL - 1)]

    def path(arn: str, client_id: str | None) -> str:
        url = presign_websocket(
            endpoint, credentials=key, region=REGION, channel_arn=arn, client_id=client_id, now=time.time()
        )
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    message = {"action": "SDP_OFFER", "messagePayload": base64.b64encode(b"candidate:1 " * 182).decode()}
    return {
        "cores": sorted(cores()[1]),
        "port": service.tls_port if tls else service.port,
        "tls": tls,
        "in_flight": in_flight,
        "channels": [{"paths": [path(arn, name) for name in (None, *names)]} for arn in arns],
        "to_master": json.dumps(message),
        "to_viewers": [json.dumps({**message, "recipientClientId": name}) for name in names],
    }


@contextlib.contextmanager
def crowd(plan: dict[str, object]) -> Iterator[Tell]:
    """The clients' process, to be told what to do."""
    command = [sys.executable, "-m", "support.crowd"]
    with subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(plan) + "\n")
            yield Tell(process)
        finally:
            process.kill()


class Tell:
    """Sends a command to the crowd and returns its answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, command: str) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        alarm = threading.Timer(180, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if not line:
            raise SystemExit("the clients' process failed; see above")
        answer: dict[str, object] = json.loads(line)
        return answer


@contextlib.contextmanager
def probe(service: Server) -> Iterator[list[float]]:
    """GET /healthz every 2 ms while the block runs; seconds that each answer took, less this side's own waiting."""
    answers: list[float] = []
    done = threading.Event()

    def ask_on() -> None:
        os.sched_setaffinity(0, cores()[1])
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        while not done.wait(0.002):
            start, waited = time.perf_counter(), own_waiting()
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            answers.append(time.perf_counter() - start - (own_waiting() - waited))
            assert answer.status == 200, answer.status
        connection.close()

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


def report(results: list[dict[str, object]], sockets: int) -> None:
    rows, goals = [], {}
    for result in results:
        kind = str(result["transport"])
        fresh, talked = float(str(result["kib_per_socket_fresh"])), float(str(result["kib_per_socket_after_a_message"]))
        inside, outside = result["stall_while_opening"], result["healthz_while_opening"]
        assert isinstance(inside, dict)
        assert isinstance(outside, dict)
        rows.append(
            [
                kind,
                str(result["base_mib"]),
                str(fresh),
                str(talked),
                f"{inside['longest_ms']} ({inside['p99_ms']})",
                f"{outside['longest_ms']} ({outside['p99_ms']})",
                str(result["open_seconds"]),
            ]
        )
        goals[f"{kind}: {fresh} KiB per fresh socket; the goal is {GOALS[kind][0]}"] = fresh <= GOALS[kind][0]
        goals[f"{kind}: {talked} KiB after a message of 3 KB; the goal is {GOALS[kind][1]}"] = talked <= GOALS[kind][1]
        goals[f"{kind}: longest stall {inside['longest_ms']} ms; the goal is {LONGEST_STALL_MS}"] = (
            inside["longest_ms"] <= LONGEST_STALL_MS
        )
    say()
    head = ["", "base MiB", "KiB fresh", "KiB after 3 KB", "stall ms (p99)", "healthz ms (p99)", "opened in s"]
    table([f"{sockets} sockets", *head[1:]], rows)
    finish("memory", {"results": results}, goals)


if __name__ == "__main__":
    main()
