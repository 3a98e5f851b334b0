"""``sightline env --for CLIENT``: the lines that point an existing client at a Sightline."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .options import Commands, add_client_options, add_command, add_json_option, target_from
from .output import print_json

if TYPE_CHECKING:
    from .pointing import Place

__all__ = ["register"]

_CLIENTS = ("boto3", "js", "c", "gst", "go2rtc", "python")


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "env",
        help="print the lines that point an existing client at this service",
        examples='  eval "$(sightline env --for boto3)"\n'
        "  sightline env --for c --endpoint https://cam.example\n"
        "  sightline env --for go2rtc --channel porch",
    )
    parser.add_argument("--for", dest="client", choices=_CLIENTS, required=True, help="which client")
    parser.add_argument("--channel", default="demo", metavar="NAME", help="channel in the examples; default demo")
    parser.add_argument("--show-secret", action="store_true", help="print the secret key itself")
    parser.add_argument(
        "--source-only", action="store_true", help="for go2rtc: only a source for one connection, good for 299 s"
    )
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from .pointing import CLIENTS

    if args.source_only:
        return asyncio.run(_print_go2rtc_source(args))
    pointers = CLIENTS[args.client](_place(args))
    if args.json:
        print_json(pointers)
        return 0
    for name, value in pointers.environment.items():
        print(f"# in its environment: {name}={value}" if pointers.config else f"export {name}={_quoted(value)}")
    for note in pointers.notes:
        print(f"# {note}")
    for line in pointers.config:
        print(line)
    return 0


def _place(args: argparse.Namespace) -> Place:
    from ..config import load_settings
    from .pointing import Place

    target = target_from(args)
    if target.is_aws:
        raise ConfigError("Clients reach AWS without any of this; name the endpoint of a Sightline.")
    settings = load_settings({"data_dir": str(args.data_dir)} if args.data_dir else {})
    own_ca = settings.data_dir / "tls" / "ca.pem" if target.is_loopback and not settings.tls_cert else None
    secure = target.endpoint if target.endpoint.startswith("https:") else None
    plain = None if secure else target.endpoint
    if secure is None and target.is_loopback and settings.https_port and (settings.tls != "off" or settings.tls_cert):
        host = settings.public_host[0] if settings.public_host else "localhost"
        port = "" if settings.https_port == 443 else f":{settings.https_port}"
        secure = settings.public_url or f"https://{host}{port}"
    return Place(
        target=target,
        plain=plain,
        secure=secure,
        region=target.region or settings.region,
        channel=args.channel,
        ca_file=target.ca_bundle or target.local_ca or own_ca,
        data_dir=settings.data_dir,
        command=_command(),
        show_secret=args.show_secret,
    )


async def _print_go2rtc_source(args: argparse.Namespace) -> int:
    from ..client.control import ControlPlane
    from .pointing import go2rtc_source

    async with ControlPlane(target=target_from(args)) as control:
        session = await control.viewer_session(args.channel)
    servers = [
        {"urls": list(server.urls)}
        | ({"username": server.username, "credential": server.credential} if server.username else {})
        for server in session.ice_servers
    ]
    assert session.client_id is not None
    print(go2rtc_source(session.url, session.client_id, servers))
    return 0


def _quoted(value: str) -> str:
    """For a shell; references to the shell's own variables and commands stay such."""
    return f'"{value}"' if value.startswith("$") else shlex.quote(value)


def _command() -> str:
    """How this very program can be called from elsewhere."""
    name = Path(sys.argv[0])
    return (
        shlex.quote(str(name.resolve())) if name.name == "sightline" else f"{shlex.quote(sys.executable)} -m sightline"
    )
