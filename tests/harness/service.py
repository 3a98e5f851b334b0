"""The installed command as a process: `sightline serve`, `demo`, `master`, … with fresh data and free ports."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.harness.polling import eventually
from tests.harness.signing import Key

CHECKOUT = Path(__file__).resolve().parents[2]
REGION = "us-west-2"
ACCOUNT = "000000000000"
# The shape of AWS's documentation examples: no scanner and no reader takes it for a real key.
ADMIN = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
STOP_SECONDS = 15.0
"""Three times what the issue permits: a machine may have other work."""
START_SECONDS = 60.0

running: list[Command] = []
"""Every process of the tests that is alive now; a failing test's report shows their logs."""


def sightline_command() -> str:
    """The path of the command under test: SIGHTLINE_BIN, or the checkout's virtual environment."""
    path = os.environ.get("SIGHTLINE_BIN", str(CHECKOUT / ".venv" / "bin" / "sightline"))
    if not Path(path).exists():
        raise AssertionError(f"no command at {path}: run `make setup`, or set SIGHTLINE_BIN")
    return path


PORTS = range(12_000, 30_000)
"""Below those that systems give to outgoing connections: such a port stays free until, and while, nobody listens."""
_given: set[int] = set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody listens on, and another one each time."""
    while True:
        port = secrets.choice(PORTS)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without anybody's AWS settings, proxies or Sightline variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONUNBUFFERED": "1", **(extra or {})}


@dataclass
class Command:
    """One process of the `sightline` command, its output in a file."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    name: str = "sightline"
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(list(self.folder.glob("*.out")))
        self.log_path = self.folder / f"{self.name}-{number}.out"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sightline_command(), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd=self.folder,
            )
        running.append(self)

    @property
    def output(self) -> str:
        """Everything the process has printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def json_lines(self) -> list[Any]:
        """The lines of JSON among it. The last one may still be being written."""
        *whole, last = self.output.split("\n")
        found = [json.loads(line) for line in whole if line.startswith("{")]
        with contextlib.suppress(ValueError):
            found += [json.loads(last)] if last.startswith("{") else []
        return found

    def wait_for_output(self, pattern: str, *, within: float = START_SECONDS) -> re.Match[str]:
        """Wait until the output matches `pattern`, and return the match."""

        def look() -> re.Match[str] | None:
            ended = self.process.poll() is not None  # asked first: what it prints as its last word counts
            found = re.search(pattern, self.output)
            if found is None and ended:
                raise AssertionError(
                    f"{self.name} ended with {self.process.returncode} before printing {pattern!r}:\n{self.output}"
                )
            return found

        return eventually(look, f"{pattern!r} in the output of {self.name}", within=within)

    def wait(self, *, within: float) -> int:
        """Wait until the process ends by itself: its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} still ran after {within:g} s:\n{self.output}") from None
        finally:
            if self in running:
                running.remove(self)

    def stop(self, *, within: float = STOP_SECONDS) -> int:
        """SIGTERM, and the exit code; fails when the process takes longer than `within` seconds."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} still ran {within:g} s after SIGTERM") from None
        finally:
            if self in running:
                running.remove(self)

    def kill(self) -> None:
        """SIGKILL: what a power cut does."""
        self.process.kill()
        self.process.wait()
        if self in running:
            running.remove(self)

    def assert_clean(self) -> None:
        """No traceback and no secret in the output."""
        output = self.output
        assert "Traceback (most recent call last)" not in output, f"{self.name} printed a traceback:\n{output}"
        secret = self.environment.get("SIGHTLINE_SECRET_ACCESS_KEY")
        assert not secret or secret not in output, f"{self.name} printed the secret key"

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is not None and error is not None:
            if self in running:
                running.remove(self)
            return
        code = self.stop()
        if error is None:
            assert code == 0, f"{self.name} ended with {code} after SIGTERM:\n{self.output}"
            self.assert_clean()


class Service:
    """`sightline serve` (or another command that serves) with its own data directory and free ports."""

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = ("serve",),
        environment: Mapping[str, str] | None = None,
        admin: Key | None = ADMIN,
        wait: bool = True,
        reuse_ports_of: Service | None = None,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.admin = admin or ADMIN
        self.http_port = reuse_ports_of.http_port if reuse_ports_of else free_port()
        self.https_port = reuse_ports_of.https_port if reuse_ports_of else free_port()
        self.stun_port = reuse_ports_of.stun_port if reuse_ports_of else free_port(socket.SOCK_DGRAM)
        self.turn_tls_port = reuse_ports_of.turn_tls_port if reuse_ports_of else free_port()
        settings = {
            "SIGHTLINE_DATA_DIR": str(self.data_dir),
            "SIGHTLINE_HTTP_PORT": str(self.http_port),
            "SIGHTLINE_HTTPS_PORT": str(self.https_port),
            "SIGHTLINE_BIND": "127.0.0.1",
            "SIGHTLINE_TURN_PORT": str(self.stun_port),
            "SIGHTLINE_TURN_TLS_PORT": str(self.turn_tls_port),
        }
        if admin is not None:
            settings["SIGHTLINE_ACCESS_KEY_ID"] = admin.access_key_id
            settings["SIGHTLINE_SECRET_ACCESS_KEY"] = admin.secret_access_key
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.environment = clean_environment(home, {**settings, **(environment or {})})
        self.command = Command(command, folder, self.environment, name=command[0])
        if wait:
            self.wait_ready()

    @property
    def http(self) -> str:
        """The loopback listener: `http://localhost:PORT`."""
        return f"http://localhost:{self.http_port}"

    @property
    def https(self) -> str:
        """The HTTPS listener: `https://localhost:PORT`."""
        return f"https://localhost:{self.https_port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that clients have to trust."""
        return self.data_dir / "tls" / "ca.pem"

    def tls_context(self) -> ssl.SSLContext:
        """A client context that trusts this service's CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def answers(self, path: str) -> int | None:
        """The status of a GET on the loopback listener, or None when nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def wait_ready(self, *, within: float = START_SECONDS) -> None:
        """Wait until /readyz answers 200."""

        def ready() -> bool:
            if self.command.process.poll() is not None:
                raise AssertionError(
                    f"the service ended with {self.command.process.returncode} while starting:\n" + self.command.output
                )
            return self.answers("/readyz") == 200

        eventually(ready, "/readyz to answer 200", within=within)

    def run(self, *arguments: str, key: Key | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run another `sightline` command against this service, as its administrator or with `key`."""
        return subprocess.run(
            [sightline_command(), *arguments],
            env=self.client_environment(key),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def spawn(self, *arguments: str, key: Key | None = None) -> Command:
        """Start a long-running `sightline` command (a master, for instance) against this service."""
        return Command(arguments, self.folder, self.client_environment(key), name=arguments[0])

    def client_environment(self, key: Key | None = None) -> dict[str, str]:
        """What a person's shell has set who uses this service: its address and a key, nothing of the server."""
        key = key or self.admin
        home = self.folder / "home"
        return clean_environment(
            home,
            {
                "SIGHTLINE_ENDPOINT": self.http,
                "SIGHTLINE_REGION": self.environment.get("SIGHTLINE_REGION", REGION),
                "AWS_ACCESS_KEY_ID": key.access_key_id,
                "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
                "AWS_REGION": self.environment.get("SIGHTLINE_REGION", REGION),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )

    def stop(self, *, within: float = STOP_SECONDS) -> int:
        """SIGTERM, and the exit code."""
        return self.command.stop(within=within)

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.command.__exit__(kind, error, trace)


def chromium_path() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found is not None, "no chromium on PATH: apt-get install chromium"
    return found


def seconds_since(start: float) -> float:
    """Seconds of the monotonic clock since `start`."""
    return time.monotonic() - start
