"""What `sightline` commands that print JSON have said: events of `view --json`, and who watches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.harness.polling import eventually
from tests.harness.service import Command, Service
from tests.harness.signing import Key

PATIENCE = 40.0
"""Seconds: a command takes several to start where the machine has other work."""


def events(command: Command) -> list[dict[str, Any]]:
    """What `sightline view --json` has told so far."""
    return command.json_lines


@contextmanager
def viewing(service: Service, *arguments: str, key: Key | None = None) -> Iterator[Command]:
    """`sightline view … --json`, as long as the block lasts."""
    command = service.spawn("view", *arguments, "--json", key=key)
    try:
        yield command
        command.assert_clean()
    finally:
        if command.process.poll() is None:
            command.kill()


def says(command: Command, reason: str, *, final: bool = False, within: float = PATIENCE) -> float:
    """It names the reason, as a notice or as what it failed for; when, by the wall clock."""

    def look() -> float | None:
        ended = command.process.poll() is not None
        for event in events(command):
            if event.get("reason") == reason and (event["type"] == "failed" or not final):
                assert len(event["message"].split()) > 5
                return float(event["time"])
        assert not ended, f"it ended without saying {reason}:\n{command.output}"
        return None

    when = eventually(look, f"`sightline view` to say {reason}", within=within)
    if final:
        assert command.wait(within=30) == 1
    return when


def watches(command: Command, *, times: int = 1, within: float = PATIENCE) -> None:
    """It shows pictures, for the so manyth time."""
    eventually(
        lambda: sum(event.get("after") == "watching" for event in events(command)) >= times, "pictures", within=within
    )


def who_watches(service: Service, channel: str) -> list[dict[str, Any]]:
    """As `sightline viewers --json` says it; the service is quicker to ask (`listed` of `access`)."""
    asked = service.run("viewers", channel, "--json")
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)["viewers"]
    return found
