"""A camera in the browser: /broadcast/CHANNEL watched by other pages, and who is told to be watching."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.access import make_link
from tests.harness.browser import ARGUMENTS, Chromium, screenshot
from tests.harness.commands import who_watches
from tests.harness.kvs import Kvs, KvsSocket, decode, encode, unique_name
from tests.harness.polling import eventually
from tests.harness.service import Service, chromium_path

ALLOWED = {"permissions": ["camera", "microphone"]}

WATCH = """async () => {
  const video = document.querySelector('video');
  if (video.readyState < 2 || video.paused) return null;
  const look = () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 36];
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 64, 36);
    return [...context.getImageData(0, 0, 64, 36).data].join();
  };
  const before = look();
  await new Promise((resolve) => setTimeout(resolve, 400));
  return look() !== before;
}"""
"""Whether the picture changes: the fake camera shows a disc that fills."""

OFFER = """async (restart) => {
  let connection = globalThis.connection;
  if (!connection) {
    connection = globalThis.connection = new RTCPeerConnection();
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.ontrack = ({ track }) => {
      const video = document.createElement('video');
      Object.assign(video, { muted: true, autoplay: true, srcObject: new MediaStream([track]) });
      document.body.append(video);
    };
  }
  await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
  if (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') resolve();
    }));
  }
  return connection.localDescription.sdp;
}"""
"""An offer of a page that signals in no way at all: the test carries it. All candidates are in it."""

MASTER = """async ([channel, timers]) => {
  const { Master, sessionFromService } = await import('/sdk/sightline.js');
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
  const session = sessionFromService({ channel, role: 'master' });
  const master = globalThis.master = new Master({ session, stream, timers });
  globalThis.told = [];
  for (const name of ['joined', 'left']) {
    master.on(name, ({ clientId, reason }) => told.push(`${name} ${clientId} ${reason}`));
  }
  await new Promise((resolve) => {
    master.on('statechange', ({ state }) => { if (state === 'online') resolve(); });
    master.open();
  });
}"""


SMALL = """
  const open = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (wanted) {
    return open.call(this, wanted.video ? { video: { width: 320, height: 180, frameRate: 15 } } : wanted);
  };
"""
"""A small camera: a browser encodes for each viewer, and the machine has other things to do."""

RECORD = """() => {
  globalThis.seen = [];
  const record = (changes) => seen.push(...changes.map(({ target }) => target.dataset.viewer));
  const how = { subtree: true, attributes: true, attributeFilter: ['data-viewer'] };
  new MutationObserver(record).observe(document.querySelector('#viewers'), how);
}"""
"""Keeps every state that the list has shown."""


@contextmanager
def on_air(chromium: Chromium, service: Service, channel: str, **options: Any) -> Iterator[Page]:
    """A page that broadcasts."""
    with chromium.page(**ALLOWED, **options) as page:
        page.add_init_script(SMALL)
        page.goto(f"{service.http}/broadcast/{channel}")
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("air")).to_have_text("On air")
        yield page


def moves(page: Page) -> None:
    """Wait until the page's video shows a picture that changes."""
    eventually(lambda: page.evaluate(WATCH), f"a moving picture on {page.url}")


def states(page: Page) -> list[str]:
    """What the broadcast page says of each viewer."""
    return page.locator("#viewers li .how").all_inner_texts()


class OwnBrowser:
    """Chromium processes that a test can stop and kill, as a power cut or a sleeping laptop does."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        self._pids = [int(process["id"]) for process in processes]

    def page(self) -> Page:
        page = self.browser.new_page()
        renderers = self.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        self._pids = sorted({*self._pids, *(int(process["id"]) for process in renderers)})
        return page

    def signal(self, number: int) -> None:
        for pid in self._pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


@pytest.fixture
def own_browser(chromium: Chromium) -> Iterator[OwnBrowser]:
    """A second browser, for one test."""
    browser = chromium.browser.browser_type.launch(executable_path=chromium_path(), args=ARGUMENTS, headless=True)
    own = OwnBrowser(browser)
    yield own
    own.signal(signal.SIGCONT)
    browser.close()


def negotiate(page: Page, socket: KvsSocket, until: Callable[[], bool], *, restart: bool = False) -> None:
    """Carry one offer of a page, its answer, and the master's candidates until it has what it wants."""
    socket.send("SDP_OFFER", encode({"type": "offer", "sdp": page.evaluate(OFFER, restart)}))
    while (message := socket.receive())["messageType"] != "SDP_ANSWER":
        add_candidate(page, message)
    page.evaluate("(answer) => connection.setRemoteDescription(answer)", decode(message["messagePayload"]))

    def is_there() -> bool:
        with suppress(TimeoutError):
            add_candidate(page, json.loads(socket.connection.recv(timeout=0.05)))
        return until()

    eventually(is_there, "the connection")


def add_candidate(page: Page, message: dict[str, Any]) -> None:
    if message["messageType"] == "ICE_CANDIDATE":
        page.evaluate("(it) => connection.addIceCandidate(it).catch(() => {})", decode(message["messagePayload"]))


def test_two_watch_and_are_listed_and_one_who_closes_the_page_is_gone_at_once(
    chromium: Chromium, service: Service, kvs: Kvs
) -> None:
    channel = unique_name("porch")
    kvs.create(channel)
    with on_air(chromium, service, channel) as page:
        address = page.get_by_test_id("link").input_value()
        assert address == f"{service.http}/view/{channel}"
        expect(page.get_by_text("Nobody is watching yet.")).to_be_visible()
        page.evaluate(RECORD)
        with chromium.page(address) as first:
            moves(first)
            with chromium.page(address) as second:
                moves(second)
                eventually(lambda: states(page) == ["Watching", "Watching"], "both in the list")
                expect(page.get_by_test_id("count")).to_have_text("2 watching")
                expect(page.get_by_test_id("bitrate").first).to_have_text(re.compile(r"\d bit|\d kbit|\d Mbit"))
                screenshot(page, "broadcast-two-viewers")
                shown = set(page.locator("#viewers li .who").all_inner_texts())

                def agree() -> bool:
                    found = who_watches(service, channel)
                    return {one["clientId"] for one in found} == shown and all(
                        one["wasConnected"] and "candidatePair" in one for one in found
                    )

                eventually(agree, "the same by `sightline viewers`")
            eventually(lambda: len(states(page)) == 1, "the farewell of the closed page")
            assert "disconnected" not in page.evaluate("() => seen"), "at once, and not after seconds of silence"
            moves(first)
        expect(page.get_by_text("Nobody is watching yet.")).to_be_visible()
        page.get_by_test_id("stop").click()
        expect(page.get_by_test_id("air")).to_have_text("Off")
        expect(page.get_by_test_id("start")).to_be_focused()


def test_a_killed_viewer_is_disconnected_after_3_s_and_gone_after_10(
    chromium: Chromium, service: Service, kvs: Kvs, own_browser: OwnBrowser
) -> None:
    channel = unique_name("porch")
    arn = kvs.create(channel)
    with on_air(chromium, service, channel) as page, kvs.viewer(arn, "viewer-123") as socket:
        # Of one, the signaling stays open, since it is the test's; the other's socket dies with its browser.
        carried, whole = own_browser.page(), own_browser.page()
        carried.goto(f"{service.http}/pages/not-found.html")
        negotiate(carried, socket, lambda: states(page) == ["Watching"])
        whole.goto(f"{service.http}/view/{channel}")
        eventually(lambda: states(page) == ["Watching", "Watching"], "both viewers")
        own_browser.signal(signal.SIGKILL)
        killed = time.monotonic()
        eventually(lambda: states(page) == ["Interrupted"], "one silent, the other freed")
        disconnected = time.monotonic() - killed
        expect(page.get_by_test_id("count")).to_have_text("0 watching")
        eventually(lambda: states(page) == [], "the end")
        gone = time.monotonic() - killed
    # 3 and 10 s of silence, which may begin a little before the end, on a machine that may be busy.
    assert 1 < disconnected < 9
    assert 6 < gone < 20


def test_a_viewer_that_slept_is_revived_by_its_restart(
    chromium: Chromium, service: Service, kvs: Kvs, own_browser: OwnBrowser
) -> None:
    channel = unique_name("porch")
    arn = kvs.create(channel)
    with (
        chromium.page(f"{service.http}/pages/not-found.html", **ALLOWED) as page,
        kvs.viewer(arn, "viewer-123") as socket,
    ):
        page.evaluate(MASTER, [channel, {"viewerDisconnected": 2, "viewerFailed": 4}])

        def is_connected() -> bool:
            return bool(page.evaluate("() => master.isConnected('viewer-123')"))

        def ice() -> str:
            return str(page.evaluate("() => master.sessions[0].iceConnectionState"))

        viewer = own_browser.page()
        viewer.goto(f"{service.http}/pages/not-found.html")
        assert not is_connected()
        negotiate(viewer, socket, is_connected)
        moves(viewer)
        negotiate(viewer, socket, lambda: ice() in ("connected", "completed"), restart=True)
        assert is_connected()
        own_browser.signal(signal.SIGSTOP)
        eventually(lambda: page.evaluate("() => told.length") == 2, "the silence")
        assert not is_connected()
        own_browser.signal(signal.SIGCONT)
        negotiate(viewer, socket, is_connected, restart=True)
        moves(viewer)
        assert page.evaluate("() => told") == [
            "joined viewer-123 path-and-keys",
            "left viewer-123 silent",
            "joined viewer-123 path-and-keys",
        ]
        assert viewer.evaluate("() => connection.getReceivers()[0].transport.state") == "connected"


def test_another_camera_takes_over_and_the_channel_can_be_taken_back(
    chromium: Chromium, service: Service, kvs: Kvs
) -> None:
    channel = unique_name("porch")
    kvs.create(channel)
    with on_air(chromium, service, channel) as page, chromium.page(f"{service.http}/view/{channel}") as viewer:
        moves(viewer)
        with on_air(chromium, service, channel) as other:
            expect(page.get_by_test_id("air")).to_have_text("Replaced by another camera")
            expect(page.get_by_test_id("banner")).to_contain_text("Who watched here before still does")
            eventually(lambda: states(page) == ["Watching"], "the viewer from before")
            moves(viewer)
            page.get_by_test_id("banner-button").click()
            expect(page.get_by_test_id("air")).to_have_text("On air")
            expect(page.get_by_test_id("banner")).to_be_hidden()
            expect(other.get_by_test_id("air")).to_have_text("Replaced by another camera")


def test_pictures_go_on_while_the_service_is_away(chromium: Chromium, start_service: Callable[..., Service]) -> None:
    service = start_service()
    with Kvs(service) as user:
        user.create("porch")
    with on_air(chromium, service, "porch") as page, chromium.page() as viewer:
        viewer.goto(f"{service.http}/view/porch")
        moves(viewer)
        assert service.stop() == 0
        expect(page.get_by_test_id("air")).to_have_text("On air, service away")
        moves(viewer)
        start_service(folder=service.folder, reuse_ports_of=service)
        expect(page.get_by_test_id("air")).to_have_text("On air")
        moves(viewer)
        eventually(lambda: states(page) == ["Watching"], "the viewer from before")


def test_no_camera_is_explained(chromium: Chromium, service: Service) -> None:
    for locale, name, error_id, words in (
        ("en-US", "NotAllowedError", "refused", "allow camera and microphone for this page"),
        ("en-US", "NotFoundError", "missing", "There is no camera"),
        ("ko-KR", "NotReadableError", "in-use", "카메라가 사용 중입니다"),
    ):
        with chromium.page(locale=locale) as page:
            refusal = f"throw new DOMException('no', '{name}')"
            page.add_init_script(f"MediaDevices.prototype.getUserMedia = async () => {{ {refusal}; }}")
            page.goto(f"{service.http}/broadcast/porch")
            page.get_by_test_id("start").press("Enter")
            expect(page.get_by_test_id("error-id")).to_have_text(error_id)
            expect(page.get_by_test_id("error")).to_contain_text(words)
            expect(page.get_by_test_id("start")).to_be_focused()
            screenshot(page, f"broadcast-{error_id}-{locale}")


def test_who_may_be_the_camera(chromium: Chromium, service: Service, kvs: Kvs) -> None:
    channel = unique_name("porch")
    kvs.create(channel)
    with chromium.page(f"{service.https}/broadcast/{channel}", **ALLOWED) as page:
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("error-id")).to_have_text("link-required")
        expect(page.get_by_test_id("error")).to_contain_text(f"sightline link {channel} --role master")
        page.goto(f"{service.https}/broadcast/{channel}#{make_link(service, channel)['token']}")
        page.reload()
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("error-id")).to_have_text("link-scope")
    with chromium.page(make_link(service, channel, role="master")["urls"][-1], **ALLOWED) as page:
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("air")).to_have_text("On air")
        expect(page.get_by_text("Opening it needs a permission to watch.")).to_be_visible()
    with chromium.page(f"{service.http}/broadcast/nowhere", **ALLOWED) as page:
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("error-id")).to_have_text("unknown-channel")


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_the_page_fits_a_phone_and_works_by_keyboard(
    chromium: Chromium, service: Service, kvs: Kvs, locale: str
) -> None:
    channel = unique_name("a-channel-with-a-name-that-is-longer-than-a-phone-is-wide")
    kvs.create(channel)
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with chromium.page(f"{service.http}/broadcast/{channel}", locale=locale, **ALLOWED, **phone) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_test_id("start")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("html")).to_have_attribute("data-air", "online")
        expect(page.get_by_test_id("stop")).to_be_focused()
        # Another source and no sound, while on air.
        page.get_by_test_id("microphone").press("Space")
        page.locator("#source-camera").press("ArrowRight")
        expect(page.get_by_test_id("device")).to_be_hidden()
        page.locator("#source-screen").press("ArrowLeft")
        expect(page.get_by_test_id("device")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        screenshot(page, f"broadcast-phone-{locale}")
        page.get_by_test_id("stop").press("Enter")
        expect(page.locator("html")).to_have_attribute("data-air", "off")
