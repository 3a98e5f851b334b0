"""What aiohttp logs of broken requests: one line, never a traceback."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["http_logger"]


class _OneLine(logging.Filter):
    """Junk on a port is an attacker's or a scanner's fault, not ours: told at INFO, without where it was noticed."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            record.msg, record.args = "a request could not be read: %s", (type(error).__name__,)
            record.exc_info = None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def http_logger() -> logging.Logger:
    """The logger for aiohttp's server."""
    logger = logging.getLogger("sightline.http.server")
    if not logger.filters:
        logger.addFilter(_OneLine())
    return logger
