"""The rule of `tests/rules/blocking.py`, on a stand-in for a module of Sightline that blocks."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from blockbuster import BlockingError

import sightline

SOURCE = """
def nap():
    time.sleep(0.001)

async def serve():
    nap()
"""


@pytest.fixture
def stand_in() -> SimpleNamespace:
    """`nap` and `serve`, compiled as if they stood in Sightline's own source."""
    place = Path(sightline.__file__).parent / "stand_in.py"
    module: dict[str, object] = {"time": time}
    exec(compile(SOURCE, place, "exec"), module)
    return SimpleNamespace(**module)


async def test_a_coroutine_of_sightline_that_blocks_raises(stand_in: SimpleNamespace) -> None:
    with pytest.raises(BlockingError):
        await stand_in.serve()


async def test_a_callback_of_sightline_that_blocks_raises(stand_in: SimpleNamespace) -> None:
    loop = asyncio.get_running_loop()
    complaint = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: complaint.set_result(context["exception"]))
    loop.call_soon(stand_in.nap)
    assert isinstance(await complaint, BlockingError)


async def test_what_a_test_itself_calls_is_its_business(stand_in: SimpleNamespace) -> None:
    time.sleep(0.001)
    stand_in.nap()


@pytest.mark.may_block("to show that the marker works")
async def test_a_marked_test_may_block(stand_in: SimpleNamespace) -> None:
    await stand_in.serve()


def test_without_a_loop_nothing_is_watched(stand_in: SimpleNamespace) -> None:
    stand_in.nap()
