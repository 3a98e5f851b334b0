"""A ``sightline`` command as a child process that never outlives this one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

__all__ = ["Child"]

PATIENCE = 1.0
"""Seconds that a child gets to end once everything else has."""


class Child:
    """Runs ``sightline ARGUMENTS`` in the interpreter of this process; the command must know ``--with-parent``.

    Its standard input is a pipe that nothing is ever written to: when this process dies, even by SIGKILL, the pipe
    ends and the child with it. It has its own session, so that a Ctrl-C in the terminal reaches it through us only.
    """

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._arguments = [*arguments, "--with-parent"]
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing in the current directory is taken for a module
            "-m",
            "sightline",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode if self._process else None

    async def ended(self) -> int:
        """Waits for its end; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends it, gently first. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()
