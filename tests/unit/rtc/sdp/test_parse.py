"""Descriptions read: what real peers write, what is refused, and that writing and reading fit together."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InvalidSdp
from sightline.rtc.fingerprint import Fingerprint
from sightline.rtc.sdp import (
    Codec,
    Description,
    Direction,
    HeaderExtension,
    Origin,
    Section,
    Setup,
    Source,
    SourceGroup,
    Transport,
    parse_description,
    write_description,
)

from .samples import NAMES, sample

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_reads_and_comes_back_from_our_own_writing(name: str) -> None:
    description = parse_description(sample(name))
    assert parse_description(write_description(description)) == description
    assert parse_description(sample(name).replace("\r\n", "\n")) == description


def test_chromium_s_offer_is_read_to_the_last_detail_that_matters() -> None:
    offer = parse_description(sample("chromium_offer"))
    assert offer.session_id.isdecimal()
    assert offer.origin.version == 2
    assert offer.bundles == (("0", "1", "2"),)
    assert offer.extmap_allow_mixed
    assert [(section.kind, section.mid, section.direction) for section in offer.sections] == [
        ("video", "0", "recvonly"),
        ("audio", "1", "recvonly"),
        ("application", "2", "sendrecv"),
    ]
    picture, sound, data = offer.sections
    assert offer.ufrag == picture.transport.ufrag == data.transport.ufrag
    assert (len(offer.ufrag), len(offer.password)) == (4, 24)
    assert offer.setup is Setup.ACTPASS
    assert offer.transport.trickle
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints] == ["sha-256"]
    assert len(offer.candidates) == 4
    assert offer.candidates[0].startswith("candidate:")
    assert not offer.end_of_candidates
    assert picture.rtcp_mux
    assert picture.rtcp_rsize
    h264 = picture.codec(108)
    assert h264 is not None
    assert h264.parameter("packetization-mode") == "1"
    assert h264.parameter("profile-level-id") == "42e01f"
    assert h264.feedback == ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    repair = picture.retransmission_of(108)
    assert repair is not None
    assert repair.payload_type == 109
    assert picture.extension_id("urn:ietf:params:rtp-hdrext:sdes:mid") == 9
    opus = sound.codec(111)
    assert opus is not None
    assert (opus.name, opus.clock_rate, opus.channels) == ("opus", 48_000, 2)
    assert (data.is_data, data.sctp_port, data.max_message_size) == (True, 5000, 262_144)


def test_chromium_announces_what_it_sends() -> None:
    sections = parse_description(sample("chromium_offer_two_way")).sections
    sending = [section for section in sections if section.sources]
    assert [section.kind for section in sending] == ["audio", "video"]
    for section in sending:
        assert section.msids
        assert all(source.cname and source.msid in section.msids for source in section.sources)
    assert [group.semantics for group in sending[1].source_groups] == ["FID"]
    assert sending[1].source_groups[0].ssrcs == tuple(source.ssrc for source in sending[1].sources)


def test_what_firefox_says_once_for_all_holds_for_each_section() -> None:
    offer = parse_description(sample("firefox_offer"))
    assert len({section.transport for section in offer.sections}) == 1
    assert offer.fingerprints
    assert offer.end_of_candidates
    assert [section.direction for section in offer.sections] == ["recvonly", "recvonly", "sendrecv"]
    assert offer.sections[0].extensions[-2].direction is Direction.RECVONLY
    assert offer.sections[2].max_message_size == 1_073_741_823


def test_a_description_from_before_rfc_8841_names_its_sctp_port_in_the_m_line() -> None:
    (data,) = parse_description(sample("old_data_offer")).sections
    assert (data.is_data, data.sctp_port, data.max_message_size) == (True, 5000, None)


def test_devices_write_algorithms_in_capitals_and_parameters_or_none() -> None:
    answer = parse_description(sample("esp_answer"))
    assert {fingerprint.algorithm for fingerprint in answer.fingerprints} == {"sha-256"}
    assert answer.setup is Setup.PASSIVE
    assert answer.candidates == ("candidate:0 1 UDP 2129382911 192.0.2.7 51234 typ host",)


def test_rejected_sections_keep_their_place() -> None:
    text = sample("chromium_offer").replace("m=video 9 ", "m=video 0 ", 1).replace("m=video 48209 ", "m=video 0 ", 1)
    description = parse_description(text)
    picture = description.sections[0]
    assert picture.port == 0
    assert picture.rejected
    assert description.tagged.mid == "1"
    assert not msgspec.structs.replace(picture, bundle_only=True).rejected


HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=1\r\n" + VIDEO,
        HEAD,
        HEAD + "m=video\r\n",
        HEAD + "m=video 99999 UDP/TLS/RTP/SAVPF 96\r\n",
        HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 33,
        HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 9\ud8006\r\n",
        HEAD + VIDEO + "a=mid:two words\r\n",
        HEAD + (VIDEO + "a=mid:0\r\n") * 2,
        HEAD + "a=group:BUNDLE 0 1\r\n" + VIDEO + "a=mid:0\r\n",
        HEAD + "a=group:BUNDLE 0 0\r\n" + VIDEO + "a=mid:0\r\n",
        HEAD + VIDEO + "a=ice-ufrag:abc\r\n",
        HEAD + VIDEO + "a=ice-pwd:tooshort\r\n",
        HEAD + VIDEO + "a=ice-ufrag:ab\ud800cd\r\n",
        HEAD + VIDEO + "a=fingerprint:sha-256 12:34\r\n",
        HEAD + VIDEO + "a=fingerprint:sha-256\r\n",
        HEAD + VIDEO + "a=setup:holdconn\r\n",
        HEAD + VIDEO + "a=x\r\n" * 30_000,
    ],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidSdp):
        parse_description(text)


@pytest.mark.parametrize(
    "line",
    [
        "a=rtpmap:96",
        "a=rtpmap:x H264/90000",
        "a=rtpmap:96 H264",
        "a=fmtp:96",
        "a=rtcp-fb:* nack",
        "a=extmap:0 urn:x",
        "a=extmap:99999 urn:x",
        "a=extmap:x urn:x",
        "a=ssrc:99999999999 cname:x",
        "a=ssrc:1",
        "a=ssrc-group:FID 99999999999",
        "a=sctp-port:x",
        "a=group:",
        "a=candidate:",
        "a=max-message-size:-1",
        "a=msid:",
        "a=",
        "a",
        "=",
        "b=AS:2000",
        "z=\u0663",
    ],
)
def test_a_line_that_nobody_needs_does_no_harm(line: str) -> None:
    section = parse_description(f"{HEAD}{VIDEO}a=rtpmap:96 VP8/90000\r\n{line}\r\n").sections[0]
    assert section.codecs[0].name == "VP8"
    assert not section.sources
    assert not section.extensions


def test_codecs_come_in_the_order_of_the_m_line_and_static_types_are_left_out() -> None:
    text = HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0 111 200 63\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:111 opus/48000/2\r\n"
    section = parse_description(text).sections[0]
    assert [codec.payload_type for codec in section.codecs] == [111, 63]
    assert section.formats == ("0", "111", "200", "63")


def test_a_session_without_an_origin_has_no_id() -> None:
    assert parse_description("v=0\r\n" + VIDEO).session_id == ""


def test_a_hundred_candidates_are_enough() -> None:
    text = HEAD + VIDEO + "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n" * 1000
    assert len(parse_description(text).candidates) == 100


SAMPLES = [sample(name) for name in NAMES]


@settings(max_examples=200)
@given(st.data())
def test_mutilated_samples_raise_nothing_but_invalid_sdp(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SAMPLES)).split("\r\n")
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "cut", "insert", "swap"])):
            case "drop":
                lines = lines[:where] + lines[where + 1 :] or [""]
            case "double":
                lines.insert(where, lines[where])
            case "cut":
                lines[where] = lines[where][: data.draw(st.integers(0, len(lines[where])))]
            case "insert":
                position = data.draw(st.integers(0, len(lines[where])))
                lines[where] = lines[where][:position] + data.draw(st.text(max_size=8)) + lines[where][position:]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[where], lines[other] = lines[other], lines[where]
    try:
        description = parse_description("\r\n".join(lines))
    except InvalidSdp:
        return
    again = write_description(description)
    again.encode("ascii")
    assert parse_description(again).sections == description.sections


@given(st.text())
def test_noise_is_refused(text: str) -> None:
    for candidate in (text, "v=0\r\n" + text, HEAD + VIDEO + text):
        try:
            parse_description(candidate)
        except InvalidSdp as error:
            assert str(error)  # noqa: PT017


# -- descriptions of every shape: writing and reading are each other's inverse

tokens = st.text("abcdefgxyzABC0123456789-._+", min_size=1, max_size=12)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
ssrcs = st.integers(0, 2**32 - 1)
directions = st.sampled_from([None, *Direction])
fingerprints = st.builds(Fingerprint.of, st.binary(max_size=8), st.sampled_from(["sha-256", "sha-384", "sha-512"]))
transports = st.builds(
    Transport,
    st.one_of(st.just(""), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=30)),
    st.one_of(st.just(""), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=22, max_size=30)),
    st.lists(fingerprints, max_size=2, unique=True).map(tuple),
    st.sampled_from([None, *Setup]),
    st.booleans(),
)
parameters = st.dictionaries(st.sampled_from(["apt", "profile-level-id", "minptime", ""]), tokens, max_size=3).map(
    lambda found: tuple(found.items())
)


@st.composite
def rtp_sections(draw: st.DrawFn) -> Section:
    types = draw(st.lists(st.integers(0, 127), min_size=1, max_size=4, unique=True))
    codecs = tuple(
        Codec(
            number,
            draw(st.sampled_from(["H264", "VP8", "opus", "rtx"])),
            draw(st.sampled_from([8000, 48_000, 90_000])),
            draw(st.integers(1, 2)),
            draw(parameters),
            tuple(draw(st.lists(st.sampled_from(["nack", "nack pli", "goog-remb"]), unique=True))),
        )
        for number in types
    )
    known = draw(st.lists(ssrcs, max_size=2, unique=True))
    extensions = draw(st.dictionaries(st.integers(1, 4095), visible, max_size=3))
    return Section(
        kind=draw(st.sampled_from(["audio", "video"])),
        port=draw(st.sampled_from([0, 9, 65535])),
        formats=tuple(map(str, types)),
        direction=draw(st.sampled_from(Direction)),
        transport=draw(transports),
        codecs=codecs,
        extensions=tuple(HeaderExtension(number, uri, draw(directions)) for number, uri in extensions.items()),
        rtcp_mux=draw(st.booleans()),
        rtcp_rsize=draw(st.booleans()),
        bundle_only=draw(st.booleans()),
        msids=tuple(draw(st.lists(st.builds("{} {}".format, visible, visible), max_size=2))),
        sources=tuple(Source(ssrc, draw(visible), draw(visible)) for ssrc in known),
        source_groups=(SourceGroup("FID", tuple(known)),) if known else (),
        candidates=tuple(f"candidate:{text}" for text in draw(st.lists(visible, max_size=2))),
        end_of_candidates=draw(st.booleans()),
    )


@st.composite
def data_sections(draw: st.DrawFn) -> Section:
    port = draw(st.integers(0, 65535))
    old = draw(st.booleans())
    return Section(
        kind="application",
        protocol="DTLS/SCTP" if old else "UDP/DTLS/SCTP",
        formats=(str(port),) if old else ("webrtc-datachannel",),
        transport=draw(transports),
        sctp_port=port,
        max_message_size=draw(st.one_of(st.none(), st.integers(0, 2**40))),
    )


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    found = draw(st.lists(st.one_of(rtp_sections(), data_sections()), min_size=1, max_size=4))
    mids = draw(st.lists(tokens, min_size=len(found), max_size=len(found), unique=True))
    sections = tuple(msgspec.structs.replace(section, mid=mid) for section, mid in zip(found, mids, strict=True))
    return Description(
        origin=Origin(draw(st.integers(1, 2**63).map(str)), draw(st.integers(0, 2**63))),
        sections=sections,
        bundles=draw(st.sampled_from([(), (tuple(mids),)])),
        ice_lite=draw(st.booleans()),
        extmap_allow_mixed=draw(st.booleans()),
    )


@settings(max_examples=50)
@given(descriptions())
def test_what_is_written_reads_as_it_was(description: Description) -> None:
    assert parse_description(write_description(description)) == description


@settings(max_examples=20)
@given(descriptions())
def test_every_description_has_all_accessors(description: Description) -> None:
    assert description.tagged in description.sections
    assert description.ufrag == description.transport.ufrag
    assert description.password == description.transport.password
    assert description.fingerprints == frozenset(description.transport.fingerprints)
    assert description.section("no such mid") is None
