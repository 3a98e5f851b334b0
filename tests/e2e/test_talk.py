"""*Talk* on the page of a camera: from one browser to a camera that is another browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.browser_limits import PEERS
from tests.harness.kvs import Kvs, unique_name
from tests.harness.polling import eventually
from tests.harness.service import Service

ASKED = """(() => {
  globalThis.microphones = [];
  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    const stream = await getUserMedia.call(this, wanted);
    microphones.push(...stream.getTracks());
    return stream;
  };
})()"""
"""Keeps the tracks of every microphone that the page asked for."""
HEARD = """async () => {
  let energy = 0;
  for (const peer of peers) {
    for (const entry of (await peer.getStats()).values()) {
      if (entry.type === 'inbound-rtp' && entry.kind === 'audio') energy += entry.totalAudioEnergy ?? 0;
    }
  }
  return energy;
}"""
"""How much sound has come from viewers: Chromium's fake microphone beeps."""


def test_the_microphone_is_asked_for_when_one_talks_and_let_go_afterwards(
    chromium: Chromium, service: Service, kvs: Kvs
) -> None:
    channel = unique_name("intercom")
    kvs.create(channel)
    allowed: dict[str, Any] = {"permissions": ["camera", "microphone"]}
    with chromium.page(**allowed) as camera, chromium.page(**allowed) as page:
        camera.add_init_script(PEERS)
        camera.goto(f"{service.http}/broadcast/{channel}")
        camera.get_by_test_id("start").click()
        expect(camera.get_by_test_id("air")).to_have_text("On air")
        page.add_init_script(ASKED)
        page.goto(f"{service.http}/view/{channel}")
        expect(page.get_by_test_id("state")).to_have_text("Live")
        talk = page.get_by_test_id("talk")
        expect(talk).to_be_enabled()
        assert page.evaluate("() => microphones.length") == 0, "asked before anybody wanted to talk"
        assert camera.evaluate(HEARD) == 0
        talk.focus()
        page.keyboard.press("Enter")
        expect(talk).to_have_text("Stop talking")
        expect(page.get_by_test_id("notice")).to_contain_text("The camera hears you.")
        screenshot(page, "talk-en")
        eventually(lambda: camera.evaluate(HEARD) > 0.0001, "the camera to hear the viewer")
        talk.click()
        expect(talk).to_have_text("Talk")
        assert page.evaluate("() => microphones.map(({ readyState }) => readyState)") == ["ended"]


def test_a_microphone_that_is_refused_is_told(chromium: Chromium, service: Service, kvs: Kvs) -> None:
    channel = unique_name("shy")
    kvs.create(channel)
    refuse = "MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    with chromium.page(permissions=["camera", "microphone"]) as camera, chromium.page(locale="ko-KR") as page:
        camera.goto(f"{service.http}/broadcast/{channel}")
        camera.get_by_test_id("start").click()
        page.add_init_script(refuse)
        page.goto(f"{service.http}/view/{channel}")
        expect(page.get_by_test_id("state")).to_have_text("실시간")
        page.get_by_test_id("talk").click()
        expect(page.get_by_test_id("notice")).to_contain_text("마이크 사용이 허용되지 않았습니다")
        expect(page.get_by_test_id("talk")).to_have_text("말하기")
