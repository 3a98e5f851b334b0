"""Masters and crowds of viewers as processes: what the benchmarks of media share."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.processes import (
    FOLDER,
    CpuSeconds,
    cores,
    cores_taken,
    cpu_seconds,
    free_port,
    plain_environment,
    resident_bytes,
)

DEBIAN_PYTHON = "/usr/bin/python3"
CONTENDERS = ("sightline", "aiortc", "webrtcbin")
READY_SECONDS = 30.0


@dataclass
class Running:
    """A master that takes viewers."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    """Where offers are posted."""
    hub: int = 0
    """The port of Sightline's hub."""
    helpers: tuple[int, ...] = ()
    """Processes that it cannot do without."""

    @property
    def cpu(self) -> CpuSeconds:
        """CPU time of all its threads so far."""
        return cpu_seconds(self.process.pid)

    @property
    def resident(self) -> int:
        """Bytes of RSS."""
        return resident_bytes(self.process.pid)

    def answer_seconds(self) -> list[float]:
        """From each offer at Sightline's master to its answer, since the last call, by the hub's clock."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.hub}/answers", timeout=5) as answer:
            seen: list[float] = json.load(answer)
        return seen


@contextlib.contextmanager
def spawned(
    command: Sequence[str], *, core: set[int], folder: Path, name: str, pipes: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one core, its errors in a file; it ends with the block."""
    log = folder / f"{name}.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else errors,
            stderr=errors,
            cwd=FOLDER,
            env={**plain_environment(), "PYTHONPATH": str(FOLDER)},
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(OSError):
            print(f"--- {name} said:", log.read_text(errors="replace")[-3000:], sep="\n", file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def master(
    name: str, folder: Path, files: tuple[Path, Path], *, delay: float = 0.0, stalls: Path | None = None
) -> Iterator[Running]:
    """A contender with the stream, on the masters' core. ``delay``: seconds of Sightline's signaling, one way."""
    here, there = cores()
    port = free_port()
    url = f"http://127.0.0.1:{port}/offer"
    units, container = map(str, files)
    with contextlib.ExitStack() as stack:
        if name == "sightline":
            hub = [sys.executable, "-m", "support.hub", str(port), str(delay)]
            helper = stack.enter_context(spawned(hub, core=there, folder=folder, name="hub"))
            wait_until(lambda: status(f"http://127.0.0.1:{port}/ready") is not None, "the hub")
            command = [sys.executable, "-m", "support.sightline_master", str(port), units]
            process = stack.enter_context(
                spawned([*command, *([str(stalls)] if stalls else [])], core=here, folder=folder, name=name)
            )
            wait_until(lambda: status(f"http://127.0.0.1:{port}/ready") == 200, "Sightline's master", process)
            yield Running(name, process, url, hub=port, helpers=(helper.pid,))
            return
        program = str(FOLDER / "rivals" / f"{name}_master.py")
        python = DEBIAN_PYTHON if name == "webrtcbin" else sys.executable
        command = [python, program, str(port), units if name == "webrtcbin" else container]
        process = stack.enter_context(spawned(command, core=here, folder=folder, name=name))
        wait_until(lambda: status(f"http://127.0.0.1:{port}/") is not None, name, process)
        yield Running(name, process, url)


class Crowd:
    """A process of light viewers (``support.viewers``) on the other core."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def __call__(self, do: str, **arguments: Any) -> Any:
        """One command, and its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the viewers' process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"viewers: {do}: {answer['error']}")
        return answer["result"]


@contextlib.contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    """A new crowd without viewers."""
    command = [sys.executable, "-m", "support.viewers"]
    with spawned(command, core=cores()[1], folder=folder, name="viewers", pipes=True) as process:
        yield Crowd(process)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the benchmarks of media have in common."""
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="nice value of all; below 0 needs root")
    parser.add_argument(
        "--alone", action="store_true", help="as root, on a busy machine: masters and viewers before everybody else"
    )


def undisturbed(running: Running, *crowds: Crowd, alone: bool) -> contextlib.AbstractContextManager[None]:
    """While the block runs, with ``alone``, master and viewers have their cores before everybody else."""
    if not alone:
        return contextlib.nullcontext()
    return cores_taken((running.process.pid, *running.helpers, *(crowd.pid for crowd in crowds)))


def available(name: str) -> str | None:
    """Why a contender cannot run here; None when it can."""
    if name != "webrtcbin":
        return None
    script = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstWebRTC', '1.0'); "
        "from gi.repository import Gst, GstWebRTC; Gst.init(None); "
        "assert all(map(Gst.ElementFactory.find, ('webrtcbin', 'nicesrc', 'rtph264pay', 'h264parse', 'srtpenc')))"
    )
    if (
        Path(DEBIAN_PYTHON).exists()
        and subprocess.run([DEBIAN_PYTHON, "-c", script], capture_output=True).returncode == 0
    ):
        return None
    return (
        "GStreamer's webrtcbin is not installed: apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
        "gstreamer1.0-plugins-bad gstreamer1.0-nice python3-gi gir1.2-gst-plugins-bad-1.0"
    )


def status(url: str) -> int | None:
    """The HTTP status of a GET; None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return None


def wait_until(probe: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something to be ready."""
    deadline = time.monotonic() + READY_SECONDS
    while not probe():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.05)
