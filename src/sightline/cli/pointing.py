"""The exact lines that point a KVS client at a Sightline, one function per client (KVS.md §8 and §9).

Most clients are pointed by environment variables; `env` prints those as a shell script, the rest as comments, so that
``eval "$(sightline env --for boto3)"`` does it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ..client.target import Target

__all__ = ["CLIENTS", "Place", "Pointers", "go2rtc_source"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A service as its clients must see it."""

    target: Target
    plain: str | None
    """``http://localhost:…`` when the service is on this machine."""
    secure: str | None
    """``https://…``, None when it has no TLS listener."""
    region: str
    channel: str
    ca_file: Path | None
    """The local CA's certificate, None when the certificate needs no extra trust."""
    data_dir: Path
    command: str
    """How this very program can be called from elsewhere."""
    show_secret: bool

    @property
    def any(self) -> str:
        """The simplest endpoint: plain on this machine, else TLS."""
        return self.plain or self.secure or ""


class Pointers(msgspec.Struct, frozen=True):
    """What to set, and what else to know."""

    environment: Mapping[str, str]
    notes: tuple[str, ...] = ()
    """Lines for people: code to write, commands to run."""
    config: tuple[str, ...] = ()
    """Lines for the client's own configuration file."""


def boto3(place: Place) -> Pointers:
    """boto3 and the AWS command line."""
    return Pointers(
        {**_endpoint(place, place.any), **_ca(place, place.any, "AWS_CA_BUNDLE"), **_region(place), **_key(place)},
        (
            "Plain boto3.client('kinesisvideo') now talks to Sightline. The signaling client needs the HTTPS endpoint",
            "of GetSignalingChannelEndpoint, here as with AWS:",
            "  boto3.client('kinesis-video-signaling', endpoint_url=endpoints['HTTPS'])",
        ),
    )


def python(place: Place) -> Pointers:
    """Sightline's own SDK, and AWS's Python sample (aiortc)."""
    pointers = boto3(place)
    return Pointers(
        {
            "SIGHTLINE_ENDPOINT": place.any,
            **pointers.environment,
            **_ca(place, place.any, "SSL_CERT_FILE"),
        },
        (
            f'Sightline\'s SDK: async with sightline.Master("{place.channel}", source="test") as master: ...',
            "AWS's Python sample runs unchanged with these variables.",
        ),
    )


def js(place: Place) -> Pointers:
    """The AWS SDK for JavaScript v2 and v3 with ``amazon-kinesis-video-streams-webrtc``."""
    endpoint = place.secure or place.any
    options = f'region: "{place.region}", endpoint: "{endpoint}"'
    return Pointers(
        {**_endpoint(place, endpoint), **_ca(place, endpoint, "NODE_EXTRA_CA_CERTS"), **_region(place), **_key(place)},
        (
            *_needs_tls(place, "The JavaScript signaling client accepts wss:// only."),
            f"v3: new KinesisVideoClient({{ {options}, credentials }})",
            f"v2: new AWS.KinesisVideo({{ {options}, accessKeyId, secretAccessKey, correctClockSkew: true }})",
            "then, as with AWS: endpoint: endpointsByProtocol.HTTPS for the signaling channels client, and",
            "  new SignalingClient({ role, channelARN, channelEndpoint: endpointsByProtocol.WSS, region, ... })",
            "Browsers do not read the variables: they need the CA in the system's trust store.",
        ),
    )


def c(place: Place) -> Pointers:
    """The KVS WebRTC C SDK and its samples."""
    host = urlsplit(place.secure or place.any).hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    port = urlsplit(place.secure or "").port
    notes = list(_needs_tls(place, "The C SDK always uses TLS."))
    if port not in (None, 443):
        notes += [
            f"The C SDK always uses port 443, and this service's TLS is on {port}: start it with --https-port 443, or",
            f"redirect: sudo iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports {port}",
        ]
    notes += [
        "The SDK wants a CA file in any case; with a public certificate name the system's bundle.",
        "Samples before 2026 do not read CONTROL_PLANE_URI: set channelInfo.pControlPlaneUrl in their code.",
        f"Then, for instance: ./kvsWebrtcClientMaster {place.channel}",
    ]
    return Pointers(
        {
            "CONTROL_PLANE_URI": f"https://{host}",
            "AWS_KVS_CACERT_PATH": str(place.ca_file or "/etc/ssl/certs/ca-certificates.crt"),
            **_region(place),
            # The SDK reads keys from the environment only.
            **_key(place, profile=False),
        },
        tuple(notes),
    )


def gst(place: Place) -> Pointers:
    """GStreamer's ``awskvswebrtcsink``."""
    endpoint = place.secure or place.any
    cafile = f" signaller::cafile={shlex.quote(str(place.ca_file))}" if place.ca_file and place.secure else ""
    return Pointers(
        {**_endpoint(place, endpoint), **_ca(place, endpoint, "SSL_CERT_FILE"), **_region(place), **_key(place)},
        (
            *_needs_tls(place, "awskvswebrtcsink accepts wss:// only."),
            "gst-launch-1.0 videotestsrc is-live=true ! video/x-raw,framerate=30/1 ! \\",
            f'  awskvswebrtcsink signaller::channel-name="{place.channel}"{cafile}',
            "It does not make the channel: sightline channel create " + place.channel,
        ),
    )


def go2rtc(place: Place) -> Pointers:
    """go2rtc as viewer; its ``echo:`` source runs a command for a fresh URL each time it connects."""
    call = f"{place.command} env --for go2rtc --channel {place.channel} --source-only --endpoint {place.any}"
    if place.plain:
        call += f" --data-dir {shlex.quote(str(place.data_dir))}"
    return Pointers(
        _ca(place, place.any, "SSL_CERT_FILE"),
        ("go2rtc.yaml; the line below asks for a new URL whenever go2rtc connects",),
        ("streams:", f"  {place.channel}: echo:{call}"),
    )


def go2rtc_source(url: str, client_id: str, ice_servers: object) -> str:
    """go2rtc's source for one connection, good for 299 s (go2rtc's internal/webrtc/README.md)."""
    servers = json.dumps(ice_servers, separators=(",", ":"))
    return f"webrtc:{url}#format=kinesis#client_id={client_id}#ice_servers={servers}"


CLIENTS: Final[Mapping[str, Callable[[Place], Pointers]]] = {
    "boto3": boto3,
    "js": js,
    "c": c,
    "gst": gst,
    "go2rtc": go2rtc,
    "python": python,
}
"""By the names that ``--for`` takes."""


def _endpoint(place: Place, url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_KINESIS_VIDEO": url}


def _region(place: Place) -> dict[str, str]:
    # Older and newer SDKs read different ones.
    return {"AWS_REGION": place.region, "AWS_DEFAULT_REGION": place.region}


def _ca(place: Place, url: str, name: str) -> dict[str, str]:
    return {name: str(place.ca_file)} if place.ca_file and url.startswith("https:") else {}


def _key(place: Place, *, profile: bool = True) -> dict[str, str]:
    """The key: as a profile in the service's file, or as a reference to where the shell has it already."""
    credentials = place.target.credentials
    if credentials is None:
        return {}  # whatever the AWS configuration has is what the client uses as well
    if place.show_secret:
        values = {
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        }
        return values | ({"AWS_SESSION_TOKEN": credentials.session_token} if credentials.session_token else {})
    file = place.data_dir / "credentials"
    if place.target.credentials_from != str(file):
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": "$SIGHTLINE_SECRET_ACCESS_KEY",
        }
    if profile:
        return {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": "default"}
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": f"$(sed -n 's/^aws_secret_access_key *= *//p' {shlex.quote(str(file))})",
    }


def _needs_tls(place: Place, sentence: str) -> tuple[str, ...]:
    return () if place.secure else (sentence + " This service has no TLS listener; start it with one.",)
