"""The ids that the page shares with the rest: reasons, doctor's checks, and the entries of "Why is there no video?"."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.doctor import CHECKS
from sightline.reasons import REASONS

CHECKOUT = Path(__file__).parents[3]
PAGES = CHECKOUT / "src" / "sightline" / "web" / "pages"


def read(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def test_the_page_makes_doctors_checks_under_doctors_ids() -> None:
    doctors = {check.id for check in CHECKS}
    page = set(re.findall(r"\{ id: '([a-z-]+)', needs:", read("diagnose.js")))
    assert page <= doctors
    # A page has a link and no key: what concerns keys is not its business.
    assert doctors - page == {"wrong-key", "wrong-region", "not-allowed"}


def test_every_reason_has_words_on_the_page_and_an_entry_in_the_docs() -> None:
    told = set(re.findall(r"'error\.([a-z-]+)\.what'", read("messages.js"))) - {"unknown"}
    assert told == {reason.value for reason in REASONS}
    entries = set(re.findall(r'id="([a-z-]+)"', (CHECKOUT / "docs" / "why-no-video.md").read_text(encoding="utf-8")))
    assert told <= entries
    checks = set(re.findall(r"'check\.([a-z-]+)'", read("diagnose_messages.js")))
    assert checks <= entries
