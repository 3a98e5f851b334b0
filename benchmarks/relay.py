#!/usr/bin/env python3
"""Messages per second of one core: Sightline's signaling relay against Node's `ws`, npm's `peer`, bare aiohttp.

Each server runs on one core and relays for 50 channels of one master and three viewers; the generator has another
core and keeps one message of every viewer on its way. Sightline runs as installed: signatures, limits, logs and
metrics on, the message rate raised so far that nothing is refused. The others do only the relay (`peer`: its own,
with its own message format). They take turns within every round. What counts is the server's CPU time per relayed
message; its inverse is the capacity of a core, whoever else is using the machine.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
    certificate_of,
    cores,
    free_port,
    server,
    sightline,
)
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/relay.py                      everything, about 4 minutes
  python benchmarks/relay.py --rounds 1 --sizes 300 --only sightline,ws --no-tls"""
CHANNELS, VIEWERS = 50, 3
RIVALS = ("ws", "peer", "aiohttp")
GOAL = {"plain": 1.2, "tls": 0.9}
NOISY = 0.10
"""Share of a run that the server waited for its core: above it the run is repeated."""

Plan = list[dict[str, object]]


def main() -> None:
    args = arguments()
    only = set(args.only.split(","))
    names = [name for name in ("sightline", *RIVALS) if name in only]
    with tempfile.TemporaryDirectory(prefix="sightline-relay-") as directory, contextlib.ExitStack() as stack:
        folder = Path(directory)
        servers, plans = start(folder, stack, names)
        runs: dict[tuple[str, int, str], list[dict[str, float]]] = {}
        for number in range(args.rounds):
            for tls in [False] if args.no_tls else [False, True]:
                for size in args.sizes:
                    for name in names:
                        result = measure(servers[name], plans[name](size, tls), tls, args)
                        runs.setdefault(("tls" if tls else "plain", size, name), []).append(result)
                        say(
                            f"round {number + 1}  {'tls' if tls else 'plain':5}  {size:4} B  {name:9}  "
                            f"{result['microseconds']:5.2f} us  {result['messages_per_second']:8.0f}/s  "
                            f"busy {result['busy']:.0%}  waited {result['waited']:.0%}"
                        )
    report(runs, names)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often everybody has a turn (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn (default 1)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 3000], help="bytes of a frame (300 3000)")
    parser.add_argument("--only", default="sightline,ws,peer,aiohttp", help="comma list of servers")
    parser.add_argument("--no-tls", action="store_true", help="plain connections only")
    parser.add_argument(
        "--alone", action="store_true", help="as root, on a busy machine: take both cores from everybody for each turn"
    )
    return parser.parse_args()


# ------------------------------------------------------------------------------------------------- servers


def start(
    folder: Path, stack: contextlib.ExitStack, names: list[str]
) -> tuple[dict[str, Server], dict[str, Callable[[int, bool], dict[str, object]]]]:
    """All servers, and for each a function that makes the generator's plan for a size, plain or TLS."""
    service = stack.enter_context(sightline(folder, settings={"SIGHTLINE_MESSAGE_RATE": "1000000"}))
    arns = create_channels(service, CHANNELS)
    servers = {"sightline": service}
    plans = {"sightline": lambda size, tls: sightline_plan(service, arns, size, tls)}
    for name in names:
        if name == "sightline":
            continue
        ports = free_port(), free_port()
        command = [*rival_command(name), *map(str, ports), str(certificate_of(folder))]
        servers[name] = stack.enter_context(server(name, command, ports=ports, folder=folder))
        plans[name] = peer_plan if name == "peer" else plain_plan
    return servers, plans


def rival_command(name: str) -> list[str]:
    if name == "aiohttp":
        return [sys.executable, str(FOLDER / "rivals" / "aiohttp_relay.py")]
    install_packages()
    return ["node", str(FOLDER / "rivals" / f"{name}_relay.mjs")]


def install_packages() -> None:
    """benchmarks/node_modules, exactly as package-lock.json says."""
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    if not shutil.which("npm"):
        raise SystemExit("Node.js 20 or newer and npm are needed for the rivals: run `make test-setup` first.")
    say("Installing the npm packages of benchmarks/package-lock.json")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", str(FOLDER)]
    subprocess.run(command, check=True, timeout=300, stdout=sys.stderr)


# --------------------------------------------------------------------------------------------------- plans


def sightline_plan(service: Server, arns: list[str], size: int, tls: bool) -> dict[str, object]:
    endpoint = f"wss://localhost:{service.tls_port}" if tls else f"ws://localhost:{service.port}"
    key = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)

    def path(arn: str, client_id: str | None) -> str:
        url = presign_websocket(
            endpoint, credentials=key, region=REGION, channel_arn=arn, client_id=client_id, now=time.time()
        )
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"

    return kvs_plan(size, [(path(arn, None), [path(arn, name) for name in viewers()]) for arn in arns])


def plain_plan(size: int, tls: bool) -> dict[str, object]:
    names = [f"channel-{number}" for number in range(CHANNELS)]
    return kvs_plan(size, [(f"/{name}", [f"/{name}/{viewer}" for viewer in viewers()]) for name in names])


def kvs_plan(size: int, paths: list[tuple[str, list[str]]]) -> dict[str, object]:
    """Messages as on the wire of KVS."""
    to_master = {"action": "ICE_CANDIDATE", "messagePayload": ""}
    channels = []
    for master, of_viewers in paths:
        rows = []
        for name, path in zip(viewers(), of_viewers, strict=True):
            to_viewer = {**to_master, "recipientClientId": name}
            payload = filling(size - len(compact(to_viewer)))
            rows.append(
                {
                    "id": name,
                    "path": path,
                    "payload": payload,
                    "sends": compact({**to_master, "messagePayload": payload}),
                    "is_sent": compact({**to_viewer, "messagePayload": payload}),
                }
            )
        channels.append({"master": {"path": master}, "viewers": rows})
    return {"greeting": False, "channels": channels}


def peer_plan(size: int, tls: bool) -> dict[str, object]:
    """PeerJS's own messages: everybody has an id, and names the one that a message is for."""
    channels = []
    for number in range(CHANNELS):
        master = f"master-{number:02}"
        rows = []
        for viewer in viewers():
            name = f"{number:02}-{viewer}"
            to_master = {"type": "CANDIDATE", "dst": master, "payload": ""}
            payload = filling(size - len(compact({**to_master, "dst": name})))
            rows.append(
                {
                    "id": name,
                    "path": peer_path(name),
                    "payload": payload,
                    "sends": compact({**to_master, "payload": payload}),
                    "is_sent": compact({**to_master, "dst": name, "payload": payload}),
                }
            )
        channels.append({"master": {"path": peer_path(master)}, "viewers": rows})
    return {"greeting": True, "channels": channels}


def peer_path(name: str) -> str:
    return f"/peerjs?key=peerjs&id={name}&token=token-of-{name}"


def viewers() -> Iterator[str]:
    return (f"viewer-{number}" for number in range(VIEWERS))


def filling(length: int) -> str:
    """Base64 of that length, or a few characters less."""
    return base64.b64encode(b'{"candidate":"candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"}' * 50)[
        : length // 4 * 4
    ].decode()


def compact(message: dict[str, str]) -> str:
    return json.dumps(message, separators=(",", ":"))


# ------------------------------------------------------------------------------------------------- measuring


def measure(target: Server, plan: dict[str, object], tls: bool, args: argparse.Namespace) -> dict[str, float]:
    """One turn of one server; once or twice again while others use its core."""
    plan |= {
        "port": target.tls_port if tls else target.port,
        "tls": tls,
        "seconds": args.seconds,
        "warm_up": 0.3,
        "server_pid": target.pid,
        "cores": sorted(cores()[1]),
        "alone": args.alone,
    }
    best: dict[str, float] | None = None
    for _ in range(3):
        answer = subprocess.run(
            [sys.executable, "-m", "support.load"],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            cwd=FOLDER,
            timeout=60 + args.seconds,
        )
        if answer.returncode:
            raise SystemExit(f"{target.name}: the generator failed\n{answer.stderr}\n{target.log.read_text()[-2000:]}")
        raw = json.loads(answer.stdout)
        result = {
            "microseconds": raw["server_cpu_seconds"] / raw["messages"] * 1e6,
            "messages_per_second": raw["messages"] / raw["seconds"],
            "busy": raw["server_cpu_seconds"] / raw["seconds"],
            "waited": raw["server_waiting_seconds"] / raw["seconds"],
            "generator_busy": raw["generator_cpu_seconds"] / raw["seconds"],
        }
        if best is None or result["waited"] < best["waited"]:
            best = result
        if best["waited"] <= NOISY:
            break
    assert best is not None
    return best


def report(runs: dict[tuple[str, int, str], list[dict[str, float]]], names: list[str]) -> None:
    rows, results, goals = [], [], {}
    rivals = [name for name in names if name in ("ws", "peer")]
    for kind, size, name in runs:
        turns = runs[kind, size, name]
        cost = median(turns, "microseconds")
        ratio = None
        if "sightline" in names and name != "sightline":
            # Both had their turns within the same rounds.
            pairs = zip(runs[kind, size, "sightline"], turns, strict=True)
            ratio = statistics.median(theirs["microseconds"] / ours["microseconds"] for ours, theirs in pairs)
        result = {
            "transport": kind,
            "frame_bytes": size,
            "server": name,
            "microseconds_per_message": round(cost, 2),
            "capacity_messages_per_second": round(1e6 / cost),
            "measured_messages_per_second": round(median(turns, "messages_per_second")),
            "server_busy": round(median(turns, "busy"), 2),
            "generator_busy": round(median(turns, "generator_busy"), 2),
            "server_waited": round(median(turns, "waited"), 2),
            "sightline_is_times_as_fast": ratio and round(ratio, 2),
            "turns": len(turns),
        }
        results.append(result)
        rows.append(
            [
                f"{kind} {size} B {name}",
                f"{cost:.2f}",
                f"{1e6 / cost:,.0f}",
                f"{result['measured_messages_per_second']:,}",
                f"{result['server_busy']:.0%}",
                f"{result['generator_busy']:.0%}",
                f"{ratio:.2f}" if ratio else "",
            ]
        )
    say()
    table(["", "us/message", "capacity/s", "measured/s", "server busy", "generator busy", "sightline is ×"], rows)
    for kind, size in dict.fromkeys((kind, size) for kind, size, _ in runs):
        ratios = {
            row["server"]: row["sightline_is_times_as_fast"]
            for row in results
            if (row["transport"], row["frame_bytes"]) == (kind, size) and row["server"] in rivals
        }
        if ratios and "sightline" in names:
            worst = min(ratios, key=ratios.get)
            goals[f"{kind} {size} B: {ratios[worst]} × {worst}; the goal is {GOAL[kind]} × the better of both"] = (
                ratios[worst] >= GOAL[kind]
            )
    workload = {"channels": CHANNELS, "viewers_per_channel": VIEWERS, "outstanding_per_viewer": 1}
    finish("relay", {"workload": workload, "results": results}, goals)


def median(turns: list[dict[str, float]], name: str) -> float:
    return statistics.median(turn[name] for turn in turns)


if __name__ == "__main__":
    main()
