"""The ICE servers of KVS clients and of pages (KVS.md §4.1)."""

from __future__ import annotations

import json
from unittest import mock

import pytest

from sightline.config import TurnServer
from sightline.relay import Authority
from sightline.service.store import KeyRole
from sightline.service.turn import REALM, turn_secret

from .inside import ADMIN, Inside, inside

EXTERNAL = TurnServer(("turn:t.example:3478?transport=udp", "turns:t.example:443?transport=tcp"), "north")


async def kvs(room: Inside, *, key: object = ADMIN, **members: str) -> list[dict[str, object]]:
    channel = room.context.store.channel_named("demo") or await room.channel()
    answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn, **members}, key=key)  # type: ignore[arg-type]
    assert answer.status == 200, answer.json
    servers = answer.json["IceServerList"]
    assert isinstance(servers, list)
    return servers


async def page(room: Inside, **members: str) -> list[dict[str, object]]:
    if room.context.store.channel_named("demo") is None:
        await room.channel()
    body = json.dumps({"channel": "demo", **members}).encode()
    answer = await room.ask("POST", "/sightline/v1/session", headers={"Content-Type": "application/json"}, body=body)
    assert answer.status == 200
    servers = answer.json["iceServers"]
    assert isinstance(servers, list)
    return servers


def listening(room: Inside, *, udp: int = 0, tcp: int = 0, tls: int = 0, shared: int = 0) -> None:
    """As if it did."""
    turn = room.context.turn
    turn._udp.port, turn.tcp_port, turn.tls_port, turn.shared_port = udp, tcp, tls, shared


async def test_the_service_names_itself_in_kvs_order() -> None:
    """Never `turns:…udp`: we have no DTLS. One entry. Any user name has a colon, or gst panics."""
    async with inside() as room:
        listening(room, udp=3999, tcp=3998, tls=5349, shared=8443)
        (server,) = await kvs(room)
        uris = [
            "turn:127.0.0.1:3999?transport=udp",
            "turn:127.0.0.1:3998?transport=tcp",
            "turns:127.0.0.1:5349?transport=tcp",
        ]
        assert server["Uris"] == uris
        assert server["Ttl"] == 300
        expiry, colon, owner = str(server["Username"]).partition(":")
        assert int(expiry) == int(room.clock.wall) + 300
        assert colon
        assert owner
        stun, relay = await page(room)
        assert stun == {"urls": ["stun:127.0.0.1:3999"]}
        assert relay["urls"] == uris
        assert set(relay) == {"urls", "username", "credential"}


async def test_who_came_through_https_gets_the_port_of_https() -> None:
    """One open port is enough, and that one is."""
    async with inside() as room:
        listening(room, udp=3478, tls=5349, shared=8443)
        with mock.patch("aiohttp.web.BaseRequest.secure", True), mock.patch.object(room, "host", "cam.example:8443"):
            channel = await room.channel()
            with mock.patch("sightline.service.control_plane.authenticate", return_value=room.context.local_key):
                answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn})
        (server,) = answer.json["IceServerList"]  # type: ignore[attr-defined]
        assert server["Uris"] == ["turn:cam.example:3478?transport=udp", "turns:cam.example:8443?transport=tcp"]


async def test_behind_a_proxy_the_port_of_https_is_not_ours() -> None:
    async with inside(public_url="https://cam.example", turn_external_ip=("198.51.100.9",)) as room:
        listening(room, udp=3478, tls=5349, shared=8443)
        (server,) = await kvs(room)
        assert server["Uris"] == ["turn:198.51.100.9:3478?transport=udp", "turns:198.51.100.9:5349?transport=tcp"]
        listening(room, udp=3478, shared=8443)
        (server,) = await kvs(room)
        assert server["Uris"] == ["turn:198.51.100.9:3478?transport=udp"]


async def test_with_all_of_it_off_the_list_is_still_not_empty() -> None:
    """The C SDK would not become ready. Pages can bear it, and gather quicker."""
    async with inside(turn_port=0) as room:
        (server,) = await kvs(room)
        assert server["Uris"] == ["turn:127.0.0.1:3478?transport=udp"]
        assert await page(room) == []


async def test_configured_servers_are_all_there_is() -> None:
    async with inside(turn=(EXTERNAL, TurnServer(("turn:u.example:1?transport=tcp",), "south"))) as room:
        first, second = await kvs(room)
        assert first["Uris"] == list(EXTERNAL.urls)
        assert second["Uris"] == ["turn:u.example:1?transport=tcp"]
        assert first["Password"] != second["Password"]
        (relay, other) = await page(room)
        assert relay["urls"] == list(EXTERNAL.urls)
        assert set(relay) == set(other) == {"urls", "username", "credential"}


async def test_a_credential_is_for_one_client_of_one_channel_and_of_now() -> None:
    async with inside(turn=(EXTERNAL,)) as room:
        names = [
            str((await kvs(room, **members))[0]["Username"]) for members in ({}, {"ClientId": "a"}, {"ClientId": "b"})
        ]
        room.clock.later(7)
        names.append(str((await kvs(room))[0]["Username"]))
        assert len(set(names)) == 4
        assert int(names[3].partition(":")[0]) - int(names[0].partition(":")[0]) == 7
        assert names[0].partition(":")[2] == names[3].partition(":")[2]
        assert all("demo" not in name for name in names)


async def test_the_built_in_server_accepts_it_and_knows_a_viewers() -> None:
    async with inside() as room:
        listening(room, udp=3478)
        authority = Authority(turn_secret(room.context.store.service_secret), REALM)
        viewer_key = await room.key(KeyRole.VIEWER)
        (master,) = await kvs(room)
        (viewer,) = await kvs(room, key=viewer_key)
        (_, in_page) = await page(room, clientId="me")
        for name, is_viewer in (
            (master["Username"], False),
            (viewer["Username"], True),
            (in_page["username"], True),
        ):
            credential = authority.credential(str(name).encode())
            assert credential is not None
            assert credential.viewer is is_viewer
        assert room.context.store.service_secret.hex() not in json.dumps([master, viewer, in_page])


async def test_who_collects_credentials_gets_no_more() -> None:
    async with inside() as room:
        listening(room, udp=3478)
        channel = await room.channel()
        minting, now = room.context.turn.minting, room.clock.steady
        taken = sum(minting.may_mint(channel.arn, now) for _ in range(700))
        assert taken == 600
        answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn})
        assert answer.status == 400
        assert answer.kind == "ClientLimitExceededException"
        assert [list(server) for server in await page(room)] == [["urls"]], "a page goes on without a relay"
        assert minting.may_mint("another channel", now)
        room.clock.later(6)
        assert sum(minting.may_mint(channel.arn, room.clock.steady) for _ in range(100)) == 60
        room.clock.later(3600)
        assert sum(minting.may_mint(f"channel {n % 100}", room.clock.steady) for n in range(9000)) == 6000


@pytest.mark.parametrize("host", ["cam.example:8443", "192.0.2.7:8443", "[2001:db8::1]:8443"])
async def test_they_are_where_the_client_came(host: str) -> None:
    async with inside() as room:
        listening(room, udp=3478)
        channel = await room.channel()
        answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn})
        assert answer.status == 200
        with mock.patch.object(room, "host", host):
            (server,) = await kvs(room)
        assert server["Uris"] == [f"turn:{host.removesuffix(':8443')}:3478?transport=udp"]
