"""Keys and links as the admin API makes, lists and takes them back (beyond what tests/e2e/test_credentials.py sees)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from sightline.service import keys
from sightline.service.store import OPERATE, KeyRole
from tests.harness import signing

from .inside import ADMIN, Answer, Inside, inside

CREATE, LIST, REVOKE = (f"/sightline/v1/credentials/{verb}" for verb in ("create", "list", "revoke"))
LINK, LINKS, UNLINK = (f"/sightline/v1/links/{verb}" for verb in ("create", "list", "revoke"))


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Inside]:
    async with inside() as started:
        await started.channel("demo")
        yield started


def states(answer: Answer, what: str, name: str) -> dict[str, str]:
    listed = answer.json[what]
    assert isinstance(listed, list)
    return {item[name]: item["state"] for item in listed}


async def test_a_key_lives_as_long_as_it_was_made_for(room: Inside) -> None:
    made = (await room.call(CREATE, {"role": "viewer", "channel": "demo", "expiresIn": 60, "note": "문"})).json
    assert made["expiresAt"] == room.clock.wall + 60
    assert re.fullmatch(r"SLKY[A-Z2-7]{16}", str(made["accessKeyId"]))
    assert len(str(made["secretAccessKey"])) == 40
    key = signing.Key(str(made["accessKeyId"]), str(made["secretAccessKey"]))
    describe = "/describeSignalingChannel"
    room.clock.later(59)
    assert (await room.call(describe, {"ChannelName": "demo"}, key=key)).status == 200
    assert states(await room.call(LIST), "credentials", "accessKeyId")[key.access_key_id] == "active"
    room.clock.later(1)
    assert (await room.call(describe, {"ChannelName": "demo"}, key=key)).kind == "ExpiredTokenException"
    assert states(await room.call(LIST), "credentials", "accessKeyId")[key.access_key_id] == "expired"


async def test_a_key_without_an_end(room: Inside) -> None:
    for wanted in ({"role": "master"}, {"role": "master", "expiresIn": None}):
        made = (await room.call(CREATE, wanted)).json
        assert (made["expiresAt"], made["channel"]) == (None, "*")


async def test_what_cannot_be_wished(room: Inside) -> None:
    before = len(list(room.context.store.all_keys()))
    for wanted in (
        {},
        {"role": "root"},
        {"role": "viewer", "channel": ""},
        {"role": "viewer", "channel": "a b"},
        {"role": "viewer", "channel": "[ab]"},
        {"role": "viewer", "channel": "x" * 257},
        {"role": "viewer", "expiresIn": 0},
        {"role": "viewer", "expiresIn": -1},
        {"role": "viewer", "expiresIn": "1h"},
        {"role": "viewer", "expiresIn": 1e12},
        {"role": "viewer", "note": "x" * 201},
        {"role": "viewer", "note": 5},
        {"role": "admin", "channel": "demo"},
        [],
    ):
        answer = await room.call(CREATE, wanted)
        assert (answer.status, answer.kind) == (400, "InvalidArgumentException"), wanted
    assert len(list(room.context.store.all_keys())) == before


async def test_a_revoked_key_stays_in_the_list_and_may_be_revoked_again(room: Inside) -> None:
    key = await room.key(KeyRole.VIEWER)
    for _ in range(2):
        answer = await room.call(REVOKE, {"accessKeyId": key.access_key_id})
        assert answer.json == {"closedSockets": 0}
        room.clock.later(10)
    stored = room.context.store.key(key.access_key_id)
    assert stored is not None
    assert stored.revoked_at == room.clock.wall - 20
    assert states(await room.call(LIST), "credentials", "accessKeyId")[key.access_key_id] == "revoked"


async def test_the_last_administrator_stays(room: Inside) -> None:
    """Keys that have expired or were revoked are no administrators."""
    for fate in ({"expires_at": room.clock.wall - 1}, {"revoked_at": room.clock.wall - 1}):
        await room.key(KeyRole.ADMIN, **fate)
    answer = await room.call(REVOKE, {"accessKeyId": ADMIN.access_key_id})
    assert (answer.status, answer.kind) == (400, "ResourceInUseException")
    other = await room.key(KeyRole.ADMIN)
    assert (await room.call(REVOKE, {"accessKeyId": ADMIN.access_key_id})).status == 200
    assert (await room.call(LIST)).status == 403
    assert (await room.call(LIST, key=other)).status == 200


async def test_links_and_keys_are_not_each_other(room: Inside) -> None:
    link = (await room.call(LINK, {"channel": "demo"})).json
    key = await room.key(KeyRole.VIEWER)
    assert (await room.call(REVOKE, {"accessKeyId": link["linkId"]})).kind == "ResourceNotFoundException"
    assert (await room.call(UNLINK, {"linkId": key.access_key_id})).kind == "ResourceNotFoundException"
    assert (await room.call(UNLINK, {"linkId": "nothing"})).kind == "ResourceNotFoundException"
    assert link["linkId"] not in states(await room.call(LIST), "credentials", "accessKeyId")
    assert states(await room.call(LINKS), "links", "linkId") == {link["linkId"]: "active"}


async def test_nobody_can_sign_with_what_a_link_shows(room: Inside) -> None:
    """Its id is in the address of the page; its secret is not, and only the service computes it."""
    link = (await room.call(LINK, {"channel": "demo", "role": "viewer"})).json
    token = str(link["token"])
    for secret in (token, token.partition(".")[2], str(link["linkId"]), ""):
        answer = await room.call(
            "/describeSignalingChannel", {"ChannelName": "demo"}, key=signing.Key(str(link["linkId"]), secret)
        )
        assert answer.status in (400, 403)


async def test_a_link_lives_eight_hours_if_nobody_says_and_can_be_taken_back(room: Inside) -> None:
    link = (await room.call(LINK, {"channel": "demo"})).json
    assert (link["role"], link["expiresAt"]) == ("viewer", room.clock.wall + 8 * 3600)

    async def page() -> str:
        headers = {"Content-Type": "application/json", "X-Sightline-Link": str(link["token"])}
        answer = await room.ask("POST", "/sightline/v1/session", headers=headers, body=b'{"channel":"demo"}')
        return answer.json["error"]["id"] if "error" in answer.json else "ok"  # type: ignore[index]

    assert await page() == "ok"
    room.clock.later(8 * 3600)
    assert await page() == "link-expired"
    room.clock.later(-1)
    assert await page() == "ok"
    assert (await room.call(UNLINK, {"linkId": link["linkId"]})).json == {"closedSockets": 0}
    assert await page() == "link-revoked"


@pytest.mark.parametrize(
    ("settings", "bases"),
    [
        ({}, ["https://10.0.0.5:8443", "https://192.168.7.7:8443", "http://localhost:8080"]),
        ({"https_port": 443, "http_port": 0}, ["https://10.0.0.5", "https://192.168.7.7"]),
        ({"bind": ("10.0.0.5",)}, ["https://10.0.0.5:8443", "http://localhost:8080"]),
        ({"bind": ("::1",)}, ["http://localhost:8080", "https://[::1]:8443"]),
        ({"bind": ("0.0.0.0",)}, ["https://10.0.0.5:8443", "https://192.168.7.7:8443", "http://localhost:8080"]),
        (
            {"public_host": ("cam.example", "2001:db8::1")},
            ["https://cam.example:8443", "https://[2001:db8::1]:8443", "http://localhost:8080"],
        ),
        ({"tls": "off"}, ["http://localhost:8080"]),
        ({"https_port": 0}, ["http://localhost:8080"]),
        ({"public_url": "https://cam.example/base/"}, ["https://cam.example/base"]),
    ],
)
async def test_a_links_addresses(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], bases: list[str]
) -> None:
    monkeypatch.setattr(keys, "_addresses", lambda: ["10.0.0.5", "192.168.7.7"])
    async with inside(**settings) as room:
        await room.channel("demo")
        link = (await room.call(LINK, {"channel": "demo"})).json
        urls = link["urls"]
        assert isinstance(urls, list)
        assert [url.partition("/view/")[0] for url in urls] == bases
        assert all(urlsplit(url).fragment == link["token"] for url in urls)


def test_this_machines_own_addresses_are_such() -> None:
    for address in keys._addresses():
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address)
        assert not address.startswith("169.254.")


async def test_an_operators_key_is_a_viewers_that_may_command(room: Inside) -> None:
    made = (await room.call(CREATE, {"role": "operator", "channel": "demo"})).json
    key = signing.Key(str(made["accessKeyId"]), str(made["secretAccessKey"]))
    assert (await room.call("/describeSignalingChannel", {"ChannelName": "demo"}, key=key)).status == 200
    assert (await room.call(LIST, key=key)).kind == "AccessDeniedException"
    stored = room.context.store.key(key.access_key_id)
    assert stored is not None
    assert stored.grant.allows(OPERATE, "demo")
    assert not stored.grant.allows(OPERATE, "other")
    assert not stored.grant.allows("kinesisvideo:ConnectAsMaster", "demo")


async def test_an_operators_link_opens_the_same_page(room: Inside) -> None:
    viewer = (await room.call(LINK, {"channel": "demo"})).json
    operator = (await room.call(LINK, {"channel": "demo", "role": "operator"})).json
    assert operator["role"] == "operator"
    addresses = [[urlsplit(url).path for url in made["urls"]] for made in (viewer, operator)]  # type: ignore[attr-defined]
    assert addresses[0] == addresses[1]
