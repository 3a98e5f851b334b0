"""What a benchmark says: JSON on standard output for programs, a table on standard error for people."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MUCH_STOLEN = 0.02
"""Above this share of the CPU time the tail of a latency says more of the machine's host than of what is measured."""


def core_seconds() -> tuple[float, float]:
    """CPU time of all cores since boot, and what of it the host of a virtual machine gave to others (``steal``)."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) / os.sysconf("SC_CLK_TCK"), ticks[7] / os.sysconf("SC_CLK_TCK")


_BEGUN = core_seconds()


def say(text: str = "") -> None:
    """A line for people."""
    print(text, file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        say("  ".join(cells))


def finish(benchmark: str, result: Mapping[str, object], goals: Mapping[str, bool]) -> None:
    """Print the result as JSON, with the machine and with each goal and whether it was reached."""
    missed = [goal for goal, reached in goals.items() if not reached]
    say()
    for goal in goals:
        say(f"{'missed ' if goal in missed else 'reached'}  {goal}")
    stolen = stolen_share()
    if stolen > MUCH_STOLEN:
        say(f"\nThe host of this virtual machine gave {stolen:.0%} of its cores to others meanwhile: run it again.")
    machine = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "stolen": round(stolen, 4),
    }
    json.dump({"benchmark": benchmark, "machine": machine, **result, "goals": goals}, sys.stdout, indent=2)
    print()


def stolen_share() -> float:
    """Of the CPU time of all cores since this process began, what the host of a virtual machine gave to others."""
    (total, stolen), (total_before, stolen_before) = core_seconds(), _BEGUN
    return (stolen - stolen_before) / max(total - total_before, 0.01)
