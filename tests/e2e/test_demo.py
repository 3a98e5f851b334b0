"""`sightline demo`, as somebody sees it who has just typed it: an address, and behind it a picture that moves."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.harness.bars import CLIP_FRAMES, wait_for_picture, watch, watch_at_full_rate
from tests.harness.browser import Chromium, screenshot
from tests.harness.polling import eventually
from tests.harness.service import Service


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Service]:
    """A running demo, whose clip was made at another one's start: the fixture's."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "data").mkdir(mode=0o700)
    shutil.copy(clip, folder / "data" / clip.name)
    with Service(folder, command=("demo",)) as service:
        service.command.wait_for_output("/view/demo")
        yield service


@pytest.fixture(scope="module")
def address(demo: Service) -> str:
    """The address that the demo prints."""
    return demo.command.wait_for_output(r"http://localhost:\d+/view/demo\S*").group()


def test_the_printed_address_shows_the_clip(chromium: Chromium, demo: Service, address: str) -> None:
    assert address.startswith(demo.http)
    with chromium.page(address) as page:
        wait_for_picture(page)
        (seen,) = watch_at_full_rate([page])
        screenshot(page, "demo-en")
        assert (seen.width, seen.height) == (640, 360)


def test_the_page_says_what_it_shows(chromium: Chromium, address: str) -> None:
    with chromium.page(address) as page:
        expect(page.get_by_test_id("state")).to_have_text("Live")
        expect(page.get_by_test_id("resolution")).to_have_text("640 × 360")
        expect(page.get_by_test_id("frame-rate")).to_have_text(re.compile(r"^([12]\d|3[01])(\.\d)? fps"))
        expect(page.get_by_test_id("bitrate")).to_have_text(re.compile(r"[\d.,]+ [kM]bit/s"))
        expect(page.get_by_test_id("error")).to_be_hidden()
        assert page.locator("html").get_attribute("lang") == "en"
        assert "demo" in page.title()


def test_the_page_speaks_korean_to_a_korean_browser(chromium: Chromium, address: str) -> None:
    with chromium.page(address, locale="ko-KR") as page:
        expect(page.get_by_test_id("state")).to_have_text("실시간")
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        expect(page.get_by_text("프레임 속도")).to_be_visible()
        expect(page.get_by_test_id("frame-rate")).to_have_text(re.compile(r"^([12]\d|3[01])(\.\d)? fps"))
        screenshot(page, "demo-ko")


def test_two_viewers_watch_at_full_frame_rate_each(chromium: Chromium, address: str) -> None:
    with chromium.page(address) as first, chromium.page(address) as second:
        for page in (first, second):
            wait_for_picture(page)
        watch_at_full_rate([first, second])


def test_a_viewer_that_comes_later_sees_the_same_moment(chromium: Chromium, address: str) -> None:
    with chromium.page(address) as first:
        wait_for_picture(first)
        with chromium.page(address) as second:
            wait_for_picture(second)

            def apart() -> int:
                ahead = wait_for_picture(first) - wait_for_picture(second)
                return min(ahead % CLIP_FRAMES, -ahead % CLIP_FRAMES)

            # One is asked after the other, and both skip to live after a standstill: no first look counts.
            eventually(lambda: apart() < 45, "the two to see the same moment of a live camera")
        # The first one goes on when the second leaves.
        watch(first, 2).assert_live()


def test_a_picture_stays_when_other_viewers_come_and_go(chromium: Chromium, address: str) -> None:
    with chromium.page(address) as steady:
        wait_for_picture(steady)
        for _ in range(3):
            with ExitStack() as stack:
                for _ in range(2):
                    wait_for_picture(stack.enter_context(chromium.page(address)))
        watch(steady, 2).assert_live()


def test_the_demo_is_for_this_machine_only(demo: Service) -> None:
    listening = set()
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{family}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            if fields[3] == "0A" and int(port, 16) in (demo.http_port, demo.https_port):
                listening.add(address)
    assert listening <= {"0100007F", "0" * 24 + "01000000"}


def test_it_ends_with_its_camera(tmp_path: Path, chromium: Chromium, clip: Path) -> None:
    service = Service(tmp_path, command=("demo", "--source", str(clip)))
    address = service.command.wait_for_output(r"http://localhost:\d+/view/demo\S*").group()
    with chromium.page(address) as page:
        wait_for_picture(page)
        assert service.stop() == 0
    service.command.assert_clean()
    eventually(
        lambda: not [path for path in Path("/proc").glob("[0-9]*/environ") if mentions(path, str(tmp_path))],
        "the camera's process to end with the demo",
    )


def mentions(path: Path, folder: str) -> bool:
    """Whether the environment of a process names a folder."""
    try:
        return folder.encode() in path.read_bytes()
    except OSError:
        return False


def test_for_the_network_it_prints_a_link_and_a_qr_code(tmp_path: Path, chromium: Chromium, clip: Path) -> None:
    environment = {"SIGHTLINE_PUBLIC_HOST": "localhost"}
    command = ("demo", "--lan", "--source", str(clip))
    with Service(tmp_path, command=command, environment=environment) as service:
        found = service.command.wait_for_output(r"https://localhost:\d+/view/demo#\S+")
        assert "█" in service.command.output or "▀" in service.command.output, "no QR code"
        assert str(service.ca_file) in service.command.output
        with chromium.page(found.group()) as page:
            wait_for_picture(page)
        with chromium.page(found.group().partition("#")[0]) as page:
            expect(page.get_by_test_id("error")).to_contain_text("This page needs a link")
