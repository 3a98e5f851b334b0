#!/usr/bin/env python3
"""How quickly a viewer joins while others watch: the master's answer, and the first packet of a keyframe.

A crowd watches the stream of `fanout.py`; meanwhile guests come and go one after the other. The answer is timed by the
signaling hub, from the moment the offer leaves for the master until its answer is there; the picture from the moment
DTLS is up at the guest until its first packet. The stream's keyframes are 2 s apart and cannot be ordered, so the
first packet comes from the cached group of pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from support.media import add_arguments, crowd, master, undisturbed
from support.processes import be_nice
from support.report import finish, say, table
from support.stream import RATE, make

EXAMPLE = """\
example:
  python benchmarks/join.py                        200 guests while 50 watch, about 1 minute
  python benchmarks/join.py --viewers 10 --guests 50"""
GOAL_ANSWER_MS = 20.0
GOAL_PICTURE_MS = 1000 / RATE


def main() -> None:
    args = arguments()
    if args.nice:
        be_nice(args.nice)
    with tempfile.TemporaryDirectory(prefix="sightline-join-") as directory:
        folder = Path(directory)
        files = make(folder, seconds=1)
        with master("sightline", folder, files) as running, crowd(folder) as watching, crowd(folder) as guests:
            watching("add", url=running.url, count=args.viewers)
            time.sleep(3)
            running.answer_seconds()
            watching("mark")
            waited = running.cpu.waiting
            begun = time.monotonic()
            with undisturbed(running, watching, guests, alone=args.alone):
                seen = guests("join", url=running.url, rounds=args.guests)
            seconds = time.monotonic() - begun
            answers = running.answer_seconds()
            missing = sum(each["missing"] for each in watching("count"))
            waited = (running.cpu.waiting - waited) / seconds
    pictures = [each["first packet"] - each["connected"] for each in seen]
    steps = {
        "offer at the master, answer back": answers,
        "ICE connected after the answer": [each["ice"] - each["answered"] for each in seen],
        "DTLS connected after ICE": [each["connected"] - each["ice"] for each in seen],
        "first packet after DTLS": pictures,
        "offer to first packet": [each["first packet"] for each in seen],
    }
    table(
        ["milliseconds", "median", "p95", "p99", "worst"],
        [
            [name, *(f"{1000 * at(values, share):.1f}" for share in (0.5, 0.95, 0.99, 1))]
            for name, values in steps.items()
        ],
    )
    say(f"packets missing at those who watch: {missing}; the master waited {waited:.0%} of the time for its core")
    answer_ms, picture_ms = 1000 * at(answers, 0.99), 1000 * at(pictures, 0.99)
    finish(
        "join",
        {
            "viewers": args.viewers,
            "guests": args.guests,
            "waited": waited,
            "missing": missing,
            "milliseconds": {name: [round(1000 * value, 2) for value in values] for name, values in steps.items()},
        },
        {
            f"99 % of the answers within {GOAL_ANSWER_MS:.0f} ms: {answer_ms:.1f}": answer_ms <= GOAL_ANSWER_MS,
            f"99 % of the pictures within a frame's {GOAL_PICTURE_MS:.0f} ms: {picture_ms:.1f}": picture_ms
            <= GOAL_PICTURE_MS,
            f"nobody who watches misses a packet: {missing}": missing == 0,
        },
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=50, help="who watch meanwhile (default 50)")
    parser.add_argument("--guests", type=int, default=200, help="who come and go (default 200)")
    add_arguments(parser)
    return parser.parse_args()


def at(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
