"""coturn, a TURN server of somebody else's, which shares a secret with whoever mints credentials."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.client.control import IceServer
from sightline.wire.turn_credentials import mint
from tests.harness.polling import eventually
from tests.harness.service import free_port

TURN_SECRET = "shared-secret-of-a-test"


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[int]:
    """A TURN server that shares a secret with whoever mints credentials; its port."""
    program = shutil.which("turnserver")
    assert program is not None, "no turnserver on PATH: apt-get install coturn"
    port = free_port()
    command = [
        *(program, "--no-cli", "--log-file", "stdout", "--simple-log", "--no-stdout-log", "--pidfile", ""),
        *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers"),
        *("--listening-port", str(port), "--use-auth-secret", "--static-auth-secret", TURN_SECRET),
        *("--realm", "coturn.example", "--userdb", str(tmp_path / "turndb"), "--no-dtls", "--no-tls"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            eventually(lambda: listens(port) or process.poll() is not None, "coturn")
            assert process.poll() is None
            yield port
        finally:
            process.kill()


def listens(port: int) -> bool:
    """Whether a TCP port of this machine takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def old_credentials(port: int, *, age: float) -> IceServer:
    """What that server would have taken `age` seconds ago: they lasted a minute."""
    minted = mint(TURN_SECRET, "viewer", ttl=60, now=time.time() - age)
    return IceServer((f"turn:127.0.0.1:{port}?transport=udp",), minted.username, minted.password)
