"""What the log of a process leaves out."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from collections.abc import Iterator

import pytest

from sightline.observe.log import set_up_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("sightline")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def given_up(error: Exception) -> None:
    """An event loop in which something fails whose waiter has just been cancelled."""

    async def fail() -> None:
        asyncio.get_running_loop().create_future().set_exception(error)
        gc.collect()

    asyncio.run(fail())


def test_a_connection_that_was_given_up_in_the_moment_in_which_it_failed_is_no_news(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging()
    given_up(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    assert capsys.readouterr().err == ""
    given_up(ValueError("a defect"))
    assert "ValueError: a defect" in capsys.readouterr().err
