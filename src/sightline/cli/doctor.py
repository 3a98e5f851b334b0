"""``sightline doctor``: why is there no video?"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import textwrap
from typing import TYPE_CHECKING

from .options import Commands, add_client_options, add_command, add_json_option, duration, target_from
from .output import can_show, print_json
from .stopping import stop_on_signals

if TYPE_CHECKING:
    from ..doctor import Finding, Visit

__all__ = ["register"]

_MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
_PLAIN = {"ok": "+", "warning": "!", "failed": "x", "skipped": "-"}
_WIDTH = 118


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "doctor",
        help="find out why there is no video: make a connection step by step and explain each step",
        examples="  sightline doctor\n  sightline doctor porch\n  sightline doctor porch --endpoint https://cam.example:8443\n"
        "  sightline doctor --link 'https://cam.example:8443/view/porch#TOKEN'\n"
        "  sightline doctor porch --endpoint aws --region eu-central-1 --json",
    )
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", help="name or ARN; without one, the service alone")
    parser.add_argument(
        "--role",
        choices=("viewer", "master"),
        default="viewer",
        help="whose way to check. A master's socket is opened only if no camera is connected: it would throw that out",
    )
    parser.add_argument("--link", metavar="URL", help="check a link to a camera's page instead of a key")
    parser.add_argument(
        "--seconds",
        type=duration,
        default=15.0,
        metavar="N",
        help="wait so long for the camera's answer, and again for its path and its picture; default 15",
    )
    add_json_option(parser)
    add_client_options(parser)
    parser.set_defaults(run=lambda args: _run(parser, args))


def _run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    if args.link and (args.channel or args.endpoint):
        parser.error("a link names its service and channel itself: leave CHANNEL and --endpoint out")
    # What goes wrong is what the findings say; libraries' warnings between them would only be in the way.
    logging.getLogger("sightline").addHandler(logging.NullHandler())
    return asyncio.run(_doctor(args))


async def _doctor(args: argparse.Namespace) -> int:
    from ..doctor import Mark, Visit, examine, parse_link, report_of

    link = parse_link(args.link) if args.link else None
    if link is not None:
        args.endpoint = link.base
    visit = Visit(target_from(args), channel=args.channel, role=args.role, link=link, patience=args.seconds)
    findings: list[Finding] = []
    ended = False
    with stop_on_signals():
        try:
            async for finding in examine(visit):
                if not findings and not args.json:
                    print(_heading(visit), flush=True)
                findings.append(finding)
                if not args.json:
                    _print(finding, visit)
            ended = True
        finally:
            await visit.aclose()
    report = report_of(visit, findings)
    if args.json:
        print_json(report)
    elif ended:
        _print_end(visit, findings)
    return 0 if ended and all(finding.mark is not Mark.FAILED for finding in findings) else 1


def _heading(visit: Visit) -> str:
    what = f"channel {visit.channel}" if visit.channel else "the service alone"
    how = "by a link" if visit.link else f"as {visit.role}"
    return f"{visit.name}: {what}, {how}\n"


def _print(finding: Finding, visit: Visit) -> None:
    from ..doctor import Mark, checks_for, dependents

    if finding.because:
        return  # said where that failed
    marks = _MARKS if can_show("".join(_MARKS.values())) else _PLAIN
    _wrapped(f"{marks[finding.mark.value]} {finding.title:<12} ", finding.measured)
    for line in finding.details:
        _wrapped(" " * 17, line)
    if finding.meaning:
        _wrapped("    means: ", finding.meaning)
    if finding.advice:
        _wrapped("    to do: ", finding.advice)
    if finding.mark is Mark.FAILED:
        lost = dependents(finding.check, checks_for(visit))
        if lost:
            _wrapped("    so not checked: ", ", ".join(check.title for check in lost))
    if finding.mark in (Mark.FAILED, Mark.WARNING):
        print(f"    more: docs/why-no-video.md#{finding.reason or finding.check}")
    sys.stdout.flush()


def _print_end(visit: Visit, findings: list[Finding]) -> None:
    from ..doctor import Mark, waterfall

    if any(finding.check == "no-media" and finding.seconds and finding.mark is not Mark.FAILED for finding in findings):
        print("\nThe way to the first frame:")
        for line in waterfall(visit.stages, plain=not can_show("█▏")):
            print(f"  {line}")
    failed = [finding.title for finding in findings if finding.mark is Mark.FAILED]
    warnings = sum(finding.mark is Mark.WARNING for finding in findings)
    if failed:
        print(f"\nNot in order: {', '.join(failed)}.")
    elif visit.channel is None:
        print("\nThe service is in order. `sightline doctor CHANNEL` checks a camera.")
    else:
        print(
            "\nAll in order."
            if not warnings
            else f"\nIt works; {warnings} line{'s' * (warnings > 1)} marked ! to note."
        )


def _wrapped(label: str, text: str) -> None:
    """Text in lines, those after the first under its beginning; never in the middle of an address."""
    print(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or label.rstrip()
    )
