"""The settings of a service: one table for flags, environment, TOML file and ``--help``.

Precedence: flag, then environment, then the TOML file (``--config`` or ``SIGHTLINE_CONFIG``), then the default. A
setting has one name everywhere: ``http_port`` is ``--http-port``, ``SIGHTLINE_HTTP_PORT`` and ``http_port =``.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, cast

import msgspec

from .errors import ConfigError

__all__ = ["SETTINGS", "Setting", "Settings", "TurnServer", "data_dir_from", "load_settings"]


_PUBLIC_URL: Final = re.compile(
    r"https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


class TurnServer(msgspec.Struct, frozen=True):
    """External TURN servers that share one secret (coturn's ``use-auth-secret``)."""

    urls: tuple[str, ...]
    secret: str

    def __repr__(self) -> str:
        return f"TurnServer({self.urls!r}, …)"


class Setting(msgspec.Struct, frozen=True):
    """One row of the table. ``kind`` is text, int, port, seconds, list or path; ``help`` is one line for people."""

    name: str
    kind: str
    help: str
    metavar: str = ""
    secret: bool = False
    alone: str = ""
    """What the flag means when it stands alone."""

    @property
    def environment(self) -> str:
        """The environment variable."""
        return "SIGHTLINE_" + self.name.upper()

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")


SETTINGS: Final = (
    Setting("data_dir", "path", "where keys, channels and certificates are kept", "DIR"),
    Setting("http_port", "port", "port of the plain listener, on loopback only", "PORT"),
    Setting("https_port", "port", "port of the TLS listener", "PORT"),
    Setting("bind", "list", "addresses of the TLS listener; empty for all", "ADDR"),
    Setting("public_host", "list", "names by which clients reach this machine (certificate, TURN)", "NAMES"),
    Setting("public_url", "text", "address in returned endpoints, for a proxy in front", "URL"),
    Setting("region", "text", "the one region of this service", "REGION"),
    Setting("account_id", "text", "the one account of this service, 12 digits", "DIGITS"),
    Setting("access_key_id", "text", "the first administrator's key id", "KEY"),
    Setting("secret_access_key", "text", "the first administrator's secret", "SECRET", secret=True),
    Setting("tls", "text", "auto: certificates from a local CA; off: no TLS listener", "MODE"),
    Setting("tls_cert", "path", "a real certificate chain (PEM), with --tls-key", "FILE"),
    Setting("tls_key", "path", "its private key (PEM)", "FILE"),
    Setting("turn_port", "port", "UDP and TCP port of the built-in STUN and TURN server", "PORT"),
    Setting("turn_tls_port", "port", "TCP port of TURN over TLS, beside the TLS listener's own", "PORT"),
    Setting("stun_port", "port", "one more UDP port of it: 443, where KVS clients look for STUN", "PORT"),
    Setting("turn_external_ip", "list", "addresses under which peers reach this machine behind NAT", "ADDR"),
    Setting("turn_allow_peer", "list", "networks that TURN may relay to beside public ones", "NETS"),
    Setting("turn_ports", "text", "UDP ports that TURN relays from", "FIRST-LAST"),
    Setting("turn_allocations", "int", "relays that TURN may have open at once", "N"),
    Setting("turn_mbps", "int", "Mbit/s that TURN relays for one credential", "N"),
    Setting("max_viewers", "int", "viewers that a channel may have at once", "N"),
    Setting("max_channels", "int", "channels that the service may hold", "N"),
    Setting("message_rate", "int", "messages per second that a socket may send; twice that in a burst", "N"),
    Setting("socket_idle", "seconds", "close sockets without traffic after this time; 0: never", "SECONDS"),
    Setting("socket_lifetime", "seconds", "close sockets after this time; 0: never", "SECONDS"),
    Setting("open_lobby", "text", "calls without a link: off, local (this machine) or lan", "WHERE", alone="local"),
    Setting("mdn_port", "port", "development only: a lobby without links for the MDN sample, which dials 6503", "PORT"),
    Setting("log_format", "text", "text or json", "FORMAT"),
    Setting("log_level", "text", "debug, info, warning or error", "LEVEL"),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A service's settings, checked. Durations are in seconds; a port of 0 is off."""

    data_dir: Path
    http_port: int = 8080
    https_port: int = 8443
    bind: tuple[str, ...] = ()
    public_host: tuple[str, ...] = ()
    public_url: str = ""
    region: str = "us-west-2"
    account_id: str = "000000000000"
    access_key_id: str = ""
    secret_access_key: str = ""
    tls: str = "auto"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    turn_port: int = 3478
    turn_tls_port: int = 5349
    stun_port: int = 0
    turn_external_ip: tuple[str, ...] = ()
    turn_allow_peer: tuple[str, ...] = ()
    turn_ports: str = "49152-65535"
    turn_allocations: int = 4000
    turn_mbps: int = 200
    max_viewers: int = 100
    max_channels: int = 10_000
    message_rate: int = 100
    socket_idle: float = 0.0
    socket_lifetime: float = 0.0
    open_lobby: str = "off"
    mdn_port: int = 0
    log_format: str = "text"
    log_level: str = "info"
    turn: tuple[TurnServer, ...] = ()
    """External TURN servers: the ``[turn]`` table, or several ``[[turn]]``, of the TOML file."""

    @property
    def turn_port_range(self) -> tuple[int, int]:
        """The first and the last of ``turn_ports``."""
        first, _, last = self.turn_ports.partition("-")
        return int(first), int(last)

    def __repr__(self) -> str:
        return f"Settings(data_dir={str(self.data_dir)!r}, …)"


def data_dir_from(environment: Mapping[str, str]) -> Path:
    """The data directory: ``SIGHTLINE_DATA_DIR``, else the place where the XDG rules put a user's state."""
    if named := environment.get("SIGHTLINE_DATA_DIR"):
        return _path(named, "SIGHTLINE_DATA_DIR")
    return _path(environment.get("XDG_STATE_HOME") or "~/.local/state", "XDG_STATE_HOME") / "sightline"


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    config_file: Path | None = None,
) -> Settings:
    """Put the settings together from all sources; raises ConfigError with one sentence.

    ``flags`` holds those given on the command line, as text, by setting name.
    """
    environment = os.environ if environment is None else environment
    if config_file is None and environment.get("SIGHTLINE_CONFIG"):
        config_file = _path(environment["SIGHTLINE_CONFIG"], "SIGHTLINE_CONFIG")
    from_file = _read_file(config_file) if config_file else {}
    values: dict[str, object] = {"data_dir": data_dir_from(environment)}
    for setting in SETTINGS:
        for source, where in (
            ((flags or {}).get(setting.name), setting.flag),
            (environment.get(setting.environment) or None, setting.environment),
            (from_file.get(setting.name), f"{setting.name} in {config_file}"),
        ):
            if source is not None:
                values[setting.name] = _convert(setting, source, where)
                break
    tables = from_file.get("turn", [])
    values["turn"] = _turn_servers([tables] if isinstance(tables, dict) else tables, config_file)
    settings = Settings(**values)  # type: ignore[arg-type]
    _check(settings)
    return settings


def _read_file(path: Path) -> dict[str, object]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {path} is not TOML: {error}.") from error
    known = {setting.name for setting in SETTINGS} | {"turn"}
    for name in content:
        if name not in known:
            raise ConfigError(f"{path}: there is no setting {name!r}. `sightline serve --help` lists them all.")
    return content


def _convert(setting: Setting, value: object, where: str) -> object:
    match setting.kind:
        case "port":
            if value == "off":
                return 0
            number = _number(value, where)
            if not 0 < number <= 65535:
                raise ConfigError(f"{where} must be a port from 1 to 65535, or off; it is {value!r}.")
            return number
        case "int":
            number = _number(value, where)
            if number < 1:
                raise ConfigError(f"{where} must be 1 or more; it is {value!r}.")
            return number
        case "seconds":
            try:
                seconds = float(cast(str, value))
            except (TypeError, ValueError, OverflowError):
                raise ConfigError(f"{where} must be a number of seconds; it is {value!r}.") from None
            if not 0 <= seconds <= 1e9:
                raise ConfigError(f"{where} must be 0 or more; it is {value!r}.")
            return seconds
        case "list":
            parts = value if isinstance(value, list) else str(value).split(",")
            return tuple(str(part).strip() for part in parts if str(part).strip())
        case "path":
            return _path(str(value), where)
        case _:
            return str(value)


def _number(value: object, where: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,18}", str(value)) is None:
        raise ConfigError(f"{where} must be a whole number; it is {value!r}.")
    return int(cast(str, value))


def _path(text: str, where: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(f"{where} is {text!r}, and there is no such home directory.") from None


def _turn_servers(tables: object, config_file: Path | None) -> tuple[TurnServer, ...]:
    try:
        servers = msgspec.convert(tables, tuple[TurnServer, ...])
    except msgspec.ValidationError as error:
        raise ConfigError(f"[[turn]] in {config_file} must have urls and secret: {error}.") from error
    for server in servers:
        if not 1 <= len(server.urls) <= 4 or not server.secret:
            raise ConfigError(f"[[turn]] in {config_file} must have 1 to 4 urls and a secret.")
        for url in server.urls:
            # Clients split at these very places (KVS.md §4.1): an explicit port and transport, or they drop the URL.
            if not re.fullmatch(r"turns?:[^\s?]+:\d+\?transport=(udp|tcp)", url):
                raise ConfigError(
                    f"{url!r} in {config_file} must read turn:HOST:PORT?transport=udp or tcp, or turns:…?transport=tcp."
                )
    return servers


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _check(settings: Settings) -> None:
    if not re.fullmatch(r"[0-9]{12}", settings.account_id):
        raise ConfigError(f"SIGHTLINE_ACCOUNT_ID must have 12 digits; it is {settings.account_id!r}.")
    if not re.fullmatch(r"[a-z0-9-]{1,32}", settings.region):
        raise ConfigError(f"SIGHTLINE_REGION must be like us-west-2; it is {settings.region!r}.")
    if bool(settings.access_key_id) != bool(settings.secret_access_key):
        raise ConfigError("SIGHTLINE_ACCESS_KEY_ID and SIGHTLINE_SECRET_ACCESS_KEY must be given together.")
    if settings.access_key_id and not re.fullmatch(r"[\w.-]{1,128}", settings.access_key_id, re.ASCII):
        raise ConfigError(
            "SIGHTLINE_ACCESS_KEY_ID may hold letters, digits, '_', '.' and '-' only, at most 128 of them."
        )
    if settings.tls not in ("auto", "off"):
        raise ConfigError(f"SIGHTLINE_TLS must be auto or off; it is {settings.tls!r}.")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key must be given together.")
    if settings.public_url and not _PUBLIC_URL.fullmatch(settings.public_url):
        raise ConfigError(f"SIGHTLINE_PUBLIC_URL must be like https://cam.example; it is {settings.public_url!r}.")
    for address in settings.turn_external_ip:
        if not _is(ipaddress.ip_address, address):
            raise ConfigError(f"SIGHTLINE_TURN_EXTERNAL_IP must be IP addresses; {address!r} is none.")
    for network in settings.turn_allow_peer:
        if not _is(partial(ipaddress.ip_network, strict=False), network):
            raise ConfigError(f"SIGHTLINE_TURN_ALLOW_PEER must be networks like 192.168.0.0/16; {network!r} is none.")
    ports = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", settings.turn_ports)
    if ports is None or not 1024 <= int(ports[1]) <= int(ports[2]) <= 65535:
        raise ConfigError(
            f"SIGHTLINE_TURN_PORTS must be like 49152-65535, from 1024 up; it is {settings.turn_ports!r}."
        )
    if settings.open_lobby not in ("off", "local", "lan"):
        raise ConfigError(f"SIGHTLINE_OPEN_LOBBY must be off, local or lan; it is {settings.open_lobby!r}.")
    if settings.log_format not in ("text", "json"):
        raise ConfigError(f"SIGHTLINE_LOG_FORMAT must be text or json; it is {settings.log_format!r}.")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise ConfigError(f"SIGHTLINE_LOG_LEVEL must be debug, info, warning or error; it is {settings.log_level!r}.")
