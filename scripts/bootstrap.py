"""Make `.venv` with everything that Sightline runs on: `python3 scripts/bootstrap.py [run|test]`.

Standard library only, because it runs before anything is installed. `run` (the default) installs what
`requirements/run.lock` pins and Sightline itself; `test` adds `requirements/test.lock`. Versions and hashes
come from the lock files, packages are wheels.

A stamp in `.venv` tells what it was made from. When that still holds there is nothing to do (some 30 ms);
when it does not, or when an earlier set-up was interrupted, `.venv` is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "sightline-setup.json"
CACHE = ROOT / ".cache"
LOCKS = {"run": ROOT / "requirements" / "run.lock", "test": ROOT / "requirements" / "test.lock"}
OLDEST_PYTHON = (3, 11)


class SetupFailed(Exception):
    """The set-up cannot go on; the text is a sentence for the person at the terminal."""


def main(arguments: list[str]) -> int:
    level = arguments[0] if arguments else "run"
    if level not in LOCKS:
        print(f"usage: bootstrap.py [{'|'.join(LOCKS)}]", file=sys.stderr)
        return 2
    try:
        check_python()
        with one_at_a_time():
            set_up(level)
    except SetupFailed as reason:
        print(f"Set-up stopped: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Set-up interrupted; the next run starts it afresh.", file=sys.stderr)
        return 130
    except OSError as reason:
        print(f"Set-up stopped: {reason}. The next run starts it afresh.", file=sys.stderr)
        return 1
    return 0


def check_python() -> None:
    """Refuse a Python that Sightline does not run on, naming the way out."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupFailed(
            f"Sightline needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer and this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. If a newer one is installed under another name, "
            "say so: make setup PYTHON=python3.12"
        )


def set_up(level: str) -> None:
    """Bring `.venv` to `level`, from whatever state it is in."""
    wanted = {name: fingerprint(name) for name in LOCKS}
    made = read_stamp()
    if made.get(level) == wanted[level]:
        return
    started = time.monotonic()
    if made.get("run") == wanted["run"] and level == "test":
        say("Adding the test tools to .venv")
    else:
        say(f"Setting up .venv with Python {sys.version.split()[0]}")
        make_venv()
        install_lock("run")
        say("  installing Sightline (editable)")
        run_pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        write_stamp({"run": wanted["run"]})
    if level == "test":
        install_lock("test")
        write_stamp(wanted)
    say(f"Ready in {time.monotonic() - started:.0f} s")


def make_venv() -> None:
    """Start an empty `.venv` that has the pinned pip, with or without Debian's python3-venv."""
    import pip_wheel  # here, because HTTP takes longer to import than a run with nothing to do takes in all

    if VENV.exists():
        shutil.rmtree(VENV)
    command = [sys.executable, "-m", "venv", str(VENV)]
    complaint = "The virtual environment could not be made."
    try:
        wheel = pip_wheel.fetch(CACHE)
    except pip_wheel.PipUnavailable as reason:
        if importlib.util.find_spec("ensurepip") is None:
            raise SetupFailed(str(reason)) from reason
        run(command, complaint)  # with the pip that this Python carries: older and slower, but here
        return
    run([*command, "--without-pip"], complaint)
    # A wheel is a zip file that Python can import from: pip installs itself.
    itself = [str(PYTHON), f"{wheel}/pip", "install", "--quiet", "--no-compile", "--no-index", str(wheel)]
    run(itself, "pip could not be installed from its wheel.")


def install_lock(level: str) -> None:
    lock = LOCKS[level]
    count = sum(1 for line in lock.read_text().splitlines() if "==" in line)
    say(f"  installing {lock.relative_to(ROOT)} ({count} packages)")
    # Wheels only, says the lock file, but for what it excepts; that is built by the setuptools of run.lock.
    # Python compiles what is imported when it is; compiling everything would double the time of a set-up.
    options = ("--require-hashes", "--no-deps", "--no-build-isolation", "--no-compile")
    run_pip("install", *options, "--requirement", str(lock))


def run_pip(*arguments: str) -> None:
    run(
        [str(PYTHON), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments],
        "pip could not install the packages; the network and PIP_INDEX_URL are the usual causes.",
    )


def run(command: list[str], complaint: str) -> None:
    """Run a command silently; on failure show the end of what it said and stop with `complaint`."""
    # PIP_USER and PYTHONPATH of somebody's shell must not leak into the environment that we make.
    environment = {key: value for key, value in os.environ.items() if key not in ("PIP_USER", "PYTHONPATH")}
    result = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        said = [line for line in result.stdout.splitlines() if line.strip() and not line.startswith("WARNING")]
        for line in said[-8:]:
            print(f"  | {line}", file=sys.stderr)
        raise SetupFailed(f"{complaint} The next run starts it afresh.")


def fingerprint(level: str) -> str:
    """A hash of all that `.venv` depends on at `level`: locks, project metadata, interpreter, place, this file."""
    import tomllib  # Python 3.11, so only after check_python()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = {
        "locks": [LOCKS[name].read_text() for name in LOCKS if name == "run" or level == "test"],
        # Settings of linters do not make .venv stale.
        "project": [project["project"], project["build-system"], project["tool"]["setuptools"]],
        "python": [sys.version, os.path.realpath(sys.executable)],
        "place": str(ROOT),
        "recipe": Path(__file__).read_text(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_stamp() -> dict[str, str]:
    """What `.venv` was made from, by level; empty when it is missing, unfinished or broken."""
    if not PYTHON.exists():  # also when it points to a Python that is gone
        return {}
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(made: dict[str, str]) -> None:
    partial = STAMP.with_suffix(".part")
    partial.write_text(json.dumps(made))
    partial.replace(STAMP)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` in one checkout: the second waits, then finds the work done."""
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / "setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
