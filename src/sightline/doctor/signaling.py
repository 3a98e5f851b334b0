"""Does the signaling socket open in the role that was asked for?"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from ..client.refusals import SocketRefused
from ..errors import ConnectError, ServiceUnreachable
from ..reasons import Reason
from .findings import Stage, Verdict, fail, fine, skip
from .reach import TLS_TRUST
from .socket import DoctorSocket, Place
from .visit import Visit

__all__ = ["socket_opens"]


async def socket_opens(visit: Visit) -> Verdict:
    """Open it; a viewer's stays open for the checks that follow, a master's is closed at once."""
    if visit.role == "master":
        return await _as_master(visit)
    verdict = await _open(visit)
    return verdict or fine(f"open as viewer {visit.client_id} in {_took(visit)} ({urlsplit(visit.url).netloc})")


async def _as_master(visit: Visit) -> Verdict:
    """Only where no camera is connected: the newest master takes the place of the one before (KVS.md §5.5)."""
    if visit.link is not None:
        return skip("not opened: links are not told whether a camera is connected, and a second would throw it out")
    connected = await _master_connected(visit)
    if connected is None:
        return skip("not opened: nobody tells whether a camera is connected, and a second would throw it out")
    if connected:
        return skip("not opened: a camera is connected, and a second would throw it out")
    verdict = await _open(visit)
    if verdict is not None:
        return verdict
    assert visit.socket is not None
    opened, visit.socket = visit.socket, None
    await opened.aclose()
    return fine(f"open as master in {_took(visit)}, and closed again")


async def _master_connected(visit: Visit) -> bool | None:
    if not visit.is_sightline:
        return None
    try:
        answer = await visit.post("/sightline/v1/viewers", {"channel": visit.channel})
    except ConnectError:
        return None
    return answer.get("masterConnected") is True


async def _open(visit: Visit) -> Verdict | None:
    """None when it is open."""
    extras = visit.is_sightline and visit.role == "viewer"
    started = time.monotonic()
    try:
        visit.socket = await DoctorSocket.open(Place(visit.url, visit.target.ca_files), extras=extras)
    except SocketRefused as error:
        advice = f"Use a key that may ConnectAs{visit.role.capitalize()}." if error.reason is Reason.NOT_ALLOWED else ""
        return fail(error.message, reason=error.reason, advice=advice)
    except ServiceUnreachable as error:
        return _not_opened(visit, error.message)
    visit.stages.append(Stage("signaling socket", time.monotonic() - started))
    return None


def _not_opened(visit: Visit, said: str) -> Verdict:
    host = urlsplit(visit.url).netloc
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return fail(
            f"the certificate of {host} is not trusted here",
            reason=TLS_TRUST,
            meaning="The socket's address has another certificate than the endpoint.",
            advice="Name the CA of both in SIGHTLINE_CA_BUNDLE.",
        )
    return fail(
        f"{host}: {said}",
        reason=Reason.SIGNALING_REFUSED,
        meaning="Other calls came through and this connection does not: something between, a proxy as a rule, lets "
        "no WebSockets through; or the address that the service gives out is not reached from here.",
        advice="Let the proxy pass `Upgrade: websocket`. If the address is wrong: serve --public-url https://HOST",
    )


def _took(visit: Visit) -> str:
    return f"{visit.stages[-1].seconds * 1000:.0f} ms"
