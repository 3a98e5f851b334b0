"""The KVS operations: channels, tags, endpoints, ICE servers (KVS.md §2.2, §2.5, §4.1)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

from aiohttp import web

from ..errors import (
    AccessDenied,
    InvalidArgument,
    InvalidArn,
    NotAuthorized,
    ResourceNotFound,
    TagsPerResourceExceeded,
)
from ..exchange import Role
from ..wire.api_model import DATA_PLANE, Operation, parse_input
from ..wire.arn import ChannelArn
from ..wire.ids import is_name
from .auth import authenticate, authorise
from .context import Context
from .endpoints import base_url, socket_url
from .ice_servers import kvs_ice_servers
from .performing import perform
from .store import Channel, Key, KeyRole
from .store.sqlite import MAX_TAGS

__all__ = ["call"]

Params = Mapping[str, object]
Handler = Callable[["_Call"], Awaitable[dict[str, object]]]

_VERSION_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_DEFAULT_TTL: Final = 60
_PAGE: Final = 500
_TOKEN_PREFIX: Final = "after:"


class _Call:
    """One call under way: who calls, with what."""

    __slots__ = ("context", "key", "operation", "params", "request")

    def __init__(
        self, context: Context, request: web.BaseRequest, operation: Operation, key: Key, params: Params
    ) -> None:
        self.context = context
        self.request = request
        self.operation = operation
        self.key = key
        self.params = params

    def text(self, name: str) -> str | None:
        """A string member that the model has checked, or None."""
        return cast("str | None", self.params.get(name))

    def allow(self, channel_name: str | None) -> None:
        """Raise what this API says when the key may not do this to that channel."""
        try:
            authorise(self.key, f"kinesisvideo:{self.operation.name}", channel_name)
        except AccessDenied as error:
            if self.operation.name in DATA_PLANE:
                raise NotAuthorized(error.message) from None
            raise

    def channel(self, arn_member: str = "ChannelARN", name_member: str | None = None) -> Channel:
        """The channel that the call names by ARN or by name; authorised, or ResourceNotFound."""
        arn, name = self.text(arn_member), self.text(name_member) if name_member else None
        if arn is None and name is None:
            raise InvalidArgument(f"Either {name_member} or {arn_member} must be given.")
        if arn is not None:
            self.allow(_name_in(arn))
            channel = self.context.store.channel(arn)
            if channel is not None and name is not None and channel.name != name:
                raise InvalidArgument(f"{name_member} {name!r} and {arn_member} {arn!r} are not the same channel.")
        else:
            self.allow(name)
            channel = self.context.store.channel_named(cast(str, name))
        if channel is None:
            raise ResourceNotFound(f"The requested channel is not found or not active: {arn or name}")
        return channel


def _name_in(arn: str) -> str:
    try:
        return ChannelArn.parse(arn).name
    except InvalidArn as error:
        raise InvalidArgument(error.message) from None


async def call(context: Context, request: web.BaseRequest, operation: Operation, body: bytes) -> dict[str, object]:
    """Authenticate, validate, authorise and do one operation; raises KvsError."""
    key = authenticate(context, request, body)
    params = parse_input(operation, body)
    return await _HANDLERS[operation.name](_Call(context, request, operation, key, params))


# ---------------------------------------------------------------------------------------------- channels


async def _create(call: _Call) -> dict[str, object]:
    name = cast(str, call.text("ChannelName"))
    call.allow(name)
    if call.text("ChannelType") == "FULL_MESH":
        raise InvalidArgument("ChannelType FULL_MESH is not supported; use SINGLE_MASTER.")
    tags = _tags(call.params.get("Tags", []))
    if len(tags) > MAX_TAGS:
        raise TagsPerResourceExceeded(f"The channel would have {len(tags)} tags; a channel may have {MAX_TAGS}.")
    context = call.context
    channel = Channel.new(
        region=context.settings.region,
        account=context.settings.account_id,
        name=name,
        created_ms=int(context.wall() * 1000),
        message_ttl=_ttl(call.params) or _DEFAULT_TTL,
        version=_new_version(),
        tags=tags,
    )
    await context.store.create_channel(channel)
    return {"ChannelARN": channel.arn}


async def _describe(call: _Call) -> dict[str, object]:
    return {"ChannelInfo": _info(call.channel(name_member="ChannelName"))}


async def _list(call: _Call) -> dict[str, object]:
    condition = cast("dict[str, str]", call.params.get("ChannelNameCondition", {}))
    prefix = condition.get("ComparisonValue", "")
    limit = cast(int, call.params.get("MaxResults", _PAGE))
    after = _read_token(call.text("NextToken"))
    found: list[Channel] = []
    more = False
    # A key for some channels may list just those.
    visible = call.key.grant
    action = f"kinesisvideo:{call.operation.name}"
    if not visible.allows(action, None):
        call.allow(visible.channels)
    for channel in call.context.store.channels():
        if channel.name > after and channel.name.startswith(prefix) and visible.allows(action, channel.name):
            if len(found) == limit:
                more = True
                break
            found.append(channel)
    answer: dict[str, object] = {"ChannelInfoList": [_info(channel) for channel in found]}
    if more:
        answer["NextToken"] = _make_token(found[-1].name)
    return answer


async def _update(call: _Call) -> dict[str, object]:
    channel = call.channel()
    ttl = _ttl(call.params)
    if ttl is None:
        raise InvalidArgument("SingleMasterConfiguration with MessageTtlSeconds must be given.")
    await call.context.store.update_channel(
        channel.arn,
        message_ttl=ttl,
        current_version=cast(str, call.text("CurrentVersion")),
        version=_new_version(),
    )
    call.context.exchange.set_ttl(channel.arn, float(ttl))
    return {}


async def _delete(call: _Call) -> dict[str, object]:
    channel = call.channel()
    await call.context.store.delete_channel(channel.arn, current_version=call.text("CurrentVersion"))
    perform(call.context.exchange.close_channel(channel.arn))
    return {}


def _info(channel: Channel) -> dict[str, object]:
    return {
        "ChannelName": channel.name,
        "ChannelARN": channel.arn,
        "ChannelType": "SINGLE_MASTER",
        "ChannelStatus": "ACTIVE",
        "CreationTime": channel.created_ms / 1000,
        "SingleMasterConfiguration": {"MessageTtlSeconds": channel.message_ttl},
        "Version": channel.version,
    }


def _ttl(params: Params) -> int | None:
    return cast("dict[str, int]", params.get("SingleMasterConfiguration", {})).get("MessageTtlSeconds")


def _new_version() -> str:
    return "".join(secrets.choice(_VERSION_ALPHABET) for _ in range(20))


def _make_token(name: str) -> str:
    return base64.b64encode((_TOKEN_PREFIX + name).encode()).decode("ascii")


def _read_token(token: str | None) -> str:
    if not token:
        return ""
    try:
        text = base64.b64decode(token, validate=True).decode("ascii")
    except ValueError:
        text = ""
    name = text.removeprefix(_TOKEN_PREFIX)
    if name == text or not is_name(name):
        raise InvalidArgument("NextToken is not one that this service gave.")
    return name


# -------------------------------------------------------------------------------------------------- tags


async def _tag(call: _Call) -> dict[str, object]:
    channel = call.channel("ResourceARN")
    await call.context.store.tag_channel(channel.arn, put=_tags(call.params["Tags"]), remove=())
    return {}


async def _untag(call: _Call) -> dict[str, object]:
    channel = call.channel("ResourceARN")
    await call.context.store.tag_channel(channel.arn, put={}, remove=cast("list[str]", call.params["TagKeyList"]))
    return {}


async def _list_tags(call: _Call) -> dict[str, object]:
    channel = call.channel("ResourceARN")
    _read_token(call.text("NextToken"))
    return {"Tags": dict(sorted(channel.tags.items()))}


def _tags(members: object) -> dict[str, str]:
    tags: dict[str, str] = {}
    for member in cast("list[dict[str, str]]", members):
        if member["Key"] in tags:
            raise InvalidArgument(f"The tag {member['Key']!r} stands twice.")
        tags[member["Key"]] = member["Value"]
    return tags


# --------------------------------------------------------------------------------------------- endpoints


async def _get_endpoint(call: _Call) -> dict[str, object]:
    call.channel()
    configuration = cast("dict[str, object]", call.params.get("SingleMasterChannelEndpointConfiguration", {}))
    protocols = cast("list[str]", configuration.get("Protocols", ["WSS", "HTTPS"]))
    role = Role(cast(str, configuration.get("Role", Role.VIEWER.value)))
    if "WEBRTC" in protocols:
        raise InvalidArgument(
            "The WEBRTC protocol needs a channel with media storage, which this service does not have."
        )
    settings = call.context.settings
    addresses = {"WSS": socket_url(settings, call.request, role), "HTTPS": base_url(settings, call.request)}
    return {
        "ResourceEndpointList": [
            {"Protocol": protocol, "ResourceEndpoint": addresses[protocol]} for protocol in dict.fromkeys(protocols)
        ]
    }


# ----------------------------------------------------------------------------------------- media storage


async def _describe_storage(call: _Call) -> dict[str, object]:
    call.channel(name_member="ChannelName")
    # Anything but DISABLED makes the JS test page refuse to watch (KVS.md §2.5).
    return {"MediaStorageConfiguration": {"Status": "DISABLED"}}


async def _update_storage(call: _Call) -> dict[str, object]:
    call.channel()
    configuration = cast("dict[str, str]", call.params["MediaStorageConfiguration"])
    if configuration.get("Status") == "ENABLED":
        raise InvalidArgument("Media storage is not available in this service: Status can only be DISABLED.")
    return {}


async def _describe_mapped(call: _Call) -> dict[str, object]:
    if call.text("StreamName") is None and call.text("StreamARN") is None:
        raise InvalidArgument("Either StreamName or StreamARN must be given.")
    call.allow(None)
    raise ResourceNotFound("The requested stream is not found or not active: this service has no video streams.")


# -------------------------------------------------------------------------------------------- data plane


async def _get_ice_server_config(call: _Call) -> dict[str, object]:
    channel = call.channel()
    servers = kvs_ice_servers(
        call.context,
        call.request,
        channel_arn=channel.arn,
        client_id=call.text("ClientId") or "",
        viewer=call.key.role in (KeyRole.VIEWER, KeyRole.OPERATOR),
    )
    return {
        "IceServerList": [
            {"Uris": list(s.uris), "Username": s.username, "Password": s.password, "Ttl": s.ttl} for s in servers
        ]
    }


async def _send_alexa_offer(call: _Call) -> dict[str, object]:
    call.channel()
    raise InvalidArgument("Alexa offers are not supported by this service. Viewers connect by WebSocket.")


_HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateSignalingChannel": _create,
    "DescribeSignalingChannel": _describe,
    "ListSignalingChannels": _list,
    "UpdateSignalingChannel": _update,
    "DeleteSignalingChannel": _delete,
    "TagResource": _tag,
    "UntagResource": _untag,
    "ListTagsForResource": _list_tags,
    "GetSignalingChannelEndpoint": _get_endpoint,
    "DescribeMediaStorageConfiguration": _describe_storage,
    "UpdateMediaStorageConfiguration": _update_storage,
    "DescribeMappedResourceConfiguration": _describe_mapped,
    "GetIceServerConfig": _get_ice_server_config,
    "SendAlexaOfferToMaster": _send_alexa_offer,
}
