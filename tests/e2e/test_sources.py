"""Cameras behind the master: watched, cut off and found again, while the viewer stays connected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.rtsp import RtspCamera
from tests.harness.service import Command, Service

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def network_camera() -> Iterator[RtspCamera]:
    with RtspCamera(password="geheim", digest=True, size=(640, 360)) as camera:
        yield camera


def master_of(service: Service, channel: str, source: str) -> Command:
    master = service.spawn("master", channel, "--create", "--source", source)
    master.wait_for_output("waiting for viewers", within=30)
    return master


def test_a_cut_off_camera_is_named_and_comes_back_without_a_new_connection(
    service: Service, chromium: Chromium, network_camera: RtspCamera
) -> None:
    channel = unique_name()
    master = master_of(service, channel, network_camera.url)
    try:
        with chromium.page(f"{service.http}/view/{channel}") as page:
            wait_for_picture(page)
            (before,) = json.loads(service.run("viewers", channel, "--json").stdout)["viewers"]
            network_camera.unplug()
            eventually(
                lambda: "picture source" in page.locator("body").inner_text(),
                "the notice of the lost source",
                within=40,
            )
            network_camera.plug_in()
            eventually(
                lambda: "picture source" not in page.locator("body").inner_text(), "the end of the notice", within=40
            )
            wait_for_picture(page)
            (after,) = json.loads(service.run("viewers", channel, "--json").stdout)["viewers"]
            assert after["clientId"] == before["clientId"]
            assert after["connectionState"] == "connected"
            assert after["since"] == before["since"], "the connection was never lost"
    finally:
        assert master.stop() == 0, master.output
    assert network_camera.plays >= 2
    assert "geheim" not in master.output
    master.assert_clean()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/dev/video93", "list-devices"),
        ("wrong password", r"wants another user or password \(401\)"),
        ("wrong path", r"no such stream \(404\)"),
    ],
)
def test_what_is_wrong_with_a_source_is_said_with_what_to_do(
    service: Service, network_camera: RtspCamera, source: str, said: str
) -> None:
    sources = {
        "wrong password": network_camera.url.replace("geheim", "falsch"),
        "wrong path": network_camera.url.replace("/live", "/nothing"),
    }
    ended = service.run("master", unique_name(), "--create", "--source", sources.get(source, source))
    assert ended.returncode != 0
    assert re.search(said, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "falsch" not in ended.stderr
    assert "geheim" not in ended.stderr


def test_devices_are_listed(service: Service) -> None:
    listed = service.run("master", "--list-devices", "--json")
    assert listed.returncode == 0, listed.stderr
    assert isinstance(json.loads(listed.stdout)["devices"], list)
