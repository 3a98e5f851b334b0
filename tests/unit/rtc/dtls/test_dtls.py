"""DTLS between two of our sessions: what goes wrong on the way, and whom it lets in."""

from __future__ import annotations

import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.rtc.certificates import Certificate
from sightline.rtc.dtls import DtlsSession
from sightline.rtc.fingerprint import Fingerprint
from sightline.rtc.srtp import SrtpSession

from .link import CLIENT, SERVER, Link

pytestmark = pytest.mark.realtime

RTP = bytes.fromhex("8060000100000000deadbeef") + b"picture"


def exchange_media(link: Link) -> None:
    """A packet each way, which the other end can read."""
    for sender, receiver in ((link.client, link.server), (link.server, link.client)):
        assert sender.srtp is not None
        assert receiver.srtp is not None
        assert receiver.srtp.unprotect(sender.srtp.protect(RTP)) == RTP


def test_they_connect_in_two_round_trips_and_agree_on_gcm() -> None:
    link = Link(delay=0.010)
    assert link.connect() == pytest.approx(0.04, abs=0.006)
    assert link.client.srtp is not None
    assert link.client.srtp.profile.name == "SRTP_AEAD_AES_128_GCM"
    exchange_media(link)


def test_the_server_may_send_media_before_the_client_knows_that_it_is_connected() -> None:
    link = Link(delay=0.010)
    link.start()
    link.run(0.035)
    assert (link.client.state, link.server.state) == ("connecting", "connected")


def test_a_quiet_path_costs_no_repetition() -> None:
    link = Link(delay=0.045)
    link.connect()
    link.run(120)
    assert len(link.sent) <= 6
    assert link.client.next_timeout() is link.server.next_timeout() is None


@pytest.mark.parametrize("lost", range(4))
@pytest.mark.parametrize("sender", ["client", "server"])
def test_any_one_lost_datagram_costs_a_tenth_of_a_second(sender: str, lost: int) -> None:
    def lose(session: DtlsSession, number: int, datagram: bytes) -> bool:
        return number == lost and session.client == (sender == "client")

    link = Link(delay=0.010, lose=lose)
    assert link.connect() < 0.04 + 0.13
    exchange_media(link)


def test_a_server_whose_last_flight_was_lost_sends_it_again_when_asked() -> None:
    link = Link(delay=0.010, lose=lambda session, number, _: not session.client and number == 1)
    assert link.connect() == pytest.approx(0.16, abs=0.03)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.4), doubling=st.floats(0, 0.5), jitter=st.floats(0, 0.3))
def test_they_connect_whatever_the_network_does(seed: int, loss: float, doubling: float, jitter: float) -> None:
    link = Link(delay=0.02, jitter=jitter, loss=loss, doubling=doubling, seed=seed)
    link.connect(within=29)
    exchange_media(link)


def test_a_dead_path_is_given_up_after_thirty_seconds_without_a_flood() -> None:
    link = Link(lose=lambda *_: True)
    link.start()
    link.run(29)
    assert link.client.state == "connecting"
    link.run(31)
    assert link.client.state == link.server.state == "failed"
    assert "too long" in link.client.failure
    assert "no handshake" in link.server.failure
    assert len(link.sent) < 60
    assert link.client.next_timeout() is None


def test_a_server_waits_ten_seconds_for_a_hello_and_then_as_long_as_a_client() -> None:
    link = Link(lose=lambda *_: True)
    link.server.start(0)
    assert link.server.next_timeout() == 10
    link.run(11)
    assert link.server.state == "failed"
    begun = Link(lose=lambda session, *_: not session.client)
    begun.start()
    begun.run(29)
    assert begun.server.state == "connecting"


def test_a_peer_that_goes_on_with_an_older_session_is_given_up_after_two_seconds() -> None:
    """Firefox does, after a restart that was answered under another certificate."""
    old = Link()
    old.connect()
    new = DtlsSession(SERVER, client=False, fingerprints=[CLIENT.fingerprint])
    new.start(100)
    for now in (100.5, 101, 102):
        old.client.send_data(b"still there?")
        new.receive(old.client.take_outgoing()[0], now)
        new.tick(now)
    assert new.state == "connecting", "it may only be a late one, and a hello come yet"
    assert new.next_timeout() == 102.5
    new.tick(102.5)
    assert new.state == "failed"
    assert "begins no handshake" in new.failure


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_the_certificate_must_be_the_announced_one(algorithm: str) -> None:
    announced = Fingerprint.of(der(SERVER), algorithm)
    link = Link(DtlsSession(CLIENT, client=True, fingerprints=[announced]))
    link.connect()


@pytest.mark.parametrize("side", ["client", "server"])
def test_somebody_else_is_refused_before_there_are_keys(side: str) -> None:
    stranger = Certificate.make()
    mistrusting = DtlsSession(CLIENT, client=side == "client", fingerprints=[stranger.fingerprint])
    trusting = DtlsSession(SERVER, client=side == "server", fingerprints=[CLIENT.fingerprint])
    link = Link(mistrusting, trusting) if side == "client" else Link(trusting, mistrusting)
    link.start()
    link.run(1)
    assert mistrusting.state == "failed"
    assert mistrusting.srtp is None
    assert "certificate" in mistrusting.failure
    assert trusting.state == "closed", "it hears close_notify and need not wait"


@pytest.mark.parametrize("fingerprints", [[], ["sha-1"], ["md5"]])
def test_a_peer_without_a_believable_fingerprint_is_refused(fingerprints: list[str]) -> None:
    announced = [Fingerprint(algorithm, SERVER.fingerprint.value) for algorithm in fingerprints]
    link = Link(DtlsSession(CLIENT, client=True, fingerprints=announced))
    link.start()
    link.run(1)
    assert link.client.state == "failed"


def test_application_data_goes_both_ways() -> None:
    link = Link()
    link.connect()
    link.client.send_data(b"question")
    link.drain(link.client)
    link.server.send_data(b"x" * 1189)
    link.drain(link.server)
    link.run(link.now + 1)
    assert link.received == {link.server: [b"question"], link.client: [b"x" * 1189]}


def test_data_before_the_handshake_is_over_is_an_error() -> None:
    with pytest.raises(ConnectionError):
        Link().client.send_data(b"too early")


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_goodbye_frees_the_other_side_at_once(side: str) -> None:
    link = Link(delay=0.01)
    link.connect()
    leaving, staying = (link.client, link.server) if side == "client" else (link.server, link.client)
    leaving.close()
    leaving.close()
    link.drain(leaving)
    assert leaving.state == "closed"
    link.run(link.now + 0.02)
    assert staying.state == "closed"
    assert staying.srtp is leaving.srtp is None
    assert staying.next_timeout() is None
    with pytest.raises(ConnectionError):
        staying.send_data(b"late")


def test_closing_before_and_during_the_handshake() -> None:
    early = DtlsSession(CLIENT, client=True, fingerprints=[])
    early.close()
    early.start(0)
    assert early.state == "closed"
    assert early.take_outgoing() == []
    link = Link()
    link.start()
    link.client.close()
    assert link.client.state == "closed"
    link.run(1)


def test_a_session_that_has_ended_hears_nothing() -> None:
    link = Link()
    link.connect()
    link.client.send_data(b"late")
    (late,) = link.client.take_outgoing()
    link.server.close()
    link.server.take_outgoing()
    link.server.receive(late, link.now)
    assert link.server.take_data() == link.server.take_outgoing() == []


def test_ice_may_restart_below_it() -> None:
    """Other addresses, an outage of 70 s and a repeated last flight: same keys, same association."""
    link = Link()
    link.connect()
    before = link.client.srtp, link.server.srtp
    link.now += 70
    for session in (link.client, link.server):
        session.tick(link.now)
        link.drain(session)
    for _, sender, datagram in list(link.sent):
        (link.server if sender is link.client else link.client).receive(datagram, link.now)
    link.server.take_outgoing()
    assert (link.client.srtp, link.server.srtp) == before
    exchange_media(link)


def test_no_datagram_is_longer_than_1200_bytes() -> None:
    link = Link(
        DtlsSession(CLIENT, client=True, fingerprints=[BIG.fingerprint]),
        DtlsSession(BIG, client=False, fingerprints=[CLIENT.fingerprint]),
    )
    link.connect()
    sizes = [len(datagram) for _, _, datagram in link.sent]
    assert max(sizes) <= 1200
    assert sum(sizes) > 3000
    exchange_media(link)


def test_openssl_repeats_a_flight_under_new_sequence_numbers() -> None:
    """Its timer follows the real clock, so that is let run here, for a second and a bit."""
    link = Link(lose=lambda *_: True)
    link.start()
    hello = link.sent[0][2]
    link.client.tick(0.5)
    assert link.client.take_outgoing() == [hello], "ours is the same to the byte"
    time.sleep(1.1)
    link.client.tick(1.2)
    (again,) = link.client.take_outgoing()
    assert again[13:] == hello[13:]
    assert again[5:11] != hello[5:11]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=1500), max_size=8), st.booleans(), st.integers(0, 3))
def test_noise_never_raises_nor_connects(noise: list[bytes], client: bool, progress: int) -> None:
    link = Link()
    link.start()
    link.run(0.01 * progress + 0.005)
    session = link.client if client else link.server
    for datagram in noise:
        session.receive(datagram, link.now)
        session.receive(b"\x16\xfe\xfd" + datagram, link.now)
        session.receive(b"\x17\xfe\xfd\x00\x01" + datagram, link.now)
        session.take_outgoing()
    session.close()
    assert session.state.is_final


@settings(max_examples=60)
@given(st.integers(0, 2), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_never_raises(which: int, where: float, change: int) -> None:
    """Of the handshake, which is not protected until its end: it fails or goes on, and keys are right or not there."""
    link = Link()
    link.start()
    link.run(0.01 * which + 0.005)
    _, sender, datagram = link.sent[-1]
    receiver = link.server if sender is link.client else link.client
    changed = bytearray(datagram)
    changed[int(where * len(datagram))] ^= change
    receiver.receive(bytes(changed), link.now)
    link.drain(receiver)
    link.run(40)
    if link.client.state == link.server.state == "connected":
        exchange_media(link)
    assert "connecting" not in (link.client.state, link.server.state)


def test_noise_on_a_connection_does_it_no_harm() -> None:
    link = Link()
    link.connect()
    for datagram in (
        b"",
        b"\x16",
        b"\x17\xfe\xfd" + bytes(40),
        b"\x15\xfe\xfd" + bytes(10) + b"\x02\x02\x28",
        bytes(20_000),
    ):
        link.server.receive(datagram, link.now)
        link.drain(link.server)
    link.client.send_data(b"still there")
    link.drain(link.client)
    link.run(link.now + 1)
    assert link.received[link.server] == [b"still there"]


def test_data_that_nobody_takes_is_not_kept_for_ever() -> None:
    link = Link()
    link.connect()
    for number in range(1000):
        link.client.send_data(b"%d" % number)
        for datagram in link.client.take_outgoing():
            link.server.receive(datagram, link.now)
    assert len(link.server.take_data()) == 64


def test_what_it_leaves_behind_is_nothing() -> None:
    link = Link()
    link.connect()
    assert isinstance(link.client.srtp, SrtpSession)
    link.client.close()
    assert link.client.srtp is None
    assert link.client._ssl is None


def der(certificate: Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.certificate.public_bytes(Encoding.DER)


def big_certificate() -> Certificate:
    """One with a great many names, which needs several datagrams."""
    key = SERVER.key
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "big")])
    names = x509.SubjectAlternativeName([x509.DNSName(f"camera-{number}.example") for number in range(150)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2049, 1, 1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(key, certificate)


BIG = big_certificate()
