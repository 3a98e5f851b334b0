"""What a check found, as a value: a mark, what was measured, what it means, what to do."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..reasons import REASONS, Reason

__all__ = ["Finding", "Mark", "Report", "Stage", "Verdict", "fail", "fine", "skip", "warn"]


class Mark(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """Watching works, or may work; this will bite somebody one day."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not made: there was nothing to check, or an earlier one failed."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check function returns. Texts are for people."""

    mark: Mark
    measured: str
    """One line: what was seen."""
    meaning: str = ""
    advice: str = ""
    reason: str = ""
    """The id of the cause: of ``reasons``, or the check's own where none is the same. Empty when it is fine."""
    details: tuple[str, ...] = ()
    """Further lines, for instance one for each server."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with the check that it belongs to."""

    check: str
    """The check's id; its anchor in docs/why-no-video.md."""
    title: str
    mark: Mark
    measured: str
    reason: str = ""
    meaning: str = ""
    advice: str = ""
    details: tuple[str, ...] = ()
    seconds: float = 0.0
    """How long the check took."""
    because: str = ""
    """The failed check for which this one was not made."""


class Stage(msgspec.Struct, frozen=True):
    """A part of the way from the address to the first frame. ``seconds`` it took."""

    name: str
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole examination."""

    endpoint: str
    channel: str | None
    role: str
    ok: bool
    """Whether nothing failed."""
    findings: tuple[Finding, ...]
    stages: tuple[Stage, ...]
    """The way to the first frame, as far as it was gone."""


def fine(measured: str, *details: str) -> Verdict:
    """The check found nothing wrong."""
    return Verdict(mark=Mark.OK, measured=measured, details=details)


def warn(measured: str, *details: str, meaning: str, advice: str, reason: str = "") -> Verdict:
    """Worth knowing, no failure."""
    return Verdict(mark=Mark.WARNING, measured=measured, meaning=meaning, advice=advice, reason=reason, details=details)


def fail(measured: str, *details: str, reason: str, meaning: str = "", advice: str = "") -> Verdict:
    """It fails. Without a meaning of its own, what the table of reasons says of the cause."""
    if not meaning and reason in REASONS:
        meaning = REASONS[Reason(reason)].message
    return Verdict(mark=Mark.FAILED, measured=measured, meaning=meaning, advice=advice, reason=reason, details=details)


def skip(measured: str) -> Verdict:
    """There is nothing to check here."""
    return Verdict(mark=Mark.SKIPPED, measured=measured)
