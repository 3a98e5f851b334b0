"""``sightline doctor``: makes a connection step by step, and says what each step showed.

A check (``registry``) is an async function from a ``Visit`` to a ``Verdict``. Where its cause is one of ``reasons``,
the two have one id, which is also the anchor in docs/why-no-video.md.
"""

from .examination import examine, report_of
from .findings import Finding, Mark, Report, Stage
from .registry import CHECKS, Check, checks_for, dependents
from .visit import Visit, parse_link
from .waterfall import waterfall

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Mark",
    "Report",
    "Stage",
    "Visit",
    "checks_for",
    "dependents",
    "examine",
    "parse_link",
    "report_of",
    "waterfall",
]
