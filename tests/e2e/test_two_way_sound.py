"""Sound both ways through Chromium: the camera's, in step with its picture, and viewers' voices at the camera."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium, screenshot
from tests.harness.kvs import unique_name
from tests.harness.polling import eventually
from tests.harness.service import Service
from tests.harness.sounds import LISTEN, MICROPHONE, lip_sync, raw_sound, strength

pytestmark = pytest.mark.timeout(240)

LOW, HIGH = 620, 1550
"""Two viewers' voices, in hertz."""


RATE = 15
"""Pictures a second: few, so that a busy machine has time for the rest."""


def begin_talk(page: Page) -> None:
    talk = page.get_by_test_id("talk")
    expect(talk).to_have_attribute("aria-disabled", "false", timeout=30_000)
    talk.click()
    expect(talk).to_have_text("Stop talking")


def test_two_viewers_are_heard_by_a_camera_in_python_and_its_picture_goes_on(
    service: Service, chromium: Chromium, tmp_path: Path
) -> None:
    channel, voices = unique_name("gate"), tmp_path / "voices.wav"
    master = service.spawn("master", channel, "--create", "--source", "test:320x180@15", "--speaker", str(voices))
    try:
        master.wait_for_output("waiting for viewers", within=30)
        with chromium.page() as one, chromium.page() as two:
            for page, hertz in ((one, LOW), (two, HIGH)):
                page.add_init_script(f"({MICROPHONE})({hertz})")
                page.goto(f"{service.http}/view/{channel}")
            for page in (one, two):
                wait_for_picture(page, within=30)
            one.evaluate(LISTEN, "video")
            eventually(lambda: one.evaluate("() => heard(440)") > -60, "the camera's tone in the page", within=30)
            # Not each look: where a tone begins there is a bit of every pitch.
            eventually(
                lambda: one.evaluate("() => heard(2500)") < one.evaluate("() => heard(440)") - 20,
                "the tone and nothing else",
                within=30,
            )

            def heard(*, low: bool, high: bool) -> bool:
                sound = raw_sound(voices)
                return (strength(sound, LOW) > 0.05) is low and (strength(sound, HIGH) > 0.05) is high

            begin_talk(one)
            expect(one.get_by_test_id("notice")).to_contain_text("The camera hears you.")
            screenshot(one, "talk-python-en")
            eventually(lambda: heard(low=True, high=False), "one voice at the camera", within=30)
            begin_talk(two)
            eventually(lambda: heard(low=True, high=True), "both voices at the camera", within=30)
            eventually(lambda: strength(raw_sound(voices), 2500) < 0.01, "the voices and nothing else", within=30)
            one.get_by_test_id("talk").click()
            expect(one.get_by_test_id("talk")).to_have_text("Talk")
            eventually(lambda: heard(low=False, high=True), "the other voice alone", within=30)
            for page in (one, two):
                before = wait_for_picture(page)
                eventually(lambda page=page, before=before: wait_for_picture(page) != before, "a picture that moves")
                expect(page.get_by_test_id("state")).to_have_text("Live")
            begin_talk(one)
            eventually(lambda: heard(low=True, high=True), "the first voice again", within=30)
    finally:
        assert master.stop() == 0, master.output
    master.assert_clean()


def test_the_cameras_sound_is_in_step_with_its_picture_in_chromium(service: Service, chromium: Chromium) -> None:
    channel = unique_name("clapper")
    master = service.spawn("master", channel, "--create", "--source", f"test:320x180@{RATE}")
    try:
        master.wait_for_output("waiting for viewers", within=30)
        with chromium.page(f"{service.http}/view/{channel}", bypass_csp=True) as page:
            wait_for_picture(page, within=30)
            looks: list[list[float]] = []

            def in_step() -> bool:
                # Chromium brings the two together within some seconds, and on a busy machine again and again.
                beeps = lip_sync(page, rate=RATE)
                looks.append(beeps)
                return any(max(map(abs, three)) < 0.080 for three in zip(beeps, beeps[1:], beeps[2:], strict=False))

            try:
                eventually(in_step, "sound and picture within 80 ms of each other", within=120)
            finally:
                print("seconds that each beep came after its picture:", looks)
    finally:
        assert master.stop() == 0, master.output
    master.assert_clean()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--speaker", "ffmpeg:alsa:hw:31,0"), "There is no speaker alsa hw:31,0"),
        (("--speaker", "voices.wav", "--talk-roles", "admin"), "The roles of viewers are viewer and operator"),
    ],
)
def test_what_is_wrong_with_a_speaker_is_said_with_what_to_do(
    service: Service, options: tuple[str, ...], said: str
) -> None:
    ended = service.run("master", unique_name(), "--create", "--source", "test", *options)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
