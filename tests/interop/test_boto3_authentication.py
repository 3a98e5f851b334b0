"""Signatures through boto3 and by hand: whose key, which region, whose clock, how long a URL is good for."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.harness.kvs import VIEWER, Kvs, Refused, open_socket
from tests.harness.probe import Answer, ask, signed_post
from tests.harness.service import REGION, Service
from tests.harness.signing import Key, presign, sign_headers

MINUTE = 60.0


def refusal_of(service: Service, key: Key, region: str = REGION) -> ClientError:
    """The 403 that boto3 raises for this key and region."""
    with Kvs(service, key, region=region) as user, pytest.raises(ClientError) as refusal:
        user.control.list_signaling_channels()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert not refusal.value.response["Error"]["Code"].isdigit(), "an error without a type"
    return refusal.value


def listed(service: Service, **signing: object) -> Answer:
    """ListSignalingChannels signed by hand."""
    return signed_post(service, "/listSignalingChannels", {}, **signing)  # type: ignore[arg-type]


def test_the_signer_of_these_tests_agrees_with_a_published_vector() -> None:
    url = presign(
        "wss://kvs.awsamazon.com",
        {"X-Amz-TestParam": "test-param-value"},
        key=Key("AKIA4F7WJQR7FMMWMNXI", "FakeSecretKey"),
        now=1575158400.0,
    )
    assert url.endswith("be1e78950d956a8a9a1997417099ddbd7455619f3d08c4ad20e1e272179ca695")


def test_a_wrong_secret_is_refused(service: Service) -> None:
    refusal_of(service, service.admin.but(secret_access_key="x" * 40))


def test_an_unknown_key_is_refused_without_telling_more_than_for_a_wrong_secret(service: Service) -> None:
    refusal_of(service, service.admin.but(access_key_id="AKIAI44QH8DHBEXAMPLE"))


def test_a_session_token_on_a_key_that_has_none_is_refused(service: Service) -> None:
    refusal_of(service, service.admin.but(session_token="FwoGZXIvYXdzEXAMPLETOKEN"))


def test_a_key_of_another_region_is_told_both_regions(service: Service) -> None:
    message = refusal_of(service, service.admin, "eu-central-1").response["Error"]["Message"]
    assert "eu-central-1" in message
    assert REGION in message


def test_a_signature_for_another_service_is_refused(service: Service) -> None:
    assert listed(service, scope_service="s3").status == 403


def test_a_clock_within_five_minutes_is_good_enough(service: Service) -> None:
    assert listed(service, now=time.time() - 4.5 * MINUTE).status == 200
    assert listed(service, now=time.time() + 4.5 * MINUTE).status == 200


@pytest.mark.parametrize(
    ("offset", "phrase"),
    [(-6 * MINUTE, "Signature expired"), (6 * MINUTE, "Signature not yet current")],
)
def test_a_wrong_clock_is_told_in_the_words_that_clients_look_for(service: Service, offset: float, phrase: str) -> None:
    answer = listed(service, now=time.time() + offset)
    assert answer.status == 403
    assert phrase in answer.body.decode()
    assert answer.headers["date"].endswith("GMT")
    assert answer.headers["x-amzn-errortype"]


def test_a_changed_body_breaks_the_signature(service: Service) -> None:
    signed = sign_headers("POST", f"{service.http}/listSignalingChannels", b"{}", key=service.admin)
    answer = ask(service, "POST", "/listSignalingChannels", headers=signed, body=b'{"MaxResults":1}')
    assert answer.status == 403


def test_a_body_hash_that_does_not_fit_the_body_is_refused(service: Service) -> None:
    answer = listed(
        service,
        extra_headers={"x-amz-content-sha256": "0" * 64},
        signed=("host", "x-amz-content-sha256", "x-amz-date"),
    )
    assert answer.status == 403


def test_host_has_to_be_among_the_signed_headers(service: Service) -> None:
    assert listed(service, signed=("content-type", "x-amz-date")).status == 403


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer abc",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=A/B/C, SignedHeaders=host, Signature=zz",
        "AWS4-HMAC-SHA256 Credential=A/20260506/us-west-2/kinesisvideo/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 " + "Credential=A/20260506/us-west-2/kinesisvideo/aws4_request," * 50,
    ],
)
def test_a_malformed_authorization_is_a_403_with_a_type(service: Service, authorization: str | None) -> None:
    headers = {"Content-Type": "application/json", "X-Amz-Date": "20260506T201400Z"}
    if authorization is not None:
        headers["Authorization"] = authorization
    answer = ask(service, "POST", "/describeSignalingChannel", headers=headers, body=b"{}")
    assert answer.status == 403
    assert answer.kind.endswith("Exception")
    assert answer.message


@pytest.mark.parametrize(("age", "expires", "good"), [(290, 299, True), (310, 299, False), (86_400, 604_800, True)])
def test_a_presigned_url_is_good_until_it_expires(kvs: Kvs, age: float, expires: int, good: bool) -> None:
    arn = kvs.create()
    now = time.time() - age
    if good:
        kvs.viewer(arn, now=now, expires=expires).close()
    else:
        with pytest.raises(Refused) as refusal:
            kvs.viewer(arn, now=now, expires=expires)
        assert refusal.value.status == 403
        assert "Signature expired" in refusal.value.message


def test_a_presigned_url_of_the_future_is_not_yet_good(kvs: Kvs) -> None:
    arn = kvs.create()
    kvs.viewer(arn, now=time.time() + 4 * MINUTE).close()
    with pytest.raises(Refused) as refusal:
        kvs.viewer(arn, now=time.time() + 6 * MINUTE)
    assert refusal.value.status == 403
    assert "Signature not yet current" in refusal.value.message


@pytest.mark.parametrize("expires", [0, -1, 604_801])
def test_a_lifetime_outside_the_rules_is_refused(kvs: Kvs, expires: int) -> None:
    arn = kvs.create()
    with pytest.raises(Refused) as refusal:
        kvs.viewer(arn, expires=expires)
    assert refusal.value.status in (400, 403)


def test_a_presigned_url_is_bound_to_its_channel_and_client_id(kvs: Kvs) -> None:
    arn, other = kvs.create("bound-1"), kvs.create("bound-2")
    url = kvs.socket_url(VIEWER, arn, "viewer-a")
    for changed in (url.replace("viewer-a", "viewer-b"), url.replace("bound-1", "bound-2")):
        assert changed != url
        with pytest.raises(Refused) as refusal:
            open_socket(kvs.service, changed)
        assert refusal.value.status == 403
    assert other
