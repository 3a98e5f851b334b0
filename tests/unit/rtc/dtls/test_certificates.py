"""Certificates, their fingerprints, and how datagrams are told apart."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.certificates import Certificate, CertificatePair
from sightline.rtc.demultiplex import DatagramKind, datagram_kind
from sightline.rtc.fingerprint import Fingerprint, certificate_matches


def test_a_certificate_is_on_p256_and_valid_whatever_the_clock_says() -> None:
    made = Certificate.make()
    assert isinstance(made.certificate.public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(made.key.curve, ec.SECP256R1)
    assert made.certificate.not_valid_before_utc.year == 2020
    assert made.certificate.not_valid_after_utc > datetime.datetime(2049, 1, 1, tzinfo=datetime.UTC)
    made.certificate.verify_directly_issued_by(made.certificate)


def test_its_fingerprint_is_the_one_of_openssl() -> None:
    made = Certificate.make()
    assert made.fingerprint.algorithm == "sha-256"
    assert made.fingerprint.value == made.certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def test_the_other_of_a_pair() -> None:
    pair = CertificatePair()
    assert pair.first.fingerprint != pair.second.fingerprint
    assert pair.other(pair.first) is pair.second
    assert pair.other(pair.second.fingerprint) is pair.first
    assert pair.other(None) is pair.first
    assert pair.other(Certificate.make()) is pair.first
    assert CertificatePair(pair.second, pair.first).other(pair.second) is pair.first


def test_a_fingerprint_reads_as_it_is_written() -> None:
    value = ":".join(["AB"] * 32)
    assert str(Fingerprint.parse(f"sha-256 {value}")) == f"sha-256 {value}"
    assert Fingerprint.parse(f" SHA-256  {value.lower()}\r") == Fingerprint("sha-256", value)


@pytest.mark.parametrize(
    "text",
    ["", "sha-256", "sha-256 AB", "sha-256 XY" + ":AB" * 31, "sha-256 AB AB", "a b c", "sha²-256 AB" + ":AB" * 31],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a certificate's fingerprint"):
        Fingerprint.parse(text)


@given(st.text())
def test_noise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a certificate's fingerprint"):
        Fingerprint.parse(text)


def test_any_announced_certificate_will_do_and_only_the_strongest_algorithm_counts() -> None:
    mine, another = (made.certificate.public_bytes(Encoding.DER) for made in (Certificate.make(), Certificate.make()))

    def of(certificate: bytes, *algorithms: str) -> list[Fingerprint]:
        return [Fingerprint.of(certificate, algorithm) for algorithm in algorithms]

    assert certificate_matches(mine, of(another, "sha-256") + of(mine, "sha-256"))
    assert certificate_matches(mine, of(mine, "sha-256", "sha-512"))
    assert not certificate_matches(mine, of(mine, "sha-256") + of(another, "sha-512"))
    assert certificate_matches(mine, of(another, "sha-256") + of(mine, "sha-384"))
    assert not certificate_matches(mine, of(another, "sha-256", "sha-384", "sha-512"))
    assert not certificate_matches(mine, [])


def test_sha_1_is_read_and_not_believed() -> None:
    announced = Fingerprint.parse("sha-1 " + ":".join(["00"] * 20))
    assert not announced.believed
    assert not certificate_matches(b"", [announced])


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        ("", DatagramKind.UNKNOWN),
        ("80", DatagramKind.UNKNOWN),
        ("0001", DatagramKind.STUN),
        ("0100", DatagramKind.STUN),
        ("0300", DatagramKind.STUN),
        ("0400", DatagramKind.UNKNOWN),
        ("1000", DatagramKind.UNKNOWN),
        ("14fe", DatagramKind.DTLS),
        ("16fe", DatagramKind.DTLS),
        ("3ffe", DatagramKind.DTLS),
        ("4000", DatagramKind.UNKNOWN),
        ("8060", DatagramKind.RTP),
        ("80e0", DatagramKind.RTP),
        ("bf7f", DatagramKind.RTP),
        ("80c8", DatagramKind.RTCP),
        ("81c9", DatagramKind.RTCP),
        ("8fce", DatagramKind.RTCP),
        ("c000", DatagramKind.UNKNOWN),
    ],
)
def test_datagrams_are_told_apart_as_rfc_7983_has_it(start: str, kind: DatagramKind) -> None:
    assert datagram_kind(bytes.fromhex(start)) is kind
