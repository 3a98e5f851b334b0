"""The lobby's session and socket in a service: who may enter, and what a socket is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sightline.service import lobby
from sightline.service.lobby import perform_lobby
from sightline.service.metrics import Metrics
from sightline.service.performing import open_websocket

from .inside import Answer, Inside, inside

pytestmark = pytest.mark.realtime

WAIT = 20.0


async def session(service: Inside, token: str = "", **body: object) -> Answer:
    headers = {"content-type": "application/json"}
    if token:
        headers["x-sightline-link"] = token
    return await service.ask(
        "POST", "/sightline/v1/call-session", headers=headers, body=json.dumps(body).encode() if body else b""
    )


async def link(service: Inside, room: str = "family") -> dict[str, Any]:
    answer = await service.call("/sightline/v1/links/create", {"channel": room, "role": "caller", "expiresIn": 600})
    assert answer.status == 200, answer.body
    return dict(answer.json)


def id_of(answer: Answer) -> tuple[int, object]:
    error = answer.json["error"]
    assert isinstance(error, dict)
    assert error["message"]
    return answer.status, error["id"]


@asynccontextmanager
async def entered(url: str, name: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
    async with connect(url, subprotocols=["json"], proxy=None, **more) as socket:  # type: ignore[list-item]
        assert (await frame(socket))["type"] == "id"
        if name:
            await say(socket, type="username", name=name)
            await until(socket, "userlist")
        yield socket


async def frame(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(WAIT):
        return dict(json.loads(await socket.recv()))


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        found = await frame(socket)
        if found["type"] == kind:
            return found


async def say(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def refused(url: str, **more: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with entered(url, **more):
            pass
    return caught.value.response.status_code


def run(body: Any, **settings: object) -> None:
    async def main() -> None:
        async with inside(**settings) as service:
            await body(service)

    asyncio.run(main())


def test_a_link_opens_its_room_and_no_other() -> None:
    async def body(service: Inside) -> None:
        made = await link(service)
        assert all(f"/call?room=family#{made['token']}" in url for url in made["urls"])
        answer = await session(service, made["token"])
        assert answer.status == 200
        assert answer.json["room"] == "family"
        address = urlsplit(str(answer.json["url"]))
        assert (address.scheme, address.netloc, address.path) == ("ws", service.host, "/lobby")
        assert made["token"] not in str(answer.json["url"])
        assert id_of(await session(service, made["token"], room="other")) == (403, "link-scope")
        async with entered(str(answer.json["url"]), "Ann") as ann:
            assert ann.subprotocol == "json"
            url = str(answer.json["url"])
            assert await refused(url.replace("room=family", "room=other")) == 401
            assert await refused(url.partition("?")[0] + "?room=family") == 401

    run(body)


def test_without_a_link_nobody_enters_unless_the_lobby_is_open() -> None:
    async def body(service: Inside) -> None:
        assert id_of(await session(service)) == (401, "link-required")
        assert id_of(await session(service, "ab.cd")) == (401, "link-invalid")
        assert await refused(f"ws://{service.host}/lobby") == 401

    run(body)


def test_an_open_lobby_is_for_pages_of_this_machine() -> None:
    async def body(service: Inside) -> None:
        answer = await session(service, room="family")
        assert answer.status == 200
        async with entered(str(answer.json["url"]), "Ann"), entered(f"ws://{service.host}/lobby"):
            pass
        host, path, json_type = service.host, "/sightline/v1/call-session", {"content-type": "application/json"}
        for headers, wanted in (
            ({**json_type, "host": "rebound.example"}, (401, "link-required")),
            ({**json_type, "x-forwarded-for": "1.2.3.4"}, (401, "link-required")),
            ({**json_type, "origin": "http://evil.example"}, (403, "foreign-origin")),
            ({**json_type, "origin": "null"}, (403, "foreign-origin")),
            ({**json_type, "origin": f"https://{host}"}, (403, "foreign-origin")),
            ({**json_type, "sec-fetch-site": "cross-site"}, (403, "foreign-origin")),
            ({"content-type": "text/plain"}, (400, "bad-request")),
        ):
            assert id_of(await service.ask("POST", path, headers=headers, body=b"{}")) == wanted, headers

    run(body, open_lobby="local")


def test_a_socket_of_a_foreign_page_is_refused_even_with_a_ticket() -> None:
    async def body(service: Inside) -> None:
        url = str((await session(service, (await link(service))["token"])).json["url"])
        assert await refused(url, origin="http://evil.example") == 403
        async with entered(url, origin=f"http://{service.host}"):  # type: ignore[arg-type]
            pass

    run(body)


def test_an_address_is_good_for_a_minute_and_a_link_until_it_is_revoked() -> None:
    async def body(service: Inside) -> None:
        made = await link(service)
        url = str((await session(service, made["token"])).json["url"])
        async with entered(url, "Ann") as ann:
            revoked = await service.call("/sightline/v1/links/revoke", {"linkId": made["linkId"]})
            assert revoked.json == {"closedSockets": 1}
            with pytest.raises(ConnectionClosed) as caught:
                await until(ann, "never")
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4403
        assert await refused(url) == 401
        assert id_of(await session(service, made["token"])) == (401, "link-revoked")
        other = await link(service)
        url = str((await session(service, other["token"])).json["url"])
        service.clock.later(61)
        assert await refused(url) == 401
        service.clock.later(600)
        assert id_of(await session(service, other["token"])) == (401, "link-expired")
        third = await link(service)
        url = str((await session(service, third["token"])).json["url"])
        async with entered(url, "Ann") as ann:
            service.clock.later(601)
            perform_lobby(service.context.lobby.tick(service.clock.steady))
            with pytest.raises(ConnectionClosed) as caught:
                await until(ann, "never")
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "the link has expired")

    run(body)


def test_a_link_that_is_revoked_during_the_handshake_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(service: Inside) -> None:
        made = await link(service)
        url = str((await session(service, made["token"])).json["url"])

        async def shake_hands(*given: Any, **named: Any) -> Any:
            opened = await open_websocket(*given, **named)
            revoked = await service.call("/sightline/v1/links/revoke", {"linkId": made["linkId"]})
            assert revoked.json == {"closedSockets": 0}
            return opened

        monkeypatch.setattr(lobby, "open_websocket", shake_hands)
        with pytest.raises(ConnectionClosed) as caught:
            async with entered(url, "Ann"):
                pass
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "the link was revoked")

    run(body)


def test_a_cameras_link_is_no_callers_and_the_other_way_round() -> None:
    async def body(service: Inside) -> None:
        await service.channel("family")
        watching = await service.call("/sightline/v1/links/create", {"channel": "family"})
        assert id_of(await session(service, str(watching.json["token"]))) == (403, "link-scope")
        headers = {"content-type": "application/json", "x-sightline-link": (await link(service))["token"]}
        answer = await service.ask("POST", "/sightline/v1/session", headers=headers, body=b'{"channel":"family"}')
        assert id_of(answer) == (403, "link-scope")
        key = await service.call("/sightline/v1/credentials/create", {"role": "caller"})
        assert key.status == 400

    run(body)


@pytest.mark.parametrize("room", ["", " ", "a/b", "x" * 300, "é"])
def test_a_room_needs_a_name(room: str) -> None:
    async def body(service: Inside) -> None:
        made = await service.call("/sightline/v1/links/create", {"channel": room, "role": "caller"})
        assert made.status == 400
        if room:
            assert id_of(await session(service, room=room)) == (400, "bad-request")
            assert (await service.ask("POST", "/sightline/v1/call-session", body=b"[]")).status == 400

    run(body, open_lobby="local")


def test_turn_credentials_are_a_callers_own_and_never_the_samples() -> None:
    async def body(service: Inside) -> None:
        servers = [(await session(service, room="family")).json["iceServers"] for _ in range(2)]
        users = []
        for found in servers:
            assert isinstance(found, list)
            relays = [server for server in found if "username" in server]
            users += [server["username"] for server in relays]
            assert all(server["credential"] != "turnserver" for server in relays)
        assert len(set(users)) == len(users)
        assert "webrtc" not in users

    run(body, open_lobby="local")


def test_whatever_comes_is_told_to_its_sender_alone() -> None:
    async def body(service: Inside) -> None:
        url = f"ws://{service.host}/lobby"
        async with entered(url, "Ann") as ann, entered(url, "Bob") as bob:
            await ann.send("{")
            assert (await until(ann, "error"))["reason"] == "malformed"
            await ann.send(b"\x00")
            assert (await until(ann, "error"))["reason"] == "malformed"
            await ann.send(json.dumps({"type": "message", "text": "x" * 70_000}))
            assert (await until(ann, "error"))["reason"] == "too-large"
            await say(ann, type="video-offer", target="Zoe", sdp={"type": "offer", "sdp": "v"})
            error = await until(ann, "error")
            assert (error["reason"], error["target"]) == ("unknown-target", "Zoe")
            await ann.send("y" * 300_000)
            with pytest.raises(ConnectionClosed) as caught:
                await until(ann, "never")
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
            await say(bob, type="message", text="still here")
            assert (await until(bob, "message"))["name"] == "Bob"

    run(body, open_lobby="local")


def test_the_metrics_tell_how_many_call_and_what_is_refused() -> None:
    async def body(service: Inside) -> None:
        async with entered(f"ws://{service.host}/lobby", "Ann") as ann:
            await ann.send("junk")
            await until(ann, "error")
            metrics = Metrics(service.context).text().decode().splitlines()
        for line in (
            "sightline_lobby_sockets 1.0",
            "sightline_lobby_rooms 1.0",
            'sightline_lobby_messages_total{type="username"} 1.0',
            'sightline_lobby_refusals_total{reason="malformed"} 1.0',
        ):
            assert line in metrics

    run(body, open_lobby="local")


def test_others_learn_who_left() -> None:
    async def body(service: Inside) -> None:
        url = f"ws://{service.host}/lobby"
        async with entered(url, "Bob") as bob, entered(url + "?extras=1", "Cid") as cid:
            async with entered(url, "Ann"):
                pass
            service.clock.later(5)
            while service.context.lobby.users("lobby") != ["Bob", "Cid"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            perform_lobby(service.context.lobby.tick(service.clock.steady))
            assert (await until(bob, "userlist"))["users"]
            assert "Ann" in (await until(cid, "users"))["left"]

    run(body, open_lobby="local")


def test_a_client_that_does_not_offer_json_is_told_so() -> None:
    async def body(service: Inside) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://{service.host}/lobby", proxy=None):
                pass
        assert caught.value.response.status_code == 400
        assert "json" in caught.value.response.headers["x-sightline-reason"]

    run(body, open_lobby="local")
