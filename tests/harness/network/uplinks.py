"""A phone with two ways into the network, Wi-Fi and LTE, and all that it needs of a camera goes over them.

Unlike in the other tests of the lab, signaling has no way of its own: when the Wi-Fi dies, so do the sockets on it.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from tests.harness.access import make_link
from tests.harness.network.browser import chromium_on
from tests.harness.network.lab import Lab
from tests.harness.network.line import Line
from tests.harness.polling import eventually
from tests.harness.service import Command, Service, sightline_command

FAR = Line(delay=0.005)
"""On two access lines: 20 ms there and back."""
SILENT = Line(silent=True)


class Uplinks:
    """The service and one camera on the host `house`; the host `phone` with Wi-Fi, LTE and a Chromium.

    With `talks` the house has a Chromium too, `at_home`. It ends with the block. Raises LabUnavailable.
    """

    def __init__(self, folder: Path, source: str | Path, *, talks: bool = False) -> None:
        self._stack = ExitStack()
        with ExitStack() as until_made:
            until_made.push(self._stack)
            self.lab = self._stack.enter_context(Lab())
            self.house = self.lab.host("house")
            self.home_line = self.house.connect("eth0", FAR)
            self.phone = self.lab.host("phone")
            # Of two that are equally good, Chromium takes the first by the alphabet: as the kernel here, the Wi-Fi.
            self.wifi = self.phone.connect("wlan0", FAR)
            self.lte = self.phone.connect("wwan0", FAR)
            before = os.environ.get("SIGHTLINE_BIN")
            os.environ["SIGHTLINE_BIN"] = str(self.house.executable(sightline_command()))
            self._stack.callback(_set_environment, "SIGHTLINE_BIN", before)
            self._source = source
            bind = f"127.0.0.1,{self.home_line.address}"
            self.service = Service(folder, environment={"SIGHTLINE_BIND": bind}, wait=False)
            self._stack.enter_context(self.service)
            self.lab.relay(self.service.http_port, self.house)  # for the test itself, not for the phone
            self.service.wait_ready()
            hosts = (self.phone, self.house) if talks else (self.phone,)
            browsers = self._stack.enter_context(chromium_on(*hosts))
            self.chromium, self.at_home = browsers[0], browsers[-1]
            until_made.pop_all()

    def camera(self, channel: str) -> Command:
        """A master that ends with the world, and well."""
        master = self.start_camera(channel)
        self._stack.enter_context(master)
        return master

    def start_camera(self, channel: str) -> Command:
        """A master; its end is the caller's business."""
        master = self.service.spawn("master", channel, "--create", "--source", str(self._source))
        master.wait_for_output("waiting for viewers", within=60)
        return master

    def link(self, channel: str) -> str:
        """The address of the page that the phone opens."""
        token = make_link(self.service, channel, expires_in=86_400)["token"]
        return f"https://{self.home_line.address}:{self.service.https_port}/view/{channel}#{token}"

    def quiet(self, *, lte: bool) -> None:
        """All lines are good, and Wi-Fi is on; LTE only if so wished."""
        for interface in (self.home_line, self.wifi, self.lte):
            interface.set(FAR)
        self.wifi.carry(on=True)
        self.lte.carry(on=lte)
        # The kernel sees to its routes a little later.
        eventually(lambda: self.phone.source(self.home_line.address) == self.wifi.address, "the way over Wi-Fi")

    def __enter__(self) -> Uplinks:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]


def _set_environment(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


class Failure:
    """One of the ways in which the phone loses its way. `begin` and, where there is one, `mend` return when they did
    it, by the wall clock: the moment before, since a viewer may have noticed by the time they return."""

    def __init__(self, uplinks: Uplinks) -> None:
        self._uplinks = uplinks

    lte = True
    """Whether LTE is there before."""
    pause = 0.0
    """Seconds between `begin` and `mend`."""

    def begin(self) -> float:
        """The way over Wi-Fi ends."""
        at = time.time()
        self._uplinks.wifi.carry(on=False)
        return at

    def mend(self) -> float | None:
        """There is a way again; None if there was one all the time."""
        return None


class OtherUplinkThere(Failure):
    """The Wi-Fi goes, and the phone knows it. LTE is there."""


class OtherUplinkLater(Failure):
    """The Wi-Fi goes, and LTE comes up only some seconds later."""

    lte = False
    pause = 5.0

    def mend(self) -> float:
        at = time.time()
        self._uplinks.lte.carry(on=True)
        return at


class SilentWithSecondPair(Failure):
    """The Wi-Fi swallows everything and stays: nobody is told, all routes lead into it. LTE is there."""

    def begin(self) -> float:
        at = time.time()
        self._uplinks.wifi.set(SILENT)
        return at


class Silent(SilentWithSecondPair):
    """The Wi-Fi swallows everything for some seconds. There is nothing else."""

    lte = False
    pause = 6.0

    def mend(self) -> float:
        at = time.time()
        self._uplinks.wifi.set(FAR)
        return at


FAILURES: tuple[type[Failure], ...] = (OtherUplinkThere, OtherUplinkLater, SilentWithSecondPair, Silent)
