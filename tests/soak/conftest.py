"""Fixtures of the long runs, and the logs of the processes in the report of a failure."""

from collections.abc import Iterator

import pytest

from tests.harness.fixtures import clip, kvs, report_logs, service

__all__ = ["clip", "kvs", "service"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the service's output to the report of a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    report_logs(report)
    return report  # type: ignore[return-value]
