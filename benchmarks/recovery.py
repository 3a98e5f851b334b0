#!/usr/bin/env python3
"""A phone with Wi-Fi and LTE loses its way to the camera: how long until the picture moves again, and is it told?

The phone is a network namespace with two uplinks, over which all goes: page, signaling, media. Three viewers watch
beside each other and lose the same way at the same moment: the viewer page in Chromium, `sightline.Viewer` in Python,
and the seed's way (`rivals/seed_viewer.js`), which looks at its network every 5 s and has a person click at once.
Nobody clicks for the other two.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the lab is the tests' own

from sightline.media.clip import ensure_clip
from support.processes import before_everybody
from support.report import finish, say, table
from tests.harness.browser import Chromium
from tests.harness.network import LabUnavailable
from tests.harness.network.uplinks import FAILURES, Failure, Uplinks
from tests.harness.recovery import (
    PageWatching,
    ProgramWatching,
    Told,
    Watching,
    moving_again,
    program_watching,
    wait_until_moving,
)
from tests.harness.service import Command

EXAMPLE = """\
example:
  python benchmarks/recovery.py                    10 runs of each failure, about 20 minutes
  python benchmarks/recovery.py --runs 3 --only 1 4"""
NAMES = (
    "uplink down, the other is up",
    "uplink down, the other comes up 5 s later",
    "silent, a second pair is there",
    "silent for 6 s, nothing else",
)
GOALS = (2.0, 4.0, 3.0, 1.0)
"""Seconds until pictures move: from the failure, or from when there is a way again."""
BANNER = 2.0
"""Seconds until a person is told of a picture that stands still, where it must (the fourth failure)."""
GONE = (("its process is killed", signal.SIGKILL, 1.0), ("its power is cut", signal.SIGSTOP, 4.0))
POLL = 5.0
"""Seconds between two looks of the seed's viewer."""
WAIT = 30.0
"""Seconds after which a viewer is taken for lost."""
SEED = Path(__file__).parent / "rivals" / "seed_viewer.js"


class SeedWatching:
    """The rival."""

    name = "the seed's way"

    def __init__(self, page: Page, link: str) -> None:
        self._page = page
        channel, _, token = link.rpartition("/")[2].partition("#")
        page.evaluate(f"() => {{ {SEED.read_text(encoding='utf-8')} }}")
        self.network("wlan0")
        page.evaluate("(wanted) => seedViewer.open(wanted)", {"channel": channel, "token": token})

    def network(self, name: str | None) -> None:
        """What the phone's system says of its network."""
        self._page.evaluate("(name) => { seedViewer.network = name; }", name)

    def frames(self, since: float) -> Sequence[float]:
        """When pictures were shown."""
        found: list[float] = self._page.evaluate("(since) => seedViewer.frames.filter((at) => at >= since)", since)
        return found

    def told(self, since: float) -> Sequence[Told]:
        """What was said, in order."""
        found = self._page.evaluate("(since) => seedViewer.told.filter(([at]) => at >= since)", since)
        return [Told(at, text) for at, text in found]


Result = dict[str, dict[str, float | None]]
"""By viewer: seconds until pictures move, and until the person is told; None for never."""


def main() -> None:
    args = arguments()
    if args.alone:
        before_everybody()
    with tempfile.TemporaryDirectory(prefix="sightline-recovery-") as directory:
        folder = Path(directory)
        clip = ensure_clip(folder / "clip.mp4")
        try:
            uplinks = Uplinks(folder, clip)
        except LabUnavailable as error:
            raise SystemExit(f"This benchmark needs network namespaces: {error}") from error
        with uplinks:
            uplinks.camera("porch")
            link = uplinks.link("porch")
            runs = {
                number: [run(uplinks, link, folder, number, each, args.runs) for each in range(args.runs)]
                for number in args.only
            }
            gone = [lose_camera(uplinks, folder, *each, args.runs) for each in GONE] if args.camera else []
            report(runs, gone)  # before all ends: whatever may be wrong with that


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="of each failure (default 10)")
    parser.add_argument("--only", type=int, nargs="+", default=[1, 2, 3, 4], choices=(1, 2, 3, 4), help="which ones")
    parser.add_argument("--no-camera", dest="camera", action="store_false", help="leave out the camera that goes")
    parser.add_argument("--alone", action="store_true", help="as root, on a busy machine: run before everybody else")
    return parser.parse_args()


@contextmanager
def watching(uplinks: Uplinks, link: str, folder: Path) -> Iterator[tuple[PageWatching, ProgramWatching, SeedWatching]]:
    """All three, with moving pictures."""
    with ExitStack() as stack:
        program = stack.enter_context(program_watching(uplinks.phone, link, uplinks.service.ca_file, folder / "python"))
        page = PageWatching(stack.enter_context(uplinks.chromium.page(link)))
        seed = SeedWatching(stack.enter_context(blank(uplinks.chromium, link)), link)
        opened = time.time()
        for viewer in (page, program, seed):
            wait_until_moving(viewer, opened, within=60)
        yield page, program, seed


@contextmanager
def blank(chromium: Chromium, link: str) -> Iterator[Page]:
    """A page of the service's origin that loads nothing of ours."""
    with chromium.page(link.partition("/view/")[0] + "/healthz") as page:
        yield page


def run(uplinks: Uplinks, link: str, folder: Path, number: int, turn: int, turns: int) -> Result:
    """One failure, seen by all three."""
    failure: Failure = FAILURES[number - 1](uplinks)
    uplinks.quiet(lte=failure.lte)
    with watching(uplinks, link, folder) as viewers:
        seed = viewers[2]
        # The seed's look comes anywhere within its 5 seconds: evenly, over all runs.
        time.sleep(2.0 + POLL * (turn + 0.5) / turns)
        lost = since = failure.begin()
        # Silence tells the phone nothing; a carrier that is lost tells it which way is left.
        if number == 1:
            seed.network("wwan0")
        elif number == 2:
            seed.network(None)
        if failure.pause:
            time.sleep(failure.pause)
            since = failure.mend() or lost
            if number == 2:
                seed.network("wwan0")
        moving: dict[str, float | None] = dict.fromkeys(viewer.name for viewer in viewers)
        while time.time() < since + WAIT and None in moving.values():
            time.sleep(0.2)
            now = time.time()
            for viewer in viewers:
                if moving[viewer.name] is None:
                    moving[viewer.name] = moving_again(viewer.frames(since - 1.0), since, now)
        found: Result = {viewer.name: {"moving": moving[viewer.name], "told": told(viewer, lost)} for viewer in viewers}
    uplinks.quiet(lte=True)
    say(f"({number}) run {turn + 1:2}  " + "  ".join(f"{name} {shown(each['moving'])}" for name, each in found.items()))
    return found


def told(viewer: Watching, since: float) -> float | None:
    """Seconds until the person was told something."""
    return next((each.at - since for each in viewer.told(since) if each.text), None)


def lose_camera(
    uplinks: Uplinks, folder: Path, name: str, what: signal.Signals, goal: float, turns: int
) -> tuple[str, float, dict[str, list[float | None]]]:
    """A camera goes; seconds until a person is told of the camera itself, by viewer."""
    found: dict[str, list[float | None]] = {"the page": [], "the Python viewer": []}
    for turn in range(turns):
        channel = f"gone-{what.name.lower()}-{turn}"
        uplinks.quiet(lte=True)
        with camera(uplinks, channel) as master:
            link = uplinks.link(channel)
            with ExitStack() as stack:
                viewers: list[Watching] = [
                    PageWatching(stack.enter_context(uplinks.chromium.page(link))),
                    stack.enter_context(
                        program_watching(uplinks.phone, link, uplinks.service.ca_file, folder / "python")
                    ),
                ]
                opened = time.time()
                for viewer in viewers:
                    wait_until_moving(viewer, opened, within=60)
                time.sleep(2.0)
                gone = time.time()
                os.kill(master.process.pid, what)
                time.sleep(goal + 3.0)
                for viewer in viewers:
                    of_camera = [
                        each for each in viewer.told(gone) if "camera-" in each.text or "The camera" in each.text
                    ]
                    found[viewer.name].append(of_camera[0].at - gone if of_camera else None)
        say(f"{name}, run {turn + 1:2}  " + "  ".join(f"{viewer} {shown(each[-1])}" for viewer, each in found.items()))
    return name, goal, found


@contextmanager
def camera(uplinks: Uplinks, channel: str) -> Iterator[Command]:
    """A camera that will not end well."""
    master = uplinks.start_camera(channel)
    try:
        yield master
    finally:
        master.kill()


def shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"


def median(values: Sequence[float | None]) -> float | None:
    """Never is longer than everything."""
    found = statistics.median(WAIT if value is None else value for value in values)
    return None if found >= WAIT else round(found, 2)


def report(runs: dict[int, list[Result]], gone: Sequence[tuple[str, float, dict[str, list[float | None]]]]) -> None:
    rows, failures, goals = [], [], {}
    for number, results in runs.items():
        name, goal = NAMES[number - 1], GOALS[number - 1]
        entry: dict[str, object] = {"failure": name, "goal_s": goal}
        for viewer in results[0]:
            moving = [each[viewer]["moving"] for each in results]
            said = [each[viewer]["told"] for each in results]
            middle, banner = median(moving), median(said)
            worst = max((WAIT if value is None else value) for value in moving)
            entry[viewer] = {
                "moving_median_s": middle,
                "moving_worst_s": None if worst >= WAIT else round(worst, 2),
                "told_median_s": banner,
                "runs_s": [None if value is None else round(value, 2) for value in moving],
            }
            rows.append(
                [f"({number}) {name}", viewer, shown(middle), shown(None if worst >= WAIT else worst), shown(banner)]
            )
            if viewer != SeedWatching.name:
                goals[f"({number}) {name}: {viewer} {shown(middle)}; the goal is {goal:.0f} s"] = (
                    middle is not None and middle <= goal
                )
                if number == len(NAMES):
                    goals[f"({number}) {viewer} says so after {shown(banner)}; the goal is {BANNER:.0f} s"] = (
                        banner is not None and banner <= BANNER
                    )
        failures.append(entry)
    cameras = []
    for name, goal, found in gone:
        for viewer, times in found.items():
            middle = median(times)
            rows.append([f"the camera: {name}", viewer, "", "", shown(middle)])
            cameras.append({"camera": name, "viewer": viewer, "goal_s": goal, "told_median_s": middle})
            goals[f"the camera: {name}: {viewer} says so after {shown(middle)}; the goal is {goal:.0f} s"] = (
                middle is not None and middle <= goal
            )
    say()
    table(["what happens", "viewer", "pictures move after", "worst", "told after"], rows)
    count = max((len(results) for results in runs.values()), default=0)
    finish("recovery", {"runs": count, "failures": failures, "camera_gone": cameras}, goals)


if __name__ == "__main__":
    main()
