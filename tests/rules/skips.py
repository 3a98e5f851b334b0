"""With CI=true a skipped test is a failure, unless `tests/allowed_skips.txt` lists its reason.

A skip that nobody looks at is a test that does not exist. Elsewhere skips stay skips. A line of the file is
a reason as the test gives it; `*` stands for any text; lines that begin with # are comments.
"""

import os
from collections.abc import Generator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ALLOWED = Path(__file__).parent.parent / "allowed_skips.txt"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # An expected failure reports itself as skipped too, but it ran.
    if report.skipped and not hasattr(report, "wasxfail"):
        judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:  # a whole module: importorskip, or skip(allow_module_level=True)
        judge(report)
    return report


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that CI does not allow into a failure that says so."""
    if os.environ.get("CI") != "true":
        return
    reason = skip_reason(report)
    if any(fnmatchcase(reason, allowed) for allowed in allowed_reasons()):
        return
    report.outcome = "failed"
    report.longrepr = f"Skipped in CI: {reason!r} is not among the reasons in tests/{ALLOWED.name}."


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # For a skip longrepr is (path, line, "Skipped: the reason").
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


def allowed_reasons() -> list[str]:
    lines = (line.strip() for line in ALLOWED.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]
