"""The way to the first frame as bars, one for each stage."""

from __future__ import annotations

from collections.abc import Sequence

from .findings import Stage

__all__ = ["waterfall"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def waterfall(stages: Sequence[Stage], *, width: int = 40, plain: bool = False) -> list[str]:
    """A line for each stage: name, milliseconds, and a bar that begins where the one before ended.

    `width` is that of all bars together in characters; `plain` draws with ``#`` where blocks cannot be shown.
    """
    whole = sum(stage.seconds for stage in stages)
    if whole <= 0:
        return []
    names = max(len(stage.name) for stage in stages)
    lines, before = [], 0.0
    for stage in stages:
        start, end = before / whole * width, (before + stage.seconds) / whole * width
        lines.append(f"{stage.name:<{names}} {stage.seconds * 1000:7.0f} ms  {_bar(start, end, plain=plain)}".rstrip())
        before += stage.seconds
    return [*lines, f"{'all':<{names}} {whole * 1000:7.0f} ms"]


def _bar(start: float, end: float, *, plain: bool) -> str:
    if plain:
        return " " * round(start) + "#" * max(round(end) - round(start), 1)
    first = int(start)
    eighths = max(round((end - first) * 8), 1)  # the part of a character before the start is drawn along
    return " " * first + "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
