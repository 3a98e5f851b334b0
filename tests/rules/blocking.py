"""In async unit tests a blocking call that Sightline makes on the event loop raises `BlockingError`.

One blocking read stalls every camera of a service. What a test does itself is its own business: also when it
calls a plain function of Sightline, as a program does before it starts its loop. A test that must live with
a blocking call says why: `@pytest.mark.may_block("why")`.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from blockbuster import BlockBuster

TESTS = Path(__file__).parent.parent
SIGHTLINE = str(TESTS.parent / "src" / "sightline")
ASYNC_CODE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "may_block(why): let this async test call what blocks the event loop")


@pytest.fixture(autouse=True)
def blockbuster(request: pytest.FixtureRequest) -> Iterator[None]:
    node = request.node
    is_async = node.get_closest_marker("asyncio") is not None
    if not is_async or node.get_closest_marker("may_block") or TESTS / "unit" not in node.path.parents:
        yield
        return
    detector().activate()
    try:
        yield
    finally:
        detector().deactivate()


@cache
def detector() -> BlockBuster:
    """Watches calls that have a frame of Sightline on the stack, but for those that a test itself made."""
    watcher = BlockBuster("sightline")
    for function in watcher.functions.values():
        function.can_block_predicate = either(function.can_block_predicate, called_by_test)
    return watcher


def either(first: Callable[..., bool], second: Callable[[], bool]) -> Callable[..., bool]:
    return lambda *args, **kwargs: first(*args, **kwargs) or second()


def called_by_test() -> bool:
    """Whether, from the inside out, a test's frame comes before any coroutine of Sightline."""
    frame = sys._getframe()
    own = frame.f_code.co_filename
    while frame := frame.f_back:  # type: ignore[assignment]
        code = frame.f_code
        if code.co_filename.startswith(SIGHTLINE) and code.co_flags & ASYNC_CODE:
            return False
        if code.co_filename.startswith(str(TESTS)) and code.co_filename != own:
            return True
    return False
