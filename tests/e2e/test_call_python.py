"""Calls between the page and Python: `sightline call` as somebody in the room, who calls and is called."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.harness import bars
from tests.harness.bar_code import read_bar_code
from tests.harness.browser import Chromium
from tests.harness.calls import ALLOWED, OPEN_LOBBY, PATIENCE, TONE, Person, at
from tests.harness.mdn_page import MDN, lobby_url
from tests.harness.polling import eventually
from tests.harness.service import Command, Service

pytestmark = pytest.mark.timeout(150)
SERVICE_ENVIRONMENT = OPEN_LOBBY

SOURCE = "test:320x180@15"
TONES_OF_PYTHON = (440, 880)
"""The test source's, and its beep at each full second."""
TONE_OF_PAGE = 660
WAIT = 30.0

CAMERA = f"""
  {bars.SCRIPT}
  MediaDevices.prototype.getUserMedia = async () => {{
    const camera = barCode.camera({{ width: 320, height: 180, rate: 15 }});
    const sound = new AudioContext();
    const tone = new OscillatorNode(sound, {{ frequency: {TONE_OF_PAGE} }});
    const loudness = new GainNode(sound, {{ gain: 0.3 }});
    const microphone = new MediaStreamAudioDestinationNode(sound);
    tone.connect(loudness).connect(microphone);
    tone.start();
    return new MediaStream([...camera.stream.getTracks(), ...microphone.stream.getTracks()]);
  }};
"""
"""A camera with bar codes, and a microphone with a tone of its own."""


def at_page(chromium: Chromium, service: Service, room: str, name: str) -> Any:
    return at(chromium, service, room, name, script=CAMERA)


def entered(command: Command) -> None:
    command.wait_for_output(r'"type":"lobby","online":true', within=WAIT)


def told(command: Command, kind: str) -> list[dict[str, Any]]:
    """What it printed of a kind."""
    return [line for line in command.json_lines if line["type"] == kind]


def sees_and_hears_python(person: Person) -> None:
    bars.install(person.page)
    bars.wait_for_picture(person.page, "#remote", within=WAIT)
    eventually(lambda: is_live(person), f"a live picture for {person.name}", within=WAIT)
    # A click where sound begins has any pitch: it is not the tone.
    eventually(lambda: is_ours(person.page.evaluate(TONE)), f"a tone of Python's for {person.name}", within=WAIT)


def is_ours(pitch: float) -> bool:
    return any(abs(pitch - tone) < 15 for tone in TONES_OF_PYTHON)


def is_live(person: Person) -> bool:
    steps = bars.watch(person.page, 1.0, "#remote").steps()
    return len(steps) >= 5 and all(step < 60 for step in steps) and sum(steps) >= 5


def assert_recorded(file: Path) -> None:
    """The page's picture, counting up, and its tone."""
    with av.open(str(file)) as container:
        numbers = [read_bar_code(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    read = [number for number in numbers if number is not None]
    assert len(read) >= 0.5 * len(numbers) >= 4, numbers
    assert read == sorted(read), "pictures in the page's order"
    assert len(set(read)) >= 5, "the picture moves"
    with av.open(str(file)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    wave = np.concatenate([frame.reshape(frame.shape[0], -1)[0] for frame in frames]).astype(float)[-rate:]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    loudest = float(np.fft.rfftfreq(len(wave), 1 / rate)[int(spectrum.argmax())])
    assert abs(loudest - TONE_OF_PAGE) < 10, loudest


def test_a_page_calls_python_and_hangs_up(chromium: Chromium, service: Service, room: str, tmp_path: Path) -> None:
    recording = tmp_path / "visit.mp4"
    door = service.spawn(
        *("call", "Front door", "--room", room, "--source", SOURCE, "--answer", "--json"),
        *("--record", str(recording), "--say", "Who is there?"),
    )
    with door, at_page(chromium, service, room, "Ann") as ann:
        entered(door)
        ann.calls("Front door")
        ann.comes_to("in-call")
        sees_and_hears_python(ann)
        expect(ann.button("lines")).to_contain_text("Who is there?", timeout=PATIENCE)
        ann.button("line").fill("It is me")
        ann.button("line").press("Enter")
        door.wait_for_output("It is me", within=WAIT)
        assert [(line["peer"], line["text"]) for line in told(door, "text")] == [("Ann", "It is me")]
        busy = service.run("call", "Cem", "--room", room, "--to", "Front door")
        assert (busy.returncode, busy.stderr.strip()) == (
            4,
            "sightline: Front door is in another call. Try again in a while.",
        )
        ann.comes_to("in-call")
        ann.button("hang-up").click()
        ann.reads("You ended the call.")
        door.wait_for_output('"type":"recording"', within=WAIT)
        assert told(door, "state")[-1]["reason"] == "left"
        assert_recorded(recording)
        ann.calls("Front door")
        ann.comes_to("in-call")
        door.process.send_signal(signal.SIGINT)
        ann.reads("Front door ended the call.")
        assert door.wait(within=WAIT) == 0
    door.assert_clean()


def test_python_calls_a_page_and_hangs_up(chromium: Chromium, service: Service, room: str, tmp_path: Path) -> None:
    recording = tmp_path / "call.mp4"
    bell = ("call", "Front door", "--room", room, "--source", SOURCE, "--json")
    with at_page(chromium, service, room, "Ann") as ann, at_page(chromium, service, room, "Ben") as ben:
        ringing = service.spawn(*bell, "--to", "Ann", "--to", "Ben", "--record", str(recording))
        ann.is_called_by("Front door")
        ann.button("decline").click()
        ben.is_called_by("Front door")
        ben.button("accept").click()
        ben.comes_to("in-call")
        sees_and_hears_python(ben)
        ringing.process.send_signal(signal.SIGTERM)
        ben.reads("Front door ended the call.")
        assert ringing.wait(within=WAIT) == 0
        ringing.assert_clean()
        reasons = [state["reason"] for state in told(ringing, "state") if state["after"] == "ended"]
        assert reasons == ["declined", "hung-up"]
        assert_recorded(recording)
        declined = service.spawn(*bell, "--to", "Ann")
        ann.is_called_by("Front door")
        ann.button("decline").click()
        assert declined.wait(within=WAIT) == 3
        gone = service.run(*bell, "--to", "Nobody")
        assert gone.returncode == 6


def test_python_calls_an_mdn_client(chromium: Chromium, service: Service, room: str, tmp_path: Path) -> None:
    """Which answers with sections that only receive, and offers its own streams in two more."""
    recording = tmp_path / "mdn.mp4"
    with chromium.page(f"{service.http}/pages/not-found.html?room={room}", **ALLOWED) as page:
        page.evaluate(f"() => {{ {CAMERA} }}")
        page.evaluate(MDN, [lobby_url(page, room), "Mdn"])
        calling = service.spawn(
            *("call", "Front door", "--room", room, "--source", SOURCE, "--to", "Mdn", "--json"),
            *("--record", str(recording)),
        )
        calling.wait_for_output('"after":"in-call"', within=WAIT)
        sees_and_hears_python(Person(page, "Mdn"))
        time.sleep(2)  # of its picture
        page.evaluate("() => hangUp()")
        assert calling.wait(within=WAIT) == 0
        calling.assert_clean()
        assert_recorded(recording)


def test_what_cannot_be_is_told(service: Service, room: str) -> None:
    wrong = service.run("call", "<b>", "--room", room, "--answer")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "letters, digits" in wrong.stderr
    unclear = service.run("call", "Ann")
    assert unclear.returncode == 2
    assert "--to WHO" in unclear.stderr
    link = service.run("call", "Ann", "--link", f"{service.http}/call?room={room}#wrong", "--answer", "--json")
    assert link.returncode == 1
    assert json.loads(link.stdout.splitlines()[-1])["reason"] == "link-invalid"
