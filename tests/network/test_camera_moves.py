"""A camera with Wi-Fi and LTE loses the Wi-Fi: its viewers' pictures move again by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.kvs import unique_name
from tests.harness.network import LabUnavailable
from tests.harness.network.uplinks import Uplinks
from tests.harness.recovery import program_watching, wait_until_moving
from tests.harness.service import Command, sightline_command

START = 40.0
"""Seconds that a first picture may take here."""
SETTLED = 2.0
AGAIN = 12.0
"""Seconds in which pictures move again: one of silence, one for the way to the service and back, and a busy machine.

A camera that does not see its network change would ask the service only after 20 s of silence.
"""


@pytest.fixture(scope="module")
def uplinks(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Uplinks]:
    try:
        made = Uplinks(tmp_path_factory.mktemp("uplinks"), clip)
    except LabUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.mark.timeout(150)
def test_viewers_follow_a_camera_to_its_other_uplink(
    uplinks: Uplinks, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = unique_name("van")
    uplinks.quiet(lte=True)
    service = uplinks.service
    environment = service.client_environment() | {
        "SIGHTLINE_ENDPOINT": f"https://{uplinks.home_line.address}:{service.https_port}",
        "SIGHTLINE_CA_BUNDLE": str(service.ca_file),
    }
    monkeypatch.delenv("SIGHTLINE_BIN")
    monkeypatch.setenv("SIGHTLINE_BIN", str(uplinks.phone.executable(sightline_command())))
    arguments = ("master", channel, "--create", "--source", str(clip))
    with ExitStack() as stack:
        camera = stack.enter_context(Command(arguments, tmp_path, environment, name="master"))
        camera.wait_for_output("waiting for viewers", within=START)
        address = uplinks.link(channel)
        viewer = stack.enter_context(program_watching(uplinks.house, address, service.ca_file, tmp_path))
        wait_until_moving(viewer, time.time(), within=START)
        time.sleep(SETTLED)

        lost = time.time()
        uplinks.wifi.carry(on=False)
        took = wait_until_moving(viewer, lost, within=30)
        print(f"pictures {took:.2f} s later; {[told.text for told in viewer.told(lost)]}")
        assert took <= AGAIN
        camera.wait_for_output("The network of this machine has changed")
        newcomer = stack.enter_context(program_watching(uplinks.house, address, service.ca_file, tmp_path))
        wait_until_moving(newcomer, time.time(), within=START)
