"""``sightline demo``: a service, a channel and a camera in one command.

The camera is a process of its own, so that its encoding never holds up the signaling of the service.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import ConfigError, SightlineError
from .child import Child
from .options import Commands, add_command, add_settings_options, settings_from
from .output import qr_code, when
from .serve import trust
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..client.admin import Link
    from ..service import Service

__all__ = ["register"]

LINK_LIFETIME = 8 * 3600.0
"""Seconds: a working day."""

_LOOK = 0.05
"""Seconds between looks for the camera at the start."""


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "demo",
        help="start a service and a camera, and print the page to watch it on",
        examples="  sightline demo\n  sightline demo --source holiday.mp4\n  sightline demo --lan",
    )
    parser.add_argument(
        "--source", default="clip", metavar="SOURCE", help="video file, test, or clip (made at first use; the default)"
    )
    parser.add_argument("--channel", default="demo", metavar="NAME", help="channel of the camera; default demo")
    parser.add_argument(
        "--lan", action="store_true", help="open HTTPS to the network, and print a link for phones as a QR code"
    )
    add_settings_options(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import uvloop

    from ..observe.log import set_up_logging

    forced = {} if args.lan else {"bind": "127.0.0.1,::1"}
    settings = settings_from(args, **forced)
    if not settings.http_port:
        raise ConfigError("The demo needs the plain listener on loopback: give --http-port a port.")
    if args.lan and not (settings.https_port and (settings.tls != "off" or settings.tls_cert)):
        raise ConfigError("The demo opens HTTPS to the network: give --https-port a port, and leave --tls off away.")
    set_up_logging(level=settings.log_level, form=settings.log_format)
    uvloop.run(_demo(args, settings))
    return 0


async def _demo(args: argparse.Namespace, settings: Settings) -> None:
    from ..service import Service

    with stop_on_signals():
        async with _camera(args, settings) as camera, Service(settings) as service:
            try:
                await camera.start()
                await _until_on_air(service, args.channel, camera)
                await _print_page(args, service)
                await camera.ended()
                raise _stopped(camera)
            finally:
                camera.terminate()  # it ends while the service closes


def _camera(args: argparse.Namespace, settings: Settings) -> Child:
    command = ["master", args.channel, "--create", "--quiet", "--source", args.source]
    command += ["--endpoint", _endpoint(settings), "--region", settings.region, "--data-dir", str(settings.data_dir)]
    command += ["--log-format", settings.log_format, "--log-level", settings.log_level]
    key = (
        {
            "SIGHTLINE_ACCESS_KEY_ID": settings.access_key_id,
            "SIGHTLINE_SECRET_ACCESS_KEY": settings.secret_access_key,
        }
        if settings.access_key_id
        else {}
    )
    return Child(command, environment=key)


async def _until_on_air(service: Service, channel: str, camera: Child) -> None:
    """Returns when a viewer that comes now gets an answer."""
    context = service.context
    assert context is not None
    while True:
        found = context.store.channel_named(channel)
        if found is not None and context.exchange.has_master(found.arn):
            return
        if camera.exit_code is not None:
            raise _stopped(camera)
        await asyncio.sleep(_LOOK)


def _stopped(camera: Child) -> SightlineError:
    return SightlineError(f"The camera stopped (exit code {camera.exit_code}); its own lines above say why.")


async def _print_page(args: argparse.Namespace, service: Service) -> None:
    settings = service.settings
    if not args.lan and not settings.public_url:  # behind a public address nothing is served without a link
        lines = [
            "The camera is on. Watch it in a browser on this machine:\n",
            f"  {_endpoint(settings)}/view/{args.channel}\n",
        ]
    else:
        link = await _link(args, settings)
        lines = [
            f"The camera is on. Whoever has this link can watch it until {when(link.expires_at)}:\n",
            *(f"  {url}" for url in link.urls),
            "",
            qr_code(link.urls[0]),
            *trust(service, in_full=True),
            "",
        ]
    # In one piece: who waits for the address finds all that belongs to it.
    print("\n".join([*lines, "Ctrl-C stops it."]), flush=True)


async def _link(args: argparse.Namespace, settings: Settings) -> Link:
    from ..client.admin import Admin
    from ..client.target import find_target
    from ..wire.sigv4 import Credentials

    key = Credentials(settings.access_key_id, settings.secret_access_key) if settings.access_key_id else None
    target = find_target(
        _endpoint(settings), region=settings.region, credentials=key, data_dir=settings.data_dir, environment={}
    )
    async with Admin(target=target) as admin:
        return await admin.create_link(args.channel, expires_in=LINK_LIFETIME)


def _endpoint(settings: Settings) -> str:
    return f"http://localhost:{settings.http_port}"
