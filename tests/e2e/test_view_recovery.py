"""A page that watches a camera while camera and service come and go: it recovers by itself, and says what is wrong."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.bars import wait_for_picture, watch, watch_all
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import SOON, eventually
from tests.harness.recovery import PageWatching
from tests.harness.service import Command, Service

STANDSTILL = 0.45
"""Seconds: a little less than the silence for which a page without a camera at the service says so."""
WHEN = """([selector, expected]) => {
  globalThis.seenAt = null;
  const look = () => {
    const element = document.querySelector(selector);
    if (globalThis.seenAt === null && !element.hidden && element.textContent.includes(expected)) {
      globalThis.seenAt = Date.now() / 1000;
    }
  };
  new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  look();
}"""
"""Notes when an element says something, to the millisecond and in time that the test shares."""


@contextmanager
def noted(page: Page, test_id: str, words: str) -> Iterator[Callable[[], float]]:
    """A function that says when (epoch seconds) the element first said `words`."""
    page.evaluate(WHEN, [f"[data-testid={test_id}]", words])

    def when() -> float:
        return float(eventually(lambda: page.evaluate("() => globalThis.seenAt"), f"{words!r} on the page"))

    yield when


class TestTheCamera:
    def test_it_is_killed_and_comes_back(
        self, chromium: Chromium, service: Service, camera: Callable[..., Any]
    ) -> None:
        """Told within 1 s; the picture returns by itself, in both languages."""
        channel = unique_name("killed")
        master: Command = camera(channel)
        master.wait_for_output("connected|on air|ready")
        address = f"{service.http}/view/{channel}"
        with chromium.page(address) as page, chromium.page(address, locale="ko-KR") as korean:
            wait_for_picture(page)
            wait_for_picture(korean)
            with noted(page, "notice", "The camera is switched off") as told:
                killed = time.time()
                master.kill()
                took = told() - killed
            print(f"told {took * 1000:.0f} ms after the kill")
            assert took <= SOON
            expect(page.get_by_test_id("state")).to_have_text("Waiting for the camera…")
            expect(korean.get_by_test_id("notice")).to_contain_text("카메라가 꺼져 있거나 연결되어 있지 않습니다")
            expect(korean.get_by_test_id("state")).to_have_text("카메라를 기다리는 중…")
            screenshot(page, "camera-killed-en")
            screenshot(korean, "camera-killed-ko")
            camera(channel)
            for each in (page, korean):
                # The notice goes when the camera answers; pictures come a moment later.
                expect(each.locator("html")).to_have_attribute("data-state", "watching")
                expect(each.get_by_test_id("notice")).to_be_hidden()
            for seen in watch_all([page, korean], 2):
                seen.assert_live()
            expect(page.get_by_test_id("state")).to_have_text("Live")

    def test_it_is_switched_off(self, chromium: Chromium, service: Service, camera: Callable[..., Any]) -> None:
        channel = unique_name("leaving")
        master: Command = camera(channel)
        master.wait_for_output("connected|on air|ready")
        with chromium.page(f"{service.http}/view/{channel}") as page:
            wait_for_picture(page)
            with noted(page, "notice", "The camera is switched off") as told:
                stopped = time.time()
                assert master.stop() == 0
                assert told() - stopped < 15, "a picture that stands still was called live"
            expect(page.get_by_test_id("error")).to_be_hidden()

    def test_nobody_waits_for_the_button_but_it_works(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Any]
    ) -> None:
        """*Reconnect now*, by keyboard."""
        channel = unique_name("button")
        kvs.create(channel)
        with chromium.page(f"{service.http}/view/{channel}") as page:
            button = page.get_by_test_id("reconnect")
            expect(button).to_be_visible()
            sockets: list[str] = []
            page.on("websocket", lambda opened: sockets.append(opened.url))
            button.focus()
            page.keyboard.press("Enter")
            eventually(lambda: sockets or page.wait_for_timeout(50), "a new socket")
            camera(channel)
            wait_for_picture(page)
            expect(button).to_be_hidden()


def test_the_service_is_restarted_while_somebody_watches(
    chromium: Chromium, start_service: Callable[..., Service], clip: Path, tmp_path: Path
) -> None:
    """The picture does not pass through the service, so nobody sees it; the page's socket comes back by itself."""
    folder = tmp_path / "restarted"
    service = start_service(folder=folder)
    master = service.spawn("master", "steady", "--create", "--source", str(clip))
    try:
        master.wait_for_output("connected|on air|ready")
        with chromium.page(f"{service.http}/view/steady") as page:
            sockets: list[Any] = []
            wait_for_picture(page)
            watch(page, 1)
            page.on("websocket", lambda opened: sockets.append(opened))
            watching, since = PageWatching(page), time.time()
            assert service.stop() == 0
            again = start_service(folder=folder, reuse_ports_of=service)
            watch(page, 3).assert_live()
            eventually(
                lambda: [each for each in sockets if not each.is_closed()] or page.wait_for_timeout(50),
                "the page's new socket",
                within=60,
            )
            told = [notice.text for notice in watching.told(since) if notice.text]
            stood = max(after - before for before, after in pairwise([since, *watching.frames(since)]))
            # On a busy machine the picture may stand still for as long as no camera without a service would let it.
            assert not told or stood > STANDSTILL, f"the person was bothered with {told}"
            expect(page.get_by_test_id("state")).to_have_text("Live")
            # The socket is of use: a camera that is killed now is told about at once.
            eventually(
                lambda: json.loads(again.run("viewers", "steady", "--json").stdout)["masterConnected"],
                "the camera to be back at the service",
                within=60,
            )
            with noted(page, "notice", "The camera is switched off") as gone:
                killed = time.time()
                master.kill()
                assert gone() - killed <= 10.0
    finally:
        master.kill()


class TestWhatOneCanDo:
    """Snapshot, full screen, talk and sound, the figures, the way to the first picture, and the diagnosis."""

    @pytest.fixture
    def page(self, chromium: Chromium, service: Service, channel: str) -> Iterator[Page]:
        """The page of a camera that is on, watched."""
        with chromium.page(f"{service.http}/view/{channel}", accept_downloads=True) as page:
            wait_for_picture(page)
            expect(page.get_by_test_id("state")).to_have_text("Live")  # from now on there are buttons
            yield page

    def test_a_snapshot_is_a_png_of_the_picture(self, page: Page, tmp_path: Path) -> None:
        with page.expect_download() as download:
            page.get_by_test_id("snapshot").click()
        assert download.value.suggested_filename.startswith("handy-")
        saved = tmp_path / "snapshot.png"
        download.value.save_as(saved)
        content = saved.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (640, 360)
        assert len(content) > 5_000, "an empty picture"

    def test_sound_and_full_screen(self, page: Page) -> None:
        sound, screen = page.get_by_test_id("sound"), page.get_by_test_id("full-screen")
        expect(sound).to_have_text("Unmute")
        sound.click()
        expect(sound).to_have_text("Mute")
        assert page.evaluate("() => document.querySelector('video').muted") is False
        screen.click()
        expect(screen).to_have_text("Exit full screen")
        screen.click()
        expect(screen).to_have_text("Full screen")

    def test_a_camera_without_a_loudspeaker_is_not_talked_to(self, page: Page) -> None:
        page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => { throw new Error('asked'); }; }")
        page.get_by_test_id("talk").click(force=True)
        expect(page.get_by_test_id("notice")).to_contain_text("This camera plays no sound, so it")

    def test_figures_and_the_way_to_the_first_picture(self, page: Page) -> None:
        expect(page.get_by_test_id("delay")).to_have_text(re.compile(r"^[\d.,]+ ms$"))
        page.locator("summary").click()
        rows = page.get_by_test_id("waterfall").locator("li")
        expect(rows).to_have_count(7)
        assert [row.split("\n")[0] for row in rows.all_inner_texts()] == [
            "Page loaded",
            "Session received",
            "Offer prepared",
            "Signaling opened",
            "Camera answered",
            "Path and keys",
            "First picture",
        ]

    def test_the_diagnosis_of_a_camera_that_is_well(self, page: Page) -> None:
        page.locator("summary").click()
        page.get_by_test_id("diagnose").click()
        expect(page.get_by_test_id("diagnose-verdict")).to_have_text("Nothing is wrong.", timeout=30_000)
        expect(page.get_by_test_id("check-no-common-codec")).to_contain_text("H264")
        expect(page.get_by_test_id("check-turn")).to_contain_text("transport=udp: works")
        screenshot(page, "diagnosis-en")
        expect(page.get_by_test_id("state")).to_have_text("Live")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    with service.spawn("master", "handy", "--create", "--source", str(clip)) as master:
        master.wait_for_output("connected|on air|ready")
        yield "handy"


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_the_diagnosis_of_a_camera_that_is_off(chromium: Chromium, service: Service, kvs: Kvs, locale: str) -> None:
    channel = unique_name("ill")
    kvs.create(channel)
    with chromium.page(f"{service.http}/view/{channel}", locale=locale) as page:
        expect(page.get_by_test_id("reconnect")).to_be_visible()
        page.locator("summary").click()
        page.get_by_test_id("diagnose").click()
        failed = page.locator("[data-check][data-mark=failed]")
        expect(failed).to_have_count(1, timeout=30_000)
        expect(failed).to_contain_text("camera-offline")
        expect(failed).to_contain_text("Switch the camera on" if locale == "en-US" else "카메라를 켜고")
        expect(page.locator("[data-check][data-mark=skipped]")).to_have_count(4)
        screenshot(page, f"diagnosis-off-{locale[:2]}")


def test_pages_that_come_and_go_leave_nothing_behind(chromium: Chromium, service: Service, channel: str) -> None:
    """Seed 001.7, with real sockets and peer connections: 30 rounds in one page, closed at every stage."""
    with chromium.page(f"{service.http}/healthz") as page:
        left = page.evaluate(
            """async ([channel, rounds]) => {
              const made = { sockets: [], peers: [], timers: new Set() };
              const { WebSocket: Socket, RTCPeerConnection: Peer } = globalThis;
              const platform = {
                WebSocket: class extends Socket { constructor(url) { super(url); made.sockets.push(this); } },
                RTCPeerConnection: class extends Peer { constructor(more) { super(more); made.peers.push(this); } },
                setTimeout(callback, ms) {
                  const timer = setTimeout(() => { made.timers.delete(timer); callback(); }, ms);
                  made.timers.add(timer);
                  return timer;
                },
                clearTimeout(timer) { made.timers.delete(timer); clearTimeout(timer); },
              };
              const { Viewer, sessionFromService } = await import('/sdk/sightline.js');
              const video = document.createElement('video');
              video.muted = true;
              const tracks = [];
              const viewer = new Viewer({ session: sessionFromService({ channel }), video, platform });
              viewer.on('track', (track) => tracks.push(track));
              const stages = ['opening', 'offering', 'connecting', 'watching'];
              for (let round = 0; round < rounds; round++) {
                const wanted = stages[round % stages.length];
                await new Promise((resolve) => {
                  const off = viewer.on('statechange', ({ state }) => { if (state === wanted) { off(); resolve(); } });
                  viewer.open();
                });
                viewer.close();
              }
              await new Promise((resolve) => setTimeout(resolve, 1000));
              return {
                watched: tracks.length,
                sockets: made.sockets.filter(({ readyState }) => readyState < 2).length,
                peers: made.peers.filter(({ connectionState }) => connectionState !== 'closed').length,
                tracks: tracks.filter(({ readyState }) => readyState !== 'ended').length,
                timers: made.timers.size,
                picture: video.srcObject,
                stream: viewer.stream,
              };
            }""",
            [channel, 32],
        )
    assert left.pop("watched") >= 16, "the rounds did not come to a picture"
    assert left == {"sockets": 0, "peers": 0, "tracks": 0, "timers": 0, "picture": None, "stream": None}
