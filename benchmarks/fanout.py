#!/usr/bin/env python3
"""The master's CPU and memory by number of viewers: Sightline beside stock aiortc and GStreamer's webrtcbin.

All send the same 720p30 stream of 1.8 Mbit/s, encoded before the run, to the same light viewers, which count packets
and check that none is missing; one viewer's pictures are decoded and their bar codes read. Masters run on one core,
viewers on the other. What counts is the CPU time of all the master's threads, as the scheduler has it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from support.media import CONTENDERS, Crowd, Running, add_arguments, available, crowd, master, undisturbed
from support.processes import be_nice
from support.report import finish, say, table
from support.stream import FRAMES, RATE, make

EXAMPLE = """\
example:
  python benchmarks/fanout.py                          everything, about 5 minutes
  python benchmarks/fanout.py --viewers 1 50 --only sightline,aiortc --seconds 5"""
GOAL = {"aiortc": 0.45, "webrtcbin": 0.40}
GOAL_VIEWERS = 50
GOAL_KIB = 350
FULL_RATE = 0.98
SETTLE = 3.0


def main() -> None:
    args = arguments()
    if args.nice:
        be_nice(args.nice)
    names = [name for name in CONTENDERS if name in args.only.split(",")]
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="sightline-fanout-") as directory:
        folder = Path(directory)
        seconds = sum(SETTLE + args.seconds + count / 5 for count in args.viewers) + 60
        files = make(folder, seconds=round(seconds))
        for name in names:
            reason = available(name)
            if reason:
                say(f"{name} is left out. {reason}")
                continue
            with master(name, folder, files) as running, crowd(folder) as viewers:
                results[name] = [
                    step for count in sorted(args.viewers) if (step := measure(running, viewers, count, args))
                ]
    report(results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 50, 100], help="numbers (1 10 50 100)")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a measurement (default 15)")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="comma list of masters")
    add_arguments(parser)
    return parser.parse_args()


def measure(running: Running, viewers: Crowd, count: int, args: argparse.Namespace) -> dict[str, Any] | None:
    """Bring the crowd to ``count`` viewers and watch the master work."""
    there = len(viewers("count"))
    try:
        viewers("add", url=running.url, count=count - there, samples=0 if there else 1)
    except RuntimeError as error:
        say(f"{running.name} with {count} viewers: {error}")
        return None
    time.sleep(SETTLE)
    viewers("mark")
    with undisturbed(running, viewers, alone=args.alone):
        before, begun = running.cpu, time.monotonic()
        time.sleep(args.seconds)
        after, seconds = running.cpu, time.monotonic() - begun
    counted = viewers("count")
    numbers = [number for number in viewers("pictures") if number is not None]
    steps = {(later - sooner) % FRAMES for sooner, later in pairwise(numbers)}
    step = {
        "viewers": count,
        "core_percent": 100 * (after.running - before.running) / seconds,
        "waited_percent": 100 * (after.waiting - before.waiting) / seconds,
        "frames_per_second": [round(each["frames"] / seconds, 2) for each in counted],
        "slowest": min(each["frames"] for each in counted) / seconds,
        "packets_per_second": statistics.fmean(each["packets"] for each in counted) / seconds,
        "missing": sum(each["missing"] for each in counted),
        "resident_mib": running.resident / 2**20,
        "srtp": viewers("profiles"),
        "pictures_in_order": len(numbers) > RATE and steps == {1},
    }
    say(
        f"{running.name:9}  {count:3} viewers  {step['core_percent']:5.1f} % of a core  "
        f"{step['slowest']:5.2f} frames/s at least  {step['missing']} packets missing  "
        f"{step['resident_mib']:.1f} MiB  waited {step['waited_percent']:.0f} %"
    )
    return step


def report(results: dict[str, list[dict[str, Any]]]) -> None:
    counts = sorted({step["viewers"] for steps in results.values() for step in steps})
    by_count = {name: {step["viewers"]: step for step in steps} for name, steps in results.items()}
    say()
    table(
        ["% of a core at", *(str(count) for count in counts), "KiB per viewer"],
        [
            [
                name,
                *(f"{steps[count]['core_percent']:.1f}" if count in steps else "-" for count in counts),
                f"{per_viewer_kib(results[name]):.0f}" if len(results[name]) > 1 else "-",
            ]
            for name, steps in by_count.items()
        ],
    )
    goals: dict[str, bool] = {}
    ours = by_count.get("sightline", {})
    for rival, share in GOAL.items():
        theirs = by_count.get(rival, {}).get(GOAL_VIEWERS)
        if GOAL_VIEWERS in ours and theirs:
            relation = ours[GOAL_VIEWERS]["core_percent"] / theirs["core_percent"]
            goals[f"at {GOAL_VIEWERS} viewers at most {share} x {rival}: {relation:.2f}"] = relation <= share
    if len(ours) > 1:
        kib = per_viewer_kib(results["sightline"])
        goals[f"at most {GOAL_KIB} KiB per viewer: {kib:.0f}"] = kib <= GOAL_KIB
    if ours:
        slowest, missing = (
            min(step["slowest"] for step in ours.values()),
            sum(step["missing"] for step in ours.values()),
        )
        goals[f"every viewer at full rate: {slowest:.2f} of {RATE} frames per second"] = slowest >= FULL_RATE * RATE
        goals[f"no packet missing: {missing}"] = missing == 0
        goals["the decoded pictures are the stream's, one after the other"] = all(
            step["pictures_in_order"] for step in ours.values()
        )
    finish("fanout", {"results": results}, goals)


def per_viewer_kib(steps: list[dict[str, Any]]) -> float:
    """RSS that each further viewer takes."""
    few, many = steps[0], steps[-1]
    return 1024 * float(many["resident_mib"] - few["resident_mib"]) / (many["viewers"] - few["viewers"])


if __name__ == "__main__":
    main()
