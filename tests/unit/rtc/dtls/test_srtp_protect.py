"""Our own call of libsrtp's protect does what pylibsrtp's does; when a hook is gone, read the new source."""

from __future__ import annotations

import gc
import struct

import pylibsrtp
import pytest

from sightline.rtc.srtp_protect import MAX_PACKET, protector

KEY = bytes(range(28))


def session() -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=KEY,
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    )
    policy.allow_repeat_tx = True
    policy.window_size = 128
    return pylibsrtp.Session(policy)


def packet(number: int, size: int = 100) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, number, 90 * number, 7) + bytes(size - 12)


def test_the_hooks_are_there() -> None:
    assert protector(session()).__name__ == "protect_directly", "pylibsrtp changed: its slower method is used"


def test_the_packets_are_the_same_to_the_byte() -> None:
    direct, theirs = protector(session()), session()
    for number, size in [(1, 12), (2, 13), (3, 1200), (4, MAX_PACKET), (1, 12), (5, 40)]:
        assert direct(packet(number, size)) == theirs.protect(packet(number, size))


def test_the_errors_are_the_same() -> None:
    direct = protector(session())
    with pytest.raises(ValueError, match="too long"):
        direct(packet(1, MAX_PACKET + 1))
    with pytest.raises(ValueError, match="too long"):
        session().protect(packet(1, MAX_PACKET + 1))
    direct(packet(500))
    with pytest.raises(pylibsrtp.Error, match="index too old"):
        direct(packet(1))
    with pytest.raises(pylibsrtp.Error):
        direct(b"no packet")
    assert direct(packet(501))


def test_it_keeps_what_it_calls_alive() -> None:
    calls = [protector(session()) for _ in range(50)]
    gc.collect()
    assert len({call(packet(1)) for call in calls}) == 1
