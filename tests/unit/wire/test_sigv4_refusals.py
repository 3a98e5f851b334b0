"""Each way to break a signature is refused, in the words that clients and people look for (KVS.md §2.4, §3)."""

from __future__ import annotations

import hashlib
from urllib.parse import unquote

import pytest

from sightline.errors import SignatureRejected
from sightline.wire.sigv4 import SignedRequest, parse_authorization

from . import signers
from .signers import KEY, NOW, REGION, TOKEN, accept, at, change, upgrade


def refusal(request: SignedRequest, *, now: float = NOW) -> SignatureRejected:
    with pytest.raises(SignatureRejected) as caught:
        accept(request, now=now)
    assert caught.value.http_status == 403
    return caught.value


# -------------------------------------------------------------------------------------- what was tampered with


@pytest.mark.parametrize("url", [signers.js_url(token=TOKEN, **{"X-Amz-ClientId": "viewer-1"}), signers.c_url()])
def test_every_byte_of_the_query_counts(url: str) -> None:
    base, _, query = url.partition("?")
    for at_byte, byte in enumerate(query):
        if byte in "&=":
            continue
        other = "1" if byte == "0" else "0" if byte.isdigit() else "b" if byte == "a" else "a"
        changed = f"{base}?{query[:at_byte]}{other}{query[at_byte + 1 :]}"
        if unquote(changed) != unquote(url):  # %3A and %3a are the same byte
            refusal(upgrade(changed))


@pytest.mark.parametrize("extra", ["X-Amz-ClientId=evil", "x=1", "X-Sightline-Extras=1"])
def test_nothing_may_be_added_to_the_query(extra: str) -> None:
    refusal(upgrade(signers.js_url() + "&" + extra))


def test_nothing_may_be_left_out_of_the_query() -> None:
    base, _, query = signers.js_url(token=TOKEN, **{"X-Amz-ClientId": "viewer-1"}).partition("?")
    parts = query.split("&")
    for index in range(len(parts)):
        refusal(upgrade(f"{base}?{'&'.join(parts[:index] + parts[index + 1 :])}"))


@pytest.mark.parametrize("name", ["X-Amz-ClientId", "X-Amz-Signature", "X-Amz%2DExpires", "X-Amz-Security-Token"])
def test_no_parameter_stands_twice(name: str) -> None:
    """Whichever of the two a parser takes, it may be the wrong one."""
    url = signers.js_url(token=TOKEN, **{"X-Amz-ClientId": "viewer-1"})
    for text in (f"{url}&{name}=x", url.replace("?", f"?{name}=x&")):
        error = refusal(upgrade(text))
        assert "stands twice" in error.message
        assert error.code == "IncompleteSignatureException"


def test_a_sockets_url_is_good_for_its_path_and_method_only() -> None:
    request = upgrade(signers.js_url(path="/viewer"))
    refusal(SignedRequest("GET", "/master", request.query, request.headers))
    refusal(SignedRequest("GET", "/viewer/", request.query, request.headers))
    refusal(SignedRequest("POST", "/viewer", request.query, request.headers))


@pytest.mark.parametrize("name", ["content-type", "x-amz-date", "host", "x-amz-security-token"])
def test_signed_headers_may_not_change(name: str) -> None:
    request = signers.boto(token=TOKEN)
    values = {"x-amz-date": at(1), "host": "other.example"}
    refusal(
        SignedRequest("POST", request.path, "", {**request.headers, name: values.get(name, "x")}, request.body_sha256)
    )
    without = {other: value for other, value in request.headers.items() if other != name}
    refusal(SignedRequest("POST", request.path, "", without, request.body_sha256))


def test_headers_that_are_not_signed_may_change() -> None:
    accept(change(signers.js_v2(), content_type="text/plain", user_agent="curl"))


@pytest.mark.parametrize("make", [signers.boto, signers.c_sdk, signers.js_v2, signers.js_v3])
def test_the_body_is_signed(make: type) -> None:
    request = make()
    other = hashlib.sha256(b"{}").hexdigest()
    forged = SignedRequest("POST", request.path, "", request.headers, other)
    refusal(forged)
    # Claiming the old hash, the new one or none of both does not help either.
    for claim in (request.body_sha256, other, "UNSIGNED-PAYLOAD"):
        refusal(change(forged, x_amz_content_sha256=claim))


def test_a_claimed_body_hash_has_to_be_the_bodys() -> None:
    request = signers.js_v3()
    error = refusal(SignedRequest("POST", request.path, "", request.headers, hashlib.sha256(b"").hexdigest()))
    assert "x-amz-content-sha256" in error.message


def test_an_unsigned_token_is_told_all_the_same() -> None:
    """The C SDK sends it unsigned: the signature is good, and who has no token is told so (service/auth.py)."""
    request = signers.c_sdk(token=TOKEN)
    assert parse_authorization(request).session_token == TOKEN
    accept(request)
    added = change(signers.boto(), x_amz_security_token=TOKEN)
    assert parse_authorization(added).session_token == TOKEN


# ----------------------------------------------------------------------------------------------- the scope


def scoped(*, region: str = REGION, service: str = "kinesisvideo") -> list[SignedRequest]:
    headers = signers.signing.sign_headers(
        "POST", "http://h/x", b"", key=KEY, now=NOW, region=region, scope_service=service
    )
    url = signers.signing.presign("ws://h/", {}, key=KEY, now=NOW, region=region, service=service)
    return [signers.post("/x", headers, b""), upgrade(url)]


def test_another_region_is_told_both_regions() -> None:
    for request in scoped(region="eu-central-1"):
        message = refusal(request).message
        assert "'us-west-2'" in message
        assert "'eu-central-1'" in message


@pytest.mark.parametrize("service", ["execute-api", "KinesisVideo", "kinesis"])
def test_another_service_is_refused(service: str) -> None:
    for request in scoped(service=service):
        message = refusal(request).message
        assert "'kinesisvideo'" in message
        assert service in message


def test_the_dates_of_scope_and_request_have_to_agree() -> None:
    request = signers.boto()
    changed = request.headers["authorization"].replace("/20260506/", "/20260505/")
    assert "Date in Credential scope" in refusal(change(request, authorization=changed)).message
    url = signers.js_url().replace("%2F20260506%2F", "%2F20260505%2F")
    assert "Date in Credential scope" in refusal(upgrade(url)).message


def test_an_access_key_id_may_hold_slashes() -> None:
    key = signers.Key("team/a", KEY.secret_access_key)
    request = signers.post("/x", signers.signing.sign_headers("POST", "http://h/x", b"", key=key, now=NOW), b"")
    assert parse_authorization(request).access_key_id == "team/a"
    accept(request)


# ------------------------------------------------------------------------------------------------- the time


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [
        (-301, f"Signature expired: {at(-301)} is now earlier than {at(-300)} ({at(0)} - 5 min.)"),
        (-86_400, f"Signature expired: {at(-86_400)} is now earlier than {at(-300)} ({at(0)} - 5 min.)"),
        (301, f"Signature not yet current: {at(301)} is still later than {at(300)} ({at(0)} + 5 min.)"),
    ],
)
def test_a_clock_that_is_off_is_told_in_the_very_words(offset: int, sentence: str) -> None:
    """The C SDK looks for the first words and corrects its clock (KVS.md §2.4)."""
    assert refusal(signers.boto(now=NOW + offset)).message == sentence


@pytest.mark.parametrize("offset", [-300, -1, 0, 1, 300])
def test_five_minutes_are_forgiven(offset: int) -> None:
    accept(signers.boto(now=NOW + offset))


def test_an_old_url_is_told_how_long_it_was_good() -> None:
    message = refusal(upgrade(signers.boto_url(expires=60)), now=NOW + 61).message
    assert message == f"Signature expired: {at(0)} is now earlier than {at(1)} ({at(61)} - 60 s.)"


def test_the_scope_is_looked_at_before_the_time_and_the_time_before_the_signature() -> None:
    late = scoped(region="eu-central-1")[0]
    assert "valid region" in refusal(late, now=NOW + 1000).message
    assert refusal(change(signers.boto(), content_type="x"), now=NOW + 1000).message.startswith("Signature expired: ")


@pytest.mark.parametrize(
    "date", ["20260506", "20260506T201400", "2026-05-06T20:14:00Z", "20260506T201400Z ", "", "٢٠٢٦٠٥٠٦T٢٠١٤٠٠Z"]
)
def test_a_date_of_another_form_is_refused(date: str) -> None:
    assert refusal(change(signers.boto(), x_amz_date=date)).code == "IncompleteSignatureException"


@pytest.mark.parametrize("date", ["20260230T000000Z", "20261301T000000Z", "00000101T000000Z", "20260506T250000Z"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    request = signers.boto()
    authorization = request.headers["authorization"].replace("/20260506/", f"/{date[:8]}/")
    assert "not a date" in refusal(change(request, x_amz_date=date, authorization=authorization)).message


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "1.5", "", "abc", "00000299", "９９", "9" * 50])
def test_a_lifetime_is_from_a_second_to_a_week(expires: str) -> None:
    url = signers.c_url().replace("X-Amz-Expires=604800", f"X-Amz-Expires={expires}")
    error = refusal(upgrade(url))
    assert "X-Amz-Expires" in error.message
    assert error.code == "IncompleteSignatureException"


# --------------------------------------------------------------------------------------- what is incomplete


def test_a_request_without_a_signature_is_told_so() -> None:
    for request in (SignedRequest("GET", "/", "", {"host": "h"}), SignedRequest("GET", "/", "X-Amz-Date=1", {})):
        error = refusal(request)
        assert error.code == "MissingAuthenticationTokenException"
        assert "Missing Authentication Token" in error.message


def test_host_has_to_be_signed() -> None:
    """Otherwise a request to one service could be played to another that knows the same key."""
    headers = signers.signing.sign_headers(
        "POST", "http://h/x", b"", key=KEY, now=NOW, signed=["content-type", "x-amz-date"]
    )
    assert "'host'" in refusal(signers.post("/x", headers, b"")).message
    assert "'host'" in refusal(upgrade(signers.js_url().replace("SignedHeaders=host", "SignedHeaders=hosts"))).message


GOOD = signers.boto().headers["authorization"]
CREDENTIAL = f"{KEY.access_key_id}/20260506/us-west-2/kinesisvideo/aws4_request"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS4-HMAC-SHA256",
        "Bearer x",
        GOOD.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        GOOD.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        GOOD.replace("Credential=", "credential="),
        GOOD.replace("SignedHeaders=", ""),
        GOOD.partition(", Signature=")[0],
        GOOD.replace(CREDENTIAL, "A/20260506/us-west-2/kinesisvideo"),
        GOOD.replace(CREDENTIAL, "A/20260506/us-west-2/kinesisvideo/aws5_request"),
        GOOD.replace(CREDENTIAL, "A/20260506//kinesisvideo/aws4_request"),
        GOOD.replace(CREDENTIAL, "/20260506/us-west-2/kinesisvideo/aws4_request"),
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-64] + GOOD[-64:].upper(),
        GOOD[:-64] + "g" * 64,
        GOOD.replace(", ", " "),
    ],
)
def test_an_authorization_that_is_incomplete(authorization: str) -> None:
    assert refusal(change(signers.boto(), authorization=authorization)).code == "IncompleteSignatureException"


def test_an_authorization_may_lack_spaces_after_its_commas() -> None:
    accept(change(signers.boto(), authorization=GOOD.replace(", ", ",")))


def test_the_algorithm_of_a_query_is_checked() -> None:
    error = refusal(upgrade(signers.js_url().replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")))
    assert "X-Amz-Algorithm" in error.message


def test_the_header_counts_where_both_forms_are_given() -> None:
    request = upgrade(signers.js_url())
    assert refusal(change(request, authorization="Bearer x")).code == "IncompleteSignatureException"
