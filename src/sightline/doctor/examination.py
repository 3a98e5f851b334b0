"""Runs the checks one after the other, and leaves out those for which an earlier one failed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec

from ..errors import SightlineError
from ..reasons import Reason
from .findings import Finding, Mark, Report, Verdict, fail, skip
from .registry import Check, checks_for
from .visit import Visit

__all__ = ["examine", "report_of"]


async def examine(visit: Visit) -> AsyncIterator[Finding]:
    """The findings, each as soon as it is there. Raises ConfigError for a target that cannot be used at all."""
    await visit.start()
    failed: dict[str, str] = {}
    """Checks that failed or could not be made, with the failed one at the root."""
    for check in checks_for(visit):
        cause = next((failed[need] for need in check.needs if need in failed), None)
        if cause is not None:
            failed[check.id] = cause
            yield _finding(check, skip(""), because=cause)
            continue
        started = time.monotonic()
        verdict = await _made(check, visit)
        if verdict.mark is Mark.FAILED:
            failed[check.id] = check.id
        yield _finding(check, verdict, seconds=time.monotonic() - started)


def report_of(visit: Visit, findings: list[Finding]) -> Report:
    """All of it, for scripts."""
    return Report(
        endpoint="aws" if visit.target.is_aws and visit.link is None else visit.endpoint,
        channel=visit.channel,
        role=visit.role,
        ok=all(finding.mark is not Mark.FAILED for finding in findings),
        findings=tuple(findings),
        stages=tuple(visit.stages),
    )


async def _made(check: Check, visit: Visit) -> Verdict:
    try:
        return await check.run(visit)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sightline":
            raise
        return skip(f"needs more: pip install 'sightline[all]' (there is no {error.name})")
    except SightlineError as error:
        return fail(error.message, reason=Reason.INTERNAL, meaning="The check itself could not be made.")


def _finding(check: Check, verdict: Verdict, *, seconds: float = 0.0, because: str = "") -> Finding:
    return Finding(
        check=check.id, title=check.title, seconds=seconds, because=because, **msgspec.structs.asdict(verdict)
    )
