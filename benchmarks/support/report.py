"""What a benchmark says: JSON on standard output for programs, a table on standard error for people."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence


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
    machine = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
    json.dump({"benchmark": benchmark, "machine": machine, **result, "goals": goals}, sys.stdout, indent=2)
    print()
