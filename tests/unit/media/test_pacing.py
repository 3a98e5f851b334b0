"""When frames are due."""

from __future__ import annotations

from sightline.media.pacing import DROP_AFTER, REBASE_AFTER, Pacer, Verdict


def test_frames_wait_for_their_time() -> None:
    pacer = Pacer(100.0)
    assert pacer.delay(2.0, 101.5) == 0.5
    assert pacer.delay(2.0, 102.0) == 0
    assert pacer.delay(2.0, 103.0) == 0


def test_a_little_late_is_sent_and_too_late_is_dropped() -> None:
    pacer = Pacer(100.0)
    assert pacer.judge(1.0, 101.0 + DROP_AFTER / 2) is Verdict.SEND
    assert pacer.judge(1.0, 101.0 + DROP_AFTER * 2) is Verdict.DROP


def test_after_a_suspension_it_goes_on_from_there() -> None:
    pacer = Pacer(100.0)
    assert pacer.judge(1.0, 101.0 + REBASE_AFTER + 60) is Verdict.SEND
    assert pacer.delay(2.0, 101.0 + REBASE_AFTER + 60) == 1.0
