"""The doorbell of docs/examples does what its page says."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sightline.call import Call
from tests.unit.call.test_calls import WAIT, next_ring, running, until

pytestmark = pytest.mark.realtime

DOORBELL = Path(__file__).parents[3] / "docs" / "examples" / "doorbell.py"


async def test_a_doorbell_rings_people_until_somebody_takes_it(tmp_path: Path) -> None:
    async with running(open_lobby="local") as service:
        link = f"http://localhost:{service.port}/call?room=family"
        async with Call("Ann", link=link) as ann, Call("Ben", link=link) as ben:
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, str(DOORBELL), link, "test:320x180@15"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=tmp_path,
                env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SIGHTLINE_"))},
            )
            assert program.stdin is not None
            assert program.stdout is not None
            try:
                async with asyncio.timeout(WAIT):
                    assert await program.stdout.readline() == b"Press Enter to ring.\n"
                await until(lambda: len(ann.users) == 2)
                program.stdin.write(b"\n")
                await (await next_ring(ann)).decline()
                ring = await next_ring(ben)
                async with asyncio.timeout(WAIT):
                    session = await ring.accept()
                    await session.picture()
                    assert session.send_text("Open")
                    assert await program.stdout.readline() == b"Ann declined the call.\n"
                    assert await program.stdout.readline() == b"The door is open.\n"
                    await session.hang_up()
                    program.stdin.close()
                    assert await program.wait() == 0
            finally:
                if program.returncode is None:
                    program.kill()
                    await program.wait()
