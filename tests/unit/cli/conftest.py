"""A fake service on loopback, and an environment in which the command line finds it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.cli import main
from tests.unit.client.fake_kvs import KEY, SECRET, FakeKvs

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands set up the logs of their process, which here is that of all tests."""
    loggers = [logging.getLogger(name) for name in ("", "sightline")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nobody's settings: no AWS configuration, no Sightline variables, an empty data directory."""
    import os

    for name in list(os.environ):
        if name.startswith(("AWS_", "SIGHTLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.fixture
def kvs(environment: pytest.MonkeyPatch) -> Iterator[FakeKvs]:
    fake = FakeKvs(clock=time.time)
    environment.setenv("SIGHTLINE_ENDPOINT", fake.url)
    environment.setenv("SIGHTLINE_ACCESS_KEY_ID", KEY)
    environment.setenv("SIGHTLINE_SECRET_ACCESS_KEY", SECRET)
    yield fake
    fake.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> Run:
    """Runs a command; its exit code, output and errors."""

    def run(*arguments: str) -> Outcome:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
