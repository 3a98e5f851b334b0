"""What the service hands out and later knows again: TURN credentials and link tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import LinkError
from sightline.wire.link_token import link_secret, make_token, read_token
from sightline.wire.turn_credentials import mint, owner_id

ARN = "arn:aws:kinesisvideo:us-west-2:123456789012:channel/demo/1700000000123"
SECRET = bytes(range(32))


class TestTurnCredentials:
    def test_coturns_scheme(self) -> None:
        """Computed with: printf %s 1700000300:abc | openssl dgst -sha1 -hmac north -binary | base64"""
        credential = mint("north", "abc", ttl=300, now=1_700_000_000.9)
        assert credential.username == "1700000300:abc"
        assert credential.password == "Fbq56/fv51Tbc7WP7IY9o71l6Rw="
        assert credential.ttl == 300

    @given(st.text(min_size=1, max_size=80), st.integers(31, 86_400), st.floats(0, 4e9))
    def test_any_turn_server_with_the_secret_computes_the_same(self, secret: str, ttl: int, now: float) -> None:
        credential = mint(secret, owner_id(ARN, "v"), ttl=ttl, now=now)
        block = secret.encode()
        block = (hashlib.sha1(block).digest() if len(block) > 64 else block).ljust(64, b"\0")
        inner = hashlib.sha1(bytes(byte ^ 0x36 for byte in block) + credential.username.encode()).digest()
        outer = hashlib.sha1(bytes(byte ^ 0x5C for byte in block) + inner).digest()
        assert base64.b64decode(credential.password) == outer
        assert now + ttl - 1 < int(credential.username.partition(":")[0]) <= now + ttl

    def test_an_owner_is_short_and_says_nothing(self) -> None:
        """The C SDK's buffer holds 256 characters, gst wants a colon in the user name (KVS.md §4.1)."""
        owner = owner_id(ARN.replace("demo", "x" * 256), "y" * 256)
        assert re.fullmatch(r"[0-9a-f]{20}", owner)
        assert len({owner_id(ARN, "a"), owner_id(ARN, "b"), owner_id(ARN + "4", "a"), owner_id(ARN, "")}) == 4

    def test_the_password_does_not_show_in_a_repr(self) -> None:
        credential = mint("north", "abc", ttl=300, now=0)
        assert credential.password not in repr(credential)
        assert credential.username in repr(credential)


class TestLinkTokens:
    def test_a_token_is_its_links_id_and_a_mac(self) -> None:
        token = make_token(SECRET, "link-1")
        assert token == make_token(SECRET, "link-1")
        assert read_token(SECRET, token) == "link-1"
        digest = hmac.new(SECRET, b"sightline/token/link-1", hashlib.sha256).digest()
        assert token == "link-1." + base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", token), "it stands in a URL's fragment"

    def test_every_character_counts(self) -> None:
        token = make_token(SECRET, "link-1")
        for index in range(len(token)):
            changed = token[:index] + ("x" if token[index] != "x" else "y") + token[index + 1 :]
            with pytest.raises(LinkError):
                read_token(SECRET, changed)

    @pytest.mark.parametrize("token", ["", ".", "link-1", "link-1.", ".x", "한.글", "\ud800.x", "x" * 5000])
    def test_what_is_no_token(self, token: str) -> None:
        with pytest.raises(LinkError) as caught:
            read_token(SECRET, token)
        assert caught.value.reason == "link-invalid"
        assert caught.value.http_status == 401

    def test_one_of_another_service_is_not_valid_here(self) -> None:
        with pytest.raises(LinkError):
            read_token(SECRET, make_token(bytes(32), "link-1"))

    def test_who_has_the_token_has_not_the_signing_secret(self) -> None:
        assert link_secret(SECRET, "link-1") not in make_token(SECRET, "link-1")
        assert link_secret(SECRET, "link-1") != link_secret(SECRET, "link-2")
        with pytest.raises(LinkError):
            read_token(SECRET, f"link-1.{link_secret(SECRET, 'link-1')}")
