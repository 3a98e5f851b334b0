"""What a master answers to the offers of real viewers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InvalidSdp
from sightline.rtc.sdp import (
    Description,
    Direction,
    OurMedia,
    Ours,
    Setup,
    SourceCodec,
    agree,
    make_answer,
    parse_description,
    write_description,
)
from sightline.rtc.sdp.ours import MID, REMB, TRANSPORT_CC, TRANSPORT_WIDE

from .samples import H264, NAMES, OPUS, TRANSPORT, VP8, audio, master, sample, video
from .test_parse import descriptions

pytestmark = pytest.mark.realtime

OFFERS = [name for name in NAMES if "offer" in name and "firefox" not in name]


def answer(name: str, **replaced: object) -> Description:
    """Our answer to a sample's offer, read back from its text."""
    ours = msgspec.structs.replace(master(), **replaced)
    made = make_answer(parse_description(sample(name)), ours)
    assert parse_description(write_description(made)) == made
    return made


@pytest.mark.parametrize("name", OFFERS)
def test_every_section_is_answered_in_its_place(name: str) -> None:
    offer = parse_description(sample(name))
    made = make_answer(offer, master())
    assert [(one.kind, one.mid, one.protocol) for one in made.sections] == [
        (one.kind, one.mid, one.protocol) for one in offer.sections
    ]
    for offered, answered in zip(offer.sections, made.sections, strict=True):
        assert not (answered.direction.sends and not offered.direction.receives)
        assert not (answered.direction.receives and not offered.direction.sends) or answered.is_data
        assert {codec.payload_type for codec in answered.codecs} <= {codec.payload_type for codec in offered.codecs}
        assert set(answered.formats) <= set(offered.formats)
        if not answered.rejected:
            assert answered.transport.setup in (Setup.ACTIVE, Setup.PASSIVE)
            assert answered.transport.fingerprints == (TRANSPORT.fingerprint,)
    agree(made, offer, offerer=False)


def test_chromium_gets_picture_sound_and_data_in_one_bundle() -> None:
    made = answer("chromium_offer")
    picture, sound, data = made.sections
    assert made.bundles == (("0", "1", "2"),)
    assert made.extmap_allow_mixed
    assert (made.ufrag, made.password, made.setup) == ("ours", "p" * 24, Setup.PASSIVE)
    assert made.transport.trickle
    assert made.session_id == "4611731400430051336"
    assert [picture.direction, sound.direction] == ["sendonly", "sendonly"]
    assert picture.formats == ("108", "109")
    assert picture.codecs[0].parameter("profile-level-id") == "42e01f"
    assert picture.codecs[0].feedback == ("goog-remb", "ccm fir", "nack", "nack pli")
    assert picture.codecs[1].repaired == 108
    assert [extension.uri.rsplit("/", 1)[-1] for extension in picture.extensions] == [
        "abs-send-time",
        "urn:ietf:params:rtp-hdrext:sdes:mid",
    ]
    assert [source.ssrc for source in picture.sources] == [1111, 2222]
    assert picture.source_groups[0].ssrcs == (1111, 2222)
    assert picture.msids == ("sightline video",)
    assert sound.codecs[0].feedback == ()
    assert [source.ssrc for source in sound.sources] == [3333]
    assert sound.source_groups == ()
    assert (data.sctp_port, data.max_message_size) == (5000, 262_144)


def test_vp8_for_those_who_have_no_h264() -> None:
    with pytest.raises(InvalidSdp, match=r"takes no H264 for video"):
        answer("firefox_offer")
    made = answer("firefox_offer", media=(video(H264, VP8), audio()))
    assert [codec.name for codec in made.sections[0].codecs] == ["VP8", "rtx"]
    assert made.sections[0].codecs[0].parameters == ()


def test_our_order_of_codecs_decides() -> None:
    assert answer("chromium_offer", media=(video(H264, VP8),)).sections[0].codecs[0].name == "H264"
    assert answer("chromium_offer", media=(video(VP8, H264),)).sections[0].codecs[0].name == "VP8"


@pytest.mark.parametrize(
    ("source", "chosen"),
    [("42e01f", "42e01f"), ("42c029", "42e01f"), ("42001f", "42001f"), ("4d0028", "4d001f"), ("640028", "64001f")],
)
def test_the_profile_of_the_source_finds_the_decoder_that_shows_it(source: str, chosen: str) -> None:
    offer = sample("chromium_offer").replace("profile-level-id=f4001f", "profile-level-id=64001f")
    made = make_answer(parse_description(offer), master(video(SourceCodec("H264", source))))
    codec = made.sections[0].codecs[0]
    assert codec.parameter("profile-level-id") == chosen
    assert codec.parameter("packetization-mode") == "1"


def test_a_high_source_goes_to_safari_s_high_and_to_others_that_name_less() -> None:
    high = video(SourceCodec("H264", "640c28"))
    assert answer("safari_offer", media=(high,)).sections[0].codecs[0].payload_type == 96
    assert answer("safari_offer").sections[0].codecs[0].payload_type == 98
    assert answer("c_sdk_offer", media=(high,)).sections[1].codecs[0].payload_type == 125


def test_a_payload_type_without_fragmentation_is_not_taken() -> None:
    made = answer("gstreamer_offer", media=(video(), audio()))
    assert made.sections[1].codecs[0].payload_type == 98


def test_an_offer_without_a_bundle_gets_the_picture_only() -> None:
    made = answer("gstreamer_offer")
    assert made.bundles == ()
    assert [section.rejected for section in made.sections] == [True, False]
    agreed = agree(made, parse_description(sample("gstreamer_offer")), offerer=False)
    assert agreed.remote.ufrag.startswith("Qw8y")
    assert [media.kind for media in agreed.media] == ["video"]


def test_a_rejected_section_has_the_transport_too() -> None:
    """webrtcbin, which bundles only when it is told to, takes no answer with a section without a fingerprint."""
    sound, picture = answer("gstreamer_offer").sections
    assert sound.rejected
    assert sound.transport == picture.transport


def test_a_microphone_is_offered_and_stays_unheard() -> None:
    made = answer("chromium_offer_with_microphone", media=(video(VP8), audio()))
    assert made.sections[1].direction is Direction.SENDONLY
    agreed = agree(made, parse_description(sample("chromium_offer_with_microphone")), offerer=False)
    assert (agreed.media[1].sends, agreed.media[1].receives) == (True, False)


def test_two_way_audio_when_we_listen() -> None:
    listening = msgspec.structs.replace(audio(), receives=True)
    made = answer("chromium_offer_with_microphone", media=(video(VP8), listening))
    assert made.sections[1].direction is Direction.SENDRECV
    agreed = agree(made, parse_description(sample("chromium_offer_with_microphone")), offerer=False)
    assert (agreed.media[1].sends, agreed.media[1].receives) == (True, True)
    assert agreed.media[1].remote_ssrcs


@pytest.mark.parametrize("microphone_first", [False, True])
def test_a_section_for_the_microphone_and_one_for_our_sound(microphone_first: bool) -> None:
    """As `addTransceiver` makes them; each way goes to the section that has it, and once."""
    text = sample("chromium_offer")
    sound = text[text.index("m=audio") : text.index("m=application")]
    assert "a=recvonly" in sound
    microphone = sound.replace("a=recvonly", "a=sendonly")
    first, second = (microphone, sound) if microphone_first else (sound, microphone)
    third = sound.replace("a=mid:1", "a=mid:4")
    text = text.replace(sound, first).replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3 4")
    offer = parse_description(text + second.replace("a=mid:1", "a=mid:3") + third)
    listening = msgspec.structs.replace(audio(), receives=True)
    made = make_answer(offer, master(video(), listening))
    directions = [made.sections[place].direction for place in (1, 3, 4)]
    assert directions == (
        ["recvonly", "sendonly", "inactive"] if microphone_first else ["sendonly", "recvonly", "inactive"]
    )
    agreed = agree(made, offer, offerer=False).media
    assert [(one.mid, one.sends, one.receives) for one in agreed if one.kind == "audio"] == (
        [("1", False, True), ("3", True, False), ("4", False, False)]
        if microphone_first
        else [("1", True, False), ("3", False, True), ("4", False, False)]
    )
    assert [section.mid for section in made.sections if section.sources] == ["0", "3" if microphone_first else "1"]


def test_what_we_have_not_stays_silent_in_its_place() -> None:
    made = answer("chromium_offer", media=(video(),), data_channels=False)
    assert [section.direction for section in made.sections[:2]] == ["sendonly", "inactive"]
    assert made.sections[1].sources == ()
    assert made.sections[2].rejected
    assert made.bundles == (("0", "1"),)


def test_a_second_picture_stays_black() -> None:
    text = sample("chromium_offer")
    second = text[text.index("m=video") : text.index("m=audio")].replace("a=mid:0", "a=mid:3")
    offer = parse_description(text.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3") + second)
    made = make_answer(offer, master())
    assert [section.direction for section in made.sections] == ["sendonly", "sendonly", "sendrecv", "inactive"]


def test_two_cameras_go_to_two_sections() -> None:
    text = sample("chromium_offer")
    second = text[text.index("m=video") : text.index("m=audio")].replace("a=mid:0", "a=mid:3")
    offer = parse_description(text.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3") + second)
    made = make_answer(offer, master(video(), audio(), video(ssrc=5555, rtx_ssrc=6666)))
    assert [section.sources[0].ssrc for section in made.sections if section.sources] == [1111, 3333, 5555]


def test_without_our_own_rtx_ssrc_there_is_no_group() -> None:
    picture = answer("chromium_offer", media=(video(rtx_ssrc=None),)).sections[0]
    assert picture.source_groups == ()
    assert len(picture.sources) == 1


@pytest.mark.parametrize(
    ("offered", "ours", "answered"),
    [
        ("actpass", None, "passive"),
        ("actpass", Setup.ACTIVE, "active"),
        ("active", None, "passive"),
        ("passive", None, "active"),
        ("passive", Setup.PASSIVE, "active"),
    ],
)
def test_who_begins_dtls(offered: str, ours: Setup | None, answered: str) -> None:
    offer = parse_description(sample("chromium_offer").replace("a=setup:actpass", f"a=setup:{offered}"))
    made = make_answer(offer, msgspec.structs.replace(master(), setup=ours))
    assert made.setup == answered
    assert agree(made, offer, offerer=False).client is (answered == "active")


def test_an_offer_that_says_nothing_of_setup_leaves_it_to_us() -> None:
    offer = parse_description(sample("chromium_offer").replace("a=setup:actpass\r\n", ""))
    assert make_answer(offer, master()).setup is Setup.PASSIVE


def test_candidates_stand_once_where_the_bundle_is() -> None:
    transport = msgspec.structs.replace(
        TRANSPORT, candidates=("candidate:1 1 udp 1 192.0.2.9 9999 typ host",), end_of_candidates=True
    )
    made = answer("chromium_offer", transport=transport)
    assert made.candidates == transport.candidates
    assert made.end_of_candidates
    assert sum(len(section.candidates) for section in made.sections) == 1


def test_the_old_form_of_data_channels_is_answered_in_the_old_form() -> None:
    made = answer("old_data_offer")
    assert made.sections[0].formats == ("5000",)
    assert "a=sctpmap:5000 webrtc-datachannel 1024" in write_description(made)


def test_stereo_is_announced() -> None:
    stereo = msgspec.structs.replace(audio(), codecs=(SourceCodec("opus", stereo=True),))
    assert answer("chromium_offer", media=(video(), stereo)).sections[1].codecs[0].parameter("sprop-stereo") == "1"
    assert OPUS.stereo is False


def without(text: str, start: str) -> str:
    """The text without the lines that begin so."""
    return "\r\n".join(line for line in text.split("\r\n") if not line.startswith(start))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (without(sample("chromium_offer"), "a=ice-ufrag"), "no ICE user name"),
        (without(sample("chromium_offer"), "a=ice-pwd"), "no ICE user name"),
        (without(sample("chromium_offer"), "a=fingerprint"), "no certificate"),
        (sample("chromium_offer").replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"), "no certificate"),
        (without(sample("chromium_offer"), "a=rtcp-mux"), "takes no H264"),
        (sample("chromium_offer").replace("H264/90000", "AV1/90000"), "takes no H264"),
        (sample("chromium_offer").replace("m=video 48209", "m=video 0"), "takes no H264"),
        ("v=0\r\nm=text 9 UDP/TLS/RTP/SAVPF 1\r\na=ice-ufrag:abcd\r\n", "no ICE user name"),
    ],
)
def test_what_cannot_be_answered_says_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidSdp, match=reason):
        make_answer(parse_description(text), master())


def test_nothing_of_use_is_an_error() -> None:
    text = sample("old_data_offer")
    with pytest.raises(InvalidSdp, match="nothing that can be answered"):
        make_answer(parse_description(text), msgspec.structs.replace(master(), data_channels=False))
    with pytest.raises(InvalidSdp, match="rejected already"):
        make_answer(parse_description(text.replace("m=application 9", "m=application 0")), master())


@settings(max_examples=60)
@given(descriptions(), st.booleans())
def test_any_offer_is_answered_or_refused(offer: Description, data_channels: bool) -> None:
    try:
        made = make_answer(offer, msgspec.structs.replace(master(), data_channels=data_channels))
        agreed = agree(made, offer, offerer=False)
    except InvalidSdp:
        return
    assert parse_description(write_description(made)).sections == made.sections
    assert len(made.sections) == len(offer.sections)
    assert agreed.client == (made.setup is Setup.ACTIVE)


def counting(*media: OurMedia) -> Ours:
    """A master that can count its packets."""
    return msgspec.structs.replace(master(*media), extensions=(MID, TRANSPORT_WIDE))


@pytest.mark.parametrize("name", [name for name in NAMES if "offer" in name])
def test_who_gives_estimates_is_asked_for_nothing_else(name: str) -> None:
    """No browser's packets are counted: REMB comes first in all their offers, and it costs nothing."""
    offer = parse_description(sample(name))
    made = make_answer(offer, counting(video(H264, VP8), audio()))
    plain = make_answer(offer, msgspec.structs.replace(master(video(H264, VP8), audio()), extensions=(MID,)))
    assert made == plain


def without(offer: Description, *names: str) -> Description:
    """The same offer of one who does not know that feedback."""
    sections = tuple(
        msgspec.structs.replace(
            section,
            codecs=tuple(
                msgspec.structs.replace(codec, feedback=tuple(one for one in codec.feedback if one not in names))
                for codec in section.codecs
            ),
        )
        for section in offer.sections
    )
    return msgspec.structs.replace(offer, sections=sections)


def test_where_there_is_no_remb_all_packets_are_counted() -> None:
    offer = without(parse_description(sample("chromium_offer")), REMB)
    made = parse_description(write_description(make_answer(offer, counting())))
    picture, sound, _ = made.sections
    assert picture.codecs[0].feedback == ("transport-cc", "ccm fir", "nack", "nack pli")
    assert sound.codecs[0].feedback == ("transport-cc",)
    assert picture.extension_id(TRANSPORT_WIDE) == sound.extension_id(TRANSPORT_WIDE) == 4
    agreed = agree(made, offer, offerer=False)
    assert all(media.extensions[TRANSPORT_WIDE] == 4 for media in agreed.media)
    assert all(TRANSPORT_CC in media.codec.feedback for media in agreed.media)


def test_neither_and_nothing_comes_of_it() -> None:
    made = make_answer(without(parse_description(sample("chromium_offer")), REMB, TRANSPORT_CC), counting())
    assert all(section.extension_id(TRANSPORT_WIDE) is None for section in made.sections)
    assert made.sections[0].codecs[0].feedback == ("ccm fir", "nack", "nack pli")


def test_who_receives_tells_of_all_packets_if_it_may() -> None:
    """A browser that sends offers both; what it does with the one is better than with the other."""
    offer = parse_description(sample("chromium_offer_two_way"))
    wish = OurMedia(kind="video", codecs=(H264, VP8), sends=False, receives=True)
    made = make_answer(offer, counting(wish))
    assert TRANSPORT_CC in made.sections[0].codecs[0].feedback
    assert REMB not in made.sections[0].codecs[0].feedback
