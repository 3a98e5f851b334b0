"""Fixtures of the black-box tests, and the logs of the processes in the report of a failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.coturn import coturn
from tests.harness.fixtures import (
    camera,
    chromium,
    clip,
    kvs,
    node_modules,
    report_logs,
    room,
    service,
    site,
    start_service,
    tls_kvs,
)

__all__ = [
    "camera",
    "chromium",
    "clip",
    "coturn",
    "kvs",
    "node_modules",
    "room",
    "service",
    "site",
    "start_service",
    "tls_kvs",
]


HUNG = 180
"""Seconds after which a test hangs. None takes so long by itself, but machines have other work, and a picture that
comes late is no defect."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test of this folder that has no limit of its own a generous one."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(HUNG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the service's output to the report of a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    report_logs(report)
    return report  # type: ignore[return-value]
