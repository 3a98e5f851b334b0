"""The test's side of a lab: hosts, interfaces, lines, and commands that run on a host."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.harness.network.line import GOOD, Line
from tests.harness.service import CHECKOUT

PATIENCE = 30.0
"""Seconds that the forwarder may take for anything, since machines have other work; it takes some milliseconds."""


class LabUnavailable(Exception):
    """This machine does not let us make namespaces."""


class Lab:
    """A private network; it ends with the block, and with it everything that runs in it should have ended.

    Raises LabUnavailable where the kernel does not let this user make namespaces.
    """

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        self._log = Path(self._folder.name, "forwarder.log")
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.network.forwarder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
            )
        self._networks = 0
        self.ask("nothing")

    @property
    def pid(self) -> int:
        """The forwarder's process."""
        return self._process.pid

    @property
    def folder(self) -> Path:
        """For the lab's own files; it goes with the lab."""
        return Path(self._folder.name)

    def host(self, name: str) -> Host:
        """A new host, with nothing but loopback."""
        return Host(self, name, self.ask("host", name=name))

    def next_address(self) -> str:
        """An address in a network of its own."""
        self._networks += 1
        return f"10.77.{self._networks}.2"

    def relay(self, port: int, to: Host, *, on: Host | None = None, delay: float = 0.0) -> Relayed:
        """Make a TCP port of a host's loopback reachable on another host's loopback, or on this machine's.

        `delay`: seconds in each direction.
        """
        if on is not None:
            return Relayed(self, self.ask("relay", listen=on.name, target=to.name, port=port, delay=delay), delay)
        with socket.create_server(("127.0.0.1", port)) as listener:
            handle = self.ask("relay", listener.fileno(), listen=None, target=to.name, port=port, delay=delay)
        return Relayed(self, handle, delay)

    def ask(self, what: str, descriptor: int | None = None, **arguments: Any) -> Any:
        """One request to the forwarder."""
        message = json.dumps({"do": what, **arguments}).encode()
        try:
            socket.send_fds(self._control, [message], [] if descriptor is None else [descriptor])
            reply = self._control.recv(1 << 16)
        except OSError:
            reply = b""
        if not reply:
            said = self._log.read_text(errors="replace")
            raise LabUnavailable(f"no network namespaces here: {said.strip().rpartition(chr(10))[2]}")
        answer = json.loads(reply)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer["result"]

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        said = self._log.read_text(errors="replace")
        self._folder.cleanup()
        if error is None:
            assert code == 0, f"the forwarder ended with {code}:\n{said}"
        elif said:
            print("--- forwarder", said, sep="\n")


class Host:
    """A machine of the lab: a network namespace."""

    def __init__(self, lab: Lab, name: str, network: int) -> None:
        self.lab, self.name = lab, name
        self._network = network

    def connect(self, name: str, line: Line = GOOD, *, up: Line | None = None, address: str | None = None) -> Interface:
        """A new interface with an address of its own. `up` is the way from the host when it differs from `line`."""
        address = address or self.lab.next_address()
        self.lab.ask("interface", host=self.name, name=name, address=address)
        made = Interface(self, name, address)
        made.set(line, up=up)
        return made

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line that runs these arguments on the host."""
        process = f"/proc/{self.lab.pid}"
        enter = [
            "nsenter",
            "--preserve-credentials",
            f"--user={process}/ns/user",
            f"--net={process}/fd/{self._network}",
        ]
        return [*enter, "--", *map(str, arguments)]

    def run(self, *arguments: str | Path, timeout: float = 30) -> str:
        """Run a command on the host to its end: what it printed."""
        finished = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout, check=False, cwd=CHECKOUT
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def source(self, destination: str) -> str | None:
        """The address from which the host would send there now; None when it knows no way."""
        found: str | None = self.lab.ask("source", host=self.name, destination=destination)
        return found

    def executable(self, program: str | Path) -> Path:
        """An executable file that starts `program` on the host, for those who want the path of one."""
        path = self.lab.folder / f"{self.name}-{Path(program).name}"
        path.write_text(f'#!/bin/sh\nexec {" ".join(self.command(program))} "$@"\n', encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path


class Interface:
    """A host's way into the network: an access line."""

    def __init__(self, host: Host, name: str, address: str) -> None:
        self.host, self.name, self.address = host, name, address
        self._key = f"{host.name}/{name}"

    def set(self, line: Line, *, up: Line | None = None) -> None:
        """Change the line, at once: `line` both ways, or `up` for what the host sends."""
        self.host.lab.ask("line", interface=self._key, up=(up or line).as_message(), down=line.as_message())

    def switch(self, *, on: bool) -> None:
        """Plug in or pull the plug; the host's kernel knows at once."""
        self.host.lab.ask("switch", interface=self._key, on=on)

    def carry(self, *, on: bool) -> None:
        """Take the carrier or give one: the host keeps address and routes, and goes no way without a carrier."""
        self.host.lab.ask("carry", interface=self._key, on=on)

    def translate(self, kind: str, public: str, *, ports: Sequence[int] = ()) -> None:
        """Put a router with NAT before it, whose public address the others see: see `nat.Nat.KINDS`."""
        self.host.lab.ask("nat", interface=self._key, kind=kind, private=self.address, public=public, ports=list(ports))

    def translated(self) -> dict[str, dict[str, int]]:
        """What that router let through so far: `["passed" | "dropped"]["in udp ADDRESS"]` and the like."""
        counted: dict[str, dict[str, int]] = self.host.lab.ask("nat_count", interface=self._key)
        return counted

    def count(self) -> dict[str, dict[str, int]]:
        """Packets so far: `["up" | "down"]["delivered" | "lost" | "overflowed" | "bytes"]`."""
        counted: dict[str, dict[str, int]] = self.host.lab.ask("count", interface=self._key)
        return counted


class Relayed:
    """A relayed port."""

    def __init__(self, lab: Lab, handle: int, delay: float) -> None:
        self._lab, self._handle, self._delay = lab, handle, delay

    def slow(self, delay: float) -> None:
        """Seconds that everything takes from now on, in each direction."""
        self._delay = delay
        self._set(cut=False)

    def cut(self) -> None:
        """End all connections, refuse new ones."""
        self._set(cut=True)

    def mend(self) -> None:
        """Take connections again."""
        self._set(cut=False)

    def _set(self, *, cut: bool) -> None:
        self._lab.ask("relay_set", relay=self._handle, delay=self._delay, cut=cut)
