"""Our offers, restarts, and what both descriptions come to."""

from __future__ import annotations

import msgspec
import pytest

from sightline.errors import InvalidSdp
from sightline.rtc.sdp import (
    Description,
    Direction,
    H264Profile,
    Setup,
    agree,
    h264_profile,
    make_answer,
    make_offer,
    make_restart_offer,
    parse_description,
    with_sending,
    write_description,
)
from sightline.rtc.sdp.ours import MID, TRANSPORT_WIDE

from .samples import TRANSPORT, audio, master, sample, video, viewer

THEIRS = msgspec.structs.replace(TRANSPORT, ufrag="them", password="q" * 24)
NEW = msgspec.structs.replace(
    TRANSPORT, ufrag="anew", password="n" * 24, candidates=("candidate:1 1 udp 1 192.0.2.9 9 typ host",)
)


def read_back(description: Description) -> Description:
    """As the other side reads it."""
    return parse_description(write_description(description))


def test_our_viewer_and_our_master_agree() -> None:
    offer = read_back(make_offer(viewer(THEIRS)))
    answer = read_back(make_answer(offer, master()))
    for_master, for_viewer = agree(answer, offer, offerer=False), agree(offer, answer, offerer=True)
    assert (for_master.client, for_viewer.client) == (False, True)
    assert (for_master.remote.ufrag, for_viewer.remote.ufrag) == ("them", "ours")
    for sending, receiving in zip(for_master.media, for_viewer.media, strict=True):
        assert (sending.sends, sending.receives) == (receiving.receives, receiving.sends) == (True, False)
        assert sending.codec.payload_type in receiving.receivable
        assert sending.extensions == receiving.extensions
    picture = for_master.media[0]
    assert (picture.codec.name, picture.ssrc, picture.rtx_ssrc) == ("H264", 1111, 2222)
    assert picture.rtx is not None
    assert picture.rtx.repaired == picture.codec.payload_type
    assert picture.codec.feedback == ("goog-remb", "ccm fir", "nack", "nack pli")
    assert for_viewer.media[0].remote_ssrcs == (1111, 2222)
    assert for_master.data is not None
    assert for_master.data.max_message_size == 262_144


def test_an_offer_is_one_bundle_and_leaves_the_dtls_role_open() -> None:
    offer = make_offer(viewer())
    assert offer.bundles == (("0", "1", "2"),)
    assert offer.setup is Setup.ACTPASS
    payload_types = [codec.payload_type for section in offer.sections for codec in section.codecs]
    assert payload_types == list(range(96, 96 + len(payload_types)))
    assert [section.direction for section in offer.sections] == ["recvonly", "recvonly", "sendrecv"]


def test_a_master_may_offer_too() -> None:
    offer = read_back(make_offer(master()))
    assert offer.sections[0].direction is Direction.SENDONLY
    assert offer.sections[0].source_groups[0].ssrcs == (1111, 2222)
    answer = make_answer(offer, viewer(THEIRS))
    assert answer.sections[0].direction is Direction.RECVONLY
    agreed = agree(offer, answer, offerer=True)
    assert [media.sends for media in agreed.media] == [True, True]
    assert agreed.media[0].rtx_ssrc == 2222


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_browsers_answers_to_our_viewer_s_offer(browser: str) -> None:
    """The samples are answers to this very offer."""
    offer = make_offer(viewer())
    agreed = agree(offer, parse_description(sample(f"{browser}_answer_of_master")), offerer=True)
    assert agreed.client is False
    assert agreed.media[0].codec.name == ("H264" if browser == "chromium" else "VP8")
    assert [media.receives for media in agreed.media] == [True, True]
    assert len(agreed.media[0].remote_ssrcs) == 2
    assert agreed.data is not None


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_restart_goes_on_with_the_same_session(browser: str) -> None:
    """The sample's second answer is one to a restart after its first offer."""
    offer = parse_description(sample(f"{browser}_offer_with_microphone"))
    held = make_answer(offer, master(video(msgspec.structs.replace(video().codecs[0], name="VP8")), audio()))
    restart = make_restart_offer(held, origin=held.origin.next(), transport=NEW)
    assert restart.session_id == held.session_id
    assert restart.origin.version == held.origin.version + 1
    assert restart.ufrag == "anew"
    assert restart.setup is Setup.ACTPASS
    assert restart.fingerprints == held.fingerprints
    assert restart.candidates == NEW.candidates
    for before, after in zip(held.sections, restart.sections, strict=True):
        assert (before.mid, before.codecs, before.sources, before.direction) == (
            after.mid,
            after.codecs,
            after.sources,
            after.direction,
        )
    agreed = agree(restart, parse_description(sample(f"{browser}_answer_to_restart")), offerer=True)
    assert agreed.client is False, "the DTLS roles stay as they were"
    assert [media.sends for media in agreed.media] == [True, True]
    assert agreed.media[0].ssrc == 1111


def test_rejected_sections_stay_rejected_in_a_restart() -> None:
    held = make_answer(
        parse_description(sample("chromium_offer")), msgspec.structs.replace(master(), data_channels=False)
    )
    restart = make_restart_offer(held, origin=held.origin.next(), transport=NEW)
    assert [section.rejected for section in restart.sections] == [False, False, True]
    assert {section.transport.ufrag for section in restart.sections} == {"anew"}, "and nothing of the last generation"


def test_a_viewer_s_restart_offer_is_answered_with_the_same_streams() -> None:
    first = make_offer(viewer(THEIRS))
    held = make_answer(first, master())
    again = make_restart_offer(
        first, origin=first.origin.next(), transport=msgspec.structs.replace(THEIRS, ufrag="them2")
    )
    assert (again.session_id, again.fingerprints) == (first.session_id, first.fingerprints)
    assert again.ufrag != first.ufrag
    ours = msgspec.structs.replace(master(transport=NEW, version=2), setup=held.setup)
    answer = make_answer(again, ours)
    assert [section.sources for section in answer.sections] == [section.sources for section in held.sections]
    assert answer.setup is held.setup
    assert answer.ufrag == "anew"


def test_a_device_s_answer_with_several_h264_picks_the_one_we_can_use() -> None:
    offer = make_offer(master())
    answer = parse_description(sample("esp_answer"))
    reordered = msgspec.structs.replace(offer, sections=(offer.sections[1], offer.sections[0], offer.sections[2]))
    sections = tuple(
        msgspec.structs.replace(section, mid=str(number)) for number, section in enumerate(reordered.sections)
    )
    agreed = agree(msgspec.structs.replace(reordered, sections=sections), answer, offerer=True)
    assert agreed.client is True
    assert agreed.media[1].codec.payload_type == 96
    assert agreed.media[1].rtx is None
    assert agreed.media[1].rtx_ssrc is None
    assert agreed.candidates == ("candidate:0 1 UDP 2129382911 192.0.2.7 51234 typ host",)


def test_answers_that_do_not_belong_to_the_offer() -> None:
    offer = make_offer(viewer(THEIRS))
    answer = make_answer(offer, master())
    fewer = msgspec.structs.replace(answer, sections=answer.sections[:2])
    with pytest.raises(InvalidSdp, match="other media sections"):
        agree(offer, fewer, offerer=True)
    closed = tuple(msgspec.structs.replace(section, port=0) for section in answer.sections)
    with pytest.raises(InvalidSdp, match="rejects all"):
        agree(offer, msgspec.structs.replace(answer, sections=closed), offerer=True)
    with pytest.raises(InvalidSdp, match="who begins"):
        agree(offer, offer, offerer=True)
    for field, reason in (("ufrag", "ICE"), ("password", "ICE"), ("fingerprints", "certificate")):
        emptied = msgspec.structs.replace(
            answer.sections[0].transport, **{field: () if field == "fingerprints" else ""}
        )
        sections = (msgspec.structs.replace(answer.sections[0], transport=emptied), *answer.sections[1:])
        with pytest.raises(InvalidSdp, match=reason):
            agree(offer, msgspec.structs.replace(answer, sections=sections), offerer=True)


def test_an_answer_without_names_is_taken_in_its_order() -> None:
    offer = make_offer(viewer(THEIRS))
    answer = make_answer(offer, master())
    nameless = tuple(msgspec.structs.replace(section, mid="") for section in answer.sections)
    agreed = agree(offer, msgspec.structs.replace(answer, sections=nameless, bundles=()), offerer=True)
    assert [(media.kind, media.mid) for media in agreed.media] == [("video", "0"), ("audio", "1")]


def test_an_answer_that_forgets_the_parameters_is_taken_by_its_numbers() -> None:
    offer = make_offer(viewer(THEIRS))
    answer = make_answer(offer, master())
    bare = tuple(
        msgspec.structs.replace(codec, parameters=()) if codec.name == "H264" else codec
        for codec in answer.sections[0].codecs
    )
    sections = (msgspec.structs.replace(answer.sections[0], codecs=bare), *answer.sections[1:])
    agreed = agree(offer, msgspec.structs.replace(answer, sections=sections), offerer=True)
    assert agreed.media[0].codec.name == "H264"
    assert agreed.media[0].receives


def test_a_section_without_a_common_codec_carries_nothing() -> None:
    offer = make_offer(viewer(THEIRS))
    answer = make_answer(offer, master())
    other = msgspec.structs.replace(answer.sections[1].codecs[0], name="PCMU")
    sections = (answer.sections[0], msgspec.structs.replace(answer.sections[1], codecs=(other,)), answer.sections[2])
    agreed = agree(offer, msgspec.structs.replace(answer, sections=sections), offerer=True)
    assert [media.kind for media in agreed.media] == ["video"]


@pytest.mark.parametrize(
    ("profile_level_id", "profile"),
    [
        ("42e01f", H264Profile.CONSTRAINED_BASELINE),
        ("42C01F", H264Profile.CONSTRAINED_BASELINE),
        ("4d801f", H264Profile.CONSTRAINED_BASELINE),
        ("58c01f", H264Profile.CONSTRAINED_BASELINE),
        ("42001f", H264Profile.BASELINE),
        ("58801f", H264Profile.BASELINE),
        ("4d001f", H264Profile.MAIN),
        ("4d401f", H264Profile.MAIN),
        ("640028", H264Profile.HIGH),
        ("640c1f", H264Profile.CONSTRAINED_HIGH),
        ("f4001f", None),
        ("", None),
        ("42e01", None),
        ("42e01fff", None),
        ("xyzxyz", None),
    ],
)
def test_profiles_of_h264(profile_level_id: str, profile: H264Profile | None) -> None:
    assert h264_profile(profile_level_id) is profile


def test_our_viewer_and_our_master_count_packets() -> None:
    extensions = (MID, TRANSPORT_WIDE)
    offer = read_back(make_offer(msgspec.structs.replace(viewer(THEIRS), extensions=extensions)))
    assert offer.sections[0].codecs[0].feedback[:2] == ("transport-cc", "goog-remb"), "REMB for those who know no other"
    answer = read_back(make_answer(offer, msgspec.structs.replace(master(), extensions=extensions)))
    for agreed in (agree(answer, offer, offerer=False), agree(offer, answer, offerer=True)):
        for media in agreed.media:
            assert "transport-cc" in media.codec.feedback
            assert "goog-remb" not in media.codec.feedback
            assert media.extensions[TRANSPORT_WIDE] == 2


def test_a_master_that_knows_only_remb_gets_that_of_our_viewer() -> None:
    offer = read_back(make_offer(msgspec.structs.replace(viewer(THEIRS), extensions=(MID, TRANSPORT_WIDE))))
    answer = read_back(make_answer(offer, msgspec.structs.replace(master(), extensions=(MID,))))
    picture = agree(offer, answer, offerer=True).media[0]
    assert picture.codec.feedback == ("goog-remb", "ccm fir", "nack", "nack pli")
    assert TRANSPORT_WIDE not in picture.extensions


def test_a_later_offer_says_what_is_sent_by_then() -> None:
    """First nothing, then both, then the sound alone; what comes is none of its business."""
    held = make_offer(viewer(THEIRS))
    assert [section.direction for section in held.sections[:2]] == [Direction.RECVONLY] * 2
    both = read_back(with_sending(held, (video(), audio())))
    assert [section.direction for section in both.sections[:2]] == [Direction.SENDRECV] * 2
    assert [len(section.sources) for section in both.sections[:2]] == [2, 1]
    assert both.sections[2:] == read_back(held).sections[2:]
    assert [section.codecs for section in both.sections] == [section.codecs for section in read_back(held).sections]
    sound = read_back(with_sending(both, (audio(),)))
    assert [section.direction for section in sound.sections[:2]] == [Direction.RECVONLY, Direction.SENDRECV]
    assert not sound.sections[0].sources
    assert not sound.sections[0].msids
    assert sound.sections[1].sources == both.sections[1].sources
    assert read_back(with_sending(sound, ())) == read_back(held)


def test_each_kind_is_sent_in_one_section_and_in_none_that_was_rejected() -> None:
    """The MDN sample takes what we send in the first two sections, and sends in two more."""
    held = make_offer(viewer(THEIRS))
    picture, sound, data = held.sections
    fourth = msgspec.structs.replace(picture, mid="3")
    rejected = msgspec.structs.replace(sound, mid="4", port=0)
    held = msgspec.structs.replace(held, sections=(picture, rejected, data, fourth, sound), bundles=())
    changed = with_sending(held, (video(), audio()))
    assert [len(section.sources) for section in changed.sections] == [2, 0, 0, 0, 1]
    moved = msgspec.structs.replace(
        held, sections=(picture, rejected, data, with_sending(held, (video(),)).sections[0], sound)
    )
    assert [len(section.sources) for section in with_sending(moved, (video(),)).sections] == [0, 0, 0, 2, 0]
