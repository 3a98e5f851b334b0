"""STUN and TURN: which servers clients are given, whether they answer, and what they say of the network between."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, cast

import msgspec

from ..errors import ConnectError
from ..reasons import Reason
from .findings import Verdict, fail, fine, skip, warn
from .identity import cause_of
from .reach import trusting
from .visit import IceEntry, Visit

if TYPE_CHECKING:
    from ..rtc.ice.servers import StunServer, TurnServer

__all__ = ["STUN", "TURN", "configuration", "stun", "turn"]

STUN, TURN = "stun", "turn"

_SHORT = 30
"""Seconds; clients fetch anew that long before the end, and the C SDK takes no less (KVS.md §4.1)."""

_PATIENCE = 3.0
"""Seconds for a STUN server's answer."""

_TURN_PATIENCE = 8.0
"""Seconds for an allocation."""


# ------------------------------------------------------------------------------------ the configuration


class _Server(msgspec.Struct, rename="pascal"):
    uris: list[str] = []
    username: str = ""
    password: str = ""
    ttl: int | None = None


async def configuration(visit: Visit) -> Verdict:
    """Which servers there are, and for how long their credentials are good."""
    if visit.link is None:
        members = {"ChannelARN": visit.arn}
        if visit.role == "viewer":
            members["ClientId"] = visit.client_id
        options = {"service": "kinesis-video-signaling", "endpoint": visit.endpoints["HTTPS"]}
        try:
            with visit.stage("ICE servers"):
                answer = await visit.call("get_ice_server_config", dict(members), **options)
        except ConnectError as error:
            return fail(f"refused: {error.message}", reason=cause_of(error))
        try:
            servers = msgspec.convert(answer.get("IceServerList"), list[_Server])
        except msgspec.ValidationError:
            servers = []
        visit.ice = tuple(IceEntry(tuple(s.uris), s.username or None, s.password or None, s.ttl) for s in servers)
        if visit.target.is_aws:
            # AWS does not list its STUN server; its clients have the name built in (KVS.md §1).
            visit.ice = (IceEntry((f"stun:stun.kinesisvideo.{visit.region}.amazonaws.com:443",)), *visit.ice)
    return _judge(visit)


def _judge(visit: Visit) -> Verdict:
    urls = [url for entry in visit.ice for url in entry.urls]
    if not urls:
        return warn(
            "no server at all",
            meaning="Pictures come within one network only. Some clients (the C SDK) refuse an empty list.",
            advice="Leave a Sightline its own servers (--turn-port), or configure others.",
        )
    left = [left for entry in visit.ice if (left := _left(entry, visit.now)) is not None]
    ends = min(left, default=None)
    measured = f"{len(urls)} {'address' if len(urls) == 1 else 'addresses'}"
    if ends is None:
        return fine(f"{measured}, without credentials", *urls)
    measured += f", good for {ends:.0f} s"
    if ends <= 0:
        return fail(
            f"{measured.rpartition(',')[0]}, expired {-ends:.0f} s ago",
            *urls,
            reason=Reason.ICE_EXPIRED,
            meaning="The relay will refuse these credentials: clocks disagree, or an old answer was kept somewhere.",
            advice="Set the clocks of the service and of the TURN server by NTP, and let no proxy cache the answer.",
        )
    if ends < _SHORT:
        return warn(
            measured,
            *urls,
            meaning="So short that a client on a slow line may come too late with them.",
            advice="Give TURN credentials five minutes (300 s), as AWS does.",
            reason=Reason.ICE_EXPIRED,
        )
    return fine(measured, *urls)


def _left(entry: IceEntry, now: float) -> float | None:
    """Seconds that a credential is good yet; by its user name where that tells (``EXPIRY:…``), else by its TTL."""
    expiry = re.match(r"(\d{9,11})(?::|$)", entry.username or "")
    if expiry is not None:
        return int(expiry[1]) - now
    return None if entry.username is None or entry.ttl is None else float(entry.ttl)


# --------------------------------------------------------------------------------------------- STUN


class _Reply(msgspec.Struct, frozen=True):
    server: StunServer
    mapped: tuple[str, int] | None
    """None: no answer."""
    local: tuple[str, int]
    took: float
    problem: str = ""


async def stun(visit: Visit) -> Verdict:
    """Whether each server answers, how fast, and which address it sees. TURN servers over UDP are asked as well."""
    from ..rtc.ice.servers import StunServer, parse_servers

    stuns, turns = parse_servers(visit.ice)
    asked = dict.fromkeys([*stuns, *(StunServer(t.host, t.port) for t in turns if t.transport == "udp")])
    if not asked:
        return skip("no server to ask over UDP")
    replies = await _ask_all(list(asked))
    details = [_line(reply) for reply in replies]
    answered = [reply for reply in replies if reply.mapped is not None]
    if not answered:
        return fail(
            f"none of {len(asked)} servers answers" if len(asked) > 1 else details[0],
            *(details if len(details) > 1 else ()),
            reason=STUN,
            meaning="This machine cannot learn its address as seen from outside, so others find no direct way to it: "
            "UDP is blocked, or the server is down. Within one network pictures come all the same.",
            advice="Let UDP through to that port in both directions, and check that the server runs. A relay over TLS "
            "(next line) helps where UDP stays blocked.",
        )
    if _is_symmetric(answered):
        return warn(
            "symmetric NAT: each server sees another address of the same socket",
            *details,
            meaning="The router gives every destination another port, so a direct way is found to few others; the rest "
            "needs a relay.",
            advice="Have a TURN server (next line), or another network. Mobile networks often are of this kind.",
        )
    silent = len(asked) - len({reply.server for reply in answered})
    if silent:
        return warn(
            f"{silent} of {len(asked)} {'do' if silent > 1 else 'does'} not answer",
            *details,
            meaning="Clients lose seconds with a server that is silent.",
            advice="Take it out of the service's settings, or get it going.",
        )
    best = min(answered, key=lambda reply: reply.took)
    assert best.mapped is not None
    rest = details if len(asked) > 1 else []
    seen = "this machine's own address (no NAT between)" if best.mapped == best.local else _address(*best.mapped)
    where = _address(best.server.host, best.server.port)
    return fine(f"{where} answers in {best.took * 1000:.1f} ms and sees {seen}", *rest)


async def _ask_all(servers: list[StunServer]) -> list[_Reply]:
    """From one socket for each family of addresses: only then the answers can be compared."""
    from ..rtc.ice.resolve import resolve

    sockets: dict[str, _StunSocket] = {}
    work: list[Coroutine[None, None, _Reply]] = []
    try:
        for server in servers:
            problem = "its name is not known here"
            ways = 0
            try:
                async with asyncio.timeout(_PATIENCE):
                    addresses = await resolve(server.host, server.port)
            except (OSError, TimeoutError):
                addresses = []
            for address in addresses:
                try:
                    source = _source(address)
                except OSError as error:  # no address of that family here: no client would ask it
                    problem = error.strerror or str(error)
                    continue
                if source not in sockets:
                    sockets[source] = await _StunSocket.open(source)
                work.append(sockets[source].ask(server, address))
                ways += 1
            if not ways:
                work.append(_not_asked(server, problem))
        return list(await asyncio.gather(*work))
    finally:
        for each in sockets.values():
            each.close()


async def _not_asked(server: StunServer, problem: str) -> _Reply:
    return _Reply(server, None, ("", 0), 0.0, problem)


def _source(address: tuple[str, int]) -> str:
    """The address of this machine from which that one is reached; nothing is sent."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        probe.connect(address)
        return str(probe.getsockname()[0])


class _StunSocket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._answers: dict[bytes, asyncio.Future[tuple[str, int]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._local = ("", 0)

    @classmethod
    async def open(cls, host: str) -> _StunSocket:
        loop = asyncio.get_running_loop()
        transport, made = await loop.create_datagram_endpoint(cls, local_addr=(host, 0))
        made._transport = transport
        made._local = transport.get_extra_info("sockname")[:2]
        return made

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        from aioice import stun

        try:
            message = stun.parse_message(cast(bytes, data))
        except ValueError:
            return
        answer = self._answers.get(message.transaction_id)
        mapped = message.attributes.get("XOR-MAPPED-ADDRESS") or message.attributes.get("MAPPED-ADDRESS")
        if answer is not None and not answer.done() and mapped is not None:
            answer.set_result(mapped)

    async def ask(self, server: StunServer, address: tuple[str, int]) -> _Reply:
        from aioice import stun

        assert self._transport is not None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        future: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        self._answers[request.transaction_id] = future
        wait, end = 0.25, time.monotonic() + _PATIENCE
        sent = time.monotonic()
        while not future.done() and (left := end - time.monotonic()) > 0:
            sent = time.monotonic()
            self._transport.sendto(bytes(request), address)
            await asyncio.wait({future}, timeout=min(wait, left))
            wait *= 2
        if not future.done():
            future.cancel()
            return _Reply(server, None, self._local, _PATIENCE, f"no answer in {_PATIENCE:g} s")
        return _Reply(server, future.result(), self._local, time.monotonic() - sent)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _is_symmetric(replies: list[_Reply]) -> bool:
    """Two public servers that see two addresses of one socket (RFC 4787 §4.1)."""
    seen: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for reply in replies:
        if reply.mapped is not None and not ipaddress.ip_address(reply.mapped[0]).is_loopback:
            seen.setdefault(reply.local, set()).add(reply.mapped)
    return any(len(mapped) > 1 for mapped in seen.values())


def _line(reply: _Reply) -> str:
    where = _address(reply.server.host, reply.server.port)
    if reply.mapped is None:
        return f"{where}: {reply.problem}"
    return f"{where}: sees {_address(*reply.mapped)}, {reply.took * 1000:.1f} ms"


# --------------------------------------------------------------------------------------------- TURN


class _Allocated(msgspec.Struct, frozen=True):
    server: TurnServer
    took: float
    relayed: tuple[str, int] | None = None
    mapped: tuple[str, int] | None = None
    """Our address as the server sees it."""
    problem: str = ""
    code: int = 0

    @property
    def is_inside(self) -> bool:
        """Whether it gives out a private address to somebody who came from the internet."""
        if self.relayed is None or self.mapped is None:
            return False
        relayed, mapped = ipaddress.ip_address(self.relayed[0]), ipaddress.ip_address(self.mapped[0])
        return relayed.is_private and mapped.is_global


async def turn(visit: Visit) -> Verdict:
    """Whether each relay address gives us an allocation; all are asked at the same time, and released again."""
    from ..rtc.ice.servers import parse_servers

    _, servers = parse_servers(visit.ice)
    unused = [url for entry in visit.ice for url in entry.urls if not any(parse_servers([_one(entry, url)]))]
    if not servers:
        return warn(
            "there is no relay",
            *unused,
            meaning="Without a TURN server no picture comes where no direct way exists: behind some NATs, firewalls.",
            advice="On one network none is needed. Else leave a Sightline its own (--turn-port), or configure one.",
        )
    context = await asyncio.to_thread(trusting, visit)
    results = await asyncio.gather(*(_allocate(server, context) for server in servers))
    details = [*(_result(result) for result in results), *(f"{url}: of no use to Sightline" for url in unused)]
    good = [result for result in results if result.relayed is not None]
    inside = [result for result in good if result.is_inside]
    if inside:
        return warn(
            f"it relays as {_address(*(inside[0].relayed or ('', 0)))}, which only its own network reaches",
            *details,
            meaning="We came to it from outside, so the relay stands behind a NAT and gives out its address there: "
            "nobody elsewhere can use it.",
            advice="Tell it its public address: sightline serve --turn-external-ip ADDR (coturn: external-ip).",
        )
    if len(good) == len(results):
        ways = ", ".join(dict.fromkeys(result.server.transport for result in results))
        fastest = min(result.took for result in results)
        return fine(f"allocates over {ways}, the fastest in {fastest * 1000:.0f} ms", *details)
    refused = {result.code for result in results if result.code}
    if 401 in refused or 441 in refused:
        return fail(
            "the relay does not accept the credentials",
            *details,
            reason=Reason.ICE_EXPIRED,
            meaning="They have expired, or the service and the TURN server do not share the same secret.",
            advice="Compare the secret in the service's settings with the TURN server's (coturn: static-auth-secret, "
            "with use-auth-secret), and their clocks.",
        )
    if good:
        return warn(
            f"{len(good)} of {len(results)} addresses allocate",
            *details,
            meaning="Viewers whose network lets only the others through get no picture.",
            advice="See what each line says: a firewall, a port that nobody listens on, a certificate.",
        )
    return fail(
        "no relay address allocates",
        *details,
        reason=TURN,
        meaning="There is no picture where no direct way exists: behind some NATs, firewalls.",
        advice="See what each line says. UDP blocked: offer turn:…?transport=tcp and turns: on port 443. Refused: look "
        "at the TURN server's limits (--turn-allocations, --turn-ports) and log.",
    )


async def _allocate(server: TurnServer, context: object) -> _Allocated:
    from ..rtc.ice.turn import TurnClient, TurnError

    client = TurnClient(server, on_data=lambda _data, _peer: None, on_lost=lambda: None, tls=context)  # type: ignore[arg-type]
    started = time.monotonic()
    try:
        async with asyncio.timeout(_TURN_PATIENCE):
            allocation = await client.allocate()
        return _Allocated(server, time.monotonic() - started, relayed=allocation.relayed, mapped=allocation.mapped)
    except TurnError as error:
        return _Allocated(server, time.monotonic() - started, problem=error.message, code=error.code)
    except TimeoutError:
        return _Allocated(server, _TURN_PATIENCE, problem=f"no answer in {_TURN_PATIENCE:g} s")
    finally:
        await client.aclose()


def _one(entry: IceEntry, url: str) -> IceEntry:
    return IceEntry((url,), entry.username, entry.credential)


def _result(result: _Allocated) -> str:
    server = result.server
    where = f"{_address(server.host, server.port)} over {server.transport}"
    if result.relayed is None:
        return f"{where}: {result.problem}"
    return f"{where}: relays as {_address(*result.relayed)}, {result.took * 1000:.0f} ms"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
