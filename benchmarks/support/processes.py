"""Servers as processes of their own: started on one core, measured from outside, stopped."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1]
REGION = "us-west-2"
# The shape of AWS's documentation examples: no scanner and no reader takes it for a real key.
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
START_SECONDS = 30.0


class CpuSeconds(NamedTuple):
    """What the kernel's scheduler says of a process."""

    running: float
    """CPU time of all threads."""
    waiting: float
    """The main thread was ready while somebody else had the core: how much other work disturbs a measurement."""


def cpu_seconds(pid: int) -> CpuSeconds:
    """CPU time so far, from /proc/PID/task/*/schedstat."""
    running = waiting = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            fields = (task / "schedstat").read_text().split()
            running += int(fields[0])
            waiting += int(fields[1]) if task.name == str(pid) else 0
    return CpuSeconds(running / 1e9, waiting / 1e9)


def own_waiting() -> float:
    """Seconds that the calling thread was ready to run while somebody else had the core."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def resident_bytes(pid: int) -> int:
    """RSS of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cores() -> tuple[set[int], set[int]]:
    """The core of the servers and the core of the generator; the same one where there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[1 % len(usable)]}


def be_nice(nice: int) -> None:
    """Give this process and its later children that nice value; below 0 needs root."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    # Where the kernel groups processes by session, nice values count within the group only, and the group has its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def before_everybody() -> None:
    """This process and its later children have the cores before everybody else. Needs root."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@contextlib.contextmanager
def cores_taken(pids: Iterable[int]) -> Iterator[None]:
    """While the block runs, these processes' threads have their cores before everybody else. Needs root."""
    tasks = [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    for task in tasks:
        os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        for task in tasks:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server with a plain and a TLS port."""

    name: str
    pid: int
    port: int
    tls_port: int
    log: Path


@contextlib.contextmanager
def server(
    name: str,
    command: Sequence[str],
    *,
    ports: tuple[int, int],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a command on the servers' core until the block ends. It is up when both ports accept connections."""
    log = folder / f"{name}.log"
    core = cores()[0]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**plain_environment(), **(environment or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
        try:
            for port in ports:
                wait_for_port(port, process, log)
            yield Server(name, process.pid, *ports, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def plain_environment() -> dict[str, str]:
    """An environment without anybody's AWS settings, proxies or Sightline variables."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{log.stem} did not start; it said:\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def sightline(
    folder: Path, *, settings: Mapping[str, str] | None = None, command: Sequence[str] | None = None
) -> Iterator[Server]:
    """The service as it is installed: everything on, its log in a file. ``command`` starts it in another way."""
    ports = free_port(), free_port()
    environment = {
        "SIGHTLINE_DATA_DIR": str(folder / "data"),
        "SIGHTLINE_HTTP_PORT": str(ports[0]),
        "SIGHTLINE_HTTPS_PORT": str(ports[1]),
        "SIGHTLINE_BIND": "127.0.0.1",
        "SIGHTLINE_TURN_PORT": str(free_port(socket.SOCK_DGRAM)),
        "SIGHTLINE_REGION": REGION,
        "SIGHTLINE_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "SIGHTLINE_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        **(settings or {}),
    }
    command = command or [sightline_command(), "serve"]
    with server("sightline", command, ports=ports, folder=folder, environment=environment) as running:
        yield running


def raise_file_limit() -> int:
    """Open files that this process and its later children may have: as many as the hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def sightline_command() -> str:
    """The installed command: SIGHTLINE_BIN, the one beside this Python, or the one on the path."""
    beside = Path(sys.executable).with_name("sightline")
    found = os.environ.get("SIGHTLINE_BIN") or (str(beside) if beside.exists() else shutil.which("sightline"))
    if not found:
        raise SystemExit("There is no `sightline` command: run `make setup` first.")
    return found


def certificate_of(folder: Path) -> Path:
    """Sightline's own certificate and key in one PEM file, for the rivals too."""
    return folder / "data" / "tls" / "server.pem"
