#!/usr/bin/env python3
"""A 1080p30 camera in two renditions, and 20 viewers of whom half are on narrow links: what it costs, who gets what.

The viewers on narrow links (`sightline.Viewer`) have a network namespace and a line each; the others (light viewers,
which count packets) are on the camera's own host. The camera draws its picture and encodes it, on one core; viewers and
lines have the other. What is compared is the CPU time of all its threads with one viewer, with one of each kind (two
encodings) and with all of them (two encodings and the fan-out).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the lab is the tests' own

from support.processes import cores, cpu_seconds
from support.report import finish, say, table
from tests.harness.kvs import Kvs
from tests.harness.network import Host, Interface, Lab, LabUnavailable, Line
from tests.harness.service import ADMIN, REGION, Service, sightline_command

EXAMPLE = """\
example:
  python benchmarks/renditions.py                     10 and 10 viewers, about 3 minutes
  python benchmarks/renditions.py --fast 4 --narrow 4 --seconds 10"""
ROOT = Path(__file__).resolve().parents[1]
CHANNEL = "porch"
RATE = 30
LINKS = (400_000, 600_000, 900_000, 1_200_000)
"""Bits per second of the narrow links, in turn."""
QUEUE = 0.3
SETTLE = 20.0
"""Seconds in which a viewer has found the rendition that its link carries."""
GOAL_PACKET = 24.0
"""Microseconds of CPU for each packet to a viewer more: what `fanout.py` finds at 50 viewers (22), and transport-wide
feedback of half of them."""
GOAL_OVERFLOW = 0.02
GOAL_RATE = 0.95


class Street:
    """A house with the service and the camera, and viewers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.lab = stack.enter_context(Lab())
        self.house = self.lab.host("house")
        self.house.connect("eth0")
        os.environ["SIGHTLINE_BIN"] = str(self.house.executable(sightline_command()))
        self.service = Service(folder, wait=False)
        stack.enter_context(self.service)
        self.lab.relay(self.service.http_port, self.house)
        self.service.wait_ready()
        here, self._there = cores()
        source = ("--source", "test:1920x1080@30", "--renditions", "360p")
        self.master = self.service.spawn("master", CHANNEL, "--create", "--quiet", *source)
        stack.callback(self.master.stop)
        pin(self.master.process.pid, here)
        with Kvs(self.service) as kvs:
            wait_until(lambda: bool(kvs.control.list_signaling_channels()["ChannelInfoList"]))
            self._arn = kvs.control.describe_signaling_channel(ChannelName=CHANNEL)["ChannelInfo"]["ChannelARN"]
        time.sleep(3)

    @contextmanager
    def narrow(self, number: int) -> Iterator[tuple[Interface, Path]]:
        """A viewer on a link of its own, and where it writes what it sees."""
        host: Host = self.lab.host(f"narrow{number}")
        interface = host.connect("eth0", Line(delay=0.02, rate=LINKS[number % len(LINKS)], queue=QUEUE))
        self.lab.relay(self.service.http_port, self.house, on=host)
        output = self._folder / f"narrow-{number}.jsonl"
        command = host.command(
            sys.executable, "-m", "support.narrow_viewer", self.service.http, REGION, CHANNEL, f"narrow-{number}"
        )
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "benchmarks"),
            "SIGHTLINE_ACCESS_KEY_ID": ADMIN.access_key_id,
            "SIGHTLINE_SECRET_ACCESS_KEY": ADMIN.secret_access_key,
        }
        with output.open("wb") as said:
            process = subprocess.Popen(command, stdout=said, env=environment)
        pin(process.pid, self._there)
        try:
            yield interface, output
        finally:
            process.terminate()
            process.wait(10)

    def fast(self, count: int, seconds: float) -> subprocess.Popen[str]:
        """Light viewers beside the camera, which count for so many seconds."""
        with Kvs(self.service) as kvs:
            urls = [kvs.socket_url("VIEWER", self._arn, f"fast-{time.monotonic_ns()}-{n}") for n in range(count)]
        command = self.house.command(sys.executable, "-m", "tests.harness.watcher", str(seconds), *urls)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._stack.callback(process.kill)
        pin(process.pid, self._there)
        assert process.stdout is not None
        if process.stdout.readline() != "connected\n":
            raise RuntimeError("the viewers beside the camera could not connect")
        return process

    def renditions(self) -> dict[str, str]:
        """Each viewer's, as `sightline viewers` has it."""
        asked = self.service.run("viewers", CHANNEL, "--json")
        return {viewer["clientId"]: viewer.get("rendition", "") for viewer in json.loads(asked.stdout)["viewers"]}


def pin(pid: int, core: set[int]) -> None:
    """All threads of a process, and its later children."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), core)


def wait_until(probe: Any) -> None:
    """At most half a minute."""
    deadline = time.monotonic() + 30
    while not probe():
        if time.monotonic() > deadline:
            raise RuntimeError("the camera did not start")
        time.sleep(0.2)


def step(street: Street, fast: int, narrow: int, seconds: float) -> dict[str, Any]:
    """So many viewers of each kind: the camera's CPU, and what they got."""
    with ExitStack() as stack:
        links = [stack.enter_context(street.narrow(number)) for number in range(narrow)]
        watching = street.fast(fast, SETTLE + seconds)
        time.sleep(SETTLE if narrow else 3.0)
        counted = [interface.count()["down"] for interface, _ in links]
        pictures = [last(path)["pictures"] for _, path in links]
        before, begun = cpu_seconds(street.master.process.pid), time.monotonic()
        time.sleep(seconds)
        after, took = cpu_seconds(street.master.process.pid), time.monotonic() - begun
        viewers = []
        for number, ((interface, path), sent, seen) in enumerate(zip(links, counted, pictures, strict=True)):
            now, picture = interface.count()["down"], last(path)
            packets = {key: now[key] - sent[key] for key in now}
            viewers.append(
                {
                    "link": LINKS[number % len(LINKS)],
                    "bitrate": packets["bytes"] * 8 / took,
                    "overflowed": packets["overflowed"] / max(1, packets["delivered"] + packets["overflowed"]),
                    "packets_per_second": packets["delivered"] / took,
                    "frames_per_second": (picture["pictures"] - seen) / took,
                    "height": picture["height"],
                }
            )
        renditions = street.renditions()
        said, _ = watching.communicate(timeout=SETTLE + seconds + 60)
    beside = json.loads(said)
    return {
        "fast": fast,
        "narrow": narrow,
        "core_percent": 100 * (after.running - before.running) / took,
        "waited_percent": 100 * (after.waiting - before.waiting) / took,
        "narrow_viewers": viewers,
        "fast_viewers": [{**each, "frames_per_second": each["frames"] / (SETTLE + seconds)} for each in beside],
        "renditions": renditions,
    }


def last(path: Path) -> dict[str, Any]:
    """What a viewer said last."""
    lines = path.read_text().splitlines()
    seen: dict[str, Any] = json.loads(lines[-1]) if lines else {"pictures": 0, "height": None}
    return seen


def packets_per_second(measured: dict[str, Any], seconds: float) -> float:
    """To all its viewers."""
    fast = sum(each["packets"] for each in measured["fast_viewers"]) / (SETTLE + seconds)
    return float(fast + sum(each["packets_per_second"] for each in measured["narrow_viewers"]))


def report(steps: Sequence[dict[str, Any]], seconds: float) -> None:
    one, both, crowd = steps
    say()
    table(
        ["viewers", "% of a core", "packets/s", "waited"],
        [
            [
                f"{each['fast']} fast, {each['narrow']} narrow",
                f"{each['core_percent']:.1f}",
                f"{packets_per_second(each, seconds):.0f}",
                f"{each['waited_percent']:.0f} %",
            ]
            for each in steps
        ],
    )
    say()
    table(
        ["link, kbit/s", "received", "overflowed", "frames/s", "height"],
        [
            [
                f"{each['link'] / 1000:.0f}",
                f"{each['bitrate'] / 1000:.0f}",
                f"{each['overflowed']:.1%}",
                f"{each['frames_per_second']:.1f}",
                str(each["height"]),
            ]
            for each in crowd["narrow_viewers"]
        ],
    )
    more = packets_per_second(crowd, seconds) - packets_per_second(both, seconds)
    each_packet = 1e4 * (crowd["core_percent"] - both["core_percent"]) / more
    missing = sum(each["missing"] for each in crowd["fast_viewers"])
    slowest = min(each["frames_per_second"] for each in crowd["fast_viewers"])
    worst = max(each["overflowed"] for each in crowd["narrow_viewers"])
    moving = min(each["frames_per_second"] for each in crowd["narrow_viewers"])
    low = [name for name, size in crowd["renditions"].items() if size == "360p"]
    goals = {
        f"two encodings ({both['core_percent']:.0f} % of a core; one: {one['core_percent']:.0f} %) and the fan-out: "
        f"at most {GOAL_PACKET:g} µs for each packet more: {each_packet:.1f}": each_packet <= GOAL_PACKET,
        f"each narrow viewer's stream is within its link, at most {GOAL_OVERFLOW:.0%} overflow: {worst:.1%}": worst
        <= GOAL_OVERFLOW,
        f"all of them have 360p, and nobody else: {len(low)}": sorted(low)
        == sorted(name for name in crowd["renditions"] if name.startswith("narrow")),
        f"their pictures move: {moving:.1f} of {RATE} frames per second": moving >= GOAL_RATE * RATE,
        f"the others lose nothing: {missing} packets missing, {slowest:.1f} frames per second": missing == 0
        and slowest >= GOAL_RATE * RATE,
    }
    finish("renditions", {"steps": list(steps)}, goals)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fast", type=int, default=10, help="viewers beside the camera (default 10)")
    parser.add_argument("--narrow", type=int, default=10, help="viewers on narrow links (default 10)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a measurement (default 20)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-renditions-") as folder, ExitStack() as stack:
        try:
            street = Street(Path(folder), stack)
        except LabUnavailable as error:
            raise SystemExit(f"The lab is not available here: {error}") from None
        steps = []
        for fast, narrow in ((1, 0), (1, 1), (args.fast, args.narrow)):
            steps.append(step(street, fast, narrow, args.seconds))
            say(f"{fast} fast and {narrow} narrow viewers: {steps[-1]['core_percent']:.1f} % of a core")
            time.sleep(2)
    report(steps, args.seconds)


if __name__ == "__main__":
    main()
