"""Why there is no picture: the nine causes of seed 001.6 and the rest of issue 4's, each by its real condition.

Every cause is looked at from all sides. The page is the service's own, in both languages; where it cannot bring the
cause about because the service makes its addresses (keys, region, clock, ARN), its session request is answered by the
test with an address that the service then really refuses. Other people's pages sign for themselves and show what our
`Viewer` says (`OwnPage`). In Python it is `sightline view --json`, or a program with `sightline.Viewer` where the
command would put it right by itself (it signs by the service's clock) or cannot ask for such a thing. A network that
changes while connecting is, with real networks, in `tests/network/test_uplinks.py`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from sightline.client.control import IceServer
from sightline.rtc.viewer_peer import ViewerPeer
from tests.harness.access import admin, listed, make_key, session
from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium, screenshot
from tests.harness.browser_limits import RELAY_ONLY, rewrites_its_offer, video_codecs
from tests.harness.commands import PATIENCE, says, viewing, watches
from tests.harness.coturn import old_credentials
from tests.harness.kvs import EXTRAS, VIEWER, Kvs, Refused, unique_name
from tests.harness.own_page import OwnPage
from tests.harness.polling import eventually
from tests.harness.reason_pages import own_page_shows, page_at, page_with_servers, shows, tells, words_of
from tests.harness.recovery import PageWatching, page_watching
from tests.harness.service import CHECKOUT, Command, Service, free_port
from tests.harness.signing import presign
from tests.harness.viewer_program import program_hears, session_of

WITH = {EXTRAS: "1"}
OFFERS = {
    # Wants nothing that a camera has: the wrong flags of seed 001.6 g.
    "ill-chosen": """sdp.replace(/^m=(video|audio) 9/gm, "m=$1 0")""",
    "malformed": """sdp.replaceAll("a=fingerprint", "a=x-fingerprint")""",
}
OFF = "The camera is switched off"


# ------------------------------------------------------------------------------------------------------- the fixtures


@pytest.fixture(scope="module")
def own_page(chromium: Chromium, tls_kvs: Kvs, node_modules: Path) -> OwnPage:
    """A page that signs for itself."""
    return OwnPage(chromium, tls_kvs, node_modules)


@pytest.fixture(scope="module")
def arn(kvs: Kvs) -> str:
    """A channel without a camera."""
    return kvs.create("without")


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    name = unique_name("porch")
    with service.spawn("master", name, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers")
        yield name


@dataclass
class Patient:
    """Who is told only after many seconds: of a camera that shows nothing, and of a path that there is not."""

    sees_nothing: PageWatching
    in_python: Command
    has_no_path: PageWatching
    program: Future[str]


@pytest.fixture(scope="module", autouse=True)
def patient(chromium: Chromium, service: Service, kvs: Kvs) -> Iterator[Patient]:
    """They begin before all other tests, which do something else meanwhile, and are asked what they were told."""
    name = unique_name("dark")
    kvs.create(name)
    program = [sys.executable, "-m", "tests.harness.dark_camera", name]
    # Relays only, and the one there is is dead.
    dead = IceServer((f"turn:127.0.0.1:{free_port()}?transport=udp",), "1:v", "secret")
    with ExitStack() as stack:
        dark = stack.enter_context(subprocess.Popen(program, cwd=CHECKOUT, env=service.client_environment()))
        stack.callback(dark.kill)
        eventually(lambda: admin(service, "viewers", {"channel": name}).json["masterConnected"], "the dark camera")
        given = session_of(service, name, ice_servers=(dead,))
        beside = stack.enter_context(ThreadPoolExecutor(1))
        yield Patient(
            sees_nothing=stack.enter_context(page_watching(chromium, f"{service.http}/view/{name}")),
            in_python=stack.enter_context(viewing(service, name)),
            has_no_path=PageWatching(stack.enter_context(page_with_servers(chromium, service, name, dead))),
            program=beside.submit(program_hears, name, given, ice_transport_policy="relay"),
        )


def was_told(watching: PageWatching, reason: str) -> None:
    """The page has said, as a notice or as its last word, what its table of texts has for that reason."""
    words, last_word = words_of(watching.page, reason), watching.page.get_by_test_id("error-id")

    def said() -> bool:
        print("the page has said:", *watching.told(0), last_word.text_content(), sep="\n  ")
        return any(words in told.text for told in watching.told(0)) or last_word.text_content() == reason

    eventually(said, f"{words!r} on the page", within=60, every=1.0)


# ------------------------------------------------------------------------------------------------------ the nine causes


class TestNineCauses:
    """Seed 001.6, in its order."""

    def test_a_the_secret_is_wrong(
        self, chromium: Chromium, service: Service, kvs: Kvs, arn: str, own_page: OwnPage
    ) -> None:
        key = make_key(service, "viewer").but(secret_access_key="wrong")
        url = kvs.socket_url(VIEWER, arn, "v", key=key, parameters=WITH)
        with viewing(service, arn, key=key) as command:
            with own_page(key) as own, page_at(chromium, service, url) as page:
                own_page_shows(own, "wrong-key")
                shows(page, "wrong-key")
            says(command, "wrong-key", final=True)

    def test_a_the_region_is_wrong(
        self, chromium: Chromium, service: Service, kvs: Kvs, arn: str, own_page: OwnPage
    ) -> None:
        url = kvs.socket_url(VIEWER, arn, "v", region="eu-central-1", parameters=WITH)
        with viewing(service, "without", "--region", "eu-central-1") as command:
            with own_page(region="eu-central-1") as own, page_at(chromium, service, url) as page:
                own_page_shows(own, "wrong-region")
                shows(page, "wrong-region")
            says(command, "wrong-region", final=True)

    def test_b_the_arn_is_wrong_or_missing(
        self, chromium: Chromium, service: Service, kvs: Kvs, own_page: OwnPage
    ) -> None:
        gone = kvs.create()
        url = kvs.socket_url(VIEWER, gone, "v", parameters=WITH)
        kvs.control.delete_signaling_channel(ChannelARN=gone)
        with viewing(service, gone) as by_arn, viewing(service, "nowhere") as by_name:
            for wrong in (gone, "arn:aws:nonsense", ""):
                with own_page(arn=wrong) as own:
                    own_page_shows(own, "unknown-channel")
            with chromium.page(f"{service.http}/view/nowhere") as page, page_at(chromium, service, url) as deleted:
                shows(page, "unknown-channel")
                shows(deleted, "unknown-channel")
            says(by_arn, "unknown-channel", final=True)
            says(by_name, "unknown-channel", final=True)

    def test_c_the_client_id_is_outside_the_rules(
        self, chromium: Chromium, service: Service, kvs: Kvs, arn: str, own_page: OwnPage
    ) -> None:
        with viewing(service, arn, "--client-id", "a b") as command:
            for wrong in ("a b", "AWS_me", "x" * 257):
                with own_page(client_id=wrong) as own:
                    own_page_shows(own, "bad-client-id")
            for wrong in ("a b", "AWS_me"):
                query = {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": wrong, **WITH}
                url = presign(f"{service.http.replace('http', 'ws', 1)}/viewer", query, key=kvs.key)
                with page_at(chromium, service, url) as page:
                    shows(page, "bad-client-id")
            assert command.wait(within=PATIENCE) == 1
            assert "'a b' is not a client id. A client id has 1 to 256 characters" in command.output

    def test_d_the_client_id_is_used_twice(self, chromium: Chromium, service: Service, channel: str) -> None:
        """One policy everywhere: the newer one replaces the older, who is told; nobody waits for 60 seconds."""
        with chromium.page(f"{service.http}/view/{channel}") as page:
            wait_for_picture(page)
            name = page.get_by_test_id("client-id").text_content() or ""
            with viewing(service, channel, "--client-id", name) as first:
                watches(first)
                shows(page, "client-id-in-use")
                with viewing(service, channel, "--client-id", name) as second:
                    watches(second)
                    says(first, "client-id-in-use", final=True)
                    once = [name]  # as the camera reports
                    eventually(lambda: [each["clientId"] for each in listed(service, channel)] == once, "it once")

    def test_e_too_many_requests_in_a_short_time(
        self, chromium: Chromium, start_service: Callable[..., Service]
    ) -> None:
        """Whoever tries one wrong secret after the other is made to wait, however he comes."""
        service = start_service()
        with Kvs(service) as kvs:
            arn = kvs.create("porch")
            wrong = make_key(service, "viewer").but(secret_access_key="wrong")

            def try_often() -> None:
                """Until one is made to wait; five seconds later one may try again."""
                for _ in range(60):
                    with pytest.raises(Refused) as refusal:
                        kvs.viewer(arn, "v", key=wrong)
                    if refusal.value.kind == "ClientLimitExceededException":
                        break

            # They are counted for each address: the page has to come from the one that the test came from.
            here = f"127.0.0.1:{service.http_port}"
            url = presign(f"ws://{here}/viewer", {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": "v", **WITH}, key=wrong)

            given = session_of(service, "porch", url=url)
            try_often()
            # A program, since it asks at once: a command may need as long to start.
            assert program_hears("porch", given) == "too-many-requests"

            def answer(route: Route) -> None:
                route.fulfill(json={"url": url, "iceServers": [], "clientId": "v"})

            with chromium.page() as page:
                page.route("**/sightline/v1/session", answer)
                try_often()
                page.goto(f"http://{here}/view/porch")
                # It may pass: the page tells it, and waits the seed's 4 s before it tries once more.
                expect(page.get_by_test_id("notice")).to_contain_text("Too many attempts")
                expect(page.get_by_test_id("state")).to_have_text("Trying again in a moment…")

    @pytest.mark.parametrize("change", OFFERS.values(), ids=OFFERS.keys())
    def test_g_the_offer_cannot_be_answered(
        self, chromium: Chromium, service: Service, channel: str, change: str
    ) -> None:
        with chromium.page() as page:
            page.add_init_script(rewrites_its_offer(change))
            page.goto(f"{service.http}/view/{channel}")
            expect(page.get_by_test_id("notice")).to_contain_text("The camera cannot use this browser’s offer")

    def test_g_the_offer_of_a_program_cannot_be_answered(
        self, service: Service, channel: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offer = ViewerPeer.offer

        async def malformed(peer: ViewerPeer) -> str:
            return (await offer(peer)).replace("a=fingerprint", "a=x-fingerprint")

        monkeypatch.setattr(ViewerPeer, "offer", malformed)
        assert program_hears(channel, session_of(service, channel)) == "bad-offer"

    def test_h_the_channel_is_full(self, chromium: Chromium, start_service: Callable[..., Service]) -> None:
        service = start_service(environment={"SIGHTLINE_MAX_VIEWERS": "1"})
        with (
            Kvs(service) as kvs,
            kvs.viewer(kvs.create("porch")) as first,
            viewing(service, "porch") as command,
            chromium.page(f"{service.http}/view/porch") as page,
        ):
            shows(page, "viewer-limit")
            screenshot(page, "viewer-limit-en")
            says(command, "viewer-limit", final=True)
            first.close()
            page.get_by_test_id("retry").click()
            expect(page.get_by_test_id("notice")).to_contain_text(OFF)

    def test_i_the_ice_configuration_is_too_old(
        self, chromium: Chromium, service: Service, channel: str, coturn: int
    ) -> None:
        """The credentials are the right ones, and an hour old; the TURN server is coturn."""
        expired, fresh = old_credentials(coturn, age=3600), old_credentials(coturn, age=0)
        with page_with_servers(chromium, service, channel, expired) as page:
            tells(page, "ice-expired")
        given = session_of(service, channel, ice_servers=(expired,))
        assert program_hears(channel, given, ice_transport_policy="relay") == "ice-expired"
        with page_with_servers(chromium, service, channel, fresh) as page:
            wait_for_picture(page)  # so it was their age

    def test_i_the_same_with_the_services_own_relay_and_whoever_tries_again_has_new_credentials(
        self, chromium: Chromium, service: Service, channel: str
    ) -> None:
        def old(route: Route) -> None:
            given = session(service, channel).json
            servers = [
                {**server, "username": re.sub(r"^\d+", "1000000000", server["username"])}
                for server in given["iceServers"]
                if "credential" in server
            ]
            assert servers, "the service gave no relay"
            route.fulfill(json={**given, "iceServers": servers})

        with chromium.page() as page:
            page.add_init_script(RELAY_ONLY)
            page.route("**/sightline/v1/session", old, times=1)
            page.goto(f"{service.http}/view/{channel}")
            expect(page.get_by_test_id("notice")).to_contain_text("The relay refused its credentials")
            reconnect = page.get_by_test_id("reconnect")
            if reconnect.is_visible():  # else the page has tried again by itself
                reconnect.click()
            wait_for_picture(page)
            expect(page.get_by_test_id("path")).to_have_text(re.compile("Relayed"))


# ------------------------------------------------------------------------------------------------------- and the others


def test_a_key_for_another_camera(chromium: Chromium, service: Service, kvs: Kvs, arn: str) -> None:
    key = make_key(service, "viewer", "another-*")
    with page_at(chromium, service, kvs.socket_url(VIEWER, arn, "v", key=key, parameters=WITH)) as page:
        shows(page, "not-allowed")


class TestTheCamera:
    def test_it_is_switched_off(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Command]
    ) -> None:
        """Told at once, waited for, and its picture comes by itself."""
        name = unique_name("asleep")
        kvs.create(name)
        with viewing(service, name) as command, chromium.page(f"{service.http}/view/{name}") as page:
            tells(page, "camera-offline")
            says(command, "camera-offline")
            camera(name)
            wait_for_picture(page)
            watches(command)

    @pytest.mark.parametrize(
        ("what", "reason", "limit"),
        [(signal.SIGKILL, "camera-offline", 1.0), (signal.SIGSTOP, "camera-silent", 4.0)],
        ids=["its process is killed", "its power is cut"],
    )
    def test_it_goes(
        self,
        chromium: Chromium,
        service: Service,
        camera: Callable[..., Command],
        what: signal.Signals,
        reason: str,
        limit: float,
    ) -> None:
        """A stopped process is a camera without power: nobody closes its connections, and nothing comes any more."""
        name = unique_name("porch")
        master = camera(name)
        master.wait_for_output("waiting for viewers")
        with viewing(service, name) as command, chromium.page(f"{service.http}/view/{name}") as page:
            wait_for_picture(page)
            watches(command)
            time.sleep(1.0)
            try:
                gone = time.time()
                os.kill(master.process.pid, what)
                tells(page, reason)
                page_took = time.time() - gone
                python_took = says(command, reason) - gone
                print(f"{reason}: {page_took:.2f} s on the page, {python_took:.2f} s in Python")
            finally:
                if what is signal.SIGSTOP:
                    os.kill(master.process.pid, signal.SIGCONT)
                master.kill()
            # Three times the bounds, for busy machines (benchmarks/recovery.py measures).
            assert max(page_took, python_took) <= 3 * limit + 2

    def test_it_serves_nobody_else(self, chromium: Chromium, service: Service, camera: Callable[..., Command]) -> None:
        channel = unique_name("private")
        camera(channel, "--max-viewers", "1").wait_for_output("waiting for viewers")
        with chromium.page(f"{service.http}/view/{channel}") as first:
            wait_for_picture(first)
            with chromium.page(f"{service.http}/view/{channel}") as second:
                shows(second, "viewer-limit")

    def test_it_has_no_codec_in_common(self, chromium: Chromium, service: Service, channel: str) -> None:
        """Python's viewer takes all that our cameras send, so only a page can come with another one."""
        with chromium.page() as page:
            page.add_init_script(video_codecs("AV1"))
            page.goto(f"{service.http}/view/{channel}")
            shows(page, "no-common-codec")

    def test_it_shows_nothing(self, patient: Patient) -> None:
        was_told(patient.sees_nothing, "no-media")
        says(patient.in_python, "no-media")


class TestTheWay:
    def test_the_clock_is_wrong(
        self, chromium: Chromium, service: Service, kvs: Kvs, arn: str, own_page: OwnPage
    ) -> None:
        """`sightline view` signs by the service's clock; a program with addresses of its own may come too late."""
        old = kvs.socket_url(VIEWER, arn, "v", now=time.time() - 3600, parameters=WITH)
        with own_page(late=3600) as own, page_at(chromium, service, old) as page:
            own_page_shows(own, "clock-skew")
            shows(page, "clock-skew")
        assert program_hears("without", session_of(service, "without", url=old)) == "clock-skew"

    def test_there_is_none(self, patient: Patient) -> None:
        was_told(patient.has_no_path, "no-path")
        assert patient.program.result() == "no-path"

    def test_the_network_changes_while_it_connects(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Command]
    ) -> None:
        """Seed 001.6 f: told, started anew at once under the same id, and not counted as the retry."""
        channel = unique_name("moving")
        kvs.create(channel)
        with chromium.page(f"{service.http}/view/{channel}") as page:
            expect(page.get_by_test_id("state")).to_have_text("Waiting for the camera to answer…")
            name = page.get_by_test_id("client-id").text_content()
            page.context.set_offline(True)
            expect(page.get_by_test_id("notice")).to_contain_text("This device has no network")
            screenshot(page, "offline-en")
            page.context.set_offline(False)
            expect(page.get_by_test_id("notice")).to_contain_text(OFF)
            assert page.get_by_test_id("client-id").text_content() == name
            camera(channel)
            wait_for_picture(page)
            expect(page.get_by_test_id("notice")).to_be_hidden()
