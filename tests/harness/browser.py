"""Debian's Chromium, driven by Playwright: pages in fresh contexts, screenshots, what the console said."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.harness.service import CHECKOUT, chromium_path

RESULTS = CHECKOUT / "test-results"
PATIENCE = 30_000
"""Milliseconds that a page may take for anything, since machines have other work; it takes some hundred."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # The service's CA is not in this browser's store; boto3, Node and the sockets of the tests do verify it.
    "--ignore-certificate-errors",
    # Any name of somebody else's may point to this machine: that is how DNS rebinding begins.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]

expect.set_options(timeout=PATIENCE)


class Chromium:
    """One browser; every page gets a context of its own, as another person's browser would be."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @contextmanager
    def page(self, url: str | None = None, *, locale: str = "en-US", **options: Any) -> Iterator[Page]:
        """A page in a new context, at `url` when one is given. `options` go to the context.

        When the block fails, the report gets what the console said and test-results/ a screenshot.
        """
        context: BrowserContext = self.browser.new_context(locale=locale, ignore_https_errors=True, **options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"page error: {error}"))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url} {request.failure}"))
        try:
            if url is not None:
                page.goto(url)
            yield page
        except BaseException:
            print(f"--- console of {page.url}", *said[-60:], sep="\n")
            with suppress(Error):
                print(f"--- screenshot: {screenshot(page, 'failed-' + current_test())}")
            raise
        finally:
            context.close()


def current_test() -> str:
    """The name of the test that runs now."""
    return os.environ.get("PYTEST_CURRENT_TEST", "no-test").partition(" ")[0].rpartition("/")[2]


@contextmanager
def launched() -> Iterator[Chromium]:
    """Start Chromium with a fresh profile; it ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS, headless=True)
        try:
            yield Chromium(browser)
        finally:
            browser.close()


def screenshot(page: Page, name: str) -> Path:
    """Save what a person would see now into test-results/."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.png"
    page.screenshot(path=path)
    return path
