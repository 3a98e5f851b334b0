"""An async test must leave no task behind: neither the test nor its fixtures.

Forgotten tasks are how a service loses its memory and its error messages. The check runs when the test's own
fixtures are torn down, on the test's loop; it says nothing about a test that failed anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

# Closing transports finish on later turns of the loop. What still runs after this is a leak.
PATIENCE_SECONDS = 0.5

_failed = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def _leave_no_task(request: pytest.FixtureRequest) -> None:
    # Autouse fixtures are set up first and so torn down last; a test without a loop is not given one.
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_tasks_of_this_test")


@pytest_asyncio.fixture
async def _tasks_of_this_test(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    leaked = pending_tasks(before)
    for _ in range(20):
        if not leaked:
            return
        await asyncio.sleep(PATIENCE_SECONDS / 20)
        leaked = pending_tasks(before)
    if not request.node.stash.get(_failed, False):
        names = "\n".join(f"  {task.get_name()}: {task.get_coro()}" for task in leaked)
        pytest.fail(f"The test left {len(leaked)} task(s) running:\n{names}", pytrace=False)


def pending_tasks(before: set[asyncio.Task[object]]) -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report
