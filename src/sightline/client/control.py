"""The control plane of a service or of AWS: channels, and all that a peer needs to connect (KVS.md §2, §7)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ..errors import ServiceRefused
from ..wire.arn import ChannelArn
from ..wire.ids import check_channel_name, check_client_id
from ..wire.sigv4 import presign_websocket
from .api import Answer
from .api_client import ApiClient
from .refusals import NotAService, UnknownChannel

__all__ = ["Channel", "ControlPlane", "IceServer", "Session"]

_OVER_UDP = "?transport=udp"

T = TypeVar("T")

DEFAULT_TTL: Final = 60
"""Seconds that KVS keeps an undelivered message when nobody says otherwise."""


class IceServer(msgspec.Struct, frozen=True):
    """A STUN or TURN server, as W3C's RTCIceServer has it."""

    urls: tuple[str, ...]
    username: str | None = None
    """None for STUN."""
    credential: str | None = None

    def __repr__(self) -> str:
        return f"IceServer(urls={self.urls!r}, …)"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """All that a master or a viewer needs for one connection. Get a new one for each: the URL ends after 299 s."""

    url: str
    """Presigned WebSocket URL; a secret while it is valid."""
    ice_servers: tuple[IceServer, ...]
    channel_arn: str
    client_id: str | None
    """None for a master."""
    region: str
    is_sightline: bool
    """Whether the service understands more than KVS; the URL then asks for it already."""
    ca_files: tuple[Path, ...] = ()
    """Certificates that the WebSocket must trust beside the system's."""

    def __repr__(self) -> str:
        return f"Session(channel_arn={self.channel_arn!r}, client_id={self.client_id!r}, …)"


class Channel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A signaling channel."""

    name: str
    arn: str
    status: str
    version: str
    message_ttl: int
    """Seconds that an undelivered message is kept."""
    created: float
    """Epoch seconds."""
    tags: Mapping[str, str] | None = None
    """None when they were not asked for."""


class ControlPlane(ApiClient):
    """Talks to one service. botocore blocks, so all of it happens in one thread of this object.

    `endpoint` and the rest default as `target.find_target` says. Use as ``async with``, or call `aclose`. All
    methods raise ConnectError (see `refusals`); those that take a channel take its name or its ARN.
    """

    # ------------------------------------------------------------------------------------- connecting

    async def master_session(self, channel: str, *, create: bool = False) -> Session:
        """What a master needs to connect; `create` makes the channel when there is none."""
        return await self._worker.run(self._session, channel, None, create)

    async def viewer_session(self, channel: str, client_id: str | None = None) -> Session:
        """What a viewer needs to connect. Without `client_id` it gets a random one. Raises InvalidClientId."""
        client_id = check_client_id(client_id or f"viewer-{secrets.token_hex(4)}")
        return await self._worker.run(self._session, channel, client_id, False)

    # --------------------------------------------------------------------------------------- channels

    async def create_channel(
        self, name: str, *, message_ttl: int = DEFAULT_TTL, tags: Mapping[str, str] | None = None
    ) -> Channel:
        """Makes a channel. `message_ttl` is 5 to 120 seconds."""
        return await self._worker.run(self._create, check_channel_name(name), message_ttl, tags or {})

    async def describe_channel(self, channel: str, *, with_tags: bool = False) -> Channel:
        """What the service knows about a channel."""

        def describe() -> Channel:
            found = self._describe(channel)[0]
            return self._with_tags(found) if with_tags else found

        return await self._worker.run(describe)

    async def list_channels(
        self, *, prefix: str = "", tags: Mapping[str, str] | None = None, with_tags: bool = False
    ) -> Sequence[Channel]:
        """All channels, or those whose names begin with `prefix` and that carry all of `tags`.

        KVS cannot filter by tags, so each channel's are fetched: one call per channel.
        """
        return await self._worker.run(self._list, prefix, tags or {}, with_tags)

    async def update_channel(self, channel: str, *, message_ttl: int) -> None:
        """Sets how many seconds (5 to 120) an undelivered message is kept; for new messages only."""

        def update() -> None:
            found = self._describe(channel)[0]
            members = {
                "ChannelARN": found.arn,
                "CurrentVersion": found.version,
                "SingleMasterConfiguration": {"MessageTtlSeconds": message_ttl},
            }
            self._api.call("update_signaling_channel", members, channel=channel)

        await self._worker.run(update)

    async def delete_channel(self, channel: str) -> None:
        """Deletes a channel; its sockets are closed."""

        def delete() -> None:
            found = self._describe(channel)[0]
            self._api.call("delete_signaling_channel", {"ChannelARN": found.arn}, channel=channel)

        await self._worker.run(delete)

    async def tag_channel(self, channel: str, tags: Mapping[str, str]) -> None:
        """Adds tags, or gives existing ones new values."""

        def tag() -> None:
            members = {"ResourceARN": self._arn(channel), "Tags": _tag_list(tags)}
            self._api.call("tag_resource", members, channel=channel)

        await self._worker.run(tag)

    async def untag_channel(self, channel: str, keys: Iterable[str]) -> None:
        """Takes tags away; unknown ones are ignored."""

        def untag() -> None:
            members = {"ResourceARN": self._arn(channel), "TagKeyList": list(keys)}
            self._api.call("untag_resource", members, channel=channel)

        await self._worker.run(untag)

    # ----------------------------------------------------------------------------- in the worker thread

    def _session(self, channel: str, client_id: str | None, create: bool) -> Session:
        """Describe, endpoints, ICE servers: the order of every KVS client (KVS.md §7)."""
        api = self._api
        api.hang_up()
        try:
            found, is_sightline = self._describe(channel)
        except UnknownChannel:
            if not create or channel.startswith("arn:"):
                raise
            try:
                self._create(check_channel_name(channel), DEFAULT_TTL, {})
            except ServiceRefused as error:
                if error.code != "ResourceInUseException":  # somebody else made it just now: just as well
                    raise
            found, is_sightline = self._describe(channel)
        endpoints = self._endpoints(
            api.call(
                "get_signaling_channel_endpoint",
                {
                    "ChannelARN": found.arn,
                    "SingleMasterChannelEndpointConfiguration": {
                        "Protocols": ["WSS", "HTTPS"],
                        "Role": "MASTER" if client_id is None else "VIEWER",
                    },
                },
                channel=channel,
            )
        )
        ice = api.call(
            "get_ice_server_config",
            {"ChannelARN": found.arn} | ({} if client_id is None else {"ClientId": client_id}),
            service="kinesis-video-signaling",
            endpoint=endpoints["HTTPS"],
            channel=channel,
        )
        servers = tuple(
            IceServer(tuple(item.uris), item.username or None, item.password or None)
            for item in self._member(ice, "IceServerList", list[_IceServer])
        )
        if self.target.is_aws:
            # AWS does not list its STUN server; all of its own clients have the name built in (KVS.md §1).
            stun = f"stun:stun.kinesisvideo.{api.region}.amazonaws.com:443"
            servers = (IceServer((stun,)), *servers)
        else:
            servers = (*_stun_of(servers), *servers)
        url = presign_websocket(
            endpoints["WSS"],
            credentials=api.credentials(),
            region=api.region,
            channel_arn=found.arn,
            client_id=client_id,
            now=api.now(),
            extras=is_sightline,
        )
        return Session(
            url=url,
            ice_servers=servers,
            channel_arn=found.arn,
            client_id=client_id,
            region=api.region,
            is_sightline=is_sightline,
            ca_files=self.target.ca_files,
        )

    def _describe(self, channel: str) -> tuple[Channel, bool]:
        by = {"ChannelARN": channel} if channel.startswith("arn:") else {"ChannelName": channel}
        _check_name_or_arn(channel)
        answer = self._api.call("describe_signaling_channel", by, channel=channel)
        return _channel(self._member(answer, "ChannelInfo", _ChannelInfo)), answer.is_sightline

    def _endpoints(self, answer: Answer) -> dict[str, str]:
        items = self._member(answer, "ResourceEndpointList", list[_Endpoint])
        found = {item.protocol: item.resource_endpoint for item in items}
        for protocol in ("WSS", "HTTPS"):
            if protocol not in found:
                raise ServiceRefused(f"The service gave no {protocol} endpoint for the channel.")
        return found

    def _member(self, answer: Answer, name: str, kind: type[T]) -> T:
        """A member of an answer as a typed value; botocore takes any web page for an empty answer."""
        try:
            return msgspec.convert(answer.members.get(name), kind)
        except msgspec.ValidationError as error:
            raise NotAService(
                f"What answers at {self.target.endpoint} is neither Sightline nor KVS. Check the endpoint."
            ) from error

    def _arn(self, channel: str) -> str:
        return channel if channel.startswith("arn:") else self._describe(channel)[0].arn

    def _create(self, name: str, message_ttl: int, tags: Mapping[str, str]) -> Channel:
        members: dict[str, object] = {
            "ChannelName": name,
            "ChannelType": "SINGLE_MASTER",
            "SingleMasterConfiguration": {"MessageTtlSeconds": message_ttl},
        }
        if tags:
            members["Tags"] = _tag_list(tags)
        self._api.call("create_signaling_channel", members)
        return self._describe(name)[0]

    def _list(self, prefix: str, tags: Mapping[str, str], with_tags: bool) -> Sequence[Channel]:
        members: dict[str, object] = {}
        if prefix:
            members["ChannelNameCondition"] = {
                "ComparisonOperator": "BEGINS_WITH",
                "ComparisonValue": check_channel_name(prefix),
            }
        found: list[Channel] = []
        while True:
            answer = self._api.call("list_signaling_channels", members)
            found.extend(map(_channel, self._member(answer, "ChannelInfoList", list[_ChannelInfo])))
            if not answer.members.get("NextToken"):
                break
            members["NextToken"] = answer.members["NextToken"]
        if tags or with_tags:
            listed, found = found, []
            for channel in listed:
                with suppress(UnknownChannel):  # deleted since it was listed
                    found.append(self._with_tags(channel))
        return [channel for channel in found if tags.items() <= (channel.tags or {}).items()]

    def _with_tags(self, channel: Channel) -> Channel:
        tags: dict[str, str] = {}
        members: dict[str, object] = {"ResourceARN": channel.arn}
        while True:
            answer = self._api.call("list_tags_for_resource", members, channel=channel.name)
            tags.update(self._member(answer, "Tags", dict[str, str]))
            if not answer.members.get("NextToken"):
                return msgspec.structs.replace(channel, tags=tags)
            members["NextToken"] = answer.members["NextToken"]


def _check_name_or_arn(channel: str) -> None:
    if channel.startswith("arn:"):
        ChannelArn.parse(channel)
    else:
        check_channel_name(channel)


# ------------------------------------------------------------------- KVS's JSON members, made typed values


class _SingleMaster(msgspec.Struct, rename="pascal"):
    message_ttl_seconds: int = DEFAULT_TTL


class _ChannelInfo(msgspec.Struct, rename="pascal"):
    channel_name: str
    channel_a_r_n: str = msgspec.field(name="ChannelARN")
    channel_status: str = "ACTIVE"
    version: str = ""
    creation_time: object = 0
    single_master_configuration: _SingleMaster | None = None


class _Endpoint(msgspec.Struct, rename="pascal"):
    protocol: str
    resource_endpoint: str


class _IceServer(msgspec.Struct, rename="pascal"):
    uris: list[str] = []
    username: str = ""
    password: str = ""


def _channel(info: _ChannelInfo) -> Channel:
    created = info.creation_time
    single = info.single_master_configuration or _SingleMaster()
    return Channel(
        name=info.channel_name,
        arn=info.channel_a_r_n,
        status=info.channel_status,
        version=info.version,
        message_ttl=single.message_ttl_seconds,
        # botocore makes a datetime of it
        created=created.timestamp() if hasattr(created, "timestamp") else 0.0,
    )


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _stun_of(servers: Sequence[IceServer]) -> list[IceServer]:
    """STUN servers for a list that has none, as KVS's has: each TURN server over UDP is one (RFC 8656 §5)."""
    urls = [url for server in servers for url in server.urls]
    if any(url.startswith("stun:") for url in urls):
        return []
    relays = [url for url in urls if url.startswith("turn:") and url.endswith(_OVER_UDP)]
    return [IceServer((f"stun:{url.removeprefix('turn:').removesuffix(_OVER_UDP)}",)) for url in relays]
