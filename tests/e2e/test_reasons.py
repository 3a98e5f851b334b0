"""Why there is no picture: the nine causes of seed 001.6 and the rest of issue 4's, each by its real condition.

Every cause is looked at from both sides. The page is the service's own. Where that cannot bring the cause about because
the service makes its addresses (keys, region, clock, ARN), it is one that signs for itself with Amazon's
`SigV4RequestSigner` and shows what our `Viewer` says (`OWN_PAGE`). In Python it is `sightline view --json`, or a
program with `sightline.Viewer` where the command would put it right by itself (it signs by the service's clock) or
cannot ask for such a thing. What the page says in both languages is in `test_view_reasons.py`; a network that changes
while connecting is, with real networks, in `tests/network/test_uplinks.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, Route, expect

from sightline import Viewer, ViewerFailed
from sightline.client.control import IceServer, Session
from sightline.rtc.viewer_peer import ViewerPeer
from sightline.viewer import NoticeGiven, ViewerEvent, ViewerState
from sightline.wire.turn_credentials import mint
from tests.harness.access import make_key, session
from tests.harness.bars import wait_for_picture
from tests.harness.browser import Chromium
from tests.harness.kvs import EXTRAS, VIEWER, Kvs, Refused, unique_name
from tests.harness.polling import eventually
from tests.harness.service import CHECKOUT, Command, Service, free_port
from tests.harness.signing import Key, presign
from tests.harness.web import NPM_BUILDS

pytestmark = pytest.mark.timeout(120)

PATIENCE = 40.0
"""Seconds: a command takes several to start where the machine has other work."""
TURN_SECRET = "shared-secret-of-a-test"

OWN_PAGE = """async ({ endpoint, arn, key, region, clientId, late }) => {
  const { Viewer } = await import("/sdk/sightline.js");
  document.body.innerHTML = `<video autoplay muted playsinline></video>
    <p role="status" data-testid="notice" hidden></p><p role="alert" data-testid="error" hidden></p>`;
  const show = (place, failure) => {
    const element = document.querySelector(`[data-testid=${place}]`);
    element.hidden = !failure;
    element.textContent = failure ? failure.message : "";
    element.dataset.reason = failure ? failure.id : "";
  };
  const signer = new KVSWebRTC.SigV4RequestSigner(region, key);
  const session = async (signal, wanted) => ({
    url: await signer.getSignedURL(
      endpoint,
      { "X-Amz-ChannelARN": arn, "X-Amz-ClientId": wanted.clientId, "X-Sightline-Extras": "1" },
      new Date(Date.now() - late * 1000),
    ),
    iceServers: [],
  });
  const viewer = new Viewer({ session, video: document.querySelector("video"), clientId });
  viewer.on("notice", (notice) => show("notice", notice));
  viewer.on("failed", (failure) => show("error", failure));
  viewer.open();
}"""
RELAY_ONLY = """(() => {
  const Real = RTCPeerConnection;
  const only = (configuration) => ({ ...configuration, iceTransportPolicy: "relay" });
  globalThis.RTCPeerConnection = class extends Real {
    constructor(configuration) { super(only(configuration)); }
    setConfiguration(configuration) { super.setConfiguration(only(configuration)); }
  };
})()"""
"""A browser whose administrator permits relays only."""
OFFERS = {
    # Wants nothing that a camera has: the wrong flags of seed 001.6 g.
    "ill-chosen": """frame.text.replace(/^m=(video|audio) 9/gm, "m=$1 0")""",
    "malformed": """frame.text.replaceAll("a=fingerprint", "a=x-fingerprint")""",
}
REWRITES_ITS_OFFER = """(() => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (text) {
    const message = JSON.parse(text);
    if (message.action === "SDP_OFFER") {
      const frame = { text: atob(message.messagePayload).replaceAll("\\\\r\\\\n", "\\r\\n") };
      message.messagePayload = btoa((CHANGE).replaceAll("\\r\\n", "\\\\r\\\\n"));
    }
    send.call(this, JSON.stringify(message));
  };
})()"""
AV1_ONLY = """(() => {
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const transceiver = addTransceiver.call(this, kind, init);
    if (kind === "video") {
      const { codecs } = RTCRtpReceiver.getCapabilities("video");
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === "video/AV1"));
    }
    return transceiver;
  };
})()"""


# ---------------------------------------------------------------------------------------------------------- the page


def shows(page: Page, reason: str, *, within: float = 20.0) -> None:
    """The page's visible error names that reason, for good."""
    error = page.get_by_test_id("error")
    expect(error).to_be_visible(timeout=within * 1000)
    found = error.get_attribute("data-reason") or page.get_by_test_id("error-id").text_content()
    assert found == reason
    assert len(error.inner_text().split()) > 5, "a person is told nothing"


def tells(page: Page, reason: str, *, within: float = 20.0) -> None:
    """The page's visible notice is the one of that reason: what it says is taken from its own table of texts."""
    notice = page.get_by_test_id("notice")
    words = page.evaluate(
        """async (reason) => {
          const { text, hasText } = await import("/pages/language.js");
          return hasText(`notice.${reason}`) ? text(`notice.${reason}`) : text(`error.${reason}.what`);
        }""",
        reason,
    )
    expect(notice).to_contain_text(words, timeout=within * 1000)
    expect(notice).to_be_visible()


@pytest.fixture
def own_page(chromium: Chromium, service: Service, tls_kvs: Kvs, node_modules: Path) -> Callable[..., Any]:
    """A function that opens a page which signs for itself, for a channel that is there, unless it is told otherwise."""
    sdk = node_modules / NPM_BUILDS["/npm/kvs-webrtc.min.js"]
    arn = tls_kvs.create()
    endpoint = tls_kvs.endpoints(arn)["WSS"]

    @contextmanager
    def opened(key: Key | None = None, *, clientId: str | None = None, **wrong: Any) -> Iterator[Page]:
        key = key or tls_kvs.key
        with chromium.page(f"{service.https}/healthz", bypass_csp=True) as page:
            page.add_script_tag(path=sdk)
            wanted = {
                "endpoint": endpoint,
                "arn": arn,
                "key": {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key},
                "region": tls_kvs.region,
                "clientId": clientId or unique_name("own"),
                "late": 0,
                **wrong,
            }
            page.evaluate(OWN_PAGE, wanted)
            yield page

    return opened


# ---------------------------------------------------------------------------------------------------------- in Python


def events(command: Command) -> list[dict[str, Any]]:
    return [json.loads(line) for line in command.output.splitlines() if line.startswith("{")]


@contextmanager
def viewing(service: Service, *arguments: str, key: Key | None = None) -> Iterator[Command]:
    """`sightline view … --json`, as long as the block lasts."""
    command = service.spawn("view", *arguments, "--json", key=key)
    try:
        yield command
        command.assert_clean()
    finally:
        if command.process.poll() is None:
            command.kill()


def says(command: Command, reason: str, *, final: bool = False, within: float = PATIENCE) -> float:
    """It names the reason, as a notice or as what it failed for; when, by the wall clock."""

    def look() -> float | None:
        for event in events(command):
            if event.get("reason") == reason and (event["type"] == "failed" or not final):
                assert len(event["message"].split()) > 5
                return float(event["time"])
        assert command.process.poll() is None, f"it ended without saying {reason}:\n{command.output}"
        return None

    when = eventually(look, f"`sightline view` to say {reason}", within=within)
    if final:
        assert command.wait(within=10) == 1
    return when


def watches(command: Command, *, times: int = 1, within: float = PATIENCE) -> None:
    """It shows pictures, for the so manyth time."""
    eventually(
        lambda: sum(event.get("after") == "watching" for event in events(command)) >= times, "pictures", within=within
    )


def program_hears(channel: str, given: Session, *, within: float = PATIENCE, **options: Any) -> str:
    """Why a program with `sightline.Viewer` has no picture: the first thing that it is told."""

    async def watch() -> str:
        told: asyncio.Queue[str] = asyncio.Queue()

        def on_event(event: ViewerEvent) -> None:
            if isinstance(event, NoticeGiven) and event.reason is not None:
                told.put_nowait(event.reason)

        async def provider(_: str) -> Session:
            return given

        async with Viewer(channel, session_provider=provider, on_event=on_event, **options) as viewer:
            waiting = asyncio.ensure_future(told.get())
            ended = asyncio.ensure_future(viewer.wait_closed())
            try:
                await asyncio.wait([waiting, ended], timeout=within, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    return waiting.result()
                error = ended.exception() if ended.done() else None
                assert isinstance(error, ViewerFailed), f"nothing was said; it is {viewer.state}"
                assert viewer.state is ViewerState.FAILED
                return error.reason
            finally:
                waiting.cancel()
                ended.cancel()

    with ThreadPoolExecutor(1) as beside:  # Playwright has the event loop of this thread
        return beside.submit(asyncio.run, watch()).result()


def session_of(service: Service, channel: str, **other: Any) -> Session:
    """What the service gives a page: with TURN; `other` takes the place of a part."""
    answer = session(service, channel, clientId=unique_name("program")).json
    servers = tuple(
        IceServer(tuple(server["urls"]), server.get("username"), server.get("credential"))
        for server in answer["iceServers"]
    )
    parts = {
        "url": answer["url"],
        "ice_servers": servers,
        "channel_arn": answer["channelArn"],
        "client_id": answer["clientId"],
        "region": "us-west-2",
        "is_sightline": True,
    }
    return msgspec.convert({**parts, **other}, Session, from_attributes=True)


# ------------------------------------------------------------------------------------------------------- the fixtures


@pytest.fixture(scope="module")
def channel(service: Service, clip: Path) -> Iterator[str]:
    """A channel whose camera is on."""
    name = unique_name("porch")
    with service.spawn("master", name, "--create", "--source", str(clip)) as master:
        master.wait_for_output("waiting for viewers", within=PATIENCE)
        yield name


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[int]:
    """A TURN server that shares a secret with whoever mints credentials; its port."""
    program = shutil.which("turnserver")
    assert program is not None, "no turnserver on PATH: apt-get install coturn"
    port = free_port()
    command = [
        *(program, "--no-cli", "--log-file", "stdout", "--simple-log", "--no-stdout-log", "--pidfile", ""),
        *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers"),
        *("--listening-port", str(port), "--use-auth-secret", "--static-auth-secret", TURN_SECRET),
        *("--realm", "coturn.example", "--userdb", str(tmp_path / "turndb"), "--no-dtls", "--no-tls"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            time.sleep(0.5)
            assert process.poll() is None
            yield port
        finally:
            process.kill()


def old_credentials(port: int, *, age: float) -> IceServer:
    """What that server would have taken `age` seconds ago: they lasted a minute."""
    minted = mint(TURN_SECRET, "viewer", ttl=60, now=time.time() - age)
    return IceServer((f"turn:127.0.0.1:{port}?transport=udp",), minted.username, minted.password)


@contextmanager
def page_with_servers(chromium: Chromium, service: Service, channel: str, server: IceServer) -> Iterator[Page]:
    """The service's page in a browser that permits relays only, with another TURN server than the service's."""

    def answer(route: Route) -> None:
        given = session(service, channel, clientId=json.loads(route.request.post_data or "{}")["clientId"]).json
        servers = [{"urls": list(server.urls), "username": server.username, "credential": server.credential}]
        route.fulfill(json={**given, "iceServers": servers})

    with chromium.page() as page:
        page.add_init_script(RELAY_ONLY)
        page.route("**/sightline/v1/session", answer)
        page.goto(f"{service.http}/view/{channel}")
        yield page


# ------------------------------------------------------------------------------------------------------ the nine causes


class TestNineCauses:
    """Seed 001.6, in its order."""

    def test_a_the_secret_is_wrong(self, service: Service, channel: str, own_page: Callable[..., Any]) -> None:
        key = make_key(service, "viewer").but(secret_access_key="wrong")
        with viewing(service, channel, key=key) as command, own_page(key) as page:
            shows(page, "wrong-key")
            says(command, "wrong-key", final=True)

    def test_a_the_region_is_wrong(self, service: Service, channel: str, own_page: Callable[..., Any]) -> None:
        with viewing(service, channel, "--region", "eu-central-1") as command, own_page(region="eu-central-1") as page:
            shows(page, "wrong-region")
            says(command, "wrong-region", final=True)

    def test_b_the_arn_is_wrong_or_missing(
        self, chromium: Chromium, service: Service, kvs: Kvs, own_page: Callable[..., Any]
    ) -> None:
        gone = kvs.create()
        kvs.control.delete_signaling_channel(ChannelARN=gone)
        with viewing(service, gone) as by_arn, viewing(service, "nowhere") as by_name:
            for arn in (gone, "arn:aws:nonsense", ""):
                with own_page(arn=arn) as page:
                    shows(page, "unknown-channel")
            with chromium.page(f"{service.http}/view/nowhere") as page:
                shows(page, "unknown-channel")
            says(by_arn, "unknown-channel", final=True)
            says(by_name, "unknown-channel", final=True)

    def test_c_the_client_id_is_outside_the_rules(
        self, service: Service, channel: str, own_page: Callable[..., Any]
    ) -> None:
        for wrong in ("a b", "AWS_me", "x" * 257):
            with own_page(clientId=wrong) as page:
                shows(page, "bad-client-id")
        with viewing(service, channel, "--client-id", "a b") as command:
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
                    present = [each["clientId"] for each in viewers(service, channel)]
                    assert present == [name], "the camera serves that id once"

    def test_e_too_many_requests_in_a_short_time(
        self, chromium: Chromium, start_service: Callable[..., Service]
    ) -> None:
        """Whoever tries one wrong secret after the other is made to wait, however he comes."""
        service = start_service()
        with Kvs(service) as kvs:
            arn = kvs.create("porch")
            wrong = make_key(service, "viewer").but(secret_access_key="wrong")
            for _ in range(60):
                with pytest.raises(Refused) as refusal:
                    kvs.viewer(arn, "v", key=wrong)
                if refusal.value.kind == "ClientLimitExceededException":
                    break
            # They are counted for each address: the page has to come from the one that the test came from.
            here = f"127.0.0.1:{service.http_port}"
            query = {"X-Amz-ChannelARN": arn, "X-Amz-ClientId": "v", EXTRAS: "1"}
            url = presign(f"ws://{here}/viewer", query, key=wrong)

            def answer(route: Route) -> None:
                route.fulfill(json={"url": url, "iceServers": [], "clientId": "v"})

            with viewing(service, "porch", key=wrong) as command, chromium.page() as page:
                page.route("**/sightline/v1/session", answer)
                page.goto(f"http://{here}/view/porch")
                tells(page, "too-many-requests")
                says(command, "too-many-requests")

    @pytest.mark.parametrize("change", OFFERS.values(), ids=OFFERS.keys())
    def test_g_the_offer_cannot_be_answered(
        self, chromium: Chromium, service: Service, channel: str, change: str
    ) -> None:
        with chromium.page() as page:
            page.add_init_script(REWRITES_ITS_OFFER.replace("CHANGE", change))
            page.goto(f"{service.http}/view/{channel}")
            tells(page, "bad-offer")

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
        with Kvs(service) as kvs:
            kvs.create("porch")
        with viewing(service, "porch") as first:
            says(first, "camera-offline")
            with viewing(service, "porch") as second, chromium.page(f"{service.http}/view/porch") as page:
                shows(page, "viewer-limit")
                says(second, "viewer-limit", final=True)

    def test_i_the_ice_configuration_is_too_old(
        self, chromium: Chromium, service: Service, channel: str, coturn: int
    ) -> None:
        """The credentials are the right ones, and an hour old; the TURN server is coturn."""
        expired = old_credentials(coturn, age=3600)
        with page_with_servers(chromium, service, channel, expired) as page:
            tells(page, "ice-expired")
        given = session_of(service, channel, ice_servers=(expired,))
        assert program_hears(channel, given, ice_transport_policy="relay") == "ice-expired"
        given = session_of(service, channel, ice_servers=(old_credentials(coturn, age=0),))
        with page_with_servers(chromium, service, channel, old_credentials(coturn, age=0)) as page:
            wait_for_picture(page)  # so it was their age


# ------------------------------------------------------------------------------------------------------- and the others


class TestTheCamera:
    def test_it_is_switched_off(
        self, chromium: Chromium, service: Service, kvs: Kvs, camera: Callable[..., Command]
    ) -> None:
        """Told at once, waited for, and its picture comes by itself."""
        name = unique_name("asleep")
        kvs.create(name)
        with viewing(service, name) as command, chromium.page(f"{service.http}/view/{name}") as page:
            tells(page, "camera-offline", within=5)
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
        master.wait_for_output("waiting for viewers", within=PATIENCE)
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
            # The bounds, and what a busy machine takes (benchmarks/recovery.py measures).
            assert min(page_took, python_took) <= limit + 1
            assert max(page_took, python_took) <= 2 * limit + 2

    def test_it_has_no_codec_in_common(self, chromium: Chromium, service: Service, channel: str) -> None:
        """Python's viewer takes all that our cameras send, so only a page can come with another one."""
        with chromium.page() as page:
            page.add_init_script(AV1_ONLY)
            page.goto(f"{service.http}/view/{channel}")
            shows(page, "no-common-codec")

    def test_it_shows_nothing(self, chromium: Chromium, service: Service, kvs: Kvs) -> None:
        name = unique_name("dark")
        kvs.create(name)
        program = [sys.executable, "-m", "tests.harness.dark_camera", name]
        environment = service.client_environment()
        with subprocess.Popen(program, cwd=CHECKOUT, env=environment) as dark:
            try:
                with viewing(service, name) as command, chromium.page(f"{service.http}/view/{name}") as page:
                    tells(page, "no-media", within=30)
                    says(command, "no-media")
            finally:
                dark.kill()


class TestTheWay:
    def test_the_clock_is_wrong(self, service: Service, kvs: Kvs, own_page: Callable[..., Any]) -> None:
        """`sightline view` signs by the service's clock; a program with addresses of its own may come too late."""
        with own_page(late=3600) as page:
            shows(page, "clock-skew")
        name = unique_name("late")
        arn = kvs.create(name)
        old = kvs.socket_url(VIEWER, arn, "v", now=time.time() - 3600, parameters={EXTRAS: "1"})
        assert program_hears(name, session_of(service, name, url=old)) == "clock-skew"

    def test_there_is_no_path(self, chromium: Chromium, service: Service, channel: str) -> None:
        """Relays only, and the one there is is dead."""
        dead = IceServer((f"turn:127.0.0.1:{free_port()}?transport=udp",), "1:v", "secret")
        with page_with_servers(chromium, service, channel, dead) as page:
            given = session_of(service, channel, ice_servers=(dead,))
            assert program_hears(channel, given, ice_transport_policy="relay") == "no-path"
            tells(page, "no-path", within=30)


def viewers(service: Service, channel: str) -> Sequence[dict[str, Any]]:
    """Who watches, as the camera says."""
    found: Sequence[dict[str, Any]] = json.loads(service.run("viewers", channel, "--json").stdout)["viewers"]
    return found
