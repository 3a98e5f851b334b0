"""``sightline serve``: the service, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .. import __version__
from ..config import Settings
from ..errors import ConfigError
from .options import Commands, add_command, add_settings_options, settings_from

if TYPE_CHECKING:
    from ..service import Service

__all__ = ["addresses", "register", "trust"]


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "serve",
        help="run the service",
        examples="  sightline serve\n"
        "  sightline serve --data-dir /var/lib/sightline --public-host cam.example --https-port 443\n"
        "  SIGHTLINE_CONFIG=/etc/sightline.toml sightline serve",
    )
    parser.add_argument("--lan", action="store_true", help="let --open-lobby be open to the whole network")
    add_settings_options(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_from(args)
    if args.lan:
        if settings.open_lobby == "off":
            raise ConfigError("--lan says how far --open-lobby reaches: give both, or neither.")
        settings = settings_from(args, open_lobby="lan")
    from ..service import run

    run(settings, ready=_print_ready)
    return 0


def _print_ready(service: Service) -> None:
    lines = [f"Sightline {__version__} is ready.", *addresses(service.settings)]
    if not service.settings.access_key_id:
        lines.append(f"  key of the administrator: {service.settings.data_dir / 'credentials'}")
    if service.settings.open_lobby != "off":
        where = "everybody in the network" if service.settings.open_lobby == "lan" else "everybody on this machine"
        lines.append(f"  calls without a link: {where} may enter every room, at /call")
    if service.settings.mdn_port:
        port = service.settings.mdn_port
        lines.append(f"  for development: port {port} is a lobby without links, for the MDN sample")
    lines += trust(service, in_full=sys.stdout.isatty())
    print("\n".join(lines), flush=True)


def addresses(settings: Settings) -> list[str]:
    """Where the service can be reached, one address per line."""
    found = []
    if settings.http_port:
        found.append(f"  http://localhost:{settings.http_port}  (this machine)")
    if settings.public_url:
        found.append(f"  {settings.public_url}")
    elif settings.https_port and (settings.tls != "off" or settings.tls_cert):
        port = "" if settings.https_port == 443 else f":{settings.https_port}"
        for host in settings.public_host or _bound_hosts(settings):
            found.append(f"  https://{f'[{host}]' if ':' in host else host}{port}")
    return found


def trust(service: Service, *, in_full: bool) -> list[str]:
    """How clients come to trust the local CA, if that is what the HTTPS listener uses; lines to print."""
    if service.ca_path is None:
        return []
    if not in_full:
        return [f"  the HTTPS certificate is of this machine's own CA; clients must trust {service.ca_path}"]
    from ..service.tls import how_to_trust

    return [how_to_trust(service.ca_path)]


def _bound_hosts(settings: Settings) -> list[str]:
    import ifaddr

    bound = [host for host in settings.bind if host not in ("0.0.0.0", "::")]
    if bound:
        return bound
    addresses = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return [address for address in addresses if not address.startswith(("127.", "169.254."))] or ["localhost"]
