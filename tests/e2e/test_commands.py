"""Commands to a device: from a page in Chromium, from the Python viewer and from a shell to a master in Python."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page

from sightline import CommandFailed, Viewer
from tests.harness.access import admin, make_link
from tests.harness.browser import Chromium
from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, Service

pytestmark = pytest.mark.timeout(240)

WATCH = """async ([channel, token]) => {
  const { Viewer, sessionFromService } = await import('/sdk/sightline.js');
  globalThis.viewer = new Viewer({ session: sessionFromService({ channel, token }), commands: true });
  viewer.open();
}"""
SEND = """async ([name, value]) => {
  try {
    return { reply: await viewer.command(name, value, { timeout: 30 }) };
  } catch (error) {
    return { reason: error.reason, message: error.message };
  }
}"""


class Camera:
    """The process of `tests/harness/ptz_camera.py`."""

    def __init__(self, service: Service, channel: str, folder: Path) -> None:
        self.channel = channel
        self._log = folder / "camera.out"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.ptz_camera", channel],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=service.client_environment(),
                cwd=CHECKOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def moves(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith("ptz ")]

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(20) == 0, self.output
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def camera(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    camera = Camera(service, unique_name("ptz"), tmp_path_factory.mktemp("camera"))
    try:
        eventually(
            lambda: (
                (answer := admin(service, "viewers", {"channel": camera.channel})).status == 200
                and answer.json["masterConnected"]
            ),
            "the camera at the service",
            within=30,
        )
        yield camera
    finally:
        camera.end()
    assert "Traceback" not in camera.output


def send(page: Page, name: str, value: object = None) -> dict[str, object]:
    answer: dict[str, object] = page.evaluate(SEND, [name, value])
    return answer


def test_a_page_with_an_operators_link_moves_the_camera_and_one_to_watch_does_not(
    service: Service, chromium: Chromium, camera: Camera
) -> None:
    before = len(camera.moves())
    with chromium.page(f"{service.https}/") as page:
        page.evaluate(WATCH, [camera.channel, make_link(service, camera.channel, role="operator")["token"]])
        assert send(page, "ptz", {"pan": 10}) == {"reply": {"pan": 10}}
        assert page.evaluate("() => viewer.isOperator") is True
        assert send(page, "where") == {"reply": {"pan": 10, "you": "operator", "thread": False}}
        assert send(page, "ptz", {"pan": 400}) == {
            "reason": "refused",
            "message": "The camera turns from -170° to 170°.",
        }
        assert send(page, "zoom")["reason"] == "unknown-command"
    with chromium.page(f"{service.https}/") as page:
        page.evaluate(WATCH, [camera.channel, make_link(service, camera.channel)["token"]])
        refused = send(page, "ptz", {"pan": 20})
        assert refused["reason"] == "not-allowed"
        assert "--role operator" in str(refused["message"])
        assert page.evaluate("() => viewer.isOperator") is False
        assert send(page, "where") == {"reply": {"pan": 10, "you": "viewer", "thread": False}}
    assert len(camera.moves()) == before + 1


def test_a_command_under_way_ends_with_its_connection_and_is_carried_out_once(
    service: Service, chromium: Chromium, camera: Camera
) -> None:
    with chromium.page(f"{service.http}/") as page:
        page.evaluate(WATCH, [camera.channel, None])
        hung = camera.output.count("hang")
        page.evaluate("() => { globalThis.lost = viewer.command('hang').catch((error) => error.reason); }")
        eventually(lambda: camera.output.count("hang") > hung, "the command to arrive", within=30)
        page.evaluate("() => viewer.reconnect()")
        assert page.evaluate("() => lost") == "connection-lost"
        assert send(page, "ptz", {"pan": 30}) == {"reply": {"pan": 30}}, "a page of this machine may"
        assert camera.output.count("hang") == hung + 1


async def by_python(link: str) -> tuple[object, object]:
    """What `Viewer.command` says to `ptz` and to `where`."""
    async with Viewer(link, commands=True) as viewer:
        try:
            moved = await viewer.command("ptz", {"pan": -5}, timeout=30)
        except CommandFailed as refused:
            moved = refused.reason
        return moved, await viewer.command("where", timeout=30)


@pytest.mark.parametrize(("role", "said"), [("operator", {"pan": -5}), ("viewer", "not-allowed")])
def test_the_python_viewer_by_a_link(service: Service, camera: Camera, role: str, said: object) -> None:
    token = make_link(service, camera.channel, role=role)["token"]
    # In a thread: the event loop of this one is Playwright's.
    with ThreadPoolExecutor(max_workers=1) as thread:
        link = f"{service.http}/view/{camera.channel}#{token}"
        moved, where = thread.submit(lambda: asyncio.run(by_python(link))).result()
    assert moved == said
    assert isinstance(where, dict)
    assert where["you"] == role


def test_from_a_shell(service: Service, camera: Camera) -> None:
    sent = service.run("command", camera.channel, "ptz", '{"pan": 45}', "--json", "--timeout", "60s", timeout=100)
    assert (sent.returncode, sent.stderr) == (0, ""), "an administrator's key may"
    assert json.loads(sent.stdout) == {"pan": 45}
    refused = service.run("command", camera.channel, "ptz", '{"pan": 300}', "--timeout", "60s", timeout=100)
    assert refused.returncode == 1
    assert refused.stderr == "sightline: The camera turns from -170° to 170°.\n"


def test_a_revoked_link_commands_nothing_any_more(service: Service, chromium: Chromium, camera: Camera) -> None:
    link = make_link(service, camera.channel, role="operator")
    with chromium.page(f"{service.https}/") as page:
        page.evaluate(WATCH, [camera.channel, link["token"]])
        assert send(page, "ptz", {"pan": 1}) == {"reply": {"pan": 1}}
        assert admin(service, "links/revoke", {"linkId": link["linkId"]}).status == 200

        def is_refused() -> bool:
            # The camera hears of it from the service, on another way than of the command: one may still overtake it.
            said = send(page, "ptz", {"pan": 2})
            return said.get("reason") in ("not-allowed", "connection-lost", "not-connected")

        eventually(is_refused, "the refusal", within=30)
        before = len(camera.moves())
        assert is_refused()
        assert len(camera.moves()) == before


def test_a_camera_in_a_browser_says_that_it_takes_none(service: Service, chromium: Chromium, kvs: Kvs) -> None:
    channel = unique_name("browser")
    kvs.create(channel)
    with chromium.page(permissions=["camera", "microphone"]) as camera, chromium.page(f"{service.http}/") as page:
        camera.goto(f"{service.http}/broadcast/{channel}")
        camera.get_by_test_id("start").click()
        page.evaluate(WATCH, [channel, None])
        assert send(page, "ptz") == {"reason": "unknown-command", "message": "This camera takes no commands."}
