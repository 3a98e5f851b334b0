"""A camera's house and a phone that looks into it: hosts of a lab, with the service, a master, and Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.harness.browser import Chromium
from tests.harness.fixtures import clip, report_logs
from tests.harness.kvs import Kvs, unique_name
from tests.harness.network import GOOD, Host, Lab, LabUnavailable
from tests.harness.network.browser import chromium_on
from tests.harness.network.lab import Relayed
from tests.harness.plain_viewer import PlainViewer
from tests.harness.service import Command, Service, sightline_command

__all__ = ["clip"]

SIGNALING_DELAY = 0.01
"""Seconds one way: signaling has a way of its own of 20 ms RTT, whatever happens to the media's."""


class World:
    """The service and one camera on the host `house`, and the host `phone` with Wi-Fi, LTE and a Chromium.

    Pages reach the service at the same address as on the service's own machine, over a relay with its own delay.
    """

    def __init__(self, folder: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = ExitStack()
        self.lab = self._stack.enter_context(Lab())
        self.house = self.lab.host("house")
        self.home_line = self.house.connect("eth0")
        self.phone = self.lab.host("phone")
        self.wifi = self.phone.connect("wlan0")
        self.lte = self.phone.connect("lte0")
        self.quiet()
        self._clip = clip
        monkeypatch.setenv("SIGHTLINE_BIN", str(self.house.executable(sightline_command())))
        self.service = Service(folder, wait=False)
        self._stack.enter_context(self.service)
        self.lab.relay(self.service.http_port, self.house)  # for the test itself
        self.service.wait_ready()
        self._signaling: dict[str, Relayed] = {}
        self._masters: dict[tuple[str, ...], Command] = {}

    def signaling(self, host: Host) -> Relayed:
        """A host's way to the service."""
        if host.name not in self._signaling:
            relayed = self.lab.relay(self.service.http_port, self.house, on=host, delay=SIGNALING_DELAY)
            self._signaling[host.name] = relayed
        return self._signaling[host.name]

    def camera(self, channel: str, *options: str) -> Command:
        """A master with the clip that ends with the world."""
        arguments = ("master", channel, "--create", "--source", str(self._clip), *options)
        master = self.service.spawn(*arguments)
        self._masters[arguments] = master
        master.wait_for_output("waiting for viewers")
        return master

    def restart_cameras(self) -> None:
        """A power cut in the house, for the cameras only."""
        for arguments, master in list(self._masters.items()):
            master.kill()
            self._masters[arguments] = self.service.spawn(*arguments)
            self._masters[arguments].wait_for_output("waiting for viewers")

    def viewer_url(self, channel: str, client_id: str) -> str:
        """The presigned URL of a viewer's socket: of any KVS client's, which knows nothing of Sightline's extras."""
        with Kvs(self.service) as kvs:
            arn = kvs.control.describe_signaling_channel(ChannelName=channel)["ChannelInfo"]["ChannelARN"]
            return kvs.socket_url("VIEWER", arn, client_id)

    def browsers(self, *hosts: Host) -> list[Chromium]:
        """One Chromium on each host."""
        for host in hosts:
            self.signaling(host)
        return self._stack.enter_context(chromium_on(*hosts))

    def quiet(self) -> None:
        """All lines good; the phone is on Wi-Fi only, so that there is no doubt which way it goes."""
        for interface in (self.home_line, self.wifi, self.lte):
            interface.set(GOOD)
        self.wifi.switch(on=True)
        self.lte.switch(on=False)

    def close(self) -> None:
        """End all of it; every process has to end well."""
        with self._stack:
            for master in self._masters.values():
                assert master.stop() == 0, master.output
                master.assert_clean()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[World]:
    """One for a module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        try:
            made = World(tmp_path_factory.mktemp("world"), clip, monkeypatch)
        except LabUnavailable as error:
            pytest.skip(str(error))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def phone(world: World) -> Chromium:
    """The phone's browser."""
    return world.browsers(world.phone)[0]


@pytest.fixture(scope="module")
def channel(world: World) -> str:
    """A channel whose camera is on."""
    name = unique_name("porch")
    world.camera(name)
    return name


@pytest.fixture
def viewer(world: World, phone: Chromium, channel: str) -> Iterator[Callable[..., PlainViewer]]:
    """A function that opens a viewer in a page of the phone's; after the test all is quiet again."""
    with ExitStack() as stack:

        def open_viewer(*, browser: Chromium = phone, **wanted: Any) -> PlainViewer:
            page = stack.enter_context(browser.page(f"{world.service.http}/healthz"))
            name = unique_name("phone")
            return PlainViewer(evaluator(page), url=world.viewer_url(channel, name), clientId=name, **wanted)

        yield open_viewer
    world.quiet()


def evaluator(page: Page) -> Callable[[str, Any], Any]:
    """A page's way of evaluating a function."""
    return lambda script, argument: page.evaluate(script, argument)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the processes' output to the report of a failed test."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    report_logs(report)
    return report  # type: ignore[return-value]
