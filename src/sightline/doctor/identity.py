"""Who asks, and may they: key, region, channel, role; or the link that stands for all of them."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec

from ..client.refusals import CertificateNotTrusted, NotAllowed, NotAService, SocketRefused, WrongKey, reason_of
from ..client.socket import http_session, open_socket
from ..errors import ConnectError, InvalidArn, SightlineError, WireError
from ..reasons import REASONS, Reason
from ..wire.arn import ChannelArn
from ..wire.ids import check_channel_name
from ..wire.sigv4 import presign_websocket
from .findings import Stage, Verdict, fail, fine, skip, warn
from .reach import TLS_TRUST, trusting
from .socket import Place
from .visit import IceEntry, Visit

__all__ = ["LINK", "cause_of", "channel", "key", "link", "region", "role"]

LINK = "link-invalid"

_WHY_NOT: Final[Mapping[frozenset[str], str]] = {
    frozenset(("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId")): (
        "The service has no key of that id: it is another service's, or it was revoked."
    ),
    frozenset(("InvalidSignatureException", "SignatureDoesNotMatch")): (
        "The service knows the key's id, and the secret is not the one that belongs to it."
    ),
    frozenset(("ExpiredTokenException",)): "The key was made for a limited time, and that is over.",
}
"""By the names that the service and AWS give."""

_NO_TIME = 1_000_000_000_000
"""Milliseconds; no channel was made at that moment (2001)."""


def cause_of(error: SightlineError) -> str:
    """The id of the cause of a refusal of the control plane."""
    return TLS_TRUST if isinstance(error, CertificateNotTrusted) else reason_of(error)


# --------------------------------------------------------------------------------------- with a key


async def key(visit: Visit) -> Verdict:
    """Whether the service knows the key and its signature is right: the first signed request."""
    whose = visit.target.credentials_from
    try:
        credentials = await visit.find_key()
    except WrongKey as error:
        return fail("there is none", reason=Reason.WRONG_KEY, meaning=error.message, advice=_another_key(visit))
    shown = f"{credentials.access_key_id} from {whose}"
    try:
        with visit.stage("channel"):
            await _describe(visit)
    except (ConnectError, WireError) as error:
        visit.found = error
        cause = cause_of(error)
        if cause == Reason.WRONG_REGION:
            return fine(f"{shown} is known")
        if cause in (Reason.UNKNOWN_CHANNEL, Reason.NOT_ALLOWED):
            return fine(f"{shown} is accepted")
        if cause == Reason.WRONG_KEY:
            code = getattr(error, "code", "")
            meaning = next((text for codes, text in _WHY_NOT.items() if code in codes), error.message)
            return fail(f"{shown} is not accepted ({code})", reason=cause, meaning=meaning, advice=_another_key(visit))
        if isinstance(error, NotAService):
            advice = "Check the address: it must be that of a Sightline, or `--endpoint aws` for Amazon's service."
            return fail(f"what answers is neither Sightline nor KVS: {error.message}", reason=cause, advice=advice)
        return fail(error.message, reason=cause)
    return fine(f"{shown} is accepted")


async def region(visit: Visit) -> Verdict:
    """Whether the region that is signed for is the service's, and the ARN's."""
    signed_for = visit.region
    if visit.found is not None and cause_of(visit.found) == Reason.WRONG_REGION:
        return fail(
            f"signed for {signed_for}, which is not the service's",
            reason=Reason.WRONG_REGION,
            meaning=visit.found.message,
            advice="Set the region that it names: --region REGION, SIGHTLINE_REGION, or AWS_REGION for other clients.",
        )
    try:
        arn = ChannelArn.parse(visit.channel) if visit.channel and visit.channel.startswith("arn:") else None
    except InvalidArn:
        arn = None  # the channel's check says so
    if arn is not None and arn.region != signed_for:
        return fail(
            f"signed for {signed_for}, and the ARN is of {arn.region}",
            reason=Reason.WRONG_REGION,
            meaning="A channel lives in one region, and is known only there.",
            advice=f"Either the ARN is of another service, or set the region: --region {arn.region}",
        )
    return fine(signed_for)


async def channel(visit: Visit) -> Verdict:
    """Whether the channel is there."""
    if visit.channel is None:
        return await _channels(visit)
    if visit.found is None:
        return fine(visit.arn)
    cause = cause_of(visit.found)
    if cause == Reason.NOT_ALLOWED:
        return skip("the key may not ask for it, see the next line")
    if isinstance(visit.found, WireError):
        return fail(visit.found.message, reason=Reason.UNKNOWN_CHANNEL, advice="Correct the name or the ARN.")
    advice = "Check the spelling and the case"
    names = await _names(visit)
    alike = difflib.get_close_matches(visit.channel, names, n=3) if names else []
    if alike:
        advice += f"; there is {_listed(alike)}"
    elif names:
        advice += f"; there is {_listed(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    advice += f". To make it: sightline channel create {visit.channel}" if not visit.channel.startswith("arn:") else "."
    if visit.target.is_aws:
        advice += f" AWS looks in {visit.region} only: a channel of another region needs --region."
    return fail(
        f"there is no channel {visit.channel!r} at {visit.name}",
        reason=Reason.UNKNOWN_CHANNEL,
        meaning="The name or ARN is wrong, the channel was deleted, or it is one of another service or region.",
        advice=advice,
    )


async def role(visit: Visit) -> Verdict:
    """Whether the key may connect in this role; nobody is disturbed by finding out."""
    if visit.found is not None:
        return _not_allowed(visit, visit.found.message)
    members: dict[str, object] = {
        "ChannelARN": visit.arn,
        "SingleMasterChannelEndpointConfiguration": {"Protocols": ["WSS", "HTTPS"], "Role": visit.role.upper()},
    }
    try:
        with visit.stage("endpoints"):
            answer = await visit.call("get_signaling_channel_endpoint", members)
    except ConnectError as error:
        cause = cause_of(error)
        return _not_allowed(visit, error.message) if cause == Reason.NOT_ALLOWED else fail(error.message, reason=cause)
    items = msgspec.convert(answer.get("ResourceEndpointList"), list[dict[str, str]])
    visit.endpoints = {item["Protocol"]: item["ResourceEndpoint"] for item in items}
    visit.url = _presigned(visit, visit.arn)
    if not visit.is_sightline:
        return fine(f"may ask for the {visit.role}'s endpoint; the socket will tell the rest")
    # The service looks at what the key may do before it looks for the channel: asked for one that never was, it says
    # whether the role is allowed, and opens nothing.
    arn = ChannelArn.parse(visit.arn)
    nowhere = str(msgspec.structs.replace(arn, created_ms=_NO_TIME))
    refused = await _upgrade_refused(visit, _presigned(visit, nowhere))
    if refused is not None and refused.reason is Reason.NOT_ALLOWED:
        return _not_allowed(visit, refused.message)
    return fine(f"may connect as {visit.role}")


def _not_allowed(visit: Visit, said: str) -> Verdict:
    return fail(
        f"the key may not connect as {visit.role} of {visit.channel!r}",
        reason=Reason.NOT_ALLOWED,
        meaning=said,
        advice=(
            f"In IAM, give it kinesisvideo:ConnectAs{visit.role.capitalize()}, GetSignalingChannelEndpoint and "
            "GetIceServerConfig."
            if visit.target.is_aws
            else f"Make one that may: sightline credentials create --role {visit.role} --channel {visit.channel}"
        ),
    )


async def _describe(visit: Visit) -> None:
    """The first signed request; without a channel any will do."""
    if visit.channel is None:
        try:
            await visit.call("list_signaling_channels", {"MaxResults": 1})
        except NotAllowed:  # the key is right, then
            return
        return
    if visit.channel.startswith("arn:"):
        by = {"ChannelARN": str(ChannelArn.parse(visit.channel))}
    else:
        by = {"ChannelName": check_channel_name(visit.channel)}
    answer = await visit.call("describe_signaling_channel", dict(by))
    info = answer.get("ChannelInfo")
    if not isinstance(info, dict) or "ChannelARN" not in info:
        raise NotAService("It gave an answer that is not KVS's.")
    visit.arn = str(info["ChannelARN"])
    visit.channel = str(info.get("ChannelName") or visit.channel)


async def _channels(visit: Visit) -> Verdict:
    names = await _names(visit)
    if names is None:
        return skip("none was named. To check one: sightline doctor CHANNEL")
    if not names:
        return skip("there is none yet. To make one: sightline channel create NAME")
    shown = _listed(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return skip(f"none was named; there is {shown}. To check one: sightline doctor {names[0]}")


async def _names(visit: Visit) -> list[str] | None:
    """Of all channels (the first thousand); None when the key may not ask."""
    try:
        answer = await visit.call("list_signaling_channels", {"MaxResults": 1000})
        items = msgspec.convert(answer.get("ChannelInfoList"), list[dict[str, object]])
    except (ConnectError, msgspec.ValidationError):
        return None
    return sorted(str(item.get("ChannelName")) for item in items)


def _presigned(visit: Visit, arn: str) -> str:
    assert visit.api is not None
    assert visit.credentials is not None
    return presign_websocket(
        visit.endpoints["WSS"],
        credentials=visit.credentials,
        region=visit.region,
        channel_arn=arn,
        client_id=visit.client_id if visit.role == "viewer" else None,
        now=visit.api.now(),
        extras=visit.is_sightline and arn == visit.arn,
    )


async def _upgrade_refused(visit: Visit, url: str) -> SocketRefused | None:
    async with http_session() as http:
        try:
            socket = await open_socket(http, Place(url, visit.target.ca_files))
            await socket.aclose()
        except SocketRefused as error:
            return error
        except ConnectError:
            return None  # the next check says so
    return None


def _another_key(visit: Visit) -> str:
    if visit.target.is_aws:
        return "Configure a key of this account, as for the AWS command line: aws configure"
    if visit.target.is_loopback:
        return (
            "Use the service's own key: run this as the service's user, or name its data directory by --data-dir. A "
            "new one: sightline credentials create"
        )
    return (
        "Set SIGHTLINE_ACCESS_KEY_ID and SIGHTLINE_SECRET_ACCESS_KEY to a key of that service. On its machine: "
        "sightline credentials create --role viewer"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names)


# --------------------------------------------------------------------------------------- with a link


async def link(visit: Visit) -> Verdict:
    """Whether the link is good: what a page asks for at first."""
    found = visit.link
    assert found is not None
    headers = {"X-Sightline-Link": found.token} if found.token else {}
    wanted = {"channel": found.channel, "role": found.role}
    if found.role == "viewer":
        wanted["clientId"] = visit.client_id
    timeout, tls = aiohttp.ClientTimeout(total=10), await asyncio.to_thread(trusting, visit)
    started = time.monotonic()
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as http:
            url = found.base + "/sightline/v1/session"
            async with http.post(url, json=wanted, headers=headers, ssl=tls) as answer:
                content = await answer.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return fail(f"no answer: {error or type(error).__name__}", reason=Reason.SERVICE_UNREACHABLE)
    try:
        session = msgspec.json.decode(content, type=_Session)
    except msgspec.DecodeError:
        return _link_refused(content, answer.status)
    visit.url, visit.ice, visit.arn = session.url, session.ice_servers, session.channel_arn
    visit.is_sightline = True
    took = time.monotonic() - started
    visit.stages.append(Stage("session", took))
    if took > 2.0:
        return warn(
            f"good for the {found.role} of {found.channel}, after {took:.1f} s",
            meaning="The service is slow to answer.",
            advice="Look at the machine's load, and at the network between.",
        )
    return fine(f"good for the {found.role} of {found.channel}")


class _Session(msgspec.Struct, rename="camel"):
    url: str
    ice_servers: tuple[IceEntry, ...]
    channel_arn: str


class _Problem(msgspec.Struct):
    id: str
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Problem


def _link_refused(content: bytes, status: int) -> Verdict:
    try:
        problem = msgspec.json.decode(content, type=_Refusal).error
    except msgspec.DecodeError:
        return fail(
            f"HTTP {status}, and not a Sightline's",
            reason=Reason.SERVICE_UNREACHABLE,
            meaning="What answers at the link's address is not a Sightline (any more).",
            advice="Ask for a new link.",
        )
    known = problem.id in REASONS
    return fail(
        problem.message,
        reason=problem.id,
        meaning=REASONS[Reason(problem.id)].message if known else "",
        advice="" if known else "Ask for a new link: sightline link CHANNEL",
    )
