#!/usr/bin/env python3
"""How long a frame holds up the master's event loop while a hundred viewers watch.

A timer of one millisecond runs in the master's loop; by how much it comes late at most, from one frame to the next,
is how long something else would have had to wait: an answer, a key, another camera.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from support.media import add_arguments, crowd, master, undisturbed
from support.processes import be_nice
from support.report import finish, say, table
from support.stream import make

EXAMPLE = """\
example:
  python benchmarks/stall.py                       100 viewers, 20 s
  python benchmarks/stall.py --viewers 50 --seconds 10"""
GOAL_MEDIAN_MS, GOAL_KEYFRAME_MS = 4.0, 15.0


def main() -> None:
    args = arguments()
    if args.nice:
        be_nice(args.nice)
    with tempfile.TemporaryDirectory(prefix="sightline-stall-") as directory:
        folder = Path(directory)
        files, stalls = make(folder, seconds=1), folder / "stalls.json"
        with master("sightline", folder, files, stalls=stalls) as running, crowd(folder) as viewers:
            viewers("add", url=running.url, count=args.viewers)
            time.sleep(3)
            viewers("mark")
            with undisturbed(running, viewers, alone=args.alone):
                waiting, begun, since = running.cpu.waiting, time.monotonic(), time.perf_counter()
                time.sleep(args.seconds)
                seconds, until = time.monotonic() - begun, time.perf_counter()
            waited = (running.cpu.waiting - waiting) / seconds
            missing = sum(each["missing"] for each in viewers("count"))
        frames = [each for each in json.loads(stalls.read_text()) if since <= each["at"] < until]
    keyframes = [each["late"] for each in frames if each["keyframe"]]
    others = [each["late"] for each in frames if not each["keyframe"]]
    table(
        ["milliseconds", "frames", "median", "p95", "worst"],
        [
            [name, str(len(values)), *(f"{1000 * at(values, share):.1f}" for share in (0.5, 0.95, 1))]
            for name, values in (("frames between keyframes", others), ("keyframes", keyframes))
        ],
    )
    say(f"packets missing: {missing}; the master waited {waited:.0%} of the time for its core")
    median, keyframe = 1000 * at([*others, *keyframes], 0.5), 1000 * at(keyframes, 0.5)
    finish(
        "stall",
        {"viewers": args.viewers, "waited": waited, "frames": frames, "missing": missing},
        {
            f"median at most {GOAL_MEDIAN_MS:.0f} ms: {median:.1f}": median <= GOAL_MEDIAN_MS,
            f"keyframes at most {GOAL_KEYFRAME_MS:.0f} ms: {keyframe:.1f} in the median": keyframe <= GOAL_KEYFRAME_MS,
        },
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=100, help="how many watch (default 100)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the measurement (default 20)")
    add_arguments(parser)
    return parser.parse_args()


def at(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
