"""The control-plane and admin clients against a small fake on loopback, through the real botocore."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from sightline.client.admin import Admin
from sightline.client.control import ControlPlane, IceServer, _stun_of
from sightline.client.refusals import (
    CertificateNotTrusted,
    ClockSkew,
    NotAllowed,
    NotAService,
    UnknownChannel,
    WrongKey,
)
from sightline.client.target import Target
from sightline.errors import (
    ConfigError,
    InvalidArn,
    InvalidChannelName,
    InvalidClientId,
    ServiceRefused,
    ServiceUnreachable,
)
from sightline.service.tls import TlsKeeper
from sightline.wire.sigv4 import Credentials
from tests.unit.client.fake_kvs import ARN, KEY, SECRET, FakeKvs, error

pytestmark = pytest.mark.realtime


class Clock:
    """The service's clock; botocore signs with the machine's."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kvs(clock: Clock) -> Iterator[FakeKvs]:
    fake = FakeKvs(clock=clock)
    yield fake
    fake.close()


def target(url: str, **changes: object) -> Target:
    fields: dict[str, object] = {
        "endpoint": url,
        "region": "us-west-2",
        "credentials": Credentials(KEY, SECRET),
        "credentials_from": "the test",
        **changes,
    }
    return Target(**fields)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def control(kvs: FakeKvs) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(target=target(kvs.url)) as plane:
        yield plane


@pytest_asyncio.fixture
async def admin(kvs: FakeKvs) -> AsyncIterator[Admin]:
    async with Admin(target=target(kvs.url)) as client:
        yield client


# ---------------------------------------------------------------------------------------- connecting


async def test_a_viewer_gets_all_it_needs(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.add("demo")
    session = await control.viewer_session("demo", "viewer-1")
    url = urlsplit(session.url)
    query = parse_qs(url.query)
    assert (url.scheme, url.path) == ("ws", "/viewer")
    assert query["X-Amz-ChannelARN"] == [ARN.format("demo")]
    assert query["X-Amz-ClientId"] == ["viewer-1"]
    assert query["X-Amz-Expires"] == ["299"]
    assert query["X-Sightline-Extras"] == ["1"]
    assert session.ice_servers == (
        IceServer(("stun:h:3478",), None, None),
        IceServer(("turn:h:3478?transport=udp",), "1:x", "p"),
    )
    assert (session.client_id, session.region, session.is_sightline) == ("viewer-1", "us-west-2", True)
    assert [path for path, _ in kvs.requests] == [
        "/describeSignalingChannel",
        "/getSignalingChannelEndpoint",
        "/v1/get-ice-server-config",
    ]


async def test_each_turn_server_over_udp_is_a_stun_server_too() -> None:
    """KVS's list has TURN alone; without STUN a camera and a viewer at home would meet at the relay."""
    turn = IceServer(("turn:h:1?transport=udp", "turn:h:1?transport=tcp", "turns:h:2?transport=tcp"), "1:x", "p")
    other = IceServer(("turn:[2001:db8::1]:3?transport=udp",), "1:x", "p")
    assert _stun_of((turn, other)) == [IceServer(("stun:h:1",)), IceServer(("stun:[2001:db8::1]:3",))]
    assert _stun_of((IceServer(("stun:h:1",)), turn)) == []


async def test_a_master_has_no_client_id(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.add("demo")
    session = await control.master_session("demo")
    assert session.client_id is None
    assert "X-Amz-ClientId" not in session.url
    assert urlsplit(session.url).path == "/master"


async def test_a_viewer_without_a_name_gets_a_valid_one(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.add("demo")
    first, second = await control.viewer_session("demo"), await control.viewer_session("demo")
    assert first.client_id != second.client_id
    with pytest.raises(InvalidClientId):
        await control.viewer_session("demo", "AWS_x")


async def test_extras_are_asked_of_a_sightline_only(clock: Clock) -> None:
    fake = FakeKvs(clock=clock, is_sightline=False)
    try:
        fake.add("demo")
        async with ControlPlane(target=target(fake.url)) as control:
            session = await control.master_session("demo")
        assert not session.is_sightline
        assert "Sightline" not in session.url
    finally:
        fake.close()


async def test_a_channel_may_be_named_by_its_arn(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.add("demo")
    assert (await control.master_session(ARN.format("demo"))).channel_arn == ARN.format("demo")
    assert kvs.requests[0] == ("/describeSignalingChannel", {"ChannelARN": ARN.format("demo")})


async def test_a_master_may_make_its_channel(kvs: FakeKvs, control: ControlPlane) -> None:
    await control.master_session("fresh", create=True)
    assert kvs.channels["fresh"]["ttl"] == 60
    with pytest.raises(UnknownChannel, match="sightline channel create other"):
        await control.master_session("other")


async def test_two_masters_may_make_the_same_channel_at_once(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.override["/createSignalingChannel"] = (400, error("ResourceInUseException", "it exists"))
    with pytest.raises(UnknownChannel):  # the fake still has none; what matters is that it looked again
        await control.master_session("demo", create=True)
    assert [path for path, _ in kvs.requests].count("/describeSignalingChannel") == 2


async def test_no_secret_shows_in_what_gets_logged(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.add("demo")
    session = await control.viewer_session("demo", "v")
    text = repr(session) + repr(session.ice_servers) + repr(control.target)
    assert "Signature" not in text
    assert SECRET not in text


# ------------------------------------------------------------------------------------------ channels


async def test_channels_from_birth_to_death(kvs: FakeKvs, control: ControlPlane) -> None:
    made = await control.create_channel("cam-1", message_ttl=30, tags={"room": "attic"})
    assert (made.name, made.arn, made.message_ttl, made.status) == ("cam-1", ARN.format("cam-1"), 30, "ACTIVE")
    assert made.created == pytest.approx(1700000000.123, abs=1)
    await control.update_channel("cam-1", message_ttl=90)
    await control.tag_channel("cam-1", {"room": "cellar", "floor": "-1"})
    await control.untag_channel("cam-1", ["floor", "nothing"])
    found = await control.describe_channel("cam-1", with_tags=True)
    assert (found.message_ttl, found.tags) == (90, {"room": "cellar"})
    await control.delete_channel("cam-1")
    assert await control.list_channels() == []


async def test_lists_are_whole_and_filtered(kvs: FakeKvs, control: ControlPlane) -> None:
    for number in range(5):
        kvs.add(f"cam-{number}", kind="camera", even=str(number % 2 == 0))
    kvs.add("door", kind="bell")
    assert len(await control.list_channels()) == 6
    assert [c.name for c in await control.list_channels(prefix="d")] == ["door"]
    tagged = await control.list_channels(tags={"kind": "camera", "even": "True"})
    assert [c.name for c in tagged] == ["cam-0", "cam-2", "cam-4"]
    assert await control.list_channels(tags={"kind": "nothing"}) == []


# -------------------------------------------------------------------------------------------- errors


async def test_nothing_answers() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://localhost:{sock.getsockname()[1]}"
    async with ControlPlane(target=target(url)) as control:
        with pytest.raises(ServiceUnreachable, match=f"Nothing answers at {url}; start it with `sightline serve`"):
            await control.list_channels()
    async with Admin(target=target(url)) as admin:
        with pytest.raises(ServiceUnreachable, match="Nothing answers"):
            await admin.list_credentials()


async def test_a_proxy_of_the_shell_is_not_asked_for_this_machine(
    kvs: FakeKvs, control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert await control.list_channels() == []


async def test_something_else_answers(kvs: FakeKvs, control: ControlPlane, admin: Admin) -> None:
    kvs.is_sightline = False
    kvs.override["/listSignalingChannels"] = (404, "<html>nginx</html>")
    with pytest.raises(NotAService, match="neither Sightline nor KVS"):
        await control.list_channels()
    kvs.override["/listSignalingChannels"] = (200, "<html>a page</html>")
    with pytest.raises(NotAService, match="neither Sightline nor KVS"):
        await control.list_channels()
    with pytest.raises(NotAService, match="not a Sightline"):
        await admin.list_credentials()


async def test_wrong_keys(kvs: FakeKvs) -> None:
    for credentials in (Credentials("AKWRONG", SECRET), Credentials(KEY, "wrong")):
        async with ControlPlane(target=target(kvs.url, credentials=credentials)) as control:
            with pytest.raises(WrongKey, match="does not accept the key of the test") as caught:
                await control.list_channels()
        assert caught.value.status == 403
        assert "wrong" not in str(caught.value).replace("AKWRONG", "")
        async with Admin(target=target(kvs.url, credentials=credentials)) as admin:
            with pytest.raises(WrongKey, match="does not accept"):
                await admin.list_credentials()


async def test_no_key_at_all(kvs: FakeKvs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    async with ControlPlane(target=target(kvs.url, credentials=None)) as control:
        with pytest.raises(WrongKey, match="There is no key for http://localhost"):
            await control.list_channels()


async def test_botocores_own_chain_is_used_when_there_is_no_other_key(
    kvs: FakeKvs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    kvs.add("demo")
    async with ControlPlane(target=target(kvs.url, credentials=None)) as control:
        assert KEY in (await control.master_session("demo")).url


@pytest.mark.parametrize(("offset", "words"), [(86_400.0, "1440 minutes behind"), (-3600.0, "60 minutes ahead of")])
async def test_a_wrong_clock_is_corrected_by_the_services(
    kvs: FakeKvs,
    control: ControlPlane,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    offset: float,
    words: str,
) -> None:
    clock.offset = offset
    kvs.add("demo")
    with caplog.at_level("WARNING"):
        session = await control.master_session("demo")
    (warning,) = [record.getMessage() for record in caplog.records]
    assert words in warning
    assert "Set it right" in warning
    signed_at = datetime.strptime(parse_qs(urlsplit(session.url).query)["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
    assert abs(signed_at.timestamp() - clock()) < 5
    caplog.clear()
    await control.list_channels()
    assert not caplog.records, "it is said once"
    clock.offset = 0
    await control.list_channels()


async def test_a_clock_that_nobody_tells_is_an_error(
    kvs: FakeKvs, control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    kvs.override["/listSignalingChannels"] = (403, error("InvalidSignatureException", "Signature expired: now."))
    with pytest.raises(ClockSkew):
        await control.list_channels()
    monkeypatch.setattr("sightline.client.api.offset_from", lambda date, now: None)
    with pytest.raises(ClockSkew):
        await control.list_channels()


async def test_another_region_is_named(kvs: FakeKvs) -> None:
    async with ControlPlane(target=target(kvs.url, region="eu-north-1")) as control:
        with pytest.raises(WrongKey, match=r"us-west-2.*eu-north-1"):
            await control.list_channels()


async def test_a_key_that_may_not(kvs: FakeKvs, control: ControlPlane) -> None:
    kvs.override["/createSignalingChannel"] = (
        401,
        error("AccessDeniedException", "AKIA may not do kinesisvideo:CreateSignalingChannel on x."),
    )
    with pytest.raises(NotAllowed, match="may not do this: AKIA may not"):
        await control.create_channel("x")


async def test_other_refusals_keep_the_services_words(kvs: FakeKvs, control: ControlPlane, admin: Admin) -> None:
    kvs.override["/createSignalingChannel"] = (400, error("ResourceInUseException", "x exists already."))
    with pytest.raises(ServiceRefused, match=r"x exists already\.") as caught:
        await control.create_channel("x")
    assert caught.value.code == "ResourceInUseException"
    kvs.override["/sightline/v1/links/create"] = (400, error("InvalidArgumentException", "expiresIn is too long."))
    with pytest.raises(ServiceRefused, match="expiresIn is too long"):
        await admin.create_link("demo")
    kvs.override["/sightline/v1/links/create"] = (200, {"tocken": 1})
    with pytest.raises(NotAService, match="same version"):
        await admin.create_link("demo")


async def test_bad_names_are_refused_before_anything_is_sent(kvs: FakeKvs, control: ControlPlane) -> None:
    for call in (control.describe_channel, control.create_channel, control.master_session, control.delete_channel):
        with pytest.raises(InvalidChannelName):
            await call("no spaces")
    with pytest.raises(InvalidArn):
        await control.describe_channel("arn:aws:s3:::bucket")
    assert kvs.requests == []


async def test_an_untrusted_certificate_is_said_to_be_one(tmp_path: Path) -> None:
    tls = TlsKeeper.automatic(tmp_path, now=time.time())
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=tls.context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with ControlPlane(target=target(url)) as control:
            with pytest.raises(CertificateNotTrusted, match="SIGHTLINE_CA_BUNDLE"):
                await control.list_channels()
        async with Admin(target=target(url)) as admin:
            with pytest.raises(CertificateNotTrusted):
                await admin.list_credentials()
        # With the local CA beside the usual ones the handshake succeeds, and the server hangs up on us.
        async with ControlPlane(target=target(url, local_ca=tls.ca_path)) as control:
            with pytest.raises(ServiceUnreachable) as caught:
                await control.list_channels()
            assert not isinstance(caught.value, CertificateNotTrusted)
        missing = target(url, ca_bundle=tmp_path / "none.pem")
        async with ControlPlane(target=missing) as control:
            with pytest.raises(ConfigError, match="is not there"):
                await control.list_channels()


async def test_aclose_is_idempotent_and_final(kvs: FakeKvs) -> None:
    control = ControlPlane(target=target(kvs.url))
    assert await control.list_channels() == []
    await control.aclose()
    await control.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await control.list_channels()


# --------------------------------------------------------------------------------------------- admin


async def test_keys(admin: Admin, kvs: FakeKvs) -> None:
    made = await admin.create_credentials(role="viewer", channel="cam-*", expires_in=3600, note="door")
    assert (made.access_key_id, made.role, made.channel, made.expires_at) == ("AKNEW", "viewer", "cam-*", 1790000000)
    assert "S3CRET" not in repr(made)
    assert kvs.requests[-1][1] == {"role": "viewer", "channel": "cam-*", "expiresIn": 3600, "note": "door"}
    assert [(key.access_key_id, key.state) for key in await admin.list_credentials()] == [
        ("AKONE", "active"),
        ("AKTWO", "revoked"),
    ]
    assert await admin.revoke_credentials("AKTWO") == 2
    with pytest.raises(ServiceRefused):
        await admin.revoke_credentials("AKNONE")


async def test_links(admin: Admin) -> None:
    link = await admin.create_link("demo", role="viewer", expires_in=3600)
    assert link.urls == ("https://cam.example:8443/view/demo#T0KEN",)
    assert "T0KEN" not in repr(link)


def test_aws_has_no_admin_of_ours() -> None:
    with pytest.raises(ConfigError, match="AWS has no links"):
        Admin(target=target("aws"))
