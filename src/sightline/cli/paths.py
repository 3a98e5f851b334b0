"""Options that say on which addresses and ports media flows."""

from __future__ import annotations

import argparse
import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..rtc.ice.config import IceConfig

__all__ = ["add_path_options", "ice_config_from", "positive"]


def add_path_options(parser: argparse.ArgumentParser) -> None:
    """``--udp-ports`` and what else belongs to it; `ice_config_from` reads them."""
    group = parser.add_argument_group("how media reaches the viewers")
    group.add_argument(
        "--udp-ports",
        type=_ports,
        metavar="A-B",
        help="use these UDP ports alone, for a firewall that lets them through: one for each connection, and for a "
        "moment another one when its network changes",
    )
    group.add_argument(
        "--advertise-ip",
        type=_address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="tell viewers this address too: a 1:1 NAT's or a container host's, same ports; may be given again",
    )
    group.add_argument(
        "--interface",
        action="append",
        default=[],
        metavar="NAME",
        help="use this network interface alone; may be given again",
    )
    group.add_argument(
        "--relay-only",
        action="store_true",
        help="go through TURN servers alone: no viewer learns this machine's address",
    )


def ice_config_from(args: argparse.Namespace) -> IceConfig:
    """What the options say."""
    from ..rtc.ice.config import IceConfig

    return IceConfig(
        udp_ports=args.udp_ports,
        advertise=tuple(args.advertise_ip),
        interfaces=tuple(args.interface),
        relay_only=args.relay_only,
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _ports(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of ports: write 50000-50100")
    return first, last


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None
