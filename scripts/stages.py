"""Run stages of the test suite, each with its time budget: `stages.py check unit realtime e2e interop network`.

Every stage named runs, also after one that failed, and a table at the end says how each went. A stage over
its budget is told so; at three times its budget it is stopped and has failed, so that a hung run ends by itself.
A stage whose tests do not exist yet is no failure, except `unit`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
VENV_BIN = ROOT / ".venv" / "bin"
NO_TESTS_RAN = 5  # pytest's exit status
TIMED_OUT = 124  # as timeout(1) has it
PATIENCE = 3  # times its budget a stage may take before it is ended: a busy machine is no failure, a hung test is


@dataclass(frozen=True)
class Stage:
    """One stage: its budget in seconds, and the folders of tests/ that belong to it."""

    budget: int
    folders: tuple[str, ...] = ()
    processes: int = 1
    """In how many its tests run side by side."""
    marked: str = ""
    """A pytest expression on the marks of its tests."""
    prints: bool = False
    """Whether what its tests print is shown while they run: one that takes ten minutes says how far it is."""


# Any folder of tests/ that is not named here belongs to `unit`: a new one cannot be forgotten. Of those folders
# `realtime` takes the tests that wait for real sockets, threads and processes, or try thousands of inputs.
STAGES = {
    "check": Stage(budget=60),
    "unit": Stage(budget=60, processes=2, marked="not realtime"),
    "realtime": Stage(budget=180, processes=2, marked="realtime"),
    "e2e": Stage(budget=720, folders=("e2e",)),
    "interop": Stage(budget=360, folders=("interop", "seeds")),
    "network": Stage(budget=600, folders=("network",)),
    "soak": Stage(budget=3600, folders=("soak",), prints=True),
}


@dataclass(frozen=True)
class Outcome:
    stage: str
    seconds: float
    result: str
    passed: bool


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STAGES]
    if unknown or not names:
        print(f"usage: stages.py STAGE...   stages: {' '.join(STAGES)}", file=sys.stderr)
        return 2
    os.environ["PATH"] = f"{VENV_BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    # Without their .pyc files pytest rewrites 300 modules anew in every process of every stage: 5 to 10 s each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    outcomes = [run_stage(name) for name in names]
    if len(outcomes) > 1:
        print("\nstage        result           seconds   budget")
    for outcome in outcomes:
        budget = STAGES[outcome.stage].budget
        over = "   over its budget" if outcome.seconds > budget else ""
        if len(outcomes) > 1 or over:
            print(f"{outcome.stage:<12} {outcome.result:<14} {outcome.seconds:9.1f} {budget:8}{over}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def run_stage(name: str) -> Outcome:
    print(f"\n--- {name} ---", flush=True)
    started = time.monotonic()
    stage = STAGES[name]
    if name == "check":
        result, passed = run_checks(stage.budget * PATIENCE)
    else:
        result, passed = run_tests(name, stage)
    return Outcome(name, time.monotonic() - started, result, passed)


def run_checks(limit: float) -> tuple[str, bool]:
    """Format, lint and types. All of them run, so that one pass shows everything there is to mend.

    On another core meanwhile every test is collected: what cannot be imported is told here, and the stages that follow
    find the modules compiled (pytest rewrites the assertions of 300, which takes longer than most tests).
    """
    tsc = TESTS / "node_modules" / ".bin" / "tsc"
    commands: list[list[str]] = [
        ["ruff", "format", "--check", "--quiet", "."],
        ["ruff", "check", "--quiet", "."],
        ["mypy"],
        ["mypy", "scripts"],
        [sys.executable, "scripts/check_links.py"],
        [str(tsc), "--project", "tests/web"],
    ]
    deadline = time.monotonic() + limit
    failed = []
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-qq", str(TESTS)]
    with tempfile.TemporaryFile() as said, ThreadPoolExecutor(1) as beside:
        collecting = beside.submit(run_limited, collect, limit, said)
        for command in commands:
            label = " ".join([Path(command[0]).name, *command[1:]])
            print(label, flush=True)
            if run_limited(command, deadline - time.monotonic()) != 0:
                failed.append(label)
        print("pytest --collect-only", flush=True)
        if collecting.result() != 0:
            said.seek(0)
            print(said.read().decode(errors="replace"), flush=True)
            failed.append("pytest --collect-only")
    for label in failed:
        print(f"failed: {label}")
    return ("failed" if failed else "passed", not failed)


def run_tests(name: str, stage: Stage) -> tuple[str, bool]:
    if stage.folders:
        paths = [TESTS / folder for folder in stage.folders if any((TESTS / folder).rglob("test_*.py"))]
        if not paths:
            # pytest is not started at all: its "no tests ran" must not stand among the results.
            print(f"No tests yet in {' or '.join('tests/' + folder for folder in stage.folders)}.")
            return "none yet", True
        selection = [str(path) for path in paths]
    else:
        others = (folder for other in STAGES.values() for folder in other.folders)
        selection = [str(TESTS), *(f"--ignore={TESTS / folder}" for folder in others)]
    side_by_side = ["-n", str(stage.processes), "--dist", "worksteal"] if stage.processes > 1 else []
    marked = ["-m", stage.marked] if stage.marked else []
    printing = ["--capture=no"] if stage.prints else []
    limit = stage.budget * PATIENCE
    status = run_limited([sys.executable, "-m", "pytest", *side_by_side, *marked, *printing, *selection], limit)
    if status == NO_TESTS_RAN and name != "unit":
        return "none selected", True
    if status == TIMED_OUT:
        print(f"{name} was stopped after {limit} s, {PATIENCE} times its budget.")
    return ("passed", True) if status == 0 else ("failed", False)


def run_limited(command: list[str], seconds: float, output: IO[bytes] | None = None) -> int:
    """Run a command in the checkout; past the limit, end it and all it started, and return TIMED_OUT."""
    errors = None if output is None else subprocess.STDOUT
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=output, stderr=errors) as process:
        try:
            return process.wait(timeout=max(seconds, 1))
        except subprocess.TimeoutExpired:
            end(process)
            return TIMED_OUT
        except KeyboardInterrupt:
            end(process)
            raise SystemExit(130) from None


def end(process: subprocess.Popen[bytes]) -> None:
    """Let pytest stop and report (SIGINT), then leave nothing of its process group behind."""
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
