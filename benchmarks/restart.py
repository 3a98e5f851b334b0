#!/usr/bin/env python3
"""What an ICE restart costs: packets lost while the old path lives, and the pause when it is dead.

A light viewer watches the stream of `fanout.py` and restarts ICE, its signaling delayed by a known time each way. With
the old path alive no packet may be lost and no pause be longer than usual. With the old sockets closed, the pictures
must be back after two trips of signaling, 50 ms and one frame.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from support.media import add_arguments, crowd, master, undisturbed
from support.processes import be_nice
from support.report import finish, say
from support.stream import RATE, make

EXAMPLE = """\
example:
  python benchmarks/restart.py                     5 restarts of each kind, about 1 minute
  python benchmarks/restart.py --rounds 20 --delays 0 0.05"""
ALLOWANCE = 0.05


def main() -> None:
    args = arguments()
    if args.nice:
        be_nice(args.nice)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sightline-restart-") as directory:
        folder = Path(directory)
        files = make(folder, seconds=1)
        for delay in args.delays:
            with master("sightline", folder, files, delay=delay) as running:
                for alive in (True, False):
                    with crowd(folder) as viewer:
                        viewer("add", url=running.url)
                        with undisturbed(running, viewer, alone=args.alone):
                            rounds = viewer("restart", rounds=args.rounds, kill_old=not alive)
                    results.append({"delay": delay, "old path alive": alive, "rounds": rounds})
                    say(describe(results[-1]))
    goals: dict[str, bool] = {}
    for result in results:
        delay, rounds = result["delay"], result["rounds"]
        if result["old path alive"]:
            lost = sum(each["lost"] for each in rounds)
            goals[f"old path alive, {delay * 1000:.0f} ms one way: no packet lost: {lost}"] = lost == 0
        else:
            limit = 2 * delay + ALLOWANCE + 1 / RATE
            worst = max(each["first packet"] for each in rounds)
            goals[
                f"old path dead, {delay * 1000:.0f} ms one way: back within {limit * 1000:.0f} ms: {worst * 1000:.0f}"
            ] = worst <= limit
    finish("restart", {"results": results}, goals)


def describe(result: dict[str, Any]) -> str:
    rounds = result["rounds"]
    return (
        f"{result['delay'] * 1000:4.0f} ms one way, old path {'alive' if result['old path alive'] else 'dead ':5}  "
        f"lost {sum(each['lost'] for each in rounds)}  "
        f"longest pause {max(each['longest gap'] for each in rounds) * 1000:.0f} ms  "
        f"nominated after {max(each['nominated'] for each in rounds) * 1000:.0f} ms  "
        f"first packet after {max(each['first packet'] for each in rounds) * 1000:.0f} ms"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="restarts of each kind (default 5)")
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 0.1], help="seconds one way (0 0.1)")
    add_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
