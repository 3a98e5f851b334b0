"""Media encryption (RFC 3711, RFC 7714) with the keys that a DTLS handshake gave (RFC 5764)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
import pylibsrtp

from .srtp_protect import protector

__all__ = ["PROFILES", "SrtpError", "SrtpProfile", "SrtpRefusal", "SrtpSession", "profile_named"]

SrtpError = pylibsrtp.Error
"""What ``protect`` raises for one of our own packets, for instance one that is too old to be sent again."""

_SEND_WINDOW = 2048
"""Packets back to which a repetition may be protected again: twice any history that is kept for NACKs. libsrtp shifts
a bit for each of them with every packet."""

_RECEIVE_WINDOW = 1024
"""Packets back to which a late one is still let in; older ones count as replayed."""

_MAX_SOURCES = 64
"""Each SSRC of the peer takes memory in libsrtp for as long as the session lives; browsers have two or three."""


class SrtpProfile(msgspec.Struct, frozen=True):
    """A protection profile: its name in OpenSSL, libsrtp's number, and lengths in bytes."""

    name: str
    number: int
    key_length: int
    salt_length: int

    @property
    def keying_length(self) -> int:
        """How many bytes the DTLS exporter must give: a key and a salt for either direction."""
        return 2 * (self.key_length + self.salt_length)


PROFILES = (
    SrtpProfile("SRTP_AEAD_AES_128_GCM", pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    SrtpProfile("SRTP_AEAD_AES_256_GCM", pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    SrtpProfile("SRTP_AES128_CM_SHA1_80", pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)
"""In the order in which we want them: GCM costs the least where a processor has AES instructions; the last one is
what every WebRTC peer must have (RFC 8827 §6.5)."""


def profile_named(name: str) -> SrtpProfile | None:
    """The profile that OpenSSL calls so."""
    return next((profile for profile in PROFILES if profile.name == name), None)


class SrtpRefusal(StrEnum):
    """Why a packet from the network was not let in."""

    MALFORMED = "malformed"
    FORGED = "forged"
    REPLAYED = "replayed"
    TOO_MANY_SOURCES = "too many sources"


_REPLAYS = (
    "replay check failed (bad index)",
    "replay check failed (index too old)",
    "packet index is too old to consider",
)
_FORGERIES = ("authentication failure", "cipher failure")


class SrtpSession:
    """One peer's keys, both directions. Not to be used from two threads at once."""

    profile: SrtpProfile
    protect: Callable[[bytes], bytes]
    """Encrypt an RTP packet of at most 1356 bytes.

    Repeating a packet is allowed when it is the same to the byte; with GCM another one under the same sequence number
    would give the key away (RFC 7714 §8.1). Raises SrtpError for one older than 2048 packets.
    """
    protect_rtcp: Callable[[bytes], bytes]
    """Encrypt a compound RTCP packet of at most 1352 bytes."""
    refused: dict[SrtpRefusal, int]
    """How many packets from the network were not let in, and why."""

    def __init__(self, profile: SrtpProfile, *, send_key: bytes, receive_key: bytes) -> None:
        """Each key is the master key followed by the master salt."""
        self.profile = profile
        self.refused = dict.fromkeys(SrtpRefusal, 0)
        sending = pylibsrtp.Policy(
            key=send_key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile.number
        )
        sending.allow_repeat_tx = True
        sending.window_size = _SEND_WINDOW
        receiving = pylibsrtp.Policy(
            key=receive_key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=profile.number
        )
        receiving.window_size = _RECEIVE_WINDOW
        self._sources: set[bytes] = set()
        out, self._in = pylibsrtp.Session(sending), pylibsrtp.Session(receiving)
        # Functions and not methods around them: a call more per packet would show.
        self.protect, self.protect_rtcp = protector(out), out.protect_rtcp

    @classmethod
    def from_keying(cls, profile: SrtpProfile, keying: bytes, *, client: bool) -> SrtpSession:
        """From what the exporter gave: client's key, server's key, client's salt, server's salt (RFC 5764 §4.2)."""
        key, salt = profile.key_length, profile.salt_length
        clients = keying[:key] + keying[2 * key : 2 * key + salt]
        servers = keying[key : 2 * key] + keying[2 * key + salt : 2 * (key + salt)]
        send_key, receive_key = (clients, servers) if client else (servers, clients)
        return cls(profile, send_key=send_key, receive_key=receive_key)

    def unprotect(self, packet: bytes) -> bytes | SrtpRefusal:
        """An RTP packet from the network decrypted, or why not."""
        return self._open(self._in.unprotect, packet, packet[8:12])

    def unprotect_rtcp(self, packet: bytes) -> bytes | SrtpRefusal:
        """A compound RTCP packet from the network decrypted, or why not."""
        return self._open(self._in.unprotect_rtcp, packet, packet[4:8])

    def _open(self, unprotect: Callable[[bytes], bytes], packet: bytes, source: bytes) -> bytes | SrtpRefusal:
        known = source in self._sources
        if not known and len(self._sources) >= _MAX_SOURCES:
            return self._refuse(SrtpRefusal.TOO_MANY_SOURCES)
        try:
            plain = unprotect(packet)
        except pylibsrtp.Error as error:
            reason = str(error)
            if reason in _REPLAYS:
                return self._refuse(SrtpRefusal.REPLAYED)
            return self._refuse(SrtpRefusal.FORGED if reason in _FORGERIES else SrtpRefusal.MALFORMED)
        except ValueError:  # longer than the library's buffer
            return self._refuse(SrtpRefusal.MALFORMED)
        if not known:
            self._sources.add(source)
        return plain

    def _refuse(self, why: SrtpRefusal) -> SrtpRefusal:
        self.refused[why] += 1
        return why
