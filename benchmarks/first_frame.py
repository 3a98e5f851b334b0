#!/usr/bin/env python3
"""From the click to the first decoded frame: Chromium opens the viewer page of `sightline demo` on loopback.

Each run is a fresh browser context, so nothing comes from a cache, and clicks a link to the page. The page itself
says when each stage was reached (its `first-frame` output). The browser runs already, as a person's does: one run
before the first is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from support.processes import before_everybody, free_port, plain_environment, sightline_command
from support.report import finish, say, table

EXAMPLE = """\
example:
  python benchmarks/first_frame.py                 20 runs, about 1 minute
  python benchmarks/first_frame.py --runs 3 --source test"""
GOAL_MS = 500.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STAGES = ("opened", "session", "offerReady", "socket", "offerSent", "answer", "connected", "firstFrame")
"""``opened``: the page's modules have run and the viewer begins. Session and offer are made at the same time."""


def main() -> None:
    args = arguments()
    if args.alone:
        before_everybody()
    runs = []
    with (
        tempfile.TemporaryDirectory(prefix="sightline-first-frame-") as directory,
        demo(Path(directory), args.source) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS, headless=True)
        watch(browser, address)
        for number in range(args.runs):
            time.sleep(1)
            runs.append(watch(browser, address))
            say(f"run {number + 1:2}  " + "  ".join(f"{stage} {ms:.0f}" for stage, ms in runs[-1].items()))
        browser.close()
    report(runs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--source", default="clip", help="the camera's picture: clip (default), test or a file")
    parser.add_argument(
        "--alone", action="store_true", help="as root, on a busy machine: camera and browser before everybody else"
    )
    return parser.parse_args()


def chromium() -> str:
    for name in CHROMIUM:
        if path := shutil.which(name):
            return path
    raise SystemExit("There is no Chromium: run `make test-setup` first.")


@contextlib.contextmanager
def demo(folder: Path, source: str) -> Iterator[str]:
    """`sightline demo` until the block ends; the address of its page."""
    port = free_port()
    log = folder / "demo.log"
    command = [sightline_command(), "demo", "--source", source, "--http-port", str(port), "--https-port", "off"]
    environment = {
        **plain_environment(),
        "SIGHTLINE_DATA_DIR": str(folder / "data"),
        "SIGHTLINE_TURN_PORT": str(free_port()),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        deadline = time.monotonic() + 90
        while "/view/demo" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the demo did not start; it said:\n{log.read_text()}")
            time.sleep(0.1)
        yield f"http://localhost:{port}/view/demo"
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def watch(browser: Browser, address: str) -> dict[str, float]:
    """One run: milliseconds from the click to each stage."""
    context = browser.new_context()
    try:
        page = context.new_page()
        # A page of the same site to click on, as a list of cameras would be; it loads none of the viewer's modules.
        page.goto(address.replace("/view/demo", "/healthz"))
        page.evaluate("address => { document.body.innerHTML = `<a href='${address}'>watch</a>`; }", address)
        page.click("a", no_wait_after=True)
        output = page.get_by_test_id("first-frame")
        expect(output).to_contain_text("firstFrame", timeout=15_000)
        timings = json.loads(output.text_content() or "")
    finally:
        context.close()
    started = timings.pop("startedAt")
    reached = {"opened": started, **{stage: started + ms for stage, ms in timings.items()}}
    return {stage: reached[stage] for stage in STAGES if stage in reached}


def report(runs: list[dict[str, float]]) -> None:
    rows, stages, before = [], {}, 0.0
    for stage in STAGES:
        times = [run[stage] for run in runs if stage in run]
        median = statistics.median(times)
        stages[stage] = {
            "median_ms": round(median, 1),
            "fastest_ms": round(min(times), 1),
            "slowest_ms": round(max(times), 1),
        }
        rows.append([stage, f"{median:.0f}", f"{median - before:+.0f}", f"{min(times):.0f}", f"{max(times):.0f}"])
        before = median
    say()
    table(["ms since the click", "median", "step", "fastest", "slowest"], rows)
    total = stages["firstFrame"]["median_ms"]
    own = round(statistics.median(run["firstFrame"] - run["opened"] for run in runs), 1)
    say(f"from the viewer's own start to the first frame: {own:.0f} ms")
    result = {"runs": len(runs), "stages": stages, "from_viewer_start_median_ms": own}
    finish(
        "first_frame",
        result,
        {f"{total:.0f} ms from the click to the first decoded frame; the goal is {GOAL_MS:.0f}": total <= GOAL_MS},
    )


if __name__ == "__main__":
    main()
