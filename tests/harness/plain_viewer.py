"""Drives `plain_viewer.js`: a viewer of nobody's SDK in a browser's page, and what it noted, as values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.harness.bars import CLIP_FRAMES
from tests.harness.polling import eventually

FOLDER = Path(__file__).parent
SCRIPTS = [(FOLDER / name).read_text(encoding="utf-8") for name in ("bar_code.js", "plain_viewer.js")]
FREEZE = 0.25
"""Seconds without a new picture that a person calls frozen: at 30 per second, seven are missing."""

Evaluate = Callable[[str, Any], Any]
"""Calls a JavaScript function with one argument in the page, awaits it, and returns its value."""


@dataclass(frozen=True)
class Frame:
    """A presented frame."""

    at: float
    """Seconds of the page's clock."""
    number: int | None
    """By its bar code."""


class PlainViewer:
    """One viewer in one page that has the service's origin, whichever browser it is in."""

    def __init__(self, evaluate: Evaluate, channel: str | None = None, **wanted: Any) -> None:
        """A session of the service's for pages with a channel's name; else a `url`. `wanted`: see `plain_viewer.js`."""
        self._evaluate = evaluate
        for script in SCRIPTS:
            evaluate(f"() => {{ {script} }}", None)
        evaluate(
            "async (wanted) => { globalThis.viewer = await plainViewer.open(wanted); }", {"channel": channel, **wanted}
        )

    def ask(self, script: str, argument: Any = None) -> Any:
        """Evaluate a function in the page; `viewer` is what `plainViewer.open` returned."""
        return self._evaluate(script, argument)

    @property
    def now(self) -> float:
        """Seconds of the page's clock."""
        return float(self.ask("() => performance.now()")) / 1000

    @property
    def stats(self) -> Mapping[str, Any]:
        """See `stats` in plain_viewer.js."""
        read: Mapping[str, Any] = self.ask("() => viewer.stats()")
        return read

    @property
    def client_id(self) -> str:
        """As the service knows it."""
        return str(self.ask("() => viewer.clientId"))

    def frames(self, since: float = 0.0) -> list[Frame]:
        """The frames presented since then."""
        read = self.ask("(since) => viewer.notes.frames.filter(([at]) => at >= since)", since * 1000)
        return [Frame(at / 1000, number) for at, number, _ in read]

    def states(self) -> list[str]:
        """The connection's states so far."""
        return [state for _, state in self.ask("() => viewer.notes.states")]

    def wait_for_picture(self, *, since: float = 0.0, within: float = 30.0) -> Frame:
        """The first frame since then whose bar code can be read."""

        def look() -> Frame | None:
            return next((frame for frame in self.frames(since) if frame.number is not None), None)

        return eventually(look, "a picture", within=within)

    def watch(self, seconds: float) -> Seen:
        """Look for some seconds: what was seen."""
        since = self.now
        time.sleep(seconds)
        return Seen(since, self.now, self.frames(since))

    def watch_live(self, seconds: float, *, attempts: int = 5, **expected: float) -> Seen:
        """Look for some seconds until all is as it should be (`assert_live`): a browser leaves pictures out while it
        catches up, and while its machine has other work. What was seen last fails.
        """
        while True:
            attempts -= 1
            seen = self.watch(seconds)
            try:
                seen.assert_live(**expected)  # type: ignore[arg-type]
                return seen
            except AssertionError:
                if attempts <= 0:
                    raise

    def restart(self) -> float:
        """Start an ICE restart; when, in seconds of the page's clock."""
        return float(self.ask("() => viewer.restart()")) / 1000

    def close(self) -> None:
        """Leave as a page does that closes its connection."""
        self.ask("() => viewer.close()")


@dataclass(frozen=True)
class Seen:
    """What a person saw from `begin` to `end`."""

    begin: float
    end: float
    frames: Sequence[Frame]

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin

    @property
    def numbers(self) -> list[int]:
        """The bar codes, in order, without the frames that had none."""
        return [frame.number for frame in self.frames if frame.number is not None]

    @property
    def frozen(self) -> float:
        """Seconds during which the picture stood still, counted only where it did so for more than `FREEZE`."""
        times = [self.begin, *(frame.at for frame in self.frames), self.end]
        return sum(gap for before, after in pairwise(times) if (gap := after - before) > FREEZE)

    @property
    def longest_gap(self) -> float:
        """Seconds between two frames, at most."""
        times = [self.begin, *(frame.at for frame in self.frames), self.end]
        return max(after - before for before, after in pairwise(times))

    def assert_live(self, *, min_rate: float = 20.0, max_step: int = 15, modulo: int = CLIP_FRAMES) -> None:
        """The right frames, one after the other, at a real rate."""
        read = [frame.number for frame in self.frames]
        assert len(self.numbers) >= 0.9 * len(read) > 0, f"bar codes unreadable: {read}"
        steps = [(after - before) % modulo for before, after in pairwise(self.numbers)]
        assert all(0 <= step <= max_step for step in steps), f"frames jump or go back: {read}"
        assert sum(step > 0 for step in steps) >= 0.9 * len(steps), f"the picture stands still: {read}"
        assert len(read) / self.seconds >= min_rate, f"{len(read) / self.seconds:.1f} frames per second: {read}"
