"""Fixtures of the black-box tests, and the logs of the processes in the report of a failure."""

from collections.abc import Iterator

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the service's output to the report of a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    report_logs(report)
    return report  # type: ignore[return-value]
