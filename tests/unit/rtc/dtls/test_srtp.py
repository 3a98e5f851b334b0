"""SRTP: the standards' own vectors, who is let in, and what is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.rtc.srtp import PROFILES, SrtpError, SrtpProfile, SrtpRefusal, SrtpSession, profile_named

GCM_128, GCM_256, CM = PROFILES

RFC_7714_PACKET = bytes.fromhex(
    "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361207061727465732074726573"
)


def session(profile: SrtpProfile, key: bytes = bytes(range(100))) -> SrtpSession:
    """One that sends and receives with the same key, so that it reads what it writes."""
    length = profile.key_length + profile.salt_length
    return SrtpSession(profile, send_key=key[:length], receive_key=key[:length])


def rtp(sequence: int, payload: bytes = b"payload", *, source: int = 0xCAFE) -> bytes:
    return b"\x80\x60" + sequence.to_bytes(2) + bytes(4) + source.to_bytes(4) + payload


def receiver_report(source: int = 0xCAFE) -> bytes:
    return b"\x80\xc9\x00\x01" + source.to_bytes(4)


def test_profiles_are_in_the_order_in_which_we_want_them() -> None:
    assert [profile.name for profile in PROFILES] == [
        "SRTP_AEAD_AES_128_GCM",
        "SRTP_AEAD_AES_256_GCM",
        "SRTP_AES128_CM_SHA1_80",
    ]
    assert profile_named("SRTP_AEAD_AES_256_GCM") is GCM_256
    assert profile_named("") is profile_named("SRTP_AES128_CM_SHA1_32") is None


def test_aes_128_cm_sha1_80_encrypts_as_libsrtp_s_own_vector() -> None:
    """From libsrtp's test driver (srtp_validate), which took its key from RFC 3711 Appendix B.3."""
    key = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")
    plain = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    cipher = bytes.fromhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    one = SrtpSession(CM, send_key=key, receive_key=key)
    assert one.protect(plain) == cipher
    assert one.unprotect(cipher) == plain


def test_aead_aes_128_gcm_encrypts_as_rfc_7714_would_have_it() -> None:
    """RFC 7714 §16.1 begins after the key derivation, so the session key is derived here as RFC 3711 §4.3 says."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key, salt = bytes(range(16)), bytes(range(0xA0, 0xAC))

    def derive(label: int, length: int) -> bytes:
        block = bytearray(salt + bytes(4))
        block[7] ^= label
        encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(block))).encryptor()
        return encryptor.update(bytes(length))

    nonce = bytearray(derive(2, 12))
    for position, byte in enumerate(bytes(2) + RFC_7714_PACKET[8:12] + bytes(4) + RFC_7714_PACKET[2:4]):
        nonce[position] ^= byte
    expected = RFC_7714_PACKET[:12] + AESGCM(derive(0, 16)).encrypt(
        bytes(nonce), RFC_7714_PACKET[12:], RFC_7714_PACKET[:12]
    )
    assert SrtpSession(GCM_128, send_key=key + salt, receive_key=key + salt).protect(RFC_7714_PACKET) == expected


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
class TestEachProfile:
    def test_keys_from_the_exporter_are_cut_and_crossed(self, profile: SrtpProfile) -> None:
        keying = bytes(range(profile.keying_length))
        client = SrtpSession.from_keying(profile, keying, client=True)
        server = SrtpSession.from_keying(profile, keying, client=False)
        assert server.unprotect(client.protect(rtp(1))) == rtp(1)
        assert client.unprotect(server.protect(rtp(1))) == rtp(1)
        assert server.unprotect_rtcp(client.protect_rtcp(receiver_report())) == receiver_report()
        key, salt = profile.key_length, profile.salt_length
        as_client = SrtpSession(
            profile,
            send_key=keying[:key] + keying[2 * key :][:salt],
            receive_key=keying[key:][:key] + keying[2 * key + salt :],
        )
        assert as_client.protect(rtp(2)) == client.protect(rtp(2))

    def test_a_retransmission_is_the_same_to_the_byte(self, profile: SrtpProfile) -> None:
        one = session(profile)
        first = one.protect(rtp(1))
        for sequence in range(2, 2000):  # RTP histories hold half of that
            one.protect(rtp(sequence))
        assert one.protect(rtp(1)) == first

    def test_one_older_than_the_window_raises(self, profile: SrtpProfile) -> None:
        one = session(profile)
        for sequence in range(1, 2500):
            one.protect(rtp(sequence))
        with pytest.raises(SrtpError):
            one.protect(rtp(1))

    def test_a_packet_comes_in_once(self, profile: SrtpProfile) -> None:
        one = session(profile)
        packet, report = one.protect(rtp(1)), one.protect_rtcp(receiver_report())
        assert [one.unprotect(packet), one.unprotect(packet)] == [rtp(1), SrtpRefusal.REPLAYED]
        assert [one.unprotect_rtcp(report), one.unprotect_rtcp(report)] == [receiver_report(), SrtpRefusal.REPLAYED]
        assert one.refused[SrtpRefusal.REPLAYED] == 2

    def test_late_ones_come_in_up_to_a_thousand_back(self, profile: SrtpProfile) -> None:
        one = session(profile)
        packets = [one.protect(rtp(sequence)) for sequence in range(1100)]
        assert one.unprotect(packets[0]) == rtp(0)
        assert one.unprotect(packets[1099]) == rtp(1099)
        assert one.unprotect(packets[100]) == rtp(100)
        assert one.unprotect(packets[50]) is SrtpRefusal.REPLAYED

    def test_a_forged_one_is_refused_and_costs_nothing_later(self, profile: SrtpProfile) -> None:
        one = session(profile)
        packet = one.protect(rtp(1))
        for position in range(len(packet)):
            forged = bytes([*packet[:position], packet[position] ^ 1, *packet[position + 1 :]])
            assert isinstance(one.unprotect(forged), SrtpRefusal)
        assert one.refused[SrtpRefusal.FORGED] > 10
        assert one.unprotect(packet) == rtp(1)

    def test_sequence_numbers_wrap(self, profile: SrtpProfile) -> None:
        one = session(profile)
        for number in range(65_000, 66_200):
            packet = rtp(number & 0xFFFF)
            assert one.unprotect(one.protect(packet)) == packet

    @given(packet=st.binary(max_size=3000))
    def test_noise_gives_a_refusal_and_never_raises(self, profile: SrtpProfile, packet: bytes) -> None:
        one = session(profile)
        assert isinstance(one.unprotect(packet), SrtpRefusal)
        assert isinstance(one.unprotect_rtcp(packet), SrtpRefusal)
        assert isinstance(one.unprotect(b"\x80\x60" + packet), SrtpRefusal)
        assert isinstance(one.unprotect_rtcp(b"\x80\xc9" + packet), SrtpRefusal)
        assert sum(one.refused.values()) == 4

    def test_a_peer_cannot_fill_the_memory_with_sources(self, profile: SrtpProfile) -> None:
        one = session(profile)
        results = [one.unprotect(one.protect(rtp(1, source=source))) for source in range(1, 100)]
        assert results[63] == rtp(1, source=64)
        assert results[64:] == [SrtpRefusal.TOO_MANY_SOURCES] * 35
        assert one.unprotect(one.protect(rtp(2, source=1))) == rtp(2, source=1)

    def test_packets_may_be_as_long_as_documented(self, profile: SrtpProfile) -> None:
        one = session(profile)
        assert one.unprotect(one.protect(rtp(1, bytes(1344)))) == rtp(1, bytes(1344))
        report = b"\x81\xcc\x01\x51" + bytes(1348)
        assert one.unprotect_rtcp(one.protect_rtcp(report)) == report
