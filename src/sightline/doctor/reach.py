"""Is the service there, is its certificate trusted, does its clock agree with ours? Nothing is signed yet."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from ..client.target import is_loopback
from ..errors import ConfigError
from ..reasons import Reason
from .certificate import describe
from .findings import Stage, Verdict, fail, fine, warn
from .visit import Visit

__all__ = ["TLS_TRUST", "clock", "reachable", "tls_trust", "trusting"]

TLS_TRUST = "tls-trust"

_CONNECT = 4.0
"""Seconds for TCP, as for the other calls (client.api)."""

_LIMIT = 300.0
"""Seconds that clocks may differ for a signature (KVS.md §2.4)."""

_NOTEWORTHY = 60.0
"""Seconds; a clock that nobody sets drifts by that much in a few months."""


# ------------------------------------------------------------------------------------------ name and port


async def reachable(visit: Visit) -> Verdict:
    """Name and TCP port of the endpoint."""
    parts = urlsplit(visit.endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    visit.proxy = _proxy(visit.endpoint)
    if visit.proxy is not None:
        proxy = urlsplit(visit.proxy)
        host, port = proxy.hostname or "", proxy.port or 80
    started = time.monotonic()
    try:
        async with asyncio.timeout(_CONNECT):
            addresses = await _addresses(host, port)
    except (OSError, TimeoutError) as error:
        return _unknown_name(visit, host, error)
    details, problem = [], OSError()
    for address in addresses:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(address, port)
        except OSError as error:
            problem = OSError(errno.ETIMEDOUT, "") if isinstance(error, TimeoutError) else error
            details.append(f"{address}: {_why(problem)}")
            continue
        took = time.monotonic() - began
        writer.transport.abort()
        via = " (a proxy; the environment names it)" if visit.proxy else ""
        visit.stages.append(Stage("name and port", time.monotonic() - started))
        failed = f"; {', '.join(details)}" if details and not is_loopback(visit.endpoint) else ""
        return fine(f"{host} port {port}{via} accepts connections at {address} in {_ms(took)}{failed}")
    return _no_port(visit, host, port, problem, details)


async def _addresses(host: str, port: int) -> list[str]:
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _unknown_name(visit: Visit, host: str, error: Exception) -> Verdict:
    if getattr(error, "errno", None) == socket.EAI_AGAIN or isinstance(error, TimeoutError):
        return fail(
            f"the name {host} cannot be looked up: no name server answers",
            reason=Reason.OFFLINE,
            meaning="This machine has no network, or its name server is down.",
            advice="Check this machine's network connection, then its DNS settings (/etc/resolv.conf).",
        )
    if visit.target.is_aws and visit.proxy is None:
        return fail(
            f"there is no host of the name {host}",
            reason=Reason.SERVICE_UNREACHABLE,
            meaning=f"AWS has no region {visit.region!r}, or this machine does not know the names of the internet.",
            advice="Check --region, this machine's network, and whether it needs a proxy (HTTPS_PROXY).",
        )
    return fail(
        f"there is no host of the name {host}",
        reason=Reason.SERVICE_UNREACHABLE,
        meaning="The address is misspelt, or this machine's name server does not know that name.",
        advice="Check the address after --endpoint (or SIGHTLINE_ENDPOINT), or name the service by its IP address.",
    )


def _no_port(visit: Visit, host: str, port: int, problem: OSError, details: list[str]) -> Verdict:
    measured = f"{host} port {port}: {_why(problem)}"
    rest = details if len(details) > 1 else []
    if problem.errno in (errno.ENETUNREACH, errno.ENETDOWN):
        return fail(
            measured,
            *rest,
            reason=Reason.OFFLINE,
            meaning="This machine has no way to that address: it is not in a network.",
            advice="Connect this machine to a network, then try again.",
        )
    if visit.proxy is not None:
        meaning = "The environment (HTTPS_PROXY) names a proxy, and it does not answer."
        advice = "Check its address, or leave it out for this host: NO_PROXY=HOST"
    elif problem.errno == errno.ECONNREFUSED:
        meaning = "The machine is there, but no service listens on that port: it is stopped, or it has another port."
        advice = (
            "Start it: sightline serve. If it runs on another port, name it: --endpoint http://localhost:PORT"
            if is_loopback(visit.endpoint)
            else "Start the service there, or name its port: --endpoint https://HOST:PORT"
        )
    else:
        meaning = "Nothing comes back from there: the machine is off, or a firewall drops what is sent to that port."
        advice = f"Check that the machine runs, and that firewalls let TCP port {port} through."
    return fail(measured, *rest, reason=Reason.SERVICE_UNREACHABLE, meaning=meaning, advice=advice)


def _why(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused"
    return os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__


def _proxy(url: str) -> str | None:
    """As botocore and aiohttp decide it, which the calls after this one are made with."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.netloc):
        return None
    return getproxies().get(parts.scheme)


# ----------------------------------------------------------------------------------------------- TLS


async def tls_trust(visit: Visit) -> Verdict:
    """Whose certificate it is, and whether this machine trusts it."""
    parts = urlsplit(visit.endpoint)
    if parts.scheme == "http":
        if is_loopback(visit.endpoint):
            return fine("not needed: plain HTTP that does not leave this machine")
        return warn(
            "none: plain HTTP over the network",
            meaning="Everybody on the way can read along, and browsers allow no camera or microphone on such a page.",
            advice="Use the service's HTTPS address: --endpoint https://HOST:8443",
        )
    host, port = parts.hostname or "", parts.port or 443
    context = await asyncio.to_thread(trusting, visit)
    if visit.proxy is not None:
        return await _through_proxy(visit, context)
    started = time.monotonic()
    try:
        certificate = await _handshake(host, port, context)
    except ssl.SSLCertVerificationError as error:
        shown = await _shown(host, port)
        return _untrusted(visit, host, error, shown)
    except (OSError, TimeoutError) as error:
        return fail(
            f"no TLS on port {port}: {getattr(error, 'reason', '') or error or 'no answer'}",
            reason=Reason.SERVICE_UNREACHABLE,
            meaning="Something answers on that port, and it does not speak TLS.",
            advice="Check the port: a Sightline has TLS on 8443 (or --https-port), plain HTTP on 8080.",
        )
    visit.stages.append(Stage("TLS", time.monotonic() - started))
    return fine(f"{describe(certificate)}; trusted here")


def trusting(visit: Visit) -> ssl.SSLContext:
    """What this machine trusts for the service, as its clients do."""
    target = visit.target
    if target.ca_bundle is not None:
        if not target.ca_bundle.is_file():
            raise ConfigError(f"The CA bundle {target.ca_bundle} is not there.")
        return ssl.create_default_context(cafile=str(target.ca_bundle))
    context = ssl.create_default_context()
    for file in target.ca_files:
        context.load_verify_locations(file)
    return context


async def _handshake(host: str, port: int, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(_CONNECT):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found or b""
    finally:
        writer.transport.abort()


async def _shown(host: str, port: int) -> bytes:
    """The certificate that is not trusted. Nothing is said to the server on that connection."""
    try:
        return await _handshake(host, port, _unverified())
    except (OSError, TimeoutError):
        return b""


def _unverified() -> ssl.SSLContext:
    """Takes any certificate: for looking at it, and for what is no secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _untrusted(visit: Visit, host: str, error: ssl.SSLCertVerificationError, shown: bytes) -> Verdict:
    code, said = error.verify_code, error.verify_message
    whose = f"{describe(shown)}; " if shown else ""
    if code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, …IP_ADDRESS_MISMATCH
        meaning = f"The certificate is trusted, but it is for other names than {host}."
        advice = (
            "Use one of its names as the address, or start the service with --public-host NAME, so that its "
            "certificate has it."
        )
    elif code in (9, 10):  # …NOT_YET_VALID, …HAS_EXPIRED
        meaning = f"The certificate is not valid {'any more' if code == 10 else 'yet'} by this machine's clock."
        advice = "Look at the clock (next line) first. If that is right, renew the service's certificate."
    else:
        meaning = "The certificate is of a CA that this machine does not know; so is that of every Sightline at first."
        advice = (
            "Copy DATA_DIR/tls/ca.pem from the service's machine and set SIGHTLINE_CA_BUNDLE to the file; on that "
            "machine itself --data-dir will do. Browsers and phones: open SERVICE/ca.pem and install it."
        )
        if visit.target.ca_bundle is not None:
            meaning = f"The certificate is not of the CA in {visit.target.ca_bundle} (SIGHTLINE_CA_BUNDLE)."
    return fail(f"{whose}not trusted here: {said}", reason=TLS_TRUST, meaning=meaning, advice=advice)


async def _through_proxy(visit: Visit, context: ssl.SSLContext) -> Verdict:
    try:
        await _first_answer(visit, context)
    except aiohttp.ClientConnectorCertificateError as error:
        return fail(
            f"not trusted here: {error.certificate_error}",
            reason=TLS_TRUST,
            meaning="The certificate is of a CA that this machine does not know; perhaps it is the proxy's own.",
            advice="Name the CA of the service or of the proxy in SIGHTLINE_CA_BUNDLE.",
        )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return fail(
            f"the proxy does not connect: {error or 'no answer'}",
            reason=Reason.SERVICE_UNREACHABLE,
            advice="Check the proxy, or leave it out: NO_PROXY=HOST",
        )
    return fine("trusted here, through the proxy")


# --------------------------------------------------------------------------------------------- the clock


async def clock(visit: Visit) -> Verdict:
    """This machine's clock against the service's ``Date``. Needs no trusted certificate: nothing secret is sent."""
    unverified = _unverified()
    try:
        date, sent, received = await _first_answer(visit, unverified)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return fail(
            f"no HTTP answer: {error or type(error).__name__}",
            reason=Reason.SERVICE_UNREACHABLE,
            meaning="The port is open, and what listens there does not speak HTTP; or it speaks HTTPS only.",
            advice="Check the address: http:// is port 8080 of this machine, https:// port 8443 as a rule.",
        )
    visit.date = date
    try:
        # ``Date`` is cut to whole seconds.
        offset = parsedate_to_datetime(date or "").timestamp() + 0.5 - (sent + received) / 2
    except (ValueError, TypeError):
        return warn(
            "the service does not tell its time",
            meaning="Whether the clocks agree is not known.",
            advice="Compare this machine's clock with a good one: signatures allow 5 minutes.",
        )
    visit.offset = offset if abs(offset) > 1.0 else 0.0
    if abs(offset) < _NOTEWORTHY:
        return fine("agrees with the service's" + (f" within {abs(offset):.0f} s" if abs(offset) >= 1.5 else ""))
    way = "behind" if offset > 0 else "ahead of"
    measured = f"{_span(abs(offset))} {way} the service's ({date})"
    advice = (
        "Set the clock, best by NTP: timedatectl set-ntp true. If this one is right, it is the service's that is not."
    )
    if abs(offset) < _LIMIT:
        return warn(
            measured,
            meaning="It still works, but signatures are refused from five minutes on.",
            advice=advice,
            reason=Reason.CLOCK_SKEW,
        )
    if visit.link is not None:
        return warn(
            measured,
            meaning="A page does not mind: the service signs for it. Programs that sign themselves would be refused.",
            advice=advice,
            reason=Reason.CLOCK_SKEW,
        )
    return fail(
        measured,
        reason=Reason.CLOCK_SKEW,
        meaning="Signatures allow five minutes. Sightline's own clients sign by the service's clock and work all the "
        "same; others are refused.",
        advice=advice,
    )


async def _first_answer(visit: Visit, context: ssl.SSLContext) -> tuple[str | None, float, float]:
    """``Date`` of any answer at all, and when it was asked for and got, by our clock. A refusal will do."""
    timeout = aiohttp.ClientTimeout(total=_CONNECT * 2)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as http:
        sent = visit.clock()
        url = visit.endpoint + "/healthz"
        async with http.get(url, ssl=context, proxy=visit.proxy, allow_redirects=False) as answer:
            await answer.read()
            received = visit.clock()
            visit.is_sightline = answer.headers.get("x-sightline") is not None
            return answer.headers.get("Date"), sent, received


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
