"""Chromium as a program of a host in a lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

from tests.harness.browser import ARGUMENTS, Chromium
from tests.harness.network.lab import Host
from tests.harness.service import chromium_path


@contextmanager
def chromium_on(*hosts: Host) -> Iterator[list[Chromium]]:
    """Start one Chromium on each of the hosts, each with a fresh profile; they end with the block."""
    with sync_playwright() as playwright:
        browsers = []
        try:
            for host in hosts:
                program = host.executable(chromium_path())
                browsers.append(playwright.chromium.launch(executable_path=program, args=ARGUMENTS, headless=True))
            yield [Chromium(browser) for browser in browsers]
        finally:
            for browser in browsers:
                browser.close()
