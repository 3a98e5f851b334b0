"""Reasons, doctor's checks and the page "Why is there no video?" have the same ids."""

import re
from pathlib import Path

import pytest

import sightline
from sightline.doctor import CHECKS
from sightline.reasons import REASONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "why-no-video.md"
ENTRY = re.compile(r'^### <a id="([^"]*)"></a>(.*)\n+((?:(?!#).*\n)*)', re.MULTILINE)
TEXT = PAGE.read_text()
ENTRIES = {found[1]: (found[2].strip(), found[3].strip()) for found in ENTRY.finditer(TEXT)}
CHECK_IDS = {check.id for check in CHECKS}


def test_each_reason_and_each_check_has_an_entry_and_no_entry_is_without_one() -> None:
    ids = [found[1] for found in ENTRY.finditer(TEXT)]
    assert len(ids) == len(set(ids)), "an entry stands there twice"
    assert len(ids) == TEXT.count("<a id="), "an anchor is no entry's"
    assert set(ids) == {reason.value for reason in REASONS} | CHECK_IDS


def test_a_check_that_is_no_reason_is_one_of_these_three() -> None:
    """A check whose cause is a reason has the reason's id: a new name for an old cause is found here."""
    assert CHECK_IDS - {reason.value for reason in REASONS} == {"tls-trust", "stun", "turn"}


@pytest.mark.parametrize("id", ENTRIES, ids=str)
def test_entries_are_short_and_say_something_to_engineers(id: str) -> None:
    title, text = ENTRIES[id]
    assert title, "it has a heading for people"
    assert "*Engineer:*" in text or id == "internal"
    assert len(text) < 700, "say it shorter"


def test_checks_are_in_an_order_in_which_they_can_be_made() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= seen, f"{check.id} needs what comes later"
        assert check.id not in seen
        seen.add(check.id)


def test_diagnose_on_the_page_makes_the_same_checks_in_the_same_order() -> None:
    """It leaves out what a page has no part in: keys, regions and roles are the service's there."""
    source = Path(sightline.__file__).parent / "web" / "pages" / "diagnose.js"
    ids = re.findall(r"\{ id: '([a-z-]+)', needs:", source.read_text())
    everything = [check.id for check in CHECKS if check.by != "key" or check.id == "unknown-channel"]
    assert sorted(ids) == sorted(everything)
    assert [id for id in ids if id in CHECK_IDS - {"unknown-channel"}] == [
        id for id in everything if id != "unknown-channel"
    ]
