"""In mid-call `sightline call` changes what it sends, as commands on its input say: what a page shows of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Chromium, screenshot
from tests.harness.calls import MOVES, OPEN_LOBBY, PATIENCE, TONE, Person, at
from tests.harness.polling import eventually
from tests.harness.service import Service, sightline_command

pytestmark = pytest.mark.timeout(150)
SERVICE_ENVIRONMENT = OPEN_LOBBY
WAIT = 30.0
TONES_OF_PYTHON = (440, 880)
"""The test source's, and its beep at each full second."""
WIDTH = "() => document.querySelector('#remote').videoWidth"


class Commanded:
    """`sightline call --commands`, and somebody who types."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    def types(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def prints(self, words: str) -> None:
        eventually(lambda: words in self._output.read_text(), f"{words!r} of the command", within=WAIT)


@contextmanager
def commanded(service: Service, folder: Path, *arguments: str) -> Iterator[Commanded]:
    output = folder / "call.out"
    with (
        output.open("wb") as log,
        subprocess.Popen(
            [sightline_command(), "call", *arguments, "--commands"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=service.client_environment(None),
        ) as process,
    ):
        try:
            yield Commanded(process, output)
            assert process.wait(timeout=WAIT) == 0, output.read_text()
            assert "Traceback" not in output.read_text()
        finally:
            process.kill()


def hears_python(person: Person) -> None:
    def is_ours(pitch: float) -> bool:
        return any(abs(pitch - tone) < 15 for tone in TONES_OF_PYTHON)

    # A click where sound begins has any pitch: it is not the tone.
    eventually(lambda: is_ours(person.page.evaluate(TONE)), "the tone of Python", within=WAIT)


def sees(person: Person, width: int) -> None:
    eventually(lambda: person.page.evaluate(WIDTH) == width, f"pictures {width} wide", within=WAIT)
    eventually(lambda: person.page.evaluate(MOVES), "a moving picture", within=WAIT)


def test_source_mute_and_picture_in_mid_call(chromium: Chromium, service: Service, room: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
    with (
        at(chromium, service, room, "Ann", **options) as ann,
        commanded(
            service, tmp_path, "Door", "--room", room, "--source", "test:320x180@15", "--answer", "--once"
        ) as door,
    ):
        ann.calls("Door")
        ann.comes_to("in-call")
        sees(ann, 320)
        door.types("source test:480x270@15")
        sees(ann, 480)
        hears_python(ann)
        door.types("mute")
        expect(ann.button("no-sound")).to_have_text("Door is muted", timeout=PATIENCE)
        eventually(lambda: ann.page.evaluate(TONE) == 0, "silence", within=WAIT)
        door.types("picture off")
        expect(ann.button("no-picture")).to_have_text("Door sends no picture", timeout=PATIENCE)
        screenshot(ann.page, "call-nothing-comes")
        door.types("source none.mp4")
        door.prints("none.mp4")
        door.types("dance")
        door.prints("'dance' is no command")
        door.types("unmute")
        hears_python(ann)
        door.types("picture on")
        expect(ann.button("no-picture")).to_be_hidden(timeout=PATIENCE)
        sees(ann, 480)
        ann.button("mute").click()
        door.prints("Ann sends a picture and no sound")
        ann.comes_to("in-call")
        door.types("hang up")
        ann.reads("Door ended the call.")
