"""Options that several commands share, and values that people write on command lines."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..config import SETTINGS, Settings, load_settings

if TYPE_CHECKING:
    from ..client.target import Target

__all__ = [
    "Commands",
    "add_client_options",
    "add_command",
    "add_json_option",
    "add_log_level_option",
    "add_settings_options",
    "duration",
    "settings_from",
    "tag",
    "target_from",
]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_UNITS: Mapping[str, int] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_command(commands: Commands, name: str, *, help: str, examples: str) -> argparse.ArgumentParser:
    """A command with a line of help and at least one example."""
    return commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """``--endpoint`` and what else says which service is meant; `target_from` reads them."""
    group = parser.add_argument_group("which service")
    group.add_argument(
        "--endpoint",
        metavar="URL",
        help="http://localhost:8080, https://HOST:8443, or aws (also SIGHTLINE_ENDPOINT)",
    )
    group.add_argument("--region", metavar="REGION", help="region to sign for (also SIGHTLINE_REGION)")
    group.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="data directory of a service on this machine, for its key and CA (also SIGHTLINE_DATA_DIR)",
    )


def target_from(args: argparse.Namespace) -> Target:
    """The service that the options, the environment and the local files name. Raises ConfigError."""
    from ..client.target import find_target  # keeps `sightline --help` quick

    return find_target(args.endpoint, region=args.region, data_dir=args.data_dir)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_log_level_option(parser: argparse.ArgumentParser, *, default: str) -> None:
    """``--log-level``."""
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default=default, help=f"default {default}")


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting of a service; `settings_from` reads them.

    Secrets have none: a command line is visible to everybody on the machine.
    """
    group = parser.add_argument_group("settings", "each also from the environment or the TOML file of --config")
    group.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings (also SIGHTLINE_CONFIG)")
    defaults = load_settings({}, environment={})
    for setting in SETTINGS:
        if setting.secret:
            continue
        value = getattr(defaults, setting.name)
        shown = f"; default {_shown(value)}" if value or value == 0 else ""
        group.add_argument(
            setting.flag,
            dest=setting.name,
            metavar=setting.metavar or setting.name.upper(),
            nargs="?" if setting.alone else None,
            const=setting.alone or None,
            help=f"{setting.help} ({setting.environment}{shown})".replace("%", "%%"),
        )


def settings_from(args: argparse.Namespace, **forced: str) -> Settings:
    """The service's settings; `forced` wins over everything. Raises ConfigError."""
    flags: dict[str, object] = {
        setting.name: value for setting in SETTINGS if (value := getattr(args, setting.name, None)) is not None
    }
    return load_settings({**flags, **forced}, config_file=args.config)


def _shown(value: object) -> str:
    return (
        str(value).replace(str(Path.home()), "~", 1)
        if isinstance(value, Path)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``15m``, ``8h`` or ``7d``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 90s, 15m, 8h or 7d")
    return seconds


def tag(text: str) -> tuple[str, str]:
    """Key and value of ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a tag: write KEY=VALUE")
    return key, value
