"""Logs: every line carries channel, client id and trace id where there are such.

``bind`` gives an adapter with those fields. As text they stand in brackets behind the message; with
``--log-format json`` each line is one JSON object. Never log a secret, nor a whole SDP above DEBUG.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

__all__ = ["Log", "bind", "set_up_logging"]

_FIELDS = ("channel", "client_id", "trace_id")

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class Log(_Adapter):
    """A logger with fields of its own; ``extra`` of a call adds to them."""

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def bind(logger: logging.Logger, *, channel: str = "", client_id: str = "", trace_id: str = "") -> Log:
    """The logger with these fields on every line."""
    return Log(logger, {"channel": channel, "client_id": client_id, "trace_id": trace_id})


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = [getattr(record, name, "") for name in _FIELDS]
        where = f" [{' '.join(field for field in fields if field)}]" if any(fields) else ""
        line = f"{time} {record.levelname.lower():7} {record.getMessage()}{where}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _FIELDS:
            line[name] = getattr(record, name, "")
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def _is_news(record: logging.LogRecord) -> bool:
    """Not so: a connection that was given up in the moment in which it failed. Nobody is left to hear of its failure,
    for which event loops print a traceback (a viewer leaves while the TLS of a TURN server is being refused).
    """
    error = record.exc_info[1] if record.exc_info else None
    unheard = record.name == "asyncio" and record.getMessage().startswith("Future exception was never retrieved")
    return not (unheard and isinstance(error, OSError))


def set_up_logging(*, level: str = "info", form: str = "text") -> None:
    """Send the logs of this process to standard error, as ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sightline").setLevel(level.upper())
