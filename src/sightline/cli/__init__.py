"""The command ``sightline``: one file per command, thin, no decisions.

Exit codes: 0 done; 1 it could not be done, with one sentence on standard error that says why; 2 wrong usage; 130 ended
by Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

__all__ = ["main"]

INTERRUPTED = 130
"""What shells expect of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; `argv` is without the program's name. Returns the exit code; usage errors exit with 2."""
    with _quiet_interrupts():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    from ..errors import SightlineError
    from .parser import build_parser

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
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


@contextmanager
def _quiet_interrupts() -> Iterator[None]:
    """Ctrl-C ends the process at once, until a command says how it wants to end (`stop_on_signals`).

    Up to then modules load and there is nothing to clean up. A KeyboardInterrupt in the middle of somebody's import
    shows a long traceback, and has crashed modules that are written in C.
    """
    # Only the main thread may; and one that is ignored, as in a script's background, stays so.
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


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
