"""Reading offers, good and bad."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InvalidSdp
from sightline.rtc.offer import OfferedCandidate, offered_ufrag, parse_offer

OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE a v d
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:a
a=ice-ufrag:abcd
a=sendrecv
a=rtpmap:111 opus/48000/2
a=candidate:1 1 udp 2113937151 192.0.2.1 50000 typ host
a=end-of-candidates
m=video 9 UDP/TLS/RTP/SAVPF 96 102
a=mid:v
a=recvonly
a=rtpmap:96 VP8/90000
a=rtpmap:102 H264/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:d
""".replace("\n", "\r\n")


def test_sections_candidates_and_bundle() -> None:
    offer = parse_offer(OFFER)
    assert [(media.kind, media.mid, media.receives, media.usable) for media in offer.media] == [
        ("audio", "a", True, True),
        ("video", "v", True, True),
        ("application", "d", True, False),
    ]
    assert offer.candidates == (OfferedCandidate("candidate:1 1 udp 2113937151 192.0.2.1 50000 typ host", "a"),)
    assert offer.bundled_under == "a"
    assert "candidate" not in offer.sdp
    assert offered_ufrag(OFFER) == "abcd"


def test_who_only_sends_gets_nothing() -> None:
    offer = parse_offer(OFFER.replace("a=recvonly", "a=sendonly"))
    assert not offer.media[1].receives


def test_without_h264_video_is_of_no_use() -> None:
    assert not parse_offer(OFFER.replace("H264", "AV1")).media[1].usable


@pytest.mark.parametrize(
    ("sdp", "says"),
    [
        ("", "v=0"),
        ("hello", "v=0"),
        ("v=0\r\n", "0 media sections"),
        ("v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 33, "33 media sections"),
        ("v=0\r\nm=text 9 UDP 1\r\n", "cannot be answered"),
        ("v=0\r\n" + "x" * 70000, "characters"),
    ],
)
def test_what_is_no_offer_is_said(sdp: str, says: str) -> None:
    with pytest.raises(InvalidSdp, match=says):
        parse_offer(sdp)


@given(st.text(), st.integers(0, len(OFFER)))
def test_only_invalid_sdp_escapes(text: str, place: int) -> None:
    for sdp in (text, OFFER[:place] + text + OFFER[place:], OFFER[:place]):
        with suppress(InvalidSdp):
            parse_offer(sdp)
        offered_ufrag(sdp)
