"""Does the signaling socket open in the role that was asked for?"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from ..errors import ConnectError
from ..reasons import REASONS, Reason
from .findings import Stage, Verdict, fail, fine, skip
from .reach import TLS_TRUST, trusting
from .socket import DoctorSocket, SocketRefused
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
    connected = await _master_connected(visit)
    if connected:
        return skip(
            "a camera is connected, so the role works; opening another one's socket would throw it out"
            if visit.link is None
            else "the link is good; whether a camera is connected is not told to links, and a second would throw it out"
        )
    if connected is None:
        return skip("whether a camera is connected is not known here, and a second one would throw it out")
    verdict = await _open(visit)
    if verdict is not None:
        return verdict
    assert visit.socket is not None
    opened, visit.socket = visit.socket, None
    await opened.aclose()
    return fine(f"open as master in {_took(visit)}, and closed again: no camera was connected")


async def _master_connected(visit: Visit) -> bool | None:
    if visit.link is not None:
        return True  # not told to links
    if not visit.is_sightline:
        return None
    try:
        answer = await visit.post("/sightline/v1/viewers", {"channel": visit.channel})
    except ConnectError:
        return None
    return answer.get("masterConnected") is True


async def _open(visit: Visit) -> Verdict | None:
    """None when it is open."""
    tls = await asyncio.to_thread(trusting, visit) if visit.url.startswith("wss:") else True
    started = time.monotonic()
    try:
        visit.socket = await DoctorSocket.open(visit.url, tls=tls, extras=visit.is_sightline and visit.role == "viewer")
    except SocketRefused as error:
        return _refused(visit, error)
    visit.stages.append(Stage("signaling socket", time.monotonic() - started))
    return None


def _refused(visit: Visit, error: SocketRefused) -> Verdict:
    said = error.message
    host = urlsplit(visit.url).netloc
    if "CERTIFICATE_VERIFY_FAILED" in said or "certificate" in said:
        return fail(
            f"the certificate of {host} is not trusted here",
            reason=TLS_TRUST,
            meaning="The socket's address has another certificate than the endpoint.",
            advice="Name the CA of both in SIGHTLINE_CA_BUNDLE.",
        )
    if error.status == 0 and error.reason == Reason.SIGNALING_REFUSED:
        return fail(
            f"{host}: {said}",
            reason=error.reason,
            meaning="Other calls came through and this connection does not: something between, a proxy as a rule, lets "
            "no WebSockets through; or the address that the service gives out is not reached from here.",
            advice="Let the proxy pass `Upgrade: websocket`. If the address is wrong: serve --public-url https://HOST",
        )
    advice = {
        Reason.NOT_ALLOWED: f"Use a key that may ConnectAs{visit.role.capitalize()}.",
        Reason.VIEWER_LIMIT: "Close a viewer, or raise the limit: sightline serve --help",
    }.get(Reason(error.reason) if error.reason in REASONS else Reason.INTERNAL, "")
    return fail(said, reason=error.reason, advice=advice)


def _took(visit: Visit) -> str:
    return f"{visit.stages[-1].seconds * 1000:.0f} ms"
