"""Every error that Sightline raises on purpose.

::

    SightlineError
    ├── ConfigError                     a setting, flag or file that cannot be used
    ├── WireError                       input that is not of the wire's form
    │   ├── MalformedMessage            a signaling frame or payload that cannot be read
    │   ├── InvalidArn
    │   ├── InvalidChannelName
    │   └── InvalidClientId
    ├── KvsError                        has a KVS exception name and an HTTP status (KVS.md §2.4)
    │   ├── InvalidArgument             400
    │   ├── ClientLimitExceeded         400
    │   ├── AccountChannelLimitExceeded 400
    │   ├── TagsPerResourceExceeded     400
    │   ├── ResourceInUse               400
    │   ├── VersionMismatch             400
    │   ├── NoDataRetention             400
    │   ├── ResourceNotFound            404
    │   ├── AccessDenied                401 (403 on a WebSocket upgrade)
    │   ├── NotAuthorized               401 (data plane)
    │   └── SignatureRejected           403
    ├── LinkError                       a page's link token was not accepted
    ├── ConnectError                    a client could not reach or use a service
    │   ├── ServiceUnreachable          its subclasses, and those of the next, stand in client/refusals.py
    │   └── ServiceRefused
    ├── MediaError                      a source, clip or encoder that cannot be used
    │   ├── SourceNotFound
    │   │   ├── SourceBusy              another program has the device
    │   │   └── SourceRefused           a network camera wants another user or password, or has no such stream
    │   ├── SpeakerError                viewers' voices cannot be played there
    │   │   └── SpeakerBusy             another program has the device
    │   └── UnsupportedMedia
    ├── CommandFailed                   a device did not carry out a command; ``reason`` says why
    ├── CommandRefused                  raised by a command's own function: why not, for the viewer who sent it
    └── PeerError                       a peer connection that cannot be made; more of them in rtc/
        └── InvalidSdp
            └── NoCommonCodec       the viewer can decode nothing that the camera sends

Each class has a stable ``id`` (also its anchor in the documentation). A message for a person says
what happened, what it means and what to do next. Data stands in attributes, not only in the text.
"""

from __future__ import annotations

from typing import ClassVar

from .reasons import Reason

__all__ = [
    "AccessDenied",
    "AccountChannelLimitExceeded",
    "ClientLimitExceeded",
    "CommandFailed",
    "CommandRefused",
    "ConfigError",
    "ConnectError",
    "InvalidArgument",
    "InvalidArn",
    "InvalidChannelName",
    "InvalidClientId",
    "InvalidSdp",
    "KvsError",
    "LinkError",
    "MalformedMessage",
    "MediaError",
    "NoCommonCodec",
    "NoDataRetention",
    "NotAuthorized",
    "PeerError",
    "ResourceInUse",
    "ResourceNotFound",
    "ServiceRefused",
    "ServiceUnreachable",
    "SightlineError",
    "SignatureRejected",
    "SourceBusy",
    "SourceNotFound",
    "SourceRefused",
    "SpeakerBusy",
    "SpeakerError",
    "TagsPerResourceExceeded",
    "UnsupportedMedia",
    "VersionMismatch",
    "WireError",
]


class SightlineError(Exception):
    """The base of all of them. ``id`` is stable; ``str(error)`` is for a person."""

    id: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(SightlineError):
    """A setting, a flag or a file of the configuration cannot be used."""

    id = "config"


class WireError(SightlineError):
    """Input is not of the form that the wire asks for."""

    id = "wire"


class MalformedMessage(WireError):
    """A signaling frame or its payload cannot be read (KVS.md §5.2)."""

    id = "wire/malformed-message"


class InvalidArn(WireError):
    """The text is not the ARN of a signaling channel (KVS.md §2.6)."""

    id = "wire/invalid-arn"


class InvalidChannelName(WireError):
    """The text is not a channel name (KVS.md §2.3)."""

    id = "wire/invalid-channel-name"


class InvalidClientId(WireError):
    """The text is not a viewer's client id (KVS.md §5.1, seed 001.5)."""

    id = "wire/invalid-client-id"


class KvsError(SightlineError):
    """An error that the KVS API names: ``kvs_name`` and ``http_status`` go on the wire (KVS.md §2.4).

    ``reason`` is what viewers of ours are told instead, and decides the close code of a socket.
    """

    id = "kvs"
    kvs_name: ClassVar[str] = "InternalFailure"
    http_status: ClassVar[int] = 500
    usual_reason: ClassVar[Reason] = Reason.BAD_REQUEST

    def __init__(self, message: str, *, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.usual_reason


class InvalidArgument(KvsError):
    """A parameter is missing, malformed, out of range or contradicts another."""

    id = "kvs/invalid-argument"
    kvs_name = "InvalidArgumentException"
    http_status = 400


class ClientLimitExceeded(KvsError):
    """Too many requests, messages or viewers. 400 and not 429, as KVS has it."""

    id = "kvs/client-limit"
    kvs_name = "ClientLimitExceededException"
    http_status = 400
    usual_reason = Reason.TOO_MANY_REQUESTS


class AccountChannelLimitExceeded(KvsError):
    """The service holds as many channels as it may."""

    id = "kvs/channel-limit"
    kvs_name = "AccountChannelLimitExceededException"
    http_status = 400


class TagsPerResourceExceeded(KvsError):
    """A channel would have more than 50 tags."""

    id = "kvs/tag-limit"
    kvs_name = "TagsPerResourceExceededLimitException"
    http_status = 400


class ResourceInUse(KvsError):
    """The name is taken, or the channel cannot do this now. 400 and not 409, as KVS has it."""

    id = "kvs/in-use"
    kvs_name = "ResourceInUseException"
    http_status = 400


class VersionMismatch(KvsError):
    """``CurrentVersion`` is not the channel's version."""

    id = "kvs/version-mismatch"
    kvs_name = "VersionMismatchException"
    http_status = 400


class NoDataRetention(KvsError):
    """The stream for media storage keeps nothing."""

    id = "kvs/no-data-retention"
    kvs_name = "NoDataRetentionException"
    http_status = 400


class ResourceNotFound(KvsError):
    """No such channel. The C SDK creates the channel on exactly this 404 (KVS.md §2.5)."""

    id = "kvs/not-found"
    kvs_name = "ResourceNotFoundException"
    http_status = 404
    usual_reason = Reason.UNKNOWN_CHANNEL


class AccessDenied(KvsError):
    """The key is known and the signature right, but the key may not do this."""

    id = "kvs/access-denied"
    kvs_name = "AccessDeniedException"
    http_status = 401
    usual_reason = Reason.NOT_ALLOWED


class NotAuthorized(KvsError):
    """What the data plane says instead of ``AccessDenied``."""

    id = "kvs/not-authorized"
    kvs_name = "NotAuthorizedException"
    http_status = 401
    usual_reason = Reason.NOT_ALLOWED


class SignatureRejected(KvsError):
    """Authentication failed: always 403, as clients' clock correction expects (KVS.md §2.4).

    ``code`` is the name that AWS gives the case, for instance ``InvalidSignatureException``.
    """

    id = "kvs/signature"
    kvs_name = "InvalidSignatureException"
    http_status = 403
    usual_reason = Reason.WRONG_KEY

    def __init__(self, message: str, *, code: str = "InvalidSignatureException", reason: Reason | None = None) -> None:
        super().__init__(message, reason=reason)
        self.code = code


class LinkError(SightlineError):
    """A page's link token is missing or was not accepted, or its session cannot be; ``reason`` says why."""

    id = "link"

    def __init__(self, reason: Reason, message: str, *, http_status: int = 401) -> None:
        super().__init__(message)
        self.reason = reason
        self.http_status = http_status


class ConnectError(SightlineError):
    """A client could not reach or use a service."""

    id = "connect"


class ServiceUnreachable(ConnectError):
    """Nothing answers at the endpoint, or its TLS certificate is not trusted."""

    id = "connect/unreachable"


class ServiceRefused(ConnectError):
    """The service answered and said no. ``code`` is its error name, ``status`` the HTTP status."""

    id = "connect/refused"

    def __init__(self, message: str, *, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class MediaError(SightlineError):
    """A source, a clip or an encoder cannot be used."""

    id = "media"


class SourceNotFound(MediaError):
    """The file or device is not there or cannot be opened."""

    id = "media/source-not-found"


class SourceBusy(SourceNotFound):
    """The device is there, and another program has it."""

    id = "media/source-busy"


class SourceRefused(SourceNotFound):
    """The camera answered and said no; ``status`` is that of RTSP or HTTP, for instance 401 or 404."""

    id = "media/source-refused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class SpeakerError(MediaError):
    """Viewers' voices cannot be played there: no such device or folder, or it was lost."""

    id = "media/speaker"


class SpeakerBusy(SpeakerError):
    """The sound card is there, and another program has it."""

    id = "media/speaker-busy"


class UnsupportedMedia(MediaError):
    """There is nothing in the source that can be sent."""

    id = "media/unsupported"


class CommandFailed(SightlineError):
    """A device did not carry out a command, or did not say that it has (docs/topics/commands.md).

    ``reason`` is ``unknown-command``, ``not-allowed``, ``refused``, ``failed``, ``too-slow``, ``too-many``,
    ``bad-request``, ``not-connected`` or ``not-sent``: then it was not, or not wholly, carried out. With ``no-answer``
    and ``connection-lost`` nobody knows.
    """

    id = "command/failed"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CommandRefused(SightlineError):
    """To be raised by a command's function: the viewer who sent the command gets the message, and nobody logs it."""

    id = "command/refused"


class PeerError(SightlineError):
    """A peer connection cannot be made or went wrong."""

    id = "peer"


class InvalidSdp(PeerError):
    """The session description cannot be read or offers nothing that can be answered."""

    id = "peer/invalid-sdp"


class NoCommonCodec(InvalidSdp):
    """The description is right, and the peer can decode nothing that is sent."""

    id = "peer/no-common-codec"
