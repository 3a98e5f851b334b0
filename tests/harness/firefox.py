"""Debian's Firefox ESR, driven over WebDriver BiDi: it speaks that itself, without geckodriver."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.harness.service import clean_environment

# Firefox sets the rest itself when it is driven: no updates, no telemetry, no first-run pages.
PREFERENCES = {
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "services.settings.server": "data:,#nothing",
    "toolkit.telemetry.server": "data:,",
}


class Firefox:
    """One browser with one page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.version = str(self._command("session.new", capabilities={})["capabilities"]["browserVersion"])
        self._context = self._command("browsingContext.getTree")["contexts"][0]["context"]

    def open(self, url: str) -> None:
        """Load a page."""
        self._command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Call a JavaScript function with one JSON value in the page, await it, and return its value."""
        answer = self._command(
            "script.callFunction",
            functionDeclaration=f"async (json) => JSON.stringify((await ({script})(JSON.parse(json))) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(argument)}],
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise AssertionError(f"in Firefox: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    def _command(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=30))
            if message.get("id") != self._number:
                continue  # an event
            if message["type"] == "error":
                raise AssertionError(f"{method}: {message['error']} {message['message']}")
            return message["result"]


@contextmanager
def launched_firefox() -> Iterator[Firefox]:
    """Start Firefox with a fresh profile; it ends with the block."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    assert program is not None, "no firefox on PATH: apt-get install firefox-esr"
    with tempfile.TemporaryDirectory(prefix="firefox-") as profile:
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
        Path(profile, "user.js").write_text("\n".join(lines), encoding="utf-8")
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        environment = clean_environment(Path(profile), {"MOZ_DISABLE_CONTENT_SANDBOX": "1"})
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        ) as process:
            try:
                with connect(f"{_address(process)}/session", max_size=1 << 24, proxy=None) as connection:
                    yield Firefox(connection)
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Where Firefox listens: it says so once. What it says later is read and thrown away, or it would stand still."""
    output = process.stdout
    assert output is not None
    watchdog = threading.Timer(40, process.kill)
    watchdog.start()
    said = b""
    for line in output:
        said += line
        found = re.search(rb"WebDriver BiDi listening on (ws://\S+)", line)
        if found:
            watchdog.cancel()
            threading.Thread(target=output.read, daemon=True).start()
            return found[1].decode()
    raise AssertionError(f"Firefox ended before it listened:\n{said.decode(errors='replace')}")
