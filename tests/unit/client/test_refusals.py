"""What refusals mean, by the reasons that pages and programs know."""

from __future__ import annotations

import pytest

from sightline.client.refusals import (
    ClockSkew,
    NotAllowed,
    Refusal,
    UnknownChannel,
    WrongKey,
    WrongRegion,
    reason_of,
    reason_of_refusal,
)
from sightline.errors import (
    ConnectError,
    InvalidChannelName,
    InvalidClientId,
    ServiceRefused,
    ServiceUnreachable,
    SightlineError,
)
from sightline.reasons import Reason


@pytest.mark.parametrize(
    ("status", "code", "text", "reason"),
    [
        (403, "InvalidSignatureException", "Signature expired: …", Reason.CLOCK_SKEW),
        (403, "InvalidSignatureException", "Credential should be scoped to a valid region.", Reason.WRONG_REGION),
        (403, "UnrecognizedClientException", "", Reason.WRONG_KEY),
        (404, "ResourceNotFoundException", "", Reason.UNKNOWN_CHANNEL),
        (404, "", "", Reason.UNKNOWN_CHANNEL),
        (400, "ClientLimitExceededException", "The channel has 10 viewers", Reason.VIEWER_LIMIT),
        (400, "ClientLimitExceededException", "Rate exceeded", Reason.TOO_MANY_REQUESTS),
        (429, "", "", Reason.TOO_MANY_REQUESTS),
        (400, "InvalidArgumentException", "'a b' is not a client id.", Reason.BAD_CLIENT_ID),
        (400, "InvalidArgumentException", "X-Amz-ChannelARN is missing.", Reason.BAD_REQUEST),
        (403, "AccessDeniedException", "", Reason.NOT_ALLOWED),
        (401, "", "", Reason.NOT_ALLOWED),
        (500, "", "", None),
    ],
)
def test_refused_requests(status: int, code: str, text: str, reason: Reason | None) -> None:
    assert reason_of_refusal(Refusal(status, code, text)) is reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnknownChannel("x"), Reason.UNKNOWN_CHANNEL),
        (InvalidChannelName("x"), Reason.UNKNOWN_CHANNEL),
        (WrongKey("x"), Reason.WRONG_KEY),
        (WrongRegion("x"), Reason.WRONG_REGION),
        (ClockSkew("x"), Reason.CLOCK_SKEW),
        (NotAllowed("x"), Reason.NOT_ALLOWED),
        (InvalidClientId("x"), Reason.BAD_CLIENT_ID),
        (ServiceUnreachable("x"), Reason.SERVICE_UNREACHABLE),
        (ConnectError("x"), Reason.SERVICE_UNREACHABLE),
        (ServiceRefused("x", code="ClientLimitExceededException", status=400), Reason.TOO_MANY_REQUESTS),
        (ServiceRefused("x", code="InternalFailure", status=500), Reason.SIGNALING_REFUSED),
    ],
)
def test_errors(error: SightlineError, reason: Reason) -> None:
    assert reason_of(error) is reason
