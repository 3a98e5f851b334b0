"""A phone with Wi-Fi and LTE that changes from one to the other: what the lab does, and viewers that still connect."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.kvs import Kvs, unique_name
from tests.harness.network import LabUnavailable
from tests.harness.network.uplinks import OtherUplinkLater, Uplinks
from tests.harness.polling import eventually
from tests.harness.recovery import Watching, hear, page_watching, program_watching, wait_until_moving

pytestmark = pytest.mark.timeout(150)

PATIENCE = 40.0


@pytest.fixture(scope="module")
def uplinks(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Uplinks]:
    try:
        made = Uplinks(tmp_path_factory.mktemp("uplinks"), clip)
    except LabUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


def source_of(uplinks: Uplinks) -> str:
    """The address from which the phone would send to the house."""
    script = (
        f"import socket; s = socket.socket(socket.AF_INET, {int(socket.SOCK_DGRAM)}); "
        f"s.connect(({uplinks.home_line.address!r}, 9)); print(s.getsockname()[0])"
    )
    return uplinks.phone.run(sys.executable, "-c", script).strip()


def addresses_of(uplinks: Uplinks) -> str:
    script = "import ifaddr; print([str(ip.ip) for each in ifaddr.get_adapters() for ip in each.ips])"
    return uplinks.phone.run(sys.executable, "-c", script)


def test_a_lost_carrier_moves_the_phone_and_leaves_it_its_address(uplinks: Uplinks) -> None:
    uplinks.quiet(lte=True)
    assert source_of(uplinks) == uplinks.wifi.address
    uplinks.wifi.carry(on=False)
    eventually(lambda: source_of(uplinks) == uplinks.lte.address, "the other way")
    assert uplinks.wifi.address in addresses_of(uplinks)
    uplinks.wifi.carry(on=True)
    eventually(lambda: source_of(uplinks) == uplinks.wifi.address, "the first way again")


def test_the_network_changes_while_a_viewer_connects(uplinks: Uplinks, tmp_path: Path) -> None:
    """Seed 001.6 f: told as such, begun anew at once under the same id; the picture comes without a click."""
    channel = unique_name("porch")
    with Kvs(uplinks.service) as kvs:
        kvs.create(channel)
    link = uplinks.link(channel)
    change = OtherUplinkLater(uplinks)
    uplinks.quiet(lte=change.lte)
    with ExitStack() as stack:
        page = stack.enter_context(page_watching(uplinks.chromium, link))
        program = stack.enter_context(program_watching(uplinks.phone, link, uplinks.service.ca_file, tmp_path))
        viewers: list[tuple[Watching, str, str, str]] = [
            (page, "camera is switched off", "has no network", "Your network changed"),
            (program, "camera-offline", "offline", "network-changed"),
        ]
        said = [hear(viewer, waits, within=PATIENCE) for viewer, waits, _, _ in viewers]
        name = page.page.get_by_test_id("client-id").text_content()

        change.begin()
        for number, (viewer, _, offline, _) in enumerate(viewers):
            said[number] = hear(viewer, offline, said[number], within=PATIENCE)
        change.mend()
        for number, (viewer, waits, _, changed) in enumerate(viewers):
            said[number] = hear(viewer, changed, said[number], within=PATIENCE)
            hear(viewer, waits, said[number], within=PATIENCE)
        assert page.page.get_by_test_id("client-id").text_content() == name

        on_air = time.time()
        uplinks.camera(channel)
        for viewer, _, _, _ in viewers:
            wait_until_moving(viewer, on_air, within=PATIENCE)
