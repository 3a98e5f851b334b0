"""Watching by a link: the session comes from the service that the link names, for the link's token alone.

Calls ask the same way (``sightline.call.entry``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from ..errors import ConfigError, ConnectError, ServiceUnreachable
from ..reasons import Reason
from ..wire.ids import check_channel_name, check_client_id
from .control import IceServer, Session
from .refusals import CertificateNotTrusted, LinkRefused, NotAService
from .socket import trusting
from .target import find_ca_files

__all__ = [
    "PageIceServer",
    "ViewLink",
    "ask_for_session",
    "ice_servers_of",
    "link_session",
    "read_link",
    "without_token",
]

_LIMIT: Final = 15.0
"""Seconds for the request."""

Form = TypeVar("Form")


class ViewLink(msgspec.Struct, frozen=True):
    """``https://HOST/view/CHANNEL#TOKEN`` in its parts."""

    service: str
    """Where the service is, without a trailing slash."""
    channel: str
    token: str
    """A secret: whoever has it may watch. Empty for a page of this very machine, which needs none."""

    def __repr__(self) -> str:
        return f"ViewLink({self.service!r}, {self.channel!r}, …)"


def read_link(url: str) -> ViewLink:
    """Take a link apart; raises ConfigError for text that is none."""
    parts = urlsplit(url.strip())
    path, _, channel = parts.path.rstrip("/").rpartition("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or not path.endswith("/view") or not channel:
        raise ConfigError(
            f"That is no link to watch by: it reads https://HOST/view/CHANNEL#TOKEN, not {without_token(url)}."
        )
    service = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/view')}"
    return ViewLink(service, check_channel_name(unquote(channel)), parts.fragment)


async def link_session(link: ViewLink, client_id: str) -> Session:
    """What a viewer needs to connect. Raises ConnectError: LinkRefused says why in its ``reason``."""
    wanted = {"channel": link.channel, "role": "viewer", "clientId": check_client_id(client_id)}
    answer, ca_files = await ask_for_session(link.service, "session", wanted, token=link.token, form=_Session)
    return _session(answer, ca_files)


async def ask_for_session(
    service: str, kind: str, wanted: Mapping[str, object], *, token: str, form: type[Form]
) -> tuple[Form, tuple[Path, ...]]:
    """Ask as a page does (``POST /sightline/v1/KIND``); the answer, and the certificates to trust for what it names.

    ``token`` may be empty. Raises ConnectError: LinkRefused says why in its ``reason``.
    """
    ca_files = await asyncio.to_thread(find_ca_files, service)
    trust = await asyncio.to_thread(trusting, ca_files) if service.startswith("https:") else True
    status, body = await _post(service, kind, wanted, token, trust)
    if status != 200:
        raise _refused(service, status, body)
    try:
        return msgspec.json.decode(body, type=form), ca_files
    except msgspec.DecodeError as error:
        raise NotAService(f"What answers at {service} is no Sightline. Check the link's address.") from error


async def _post(
    service: str, kind: str, wanted: Mapping[str, object], token: str, trust: ssl.SSLContext | bool
) -> tuple[int, bytes]:
    headers = {"X-Sightline-Link": token} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LIMIT)) as http,
            http.post(f"{service}/sightline/v1/{kind}", json=wanted, headers=headers, ssl=trust) as response,
        ):
            return response.status, await response.read()
    except aiohttp.ClientConnectorCertificateError as error:
        raise CertificateNotTrusted(
            f"The certificate of {service} is not trusted here. For a service with a local CA, copy "
            "DATA_DIR/tls/ca.pem from its machine and set SIGHTLINE_CA_BUNDLE to that file."
        ) from error
    except TimeoutError as error:
        raise ServiceUnreachable(f"{service} did not answer in time.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ServiceUnreachable(f"Nothing answers at {service}; check the address, and that it runs.") from error


def _refused(service: str, status: int, body: bytes) -> ConnectError:
    try:
        said = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.DecodeError:
        return NotAService(f"What answers at {service} is no Sightline (HTTP {status}). Check the link's address.")
    if said.id not in set(Reason):
        return ServiceUnreachable(f"{service} refused: {said.message or said.id}")
    return LinkRefused(said.message, reason=Reason(said.id), status=status)


class PageIceServer(msgspec.Struct):
    """As pages get it: a browser's ``RTCIceServer``."""

    urls: list[str] | str
    username: str | None = None
    credential: str | None = None


class _Session(msgspec.Struct, rename="camel"):
    url: str
    ice_servers: list[PageIceServer]
    client_id: str
    channel_arn: str = ""


class _Error(msgspec.Struct):
    id: str
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Error


def ice_servers_of(servers: Sequence[PageIceServer]) -> tuple[IceServer, ...]:
    """The same as this side has them."""
    return tuple(
        IceServer(
            tuple([each.urls] if isinstance(each.urls, str) else each.urls),
            each.username or None,
            each.credential or None,
        )
        for each in servers
    )


def _session(answer: _Session, ca_files: tuple[Path, ...]) -> Session:
    return Session(
        url=answer.url,
        ice_servers=ice_servers_of(answer.ice_servers),
        channel_arn=answer.channel_arn,
        client_id=answer.client_id,
        region=(answer.channel_arn.split(":") + [""] * 4)[3],
        is_sightline=True,
        ca_files=ca_files,
    )


def without_token(url: str) -> str:
    """A link for an error message: without what may be a token."""
    return repr(url.partition("#")[0][:80])
