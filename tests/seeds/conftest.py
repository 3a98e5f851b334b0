"""Fixtures of the black-box tests, and the logs of the processes in the report of a failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fixtures import (
    camera,
    chromium,
    clip,
    kvs,
    node_modules,
    report_logs,
    service,
    site,
    start_service,
    tls_kvs,
)

__all__ = ["camera", "chromium", "clip", "kvs", "node_modules", "service", "site", "start_service", "tls_kvs"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers and programs start, and each wait may take its 30 s: more time than a unit test has."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(150))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the service's output to the report of a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    report_logs(report)
    return report  # type: ignore[return-value]
