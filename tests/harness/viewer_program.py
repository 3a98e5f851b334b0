"""A program with `sightline.Viewer`, and what it is told when it has no picture."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from sightline import Viewer, ViewerFailed
from sightline.client.control import IceServer, Session
from sightline.viewer import NoticeGiven, ViewerEvent, ViewerState
from tests.harness.access import session
from tests.harness.commands import PATIENCE
from tests.harness.kvs import unique_name
from tests.harness.service import Service


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
