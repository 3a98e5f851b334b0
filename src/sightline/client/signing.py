"""botocore's SigV4 by a clock that can be corrected: a camera whose clock is wrong must connect all the same.

botocore signs with the machine's time and has no way to give it another one. The signer here is chosen by its name, and
reads how far the machine's clock is off from the calling context.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth

__all__ = ["SIGNATURE_VERSION", "CorrectedSigV4Auth", "clock_offset", "offset_from"]

SIGNATURE_VERSION: Final = "sightline-v4"
"""For botocore's ``Config``."""

_offset: ContextVar[float] = ContextVar("clock offset", default=0.0)


@contextmanager
def clock_offset(seconds: float) -> Iterator[None]:
    """Sign as if the machine's clock showed ``seconds`` more."""
    token = _offset.set(seconds)
    try:
        yield
    finally:
        _offset.reset(token)


def offset_from(date: str, *, now: float) -> float | None:
    """Seconds by which the clock of an answer's ``Date`` header is ahead of ``now``; None when it cannot be read."""
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (ValueError, TypeError):
        return None


class CorrectedSigV4Auth(SigV4Auth):  # type: ignore[misc]
    """Signs with the corrected time. Without a correction it is botocore's own."""

    def add_auth(self, request: Any) -> None:
        """Sign in place, in the steps of botocore's ``SigV4Auth.add_auth``."""
        offset = _offset.get()
        if not offset:
            super().add_auth(request)
            return
        request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


AUTH_TYPE_MAPS[SIGNATURE_VERSION] = CorrectedSigV4Auth
