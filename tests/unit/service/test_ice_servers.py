"""The ICE servers of KVS clients and of pages (KVS.md §4.1)."""

from __future__ import annotations

import json
from unittest import mock

import pytest

from sightline.config import TurnServer

from .inside import Inside, inside

EXTERNAL = TurnServer(("turn:t.example:3478?transport=udp", "turns:t.example:443?transport=tcp"), "north")


async def kvs(room: Inside, **members: str) -> list[dict[str, object]]:
    channel = room.context.store.channel_named("demo") or await room.channel()
    answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn, **members})
    assert answer.status == 200
    servers = answer.json["IceServerList"]
    assert isinstance(servers, list)
    return servers


async def page(room: Inside, **members: str) -> list[dict[str, object]]:
    body = json.dumps({"channel": "demo", **members}).encode()
    answer = await room.ask("POST", "/sightline/v1/session", headers={"Content-Type": "application/json"}, body=body)
    assert answer.status == 200
    servers = answer.json["iceServers"]
    assert isinstance(servers, list)
    return servers


async def test_without_a_turn_server_the_service_names_itself() -> None:
    """Never an empty list: the C SDK would not become ready. Any user name has a colon, or gst panics."""
    async with inside() as room:
        with mock.patch.object(type(room.context.stun), "port", 3999):
            (server,) = await kvs(room)
            assert server["Uris"] == ["turn:127.0.0.1:3999?transport=udp"]
            assert server["Ttl"] == 300
            expiry, colon, owner = str(server["Username"]).partition(":")
            assert int(expiry) == int(room.clock.wall) + 300
            assert colon
            assert owner
            assert await page(room) == [{"urls": ["stun:127.0.0.1:3999"]}]


async def test_with_stun_off_pages_get_none() -> None:
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


@pytest.mark.parametrize("host", ["cam.example:8443", "192.0.2.7:8443", "[2001:db8::1]:8443"])
async def test_they_are_where_the_client_came(host: str) -> None:
    async with inside() as room:
        channel = await room.channel()
        answer = await room.call("/v1/get-ice-server-config", {"ChannelARN": channel.arn})
        assert answer.status == 200
        with mock.patch.object(room, "host", host):
            (server,) = await kvs(room)
        assert server["Uris"] == [f"turn:{host.removesuffix(':8443')}:3478?transport=udp"]
