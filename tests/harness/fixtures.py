"""The fixtures that tests/interop, tests/e2e and tests/seeds share; each folder's conftest imports them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.browser import Chromium, launched
from tests.harness.kvs import Kvs, unique_name
from tests.harness.service import CHECKOUT, Command, Service, running
from tests.harness.web import NODE_MODULES, Site, serve_site


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service for a module, with the settings in the module's SERVICE_ENVIRONMENT.

    Its end asserts exit code 0 in time and a log without tracebacks.
    """
    environment = getattr(request.module, "SERVICE_ENVIRONMENT", {})
    with Service(tmp_path_factory.mktemp("service"), environment=environment) as started:
        yield started


@pytest.fixture(scope="module")
def kvs(service: Service) -> Iterator[Kvs]:
    """The administrator, through the loopback listener."""
    with Kvs(service) as user:
        yield user


@pytest.fixture(scope="module")
def tls_kvs(service: Service) -> Iterator[Kvs]:
    """The administrator, through the HTTPS listener, trusting only the service's CA."""
    with Kvs(service, tls=True) as user:
        yield user


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A function that starts a service of its own for one test; all are ended, and checked, with the test."""
    started: list[Service] = []

    def start(**options: object) -> Service:
        folder = options.pop("folder", None) or tmp_path / f"service-{len(started)}"
        made = Service(folder, **options)  # type: ignore[arg-type]
        started.append(made)
        return made

    yield start
    for each in reversed(started):
        if each.command.process.poll() is None:
            assert each.stop() == 0, each.command.output
            each.command.assert_clean()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One Chromium for a module. Not for the session: its event loop would stand in the way of async tests."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip of the demo, made once by the command itself: any master with this data directory finds it there."""
    folder = tmp_path_factory.mktemp("clip")
    with Service(folder, command=("demo",)) as demo:
        demo.command.wait_for_output("/view/demo", within=90)  # it encodes twenty seconds of pictures first
    return demo.data_dir / "clip.mp4"


@pytest.fixture
def camera(service: Service, clip: Path) -> Iterator[Callable[..., Command]]:
    """A function that starts `sightline master CHANNEL` with the clip; every master ends with the test, and with 0."""
    masters: list[Command] = []

    def start(channel: str, *options: str, to: Service | None = None) -> Command:
        master = (to or service).spawn("master", channel, "--create", "--source", str(clip), *options)
        masters.append(master)
        return master

    yield start
    for master in masters:
        if master.process.poll() is None:
            assert master.stop() == 0, master.output
            master.assert_clean()


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A web site on another origin that serves the `pages` folder beside the test, and the npm builds."""
    request.getfixturevalue("node_modules")
    with serve_site(request.path.parent / "pages") as serving:
        yield serving


@pytest.fixture
def room() -> str:
    """The name of a room of the lobby in which nobody has been."""
    return unique_name("room")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the npm clients."""
    if not (NODE_MODULES / "aws-sdk").is_dir():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=NODE_MODULES.parent, check=True)
    return NODE_MODULES


def report_logs(report: pytest.TestReport) -> None:
    """Attach the logs of all running commands to the report of a failed test."""
    if report.failed:
        for command in running:
            tail = command.output[-8000:]
            report.sections.append((f"output of {command.name} ({CHECKOUT.name})", tail))
