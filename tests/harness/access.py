"""Keys, links and sessions of pages, asked for over HTTP as scripts and pages do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.harness.probe import Answer, ask, signed_post
from tests.harness.service import Service
from tests.harness.signing import Key


def admin(service: Service, what: str, body: Mapping[str, Any] | None = None, *, key: Key | None = None) -> Answer:
    """One call of the admin API, signed: `credentials/create`, `links/revoke`, …"""
    return signed_post(service, f"/sightline/v1/{what}", dict(body or {}), key=key)


def make_key(service: Service, role: str, channel: str = "*", **more: Any) -> Key:
    """A new key with a role."""
    made = admin(service, "credentials/create", {"role": role, "channel": channel, **more})
    assert made.status == 200, made.body
    return Key(made.json["accessKeyId"], made.json["secretAccessKey"])


def make_link(service: Service, channel: str, role: str = "viewer", expires_in: float = 600) -> dict[str, Any]:
    """A new link: its `token`, `linkId` and `urls`."""
    made = admin(service, "links/create", {"channel": channel, "role": role, "expiresIn": expires_in})
    assert made.status == 200, made.body
    answer = made.json
    assert isinstance(answer, dict)
    return answer


def listed(service: Service, channel: str) -> list[dict[str, Any]]:
    """Who watches, as the camera has reported it."""
    answer = admin(service, "viewers", {"channel": channel})
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["viewers"]
    return found


def session(
    service: Service,
    channel: str,
    *,
    role: str = "viewer",
    token: str | None = None,
    tls: bool = False,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    **more: str,
) -> Answer:
    """Ask for a session as a page does. `headers` may replace Host and say where the page is from."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    if token is not None:
        sent["X-Sightline-Link"] = token
    asked = json.dumps({"channel": channel, "role": role, **more}).encode() if body is None else body
    return ask(service, "POST", "/sightline/v1/session", headers=sent, body=asked, tls=tls)


def refusal(answer: Answer) -> str:
    """The id of a refused session's error, whose sentence has to be there too."""
    assert 400 <= answer.status < 500, answer
    error = answer.json["error"]
    assert len(error["message"].split()) > 3, error
    return str(error["id"])
