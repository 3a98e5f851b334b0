"""Who signed a request, and whether that key may do it (KVS.md §3)."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import AccessDenied, ClientLimitExceeded, SignatureRejected
from ..reasons import Reason
from ..wire.sigv4 import Authorization, SignedRequest, parse_authorization, verify
from .context import Context
from .store import Key, KeyKind, KeyState

__all__ = ["authenticate", "authorise", "signed_request"]

_UNKNOWN = "The security token included in the request is invalid: this service has no key with that id."


def signed_request(request: web.BaseRequest, body: bytes = b"") -> SignedRequest:
    """What a signature may cover of a request, as it came on the wire."""
    path, _, query = request.raw_path.partition("?")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return SignedRequest(request.method, path, query, headers, hashlib.sha256(body).hexdigest())


def authenticate(context: Context, request: web.BaseRequest, body: bytes = b"") -> Key:
    """The key that signed the request; raises SignatureRejected or, for too many failures, ClientLimitExceeded."""
    signed = signed_request(request, body)
    authorization = parse_authorization(signed)
    key = context.find_key(authorization.access_key_id)
    address, steady = request.remote or "", context.steady()
    bucket = key.access_key_id if key else "?"
    if (wait := context.failures.wait(address, bucket, steady)) > 0:
        raise ClientLimitExceeded(
            f"Too many requests with a wrong signature came from this address. Try again in {wait:.0f} s."
        )
    try:
        return _verified(context, key, authorization, signed)
    except SignatureRejected as error:
        # A clock that is wrong is no attempt at guessing.
        if error.reason is not Reason.CLOCK_SKEW:
            context.failures.failed(address, bucket, steady)
        raise


def _verified(context: Context, key: Key | None, authorization: Authorization, signed: SignedRequest) -> Key:
    if key is None:
        raise SignatureRejected(_UNKNOWN, code="UnrecognizedClientException")
    verify(
        signed,
        authorization,
        key.secret_access_key,
        region=context.settings.region,
        now=context.wall(),
        base_path=urlsplit(context.settings.public_url).path.rstrip("/"),
    )
    # After the signature, so that only the owner of a key learns what became of it.
    match key.state(context.wall()):
        case KeyState.REVOKED:
            raise SignatureRejected(
                f"The key {key.access_key_id} was revoked.",
                code="UnrecognizedClientException",
                reason=Reason.LINK_REVOKED if key.kind is KeyKind.LINK else None,
            )
        case KeyState.EXPIRED:
            raise SignatureRejected(
                f"The key {key.access_key_id} has expired.",
                code="ExpiredTokenException",
                reason=Reason.LINK_EXPIRED if key.kind is KeyKind.LINK else None,
            )
    if authorization.session_token is not None:
        raise SignatureRejected(
            "The request carries a session token, and this key has none. Remove AWS_SESSION_TOKEN "
            "(aws_session_token) from the client's settings.",
            code="UnrecognizedClientException",
        )
    return key


def authorise(key: Key, action: str, channel_name: str | None) -> None:
    """Raise AccessDenied unless the key may do that action on that channel."""
    if key.grant.allows(action, channel_name):
        return
    who = f"The key {key.access_key_id}" if key.kind is KeyKind.KEY else "This link"
    where = f"the channel {channel_name!r}" if channel_name else "all channels"
    raise AccessDenied(
        f"{who} is not authorized to perform {action} on {where}. It has the role {key.role.value!r} for the channels "
        f"{key.grant.channels!r}."
    )
