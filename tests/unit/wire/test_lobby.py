"""The lobby's messages: what is read of a client's frame, and what never gets through."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import LinkError
from sightline.reasons import Reason
from sightline.wire.lobby import (
    LOBBY_REASONS,
    MAX_LOBBY_FRAME,
    CallMessage,
    ChatMessage,
    LobbyReason,
    LobbyRefusal,
    NameClaim,
    Ping,
    another_name,
    call_frame,
    chat_frame,
    check_user_name,
    decode_lobby_message,
    error_frame,
)
from sightline.wire.lobby_ticket import make_ticket, read_ticket

SECRET = b"s" * 32


def read(**message: object) -> NameClaim | ChatMessage | CallMessage | Ping:
    return decode_lobby_message(json.dumps(message))


def refusal(frame: str | bytes) -> LobbyRefusal:
    with pytest.raises(LobbyRefusal) as caught:
        decode_lobby_message(frame)
    return caught.value


@pytest.mark.parametrize("name", ["a", "김철수", "Ann-Marie O.", "x_1", "Ⅷ", "é" * 32, "a b"])
def test_a_name_of_letters_digits_and_four_marks_is_kept(name: str) -> None:
    assert check_user_name(name) == name


def test_a_ping_is_a_ping_whatever_else_it_holds() -> None:
    assert read(type="ping", name="Eve", target="Bob") == Ping()


def test_a_name_is_composed_and_has_no_spaces_around_it() -> None:
    assert check_user_name("  Rene\u0301 ") == "René"
    assert check_user_name("Ann  of   X") == "Ann of X", "as it looks on a page"
    assert read(type="username", name=" Ann ") == NameClaim("Ann", "", " Ann "), "its owner has to know"


@pytest.mark.parametrize("filler", "\u115f\u1160\u3164\uffa0")
def test_letters_that_nobody_sees_are_none(filler: str) -> None:
    assert unicodedata.category(filler) == "Lo"
    assert refusal(json.dumps({"type": "username", "name": f"Ann{filler}"})).reason is LobbyReason.BAD_NAME


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "   ",
        "a" * 33,
        "<b>",
        "a&b",
        'a"b',
        "a'b",
        "a\nb",
        "a\u202eb",
        "a\u200bb",
        "\U0001f600",
        "a/b",
        7,
        None,
    ],
)
def test_another_name_is_refused(name: object) -> None:
    with pytest.raises(LobbyRefusal) as caught:
        check_user_name(name)
    assert caught.value.reason is LobbyReason.BAD_NAME


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_whatever_is_accepted_fits_the_rule(text: str) -> None:
    try:
        name = check_user_name(text)
    except LobbyRefusal:
        return
    assert 1 <= len(name) <= 32
    assert all(character in " ._-" or unicodedata.category(character)[0] in "LN" for character in name)
    assert check_user_name(name) == name


def test_a_name_that_is_taken_gets_a_number_and_stays_short_enough() -> None:
    assert another_name("alice", 1) == "alice1"
    assert another_name("a" * 32, 12) == "a" * 30 + "12"


def test_who_a_client_says_it_is_does_not_matter() -> None:
    offer = read(type="video-offer", name="Mallory", target="Bob", sdp={"type": "offer", "sdp": "v=0", "x": 1}, id=9)
    assert isinstance(offer, CallMessage)
    assert json.loads(call_frame(offer, "Alice", "Bob")) == {
        "type": "video-offer",
        "name": "Alice",
        "target": "Bob",
        "sdp": {"type": "offer", "sdp": "v=0"},
    }


def test_a_candidate_gets_its_sender() -> None:
    candidate = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"}
    message = read(type="new-ice-candidate", target="Bob", candidate=candidate)
    assert isinstance(message, CallMessage)
    assert json.loads(call_frame(message, "Alice", "Bob"))["candidate"] == candidate
    assert json.loads(call_frame(message, "Alice", "Bob"))["name"] == "Alice"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", LobbyReason.MALFORMED),
        ("{", LobbyReason.MALFORMED),
        ("[]", LobbyReason.MALFORMED),
        ("{}", LobbyReason.MALFORMED),
        ('{"type":7}', LobbyReason.MALFORMED),
        (b"\xff\xfe", LobbyReason.MALFORMED),
        ("[" * 50_000, LobbyReason.MALFORMED),
        ('{"type":"userlist","users":[]}', LobbyReason.UNKNOWN_TYPE),
        ('{"type":"username"}', LobbyReason.BAD_NAME),
        ('{"type":"message"}', LobbyReason.BAD_MESSAGE),
        ('{"type":"message","text":"\\ud800"}', LobbyReason.MALFORMED),
        ('{"type":"message","text":"x","target":"<b>"}', LobbyReason.UNKNOWN_TARGET),
        ('{"type":"video-offer","sdp":{"type":"offer","sdp":"v"}}', LobbyReason.UNKNOWN_TARGET),
        ('{"type":"video-offer","target":"b","sdp":"v"}', LobbyReason.BAD_MESSAGE),
        ('{"type":"video-offer","target":"b","sdp":{"type":"answer","sdp":"v"}}', LobbyReason.BAD_MESSAGE),
        ('{"type":"new-ice-candidate","target":"b","candidate":7}', LobbyReason.BAD_MESSAGE),
        (
            '{"type":"new-ice-candidate","target":"b","candidate":{"candidate":"c","sdpMLineIndex":-1}}',
            LobbyReason.BAD_MESSAGE,
        ),
        (
            '{"type":"new-ice-candidate","target":"b","candidate":{"candidate":"c","sdpMid":{}}}',
            LobbyReason.BAD_MESSAGE,
        ),
        ("x" * (MAX_LOBBY_FRAME + 1), LobbyReason.TOO_LARGE),
    ],
)
def test_what_is_not_right_is_refused_with_a_reason(frame: str | bytes, reason: LobbyReason) -> None:
    told = json.loads(error_frame(refusal(frame)))
    assert (told["type"], told["reason"], told["message"]) == ("error", reason.value, LOBBY_REASONS[reason])


def test_every_reason_has_a_sentence_that_fits_a_notice() -> None:
    assert set(LOBBY_REASONS) == set(LobbyReason)
    assert all(0 < len(text.encode()) <= 250 and text.endswith(".") for text in LOBBY_REASONS.values())


def test_who_shows_html_gets_none() -> None:
    line = ChatMessage("a <b>bold</b> line <img src=x onerror=alert(1)")
    assert json.loads(chat_frame(line, "Ann", plain=False))["text"] == "a bold line img src=x onerror=alert(1)"
    assert json.loads(chat_frame(line, "Ann", plain=True))["text"] == line.text


def test_a_ticket_opens_one_room_for_a_minute() -> None:
    ticket = make_ticket(SECRET, room="family", link_id="ab12", expires_at=1060)
    assert read_ticket(SECRET, ticket, room="family", now=1059) == "ab12"
    assert read_ticket(SECRET, make_ticket(SECRET, room="r", link_id="", expires_at=2), room="r", now=1) == ""
    for room, now, reason in (("family", 1060, Reason.LINK_EXPIRED), ("other", 1000, Reason.LINK_INVALID)):
        with pytest.raises(LinkError) as caught:
            read_ticket(SECRET, ticket, room=room, now=now)
        assert caught.value.reason is reason


@pytest.mark.parametrize("ticket", ["", ".", "..", "9999.ab12.AAAA", "²..x", "1.é.x", "9" * 5000 + "..x"])
def test_a_ticket_that_was_not_made_here_opens_nothing(ticket: str) -> None:
    with pytest.raises(LinkError) as caught:
        read_ticket(SECRET, ticket, room="family", now=1000)
    assert caught.value.reason is Reason.LINK_INVALID
