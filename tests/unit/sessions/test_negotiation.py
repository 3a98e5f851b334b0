"""What an offer means, and under which certificate a session that is gone is answered."""

from __future__ import annotations

import msgspec
import pytest

from sightline.sessions.negotiation import Memory, OfferIdentity, OfferMeaning, meaning_of
from sightline.timers import DEFAULT_TIMERS

HELD = OfferIdentity("4711", frozenset({"sha-256 aa:bb"}), "abcd", "secret")


def changed(**fields: object) -> OfferIdentity:
    return msgspec.structs.replace(HELD, **fields)


@pytest.mark.parametrize(
    ("offer", "meaning"),
    [
        (HELD, OfferMeaning.RENEGOTIATION),
        (changed(ufrag="efgh", password="other"), OfferMeaning.RESTART),
        (changed(ufrag="efgh"), OfferMeaning.REPLACEMENT),
        (changed(password="other"), OfferMeaning.REPLACEMENT),
        (changed(session_id="1"), OfferMeaning.REPLACEMENT),
        (changed(session_id="1", ufrag="efgh", password="other"), OfferMeaning.REPLACEMENT),
        (changed(fingerprints=frozenset({"sha-256 cc:dd"})), OfferMeaning.REPLACEMENT),
        (
            changed(fingerprints=frozenset({"sha-256 cc:dd"}), ufrag="efgh", password="other"),
            OfferMeaning.REPLACEMENT,
        ),
    ],
)
def test_what_an_offer_is_to_the_session_that_is_held(offer: OfferIdentity, meaning: OfferMeaning) -> None:
    assert meaning_of(offer, HELD) is meaning


def test_without_a_session_it_is_the_first() -> None:
    assert meaning_of(HELD, None) is OfferMeaning.FIRST


def test_a_new_session_has_the_first_certificate() -> None:
    memory = Memory()
    assert not memory.is_gone(HELD, now=0)
    assert memory.certificate_for(HELD, now=0) == 0


def test_a_session_that_is_gone_is_answered_under_the_other_certificate_each_time() -> None:
    memory = Memory()
    restart = changed(ufrag="efgh", password="other")
    for used in (0, 1, 0):
        memory.forget_session(HELD, used, now=10)
        assert memory.is_gone(restart, now=20), "its ICE credentials are not what it is known by"
        assert memory.certificate_for(restart, now=20) == 1 - used
    assert memory.certificate_for(changed(session_id="1"), now=20) == 0


def test_it_is_remembered_for_a_day() -> None:
    memory = Memory()
    memory.forget_session(HELD, 0, now=0)
    assert memory.is_gone(HELD, now=DEFAULT_TIMERS.session_memory - 1)
    assert not memory.is_gone(HELD, now=DEFAULT_TIMERS.session_memory)
    assert memory.certificate_for(HELD, now=DEFAULT_TIMERS.session_memory) == 0


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    memory = Memory(limit=2)
    for number in "123":
        memory.forget_session(changed(session_id=number), 0, now=0)
        memory.forget_session(changed(session_id="3"), 1, now=0)
    assert [memory.is_gone(changed(session_id=number), now=1) for number in "123"] == [False, True, True]
