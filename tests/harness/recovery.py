"""Viewers that lose their way, and when they were seen to show pictures and to say something. Nobody clicks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Page

from tests.harness.browser import Chromium
from tests.harness.network.lab import Host
from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, STOP_SECONDS, clean_environment

FREEZE = 0.25
"""Seconds without a new picture that a person calls frozen."""
MOVING = 8
"""Pictures within a second that move, on a machine that everything in the lab shares."""


@dataclass(frozen=True)
class Told:
    """What a viewer said to the person."""

    at: float
    """Wall clock."""
    text: str
    """What stands there; empty when it was taken back."""


class Watching(Protocol):
    """A viewer at work. All times are the wall clock's, in seconds."""

    name: str

    def frames(self, since: float) -> Sequence[float]:
        """When pictures were shown."""

    def told(self, since: float) -> Sequence[Told]:
        """What was said, in order."""


def moving_again(frames: Sequence[float], since: float, now: float) -> float | None:
    """Seconds from `since` to the end of the standstill that came with it, or went on; 0 when pictures never stood.

    None as long as that cannot be said. A few pictures that were on the way are none that move, nor are many that
    come at once after the viewer's machine stood still; and those that begin slowly move as soon as they do.
    """
    before = max((at for at in frames if at <= since), default=since - FREEZE)
    later = [at for at in frames if at > since]
    stood = False
    for earlier, at in pairwise([before, *later]):
        stood = stood or at - earlier > FREEZE
        if stood and _move(later, at):
            return at - since
    stood = stood or now - (later[-1] if later else before) > FREEZE
    return 0.0 if now - since > 2.0 and not stood else None


def _move(frames: Sequence[float], since: float) -> bool:
    """Whether pictures move for a second from then: enough of them, and not all in its beginning."""
    return (
        sum(since <= at < since + 1.0 for at in frames) >= MOVING
        and sum(since + 0.5 <= at < since + 1.0 for at in frames) >= MOVING // 3
    )


def wait_until_moving(viewer: Watching, since: float, *, within: float) -> float:
    """Until pictures move steadily: seconds from `since` to the first of them."""

    def look() -> tuple[float] | None:
        now = time.time()
        took = moving_again(viewer.frames(since - 1.0), since, now)
        return None if took is None else (took,)

    return eventually(look, f"moving pictures of {viewer.name}", within=within, every=0.1)[0]


def told_after(viewer: Watching, since: float, *, within: float) -> tuple[float, str]:
    """The first thing that was said after `since`: how many seconds after, and what."""

    def look() -> Told | None:
        return next((told for told in viewer.told(since) if told.text), None)

    said = eventually(look, f"{viewer.name} to say what is the matter", within=within)
    return said.at - since, said.text


def hear(viewer: Watching, words: str, after: int = 0, *, within: float) -> int:
    """Wait until the viewer says that, of all that it says from the `after`th thing on; how many it has said by then.

    In order and not by the clock: whoever waits for one thing after another gives the one's result to the other.
    """

    def said() -> int | None:
        told = viewer.told(0.0)
        return next((number for number in range(after + 1, len(told) + 1) if words in told[number - 1].text), None)

    return eventually(said, f"{viewer.name} to say {words!r}", within=within)


def wait_until_content(viewer: Watching, *, within: float) -> None:
    """Until the viewer has taken back whatever it said."""

    def look() -> bool:
        told = viewer.told(0.0)
        return not told or not told[-1].text

    eventually(look, f"{viewer.name} to take back what it said", within=within)


# ---------------------------------------------------------------------------------------------------------- in Chromium

_NOTES = """() => {
  const seen = globalThis.seen = { frames: [], told: [] };
  const of = (id) => document.querySelector(`[data-testid=${id}]`);
  const video = of("video"), banner = of("notice"), error = of("error");
  const look = (now) => {
    seen.frames.push((performance.timeOrigin + now) / 1000);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  let last = "";
  const read = () => {
    const text = !error.hidden ? error.innerText : banner.hidden ? "" : banner.querySelector("p").textContent;
    if (text !== last) seen.told.push([(performance.timeOrigin + performance.now()) / 1000, last = text]);
  };
  const changes = { attributes: true, childList: true, characterData: true, subtree: true };
  for (const element of [banner, error]) new MutationObserver(read).observe(element, changes);
  read(); // what stands there already
}"""


class PageWatching:
    """The viewer page in Chromium."""

    name = "the page"

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate(_NOTES)

    def frames(self, since: float) -> Sequence[float]:
        found: list[float] = self.page.evaluate("(since) => seen.frames.filter((at) => at >= since)", since)
        return found

    def told(self, since: float) -> Sequence[Told]:
        found = self.page.evaluate("(since) => seen.told.filter(([at]) => at >= since)", since)
        return [Told(at, text) for at, text in found]


@contextmanager
def page_watching(chromium: Chromium, address: str) -> Iterator[PageWatching]:
    """Open the page, and wait for nothing."""
    with chromium.page(address) as page:
        yield PageWatching(page)


# ------------------------------------------------------------------------------------------------------------ in Python


class ProgramWatching:
    """`sightline.Viewer` in a program (`recovery_viewer`) of its own."""

    name = "the Python viewer"

    def __init__(self, output: Path) -> None:
        self._output = output

    def _notes(self, kind: str, since: float) -> list[dict[str, object]]:
        notes = []
        for line in self._output.read_text(encoding="utf-8").splitlines():
            if f'"{kind}"' in line and line.endswith("}"):
                note = json.loads(line)
                if note["at"] >= since:
                    notes.append(note)
        return notes

    def frames(self, since: float) -> Sequence[float]:
        return [float(str(note["at"])) for note in self._notes("frame", since)]

    def told(self, since: float) -> Sequence[Told]:
        return [Told(float(str(note["at"])), str(note["notice"])) for note in self._notes("notice", since)]


@contextmanager
def program_watching(host: Host, address: str, ca_file: Path, folder: Path) -> Iterator[ProgramWatching]:
    """Start it on a host, and wait for nothing. Its end has to be a good one."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"viewer-{time.monotonic_ns()}.jsonl"
    command = host.command(sys.executable, "-m", "tests.harness.recovery_viewer", address)
    environment = clean_environment(folder, {"SIGHTLINE_CA_BUNDLE": str(ca_file)})
    with output.open("wb") as writer, output.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(command, stdout=writer, stderr=errors, cwd=CHECKOUT, env=environment)
    try:
        yield ProgramWatching(output)
    except BaseException:
        print("--- the Python viewer", output.with_suffix(".err").read_text()[-6000:], sep="\n")
        raise
    finally:
        os.kill(process.pid, signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    assert code == 0, f"the Python viewer ended with {code}: {output.with_suffix('.err').read_text()[-3000:]}"
