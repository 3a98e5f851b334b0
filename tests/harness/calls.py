"""People at the page of calls: what they click, see and hear, with the fake cameras and microphones of Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.harness.browser import Chromium
from tests.harness.polling import eventually
from tests.harness.service import Service

OPEN_LOBBY = {"SIGHTLINE_OPEN_LOBBY": "local"}
"""Settings of a service whose rooms are open to pages on its own machine."""
ALLOWED = {"permissions": ["camera", "microphone"]}
PATIENCE = 30_000
"""Milliseconds: two pages with cameras, on a machine that does other things too."""

SMALL = """
  globalThis.opened = [];
  globalThis.connections = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      connections.push(this);
    }
  };
  const open = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    const video = wanted.video && { ...wanted.video, width: 320, height: 180, frameRate: 15 };
    const stream = await open.call(this, { ...wanted, video });
    opened.push(...stream.getTracks());
    return stream;
  };
  MediaDevices.prototype.getDisplayMedia = async function () {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 180];
    const context = canvas.getContext('2d');
    setInterval(() => {
      context.fillStyle = 'rgb(0 0 200)';
      context.fillRect(0, 0, 320, 180);
    }, 100);
    const stream = canvas.captureStream(10);
    opened.push(...stream.getTracks());
    return stream;
  };
"""
"""A small camera, whose tracks are remembered as connections are, and a blue screen."""

MOVES = """async () => {
  const video = document.querySelector('#remote');
  if (video.readyState < 2 || video.paused) return false;
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

TONE = """async () => {
  const stream = document.querySelector('#remote').srcObject;
  if (!stream?.getAudioTracks().length) return 0;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 4096;
  context.createMediaStreamSource(stream).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  let loudest = { level: -200, pitch: 0 };
  for (let i = 0; i < 60; i++) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    analyser.getFloatFrequencyData(bins);
    bins.forEach((level, bin) => {
      if (level > loudest.level) loudest = { level, pitch: bin * context.sampleRate / analyser.fftSize };
    });
    if (loudest.level > -50) break;
  }
  await context.close();
  return loudest.level > -50 ? loudest.pitch : 0;
}"""
"""The pitch of the loudest tone that comes, in hertz; 0 when nothing is to be heard."""

ALL_ENDED = "() => opened.length > 0 && opened.every(({ readyState }) => readyState === 'ended')"


class Person:
    """Somebody at the page."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    def button(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def calls(self, other: str) -> None:
        self.page.locator(f'.person[data-user="{other}"]').click(timeout=PATIENCE)

    def is_called_by(self, other: str) -> None:
        expect(self.button("incoming")).to_be_visible(timeout=PATIENCE)
        expect(self.button("incoming")).to_contain_text(f"{other} is calling you", timeout=PATIENCE)

    def comes_to(self, state: str) -> None:
        expect(self.page.locator("html")).to_have_attribute("data-call", state, timeout=PATIENCE)

    def reads(self, words: str) -> None:
        expect(self.button("cover")).to_have_text(words, timeout=PATIENCE)

    def sees_and_hears(self) -> None:
        eventually(lambda: self.page.evaluate(MOVES), f"a moving picture for {self.name}", within=30)
        # Where sound begins, after a gap too, there is a click first, whose loudest pitch may be any.
        beep = f"the fake microphone's beep for {self.name}"
        eventually(lambda: 100 < self.page.evaluate(TONE) < 2_000, beep, within=30)

    def has_let_go(self) -> None:
        eventually(lambda: self.page.evaluate(ALL_ENDED), f"camera and microphone of {self.name} off", within=30)
        expect(self.button("hang-up")).to_be_disabled(timeout=PATIENCE)


@contextmanager
def joined(chromium: Chromium, address: str, name: str, *, script: str = "", **options: Any) -> Iterator[Person]:
    """Somebody who has opened the page at that address and joined its room."""
    with chromium.page(**{**ALLOWED, **options}) as page:
        page.add_init_script(SMALL + script)
        page.goto(address)
        join(page, name)
        yield Person(page, name)


def at(chromium: Chromium, service: Service, room: str, name: str, **options: Any) -> AbstractContextManager[Person]:
    """Somebody who has joined the room, on the service's own machine."""
    return joined(chromium, f"{service.http}/call?room={room}", name, **options)


def join(page: Page, name: str) -> None:
    page.get_by_test_id("name").fill(name)
    page.get_by_test_id("name").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-lobby", "online", timeout=PATIENCE)


def connect(caller: Person, callee: Person) -> None:
    """A call that is placed and accepted."""
    caller.calls(callee.name)
    callee.is_called_by(caller.name)
    callee.button("accept").click()
    for person in (caller, callee):
        person.comes_to("in-call")
