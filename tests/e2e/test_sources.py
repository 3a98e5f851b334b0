"""Cameras behind the master: watched, cut off and found again, while the viewer stays connected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.harness.access import listed
from tests.harness.bars import wait_for_picture, watch
from tests.harness.browser import Chromium
from tests.harness.browser_limits import PEERS
from tests.harness.device import Device
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.rtsp import RtspCamera
from tests.harness.service import Command, Service

RECEIVED = """async () => {
  const [peer] = peers;
  const entries = [...(await peer.getStats()).values()];
  return entries.filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video').map(({ ssrc }) => ssrc)
    .concat(peer.localDescription.sdp.match(/^o=- \\d+/m), peer.connectionState);
}"""
"""The SSRC of the picture on the page's first connection, that connection's session id and its state."""
ASKING = """async (channel) => {
  const { Viewer, sessionFromService } = await import('/sdk/sightline.js');
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const session = sessionFromService({ channel });
  globalThis.asking = new Viewer({ session, clientId: 'asking', video, commands: true });
  const watching = new Promise((resolve) => {
    asking.on('statechange', ({ state }) => { if (state === 'watching') resolve(); });
  });
  asking.open();
  await watching;
}"""
ASK = """async () => {
  const begun = performance.now();
  const { reason } = await asking.command('nothing', null, { timeout: 30 }).catch((error) => error);
  asking.close();
  document.querySelector('body > video:last-child').remove();
  return reason === 'unknown-command' ? performance.now() - begun : Infinity;
}"""
"""Milliseconds until the master answers on its data channel."""


@pytest.fixture
def network_camera() -> Iterator[RtspCamera]:
    with RtspCamera(password="geheim", digest=True, size=(640, 360)) as camera:
        yield camera


def master_of(service: Service, channel: str, source: str) -> Command:
    master = service.spawn("master", channel, "--create", "--source", source)
    master.wait_for_output("waiting for viewers", within=30)
    return master


class Watching:
    """A page with the picture, of which nothing may change but the picture."""

    def __init__(self, page: Page, service: Service, channel: str) -> None:
        page.add_init_script(PEERS)
        page.goto(f"{service.http}/view/{channel}")
        wait_for_picture(page)
        self.page, self._service, self._channel = page, service, channel
        self._name = page.get_by_test_id("client-id").text_content()
        self._before = eventually(self.connection, "the camera's report of it", within=30)

    def connection(self) -> list[object]:
        """What would be another one after a reconnection, at the camera and in the browser; empty while there is none.

        Another viewer may come and go.
        """
        received = self.page.evaluate(RECEIVED)
        return [
            (viewer["clientId"], viewer["since"], received)
            for viewer in listed(self._service, self._channel)
            if viewer["clientId"] == self._name and viewer["connectionState"] == "connected"
        ]

    def assert_told(self) -> None:
        """The page says that the camera has lost its source."""
        body = self.page.locator("body")
        eventually(lambda: "picture source" in body.inner_text(), "the notice of the lost source", within=40)

    def assert_back(self) -> None:
        """The notice is gone, the picture moves, by its bar code, and it came on the same connection."""
        body = self.page.locator("body")
        eventually(lambda: "picture source" not in body.inner_text(), "the end of the notice", within=40)
        eventually(lambda: len(set(watch(self.page, 1.0).read)) >= 5, "a moving picture", within=40)
        eventually(lambda: self.connection() == self._before, "the same connection as before", within=10)


def test_a_cut_off_camera_is_named_and_comes_back_without_a_new_connection(
    service: Service, chromium: Chromium, network_camera: RtspCamera
) -> None:
    channel = unique_name()
    master = master_of(service, channel, network_camera.url)
    try:
        with chromium.page() as page:
            watching = Watching(page, service, channel)
            network_camera.unplug()
            watching.assert_told()
            network_camera.plug_in()
            watching.assert_back()
    finally:
        assert master.stop() == 0, master.output
    assert network_camera.plays >= 2
    assert "geheim" not in master.output
    master.assert_clean()


def test_a_device_that_is_pulled_out_or_hangs_comes_back_without_a_new_connection(
    service: Service, chromium: Chromium, tmp_path: Path
) -> None:
    """No machine of these tests has a `/dev/video0`: a named pipe, which FFmpeg opens as its device, stands in."""
    channel = unique_name()
    with Device(tmp_path / "video0") as device:
        master = master_of(service, channel, device.source)
        try:
            with chromium.page() as page:
                watching = Watching(page, service, channel)
                device.pull_out()
                watching.assert_told()
                device.plug_in()
                watching.assert_back()
                page.evaluate(ASKING, channel)
                device.hang()
                watching.assert_told()
                # The reader waits in the kernel; all else at the master goes on. An answer while it hangs is the proof.
                assert page.evaluate(ASK) < 30_000
                device.go_on()
                watching.assert_back()
        finally:
            device.pull_out()
            assert master.stop() == 0, master.output
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
    ended = service.run("master", unique_name(), "--create", "--source", sources.get(source, source), timeout=100)
    assert ended.returncode != 0
    assert re.search(said, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "falsch" not in ended.stderr
    assert "geheim" not in ended.stderr


def test_devices_are_listed(service: Service) -> None:
    listed = service.run("master", "--list-devices", "--json")
    assert listed.returncode == 0, listed.stderr
    assert isinstance(json.loads(listed.stdout)["devices"], list)
