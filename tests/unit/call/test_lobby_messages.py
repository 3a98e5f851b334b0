"""Frames of the lobby, as a member reads and writes them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.call.lobby_messages import (
    ChatLine,
    Greeting,
    NameGiven,
    Pong,
    Refusal,
    UserChanges,
    UserList,
    answer_frame,
    candidate_frame,
    chat_frame,
    claim_frame,
    hang_up_frame,
    offer_frame,
    read_lobby_frame,
)
from sightline.errors import MalformedMessage
from sightline.sessions.call import messages as machine
from sightline.wire.lobby import CallMessage, ChatMessage, NameClaim, decode_lobby_message

MEMBERS = ("type", "name", "sdp", "candidate", "target", "users", "joined", "left", "text", "reason", "id", "resume")
kinds = st.sampled_from(
    ["id", "userlist", "users", "message", "error", "video-offer", "video-answer", "new-ice-candidate", "hang-up"]
)


def frame_of(kind: str, value: object) -> str:
    return json.dumps({**(value if isinstance(value, dict) else {}), "type": kind})


def read(**message: object) -> object:
    return read_lobby_frame(json.dumps(message))


def test_what_the_service_says() -> None:
    assert read(type="id", id=7, resume="secret") == Greeting(7, "secret")
    assert read(type="id", id="x") == Greeting("x", ""), "the sample's server knows no resuming"
    assert read(type="rejectusername", id=7, name="Ann1") == NameGiven("Ann1")
    assert read(type="error", reason="unknown-target", message="Nobody.", about="video-offer", target="Bob") == Refusal(
        "unknown-target", "Nobody.", "video-offer", "Bob"
    )
    assert read(type="pong") == Pong()
    assert read(type="message", text="hello", name="Bob", date=1) == ChatLine("hello", "Bob")


def test_who_is_there() -> None:
    whole = read(type="userlist", users=["Ann", None, "Bob"])
    assert isinstance(whole, UserList)
    assert whole.applied_to(("Cem",)) == ("Ann", "Bob")
    changes = read(type="users", left=["Ann"], joined=["Dan", "Bob"])
    assert isinstance(changes, UserChanges)
    assert changes.applied_to(("Ann", "Bob", "Cem")) == ("Cem", "Dan", "Bob"), "who came again stands at the end"


def test_a_calls_messages_come_as_the_machine_takes_them() -> None:
    offer = read(type="video-offer", name="Bob", target="Ann", sdp={"type": "offer", "sdp": "v=0"})
    assert offer == machine.Offer("Bob", machine.Description("offer", "v=0"))
    answer = read(type="video-answer", name="Bob", target="Ann", sdp={"type": "answer", "sdp": "v=0"})
    assert answer == machine.Answer("Bob", machine.Description("answer", "v=0"))
    candidate = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": None}
    assert read(type="new-ice-candidate", target="Ann", candidate=candidate) == machine.Candidate(candidate, None)
    assert read(type="new-ice-candidate", name="Bob", candidate=candidate) == machine.Candidate(candidate, "Bob")
    assert read(type="new-ice-candidate", name="Bob", candidate=None) is None
    assert read(type="new-ice-candidate", name="Bob", candidate={"candidate": ""}) is None
    assert read(type="hang-up", name="Bob", target=None) == machine.RemoteHangUp("Bob", None)
    assert read(type="hang-up", name="Bob", target="Ann", reason="busy") == machine.RemoteHangUp("Bob", "busy")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{",
        "null",
        '{"type": "weather"}',
        '{"type": 7}',
        '{"type": "video-offer", "name": "Bob"}',
        '{"type": "video-offer", "name": "Bob", "sdp": {"type": "pranswer", "sdp": ""}}',
        '{"type": "userlist", "users": {"Ann": 1}}',
        '{"type": "hang-up"}',
        '{"type": "message", "text": 7}',
        "[" * 5000,
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_told_by_one_error(frame: str | bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_lobby_frame(frame)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60) | st.builds(json.dumps, values) | st.builds(frame_of, kinds, values)
)
def test_whatever_comes_nothing_but_one_error_escapes(frame: str | bytes) -> None:
    with suppress(MalformedMessage):
        read_lobby_frame(frame)


def test_what_we_say_is_what_the_service_takes() -> None:
    greeting = Greeting(7, "new")
    assert decode_lobby_message(claim_frame("Ann", greeting, resume="")) == NameClaim("Ann", "")
    assert decode_lobby_message(claim_frame("Ann", greeting, resume="old")) == NameClaim("Ann", "old")
    offer = decode_lobby_message(offer_frame("Bob", "v=0"))
    assert offer == CallMessage("video-offer", "Bob", {"sdp": {"type": "offer", "sdp": "v=0"}})
    answer = decode_lobby_message(answer_frame("Bob", "v=0"))
    assert answer == CallMessage("video-answer", "Bob", {"sdp": {"type": "answer", "sdp": "v=0"}})
    candidate = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd"}
    taken = decode_lobby_message(candidate_frame("Bob", candidate))
    assert taken == CallMessage("new-ice-candidate", "Bob", {"candidate": candidate})
    assert decode_lobby_message(hang_up_frame("Bob", "busy")) == CallMessage("hang-up", "Bob", {"reason": "busy"})
    assert decode_lobby_message(chat_frame("Bob", "<b>")) == ChatMessage("<b>", "Bob")


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Greeting(7, "secret"))
