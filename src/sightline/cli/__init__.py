"""The command ``sightline``: one file per command, thin, no decisions.

Exit codes: 0 done; 1 it could not be done, with one sentence on standard error that says why; 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from ..errors import SightlineError
from .parser import build_parser

__all__ = ["main"]

INTERRUPTED = 130
"""What shells expect of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; `argv` is without the program's name. Returns the exit code; usage errors exit with 2."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SightlineError as error:
        print(f"sightline: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        extra = _extra_with(error.name or "")
        if extra is None:
            raise
        print(f"sightline: this command needs more: pip install 'sightline[{extra}]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has enough. Nothing more can be written, not even at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _extra_with(module: str) -> str | None:
    match module.partition(".")[0]:
        case "av" | "aiortc" | "numpy":
            return "media"
        case "cryptography" | "ifaddr" | "prometheus_client" | "regex" | "segno":
            return "server"
        case "aioice" | "uvloop":
            return "all"
        case _:
            return None
