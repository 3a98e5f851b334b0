"""One table of reasons, in Python and in the browser."""

from __future__ import annotations

import re
from pathlib import Path

import generate_reasons
import pytest

from sightline.reasons import CALL_ENDS, LOBBY_REASONS, REASONS, Entry, LobbyReason, Reason, reason_of_close
from sightline.wire.close_codes import CloseCode

FINAL = {
    *("bad-client-id", "unknown-channel", "not-allowed", "wrong-key", "wrong-region", "clock-skew", "viewer-limit"),
    *("link-required", "link-invalid", "link-expired", "link-revoked", "link-scope", "bad-request", "foreign-origin"),
    *("no-common-codec", "webrtc-unsupported", "client-id-in-use"),
}
EACH = pytest.mark.parametrize("entry", REASONS.values(), ids=lambda entry: entry.id)


def test_every_id_has_its_entry() -> None:
    assert list(REASONS) == list(Reason)
    assert all(entry.id is reason for reason, entry in REASONS.items())


def test_final_are_those_that_trying_again_does_not_cure() -> None:
    assert {entry.id.value for entry in REASONS.values() if entry.final} == FINAL


@EACH
def test_a_text_is_for_people(entry: Entry) -> None:
    """It says more than its id, ends like a sentence or with the line to type, and fits a terminal."""
    assert entry.message[0].isupper()
    assert re.search(r"\.( |$)|: ", entry.message)
    assert entry.message.isascii()
    assert entry.message.isprintable()
    assert 60 <= len(entry.message) <= 250


@EACH
def test_an_id_is_an_anchor(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.id)


def test_a_close_code_stands_for_one_reason() -> None:
    codes = [entry.close_code for entry in REASONS.values() if entry.close_code is not None]
    assert len(set(codes)) == len(codes)
    assert all(4000 <= code <= 4999 for code in codes)
    assert {code: reason_of_close(code) for code in codes} == {
        entry.close_code: entry.id for entry in REASONS.values() if entry.close_code is not None
    }


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, CloseCode.IDLE, CloseCode.LIFETIME, 4999])
def test_other_close_codes_say_nothing(code: int | None) -> None:
    assert reason_of_close(code) is None


def test_the_close_codes_of_before_stay() -> None:
    assert reason_of_close(CloseCode.NOT_ALLOWED) is Reason.NOT_ALLOWED
    assert reason_of_close(CloseCode.CHANNEL_GONE) is Reason.UNKNOWN_CHANNEL
    assert reason_of_close(CloseCode.REPLACED) is Reason.CLIENT_ID_IN_USE
    assert reason_of_close(CloseCode.TOO_MANY_VIEWERS) is Reason.VIEWER_LIMIT


def test_the_browser_has_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate_reasons.main(["--check"]) == 0, capsys.readouterr().out


def test_the_documented_close_codes_are_these() -> None:
    page = (Path(__file__).parents[2] / "docs" / "topics" / "viewers.md").read_text()
    documented = {int(code): name for code, name in re.findall(r"^\| (\d{4}) \| `([a-z-]+)`", page, re.MULTILINE)}
    assert documented == {entry.close_code: entry.id for entry in REASONS.values() if entry.close_code is not None}


def test_what_a_lobby_refuses_and_how_calls_end_is_told_to_people() -> None:
    assert list(LOBBY_REASONS) == list(LobbyReason)
    for text in (*LOBBY_REASONS.values(), *CALL_ENDS.values()):
        assert re.fullmatch(r"(\{peer\}|[A-Z]).{10,230}\.", text), text


def test_calls_are_documented_by_these_ids() -> None:
    page = (Path(__file__).parents[2] / "docs" / "topics" / "calls.md").read_text()
    assert re.findall(r'^\| <a id="end-([a-z-]+)"></a>`\1` ', page, re.MULTILINE) == list(CALL_ENDS)
    assert re.findall(r'^\| <a id="lobby-([a-z-]+)"></a>`\1` ', page, re.MULTILINE) == list(LOBBY_REASONS)


def test_no_call_ends_for_another_reason() -> None:
    vectors = (Path(__file__).parents[1] / "vectors" / "call_session.json").read_text()
    # Why there was nothing to send, and whatever a program gives as its own reason for hanging up.
    own = {"source-not-found", "media-unanswered", "shutting-down"}
    assert set(re.findall(r'"state": "ended"[^}]*"reason": "([a-z-]+)"', vectors)) <= {*CALL_ENDS, *own}
