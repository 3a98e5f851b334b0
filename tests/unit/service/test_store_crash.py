"""kill -9 in a loop under writes: nothing that was acknowledged is lost (and nothing half-done is there)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import sightline
from sightline.service.store import SqliteStore

pytestmark = pytest.mark.realtime

WRITER = """
import asyncio, sys
from pathlib import Path
from sightline.service.store import Channel, SqliteStore

async def main(directory, start):
    store = SqliteStore(Path(directory))
    async def write(lane):
        number = start
        while True:
            name = f"c-{lane}-{number}"
            channel = Channel.new(region="r", account="0" * 12, name=name, created_ms=number, message_ttl=60,
                                  version="v", tags={"n": str(number)})
            await store.create_channel(channel)
            sys.stdout.write(name + "\\n")
            sys.stdout.flush()
            await store.tag_channel(channel.arn, put={"done": "yes"}, remove=())
            sys.stdout.write(name + " tagged\\n")
            sys.stdout.flush()
            number += 1
    await asyncio.gather(*(write(lane) for lane in range(8)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
ROUNDS = 4
ACKNOWLEDGED = 60
"""Lines after which the writer is killed, in the middle of others' writes."""


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    source = str(Path(sightline.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
    acknowledged: set[str] = set()
    for turn in range(ROUNDS):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "data"), str(turn * 1_000_000)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(ACKNOWLEDGED):
                acknowledged.add(writer.stdout.readline().strip())
            writer.send_signal(signal.SIGKILL)
            # What it said before it died counts, but for a line that was cut off.
            acknowledged.update(line.strip() for line in writer.stdout.readlines() if line.endswith("\n"))
        assert "" not in acknowledged, "the writer ended by itself"
        check(tmp_path / "data", acknowledged)
    assert len(acknowledged) >= ROUNDS * ACKNOWLEDGED


def check(directory: Path, acknowledged: set[str]) -> None:
    store = SqliteStore(directory)
    try:
        for line in acknowledged:
            name, _, tagged = line.partition(" ")
            channel = store.channel_named(name)
            assert channel is not None, f"{name} was lost"
            assert "done" in channel.tags or not tagged, f"the tag of {name} was lost"
            assert channel.tags["n"] == str(channel.created_ms)
    finally:
        asyncio.run(store.aclose())
    with contextlib.closing(sqlite3.connect(directory / "sightline.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
