"""What a person at the screen would say of a video: which frames it shows, whether they move, how many a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Page

from tests.harness.polling import eventually

SCRIPT = Path(__file__).with_name("bar_code.js").read_text(encoding="utf-8")
CLIP_FRAMES = 600
"""The clip of `demo` counts from 0 to 599 and begins again."""
NUMBERS = 1 << 16


@dataclass(frozen=True)
class Watched:
    """The frames that a video presented in some seconds; a number is None where no bar code could be read."""

    numbers: Sequence[int | None]
    frames: int
    seconds: float
    width: int
    height: int

    @property
    def rate(self) -> float:
        """Presented frames per second."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def read(self) -> list[int]:
        """The numbers that could be read, in order."""
        return [number for number in self.numbers if number is not None]

    def steps(self, modulo: int = NUMBERS) -> list[int]:
        """By how much the number grew from each frame to the next."""
        read = self.read
        return [(after - before) % modulo for before, after in pairwise(read)]

    def assert_live(self, *, modulo: int = CLIP_FRAMES, min_rate: float = 12.0, max_step: int = 60) -> None:
        """The right frames (their codes can be read), advancing one after the other, at a frame rate of a video."""
        assert len(self.read) >= 0.9 * len(self.numbers) > 0, f"bar codes unreadable: {self.numbers}"
        assert max(self.read) < modulo, f"a frame that the clip does not have: {self.numbers}"
        steps = self.steps(modulo)
        assert all(step <= max_step for step in steps), f"frames jump or go back: {self.numbers}"
        assert sum(1 for step in steps if step > 0) >= 0.9 * len(steps), f"the picture stands still: {self.numbers}"
        assert self.rate >= min_rate, f"{self.rate:.1f} frames per second, expected {min_rate:g}: {self.numbers}"


def install(page: Page) -> None:
    """Put the bar-code reader into a page that is loaded."""
    page.evaluate(f"() => {{ {SCRIPT} }}")


def wait_for_picture(page: Page, selector: str = "video", *, within: float = 30.0) -> int:
    """Wait until a video shows a frame with a bar code, and return its number."""
    if not page.evaluate("() => 'barCode' in globalThis"):
        install(page)

    def look() -> tuple[int] | None:
        number = page.evaluate(
            """(selector) => {
              const video = document.querySelector(selector);
              return video && video.readyState >= 2 ? barCode.read(video) : null;
            }""",
            selector,
        )
        return None if number is None else (int(number),)

    return eventually(look, f"a bar code in {selector} of {page.url}", within=within)[0]


def watch(page: Page, seconds: float = 3.0, selector: str = "video") -> Watched:
    """Look at every frame of a video for some seconds."""
    return watch_all([page], seconds, selector)[0]


def watch_all(pages: Sequence[Page], seconds: float = 3.0, selector: str = "video") -> list[Watched]:
    """Look at the videos of several pages during the same seconds."""
    for page in pages:
        page.evaluate(
            """([selector, seconds]) => {
              globalThis.watched = barCode.watch(document.querySelector(selector), seconds);
            }""",
            [selector, seconds],
        )
    return [Watched(**page.evaluate("() => globalThis.watched")) for page in pages]


def watch_live(
    page: Page, seconds: float = 3.0, selector: str = "video", *, attempts: int = 5, modulo: int = CLIP_FRAMES
) -> Watched:
    """Watch until the picture is live (`Watched.assert_live`); a busy machine may need another look."""
    while True:
        attempts -= 1
        seen = watch(page, seconds, selector)
        try:
            seen.assert_live(modulo=modulo)
            return seen
        except AssertionError:
            if attempts <= 0:
                raise


def watch_at_full_rate(
    pages: Sequence[Page], *, rate: float = 27.0, modulo: int = CLIP_FRAMES, attempts: int = 5
) -> list[Watched]:
    """Watch until all pages show all frames (30 a second, less the jitter of a machine) during the same three seconds.

    A busy machine may need another look; a picture that is never whole fails with what was seen last.
    """
    while True:
        attempts -= 1
        seen = watch_all(pages, 3)
        try:
            for each in seen:
                each.assert_live(modulo=modulo, min_rate=rate)
            return seen
        except AssertionError:
            if attempts <= 0:
                raise
