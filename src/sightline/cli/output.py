"""What commands print: aligned columns and QR codes for people, JSON for scripts."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import datetime

import msgspec

__all__ = ["can_show", "print_json", "print_table", "qr_code", "when"]


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Aligned columns under `headers`; the sentence `empty` instead of a table without rows."""
    if not rows:
        print(empty)
        return
    table = [list(headers), *[[cell or "-" for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """One JSON document, indented."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def qr_code(text: str) -> str:
    """A QR code of half-height blocks, its last line ended; empty where the terminal's encoding cannot show it."""
    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue() if can_show(drawn.getvalue()) else ""


def can_show(text: str) -> bool:
    """Whether standard output's encoding has all of these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def when(seconds: float | None) -> str:
    """Epoch seconds as local time, for people."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
