"""A viewer made of the engine's own parts: unlike aiortc's it can restart ICE, and counts every packet that it gets."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from itertools import pairwise

from aioice import Candidate

from sightline.rtc.candidates import parse_candidate
from sightline.rtc.certificates import Certificate
from sightline.rtc.demultiplex import DatagramKind, datagram_kind
from sightline.rtc.dtls import DtlsSession, DtlsState
from sightline.rtc.ice.agent import IceAgent
from sightline.rtc.ice.config import IceConfig
from sightline.rtc.ice.session import IceSession
from sightline.rtc.rtp.rtcp import Report, SenderReport, build, parse
from sightline.rtc.sdp import (
    Description,
    LocalTransport,
    Origin,
    OurMedia,
    Ours,
    Setup,
    SourceCodec,
    agree,
    make_answer,
    make_offer,
    make_restart_offer,
    parse_description,
    write_description,
)

Candidates = Callable[[Mapping[str, object]], None]


class EngineViewer:
    def __init__(self, *, video: str = "H264", audio: bool = False, certificate: Certificate | None = None) -> None:
        self.certificate = certificate or Certificate.make()
        self.media = [OurMedia(kind="video", codecs=(SourceCodec(video),), sends=False, receives=True)]
        if audio:
            self.media.append(OurMedia(kind="audio", codecs=(SourceCodec("opus"),), sends=False, receives=True))
        self.on_candidate: Candidates | None = None
        self.sequences: dict[int, list[int]] = {}
        """The numbers of the packets that came, by SSRC, duplicates left out."""
        self.arrivals: list[float] = []
        self.reports: list[tuple[float, Report]] = []
        self.dtls: DtlsSession | None = None
        self.peers: tuple[object, ...] = ()
        self._seen: set[tuple[int, int]] = set()
        self._origin = Origin(str(secrets.randbits(60)), 1)
        self._local: Description | None = None
        self._agent: IceAgent | None = None
        self._offered: Description | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.ice = IceSession(
            controlling=True,
            config=IceConfig(),
            on_datagram=self._receive,
            on_candidate=self._found,
            on_change=self._follow_ice,
        )

    async def offer(self) -> str:
        """The first offer, or a restart of the session that there is."""
        agent = self._agent = self.ice.restart()
        await agent.gather()
        transport = self._transport(agent)
        self._origin = self._origin.next()
        if self._local is None:
            offer = make_offer(Ours(origin=self._origin, transport=transport, media=tuple(self.media)))
        else:
            offer = make_restart_offer(self._local, origin=self._origin, transport=transport)
        self._offered = offer
        return write_description(offer)

    async def accept(self, answer: str) -> None:
        assert self._offered is not None
        assert self._agent is not None
        description = parse_description(answer)
        agreement = agree(self._offered, description, offerer=True)
        self._local = self._offered
        self.ice.start(self._agent, agreement.remote.ufrag, agreement.remote.password)
        if self.dtls is None or tuple(agreement.remote.fingerprints) != self.peers:
            # Another certificate is how a peer says that DTLS begins again.
            self.peers = tuple(agreement.remote.fingerprints)
            self.dtls = DtlsSession(
                self.certificate, client=agreement.client, fingerprints=agreement.remote.fingerprints
            )
        for text in description.candidates:
            await self.candidate({"candidate": text, "usernameFragment": agreement.remote.ufrag})
        self._follow_ice()

    async def answer(self, offer: str) -> str:
        """The answer to a restart that the other side began."""
        theirs = parse_description(offer)
        agent = self._agent = self.ice.restart()
        await agent.gather()
        assert self._local is not None
        assert self.dtls is not None
        self._origin = self._origin.next()
        answer = make_answer(
            theirs,
            Ours(
                origin=self._origin,
                transport=self._transport(agent),
                media=tuple(self.media),
                setup=Setup.ACTIVE if self.dtls.client else Setup.PASSIVE,
            ),
        )
        self._local = answer
        remote = theirs.transport
        self.ice.start(agent, remote.ufrag, remote.password)
        for text in theirs.candidates:
            await self.candidate({"candidate": text, "usernameFragment": remote.ufrag})
        return write_description(answer)

    def _transport(self, agent: IceAgent) -> LocalTransport:
        return LocalTransport(
            ufrag=agent.local_ufrag,
            password=agent.local_password,
            fingerprint=self.certificate.fingerprint,
            candidates=tuple(f"candidate:{candidate.to_sdp()}" for candidate in agent.local_candidates),
        )

    async def candidate(self, content: Mapping[str, object]) -> None:
        found = parse_candidate(str(content["candidate"]))
        if found is not None:
            await self.ice.add_remote_candidate(
                Candidate(found.foundation, 1, "udp", found.priority, found.address, found.port, found.type),
                ufrag=str(content["usernameFragment"]),
            )

    async def connected(self) -> None:
        async with asyncio.timeout(5):
            while self.dtls is None or self.dtls.state is not DtlsState.CONNECTED:  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    @property
    def missing(self) -> int:
        """Packets that did not come, of those between the first and the last that did."""
        return sum(max(numbers) - min(numbers) + 1 - len(numbers) for numbers in self.sequences.values() if numbers)

    @property
    def packets(self) -> int:
        return sum(map(len, self.sequences.values()))

    def longest_pause(self, *, since: float) -> float:
        times = [at for at in self.arrivals if at >= since]
        return max((after - before for before, after in pairwise(times)), default=999.0)

    def send_rtcp(self, *reports: Report) -> None:
        assert self.dtls is not None
        assert self.dtls.srtp is not None
        self.ice.send([self.dtls.srtp.protect_rtcp(build(reports))])

    def send_rtcp_bytes(self, packet: bytes) -> None:
        assert self.dtls is not None
        assert self.dtls.srtp is not None
        self.ice.send([self.dtls.srtp.protect_rtcp(packet)])

    def say_goodbye(self) -> None:
        assert self.dtls is not None
        self.dtls.close()
        self.ice.send(self.dtls.take_outgoing())

    def go_silent(self) -> None:
        """Every socket is gone, without a word."""
        self._end_timer()
        self._tasks.add(asyncio.get_running_loop().create_task(self.ice.sleep()))

    async def aclose(self) -> None:
        self._end_timer()
        await self.ice.aclose()
        for task in self._tasks:
            await task

    def _found(self, candidate: Candidate | None, ufrag: str) -> None:
        if candidate is not None and self.on_candidate is not None:
            self.on_candidate({"candidate": f"candidate:{candidate.to_sdp()}", "usernameFragment": ufrag})

    def _follow_ice(self) -> None:
        if self.dtls is not None and self.ice.has_path:
            self.dtls.start(time.monotonic())
            self._follow_dtls()

    def _follow_dtls(self) -> None:
        assert self.dtls is not None
        self.ice.send(self.dtls.take_outgoing())
        self._end_timer()
        due = self.dtls.next_timeout()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _tick(self) -> None:
        assert self.dtls is not None
        self.dtls.tick(time.monotonic())
        self._follow_dtls()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _receive(self, datagram: bytes) -> None:
        if self.dtls is None:
            return
        match datagram_kind(datagram):
            case DatagramKind.DTLS:
                self.dtls.receive(datagram, time.monotonic())
                self._follow_dtls()
            case DatagramKind.RTP if self.dtls.srtp is not None:
                packet = self.dtls.srtp.unprotect(datagram)
                if isinstance(packet, bytes):
                    self._count(packet)
            case DatagramKind.RTCP if self.dtls.srtp is not None:
                packet = self.dtls.srtp.unprotect_rtcp(datagram)
                if isinstance(packet, bytes):
                    self.reports += [(time.monotonic(), report) for report in parse(packet)]

    def _count(self, packet: bytes) -> None:
        ssrc, number = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        self.arrivals.append(time.monotonic())
        if (ssrc, number) not in self._seen:
            self._seen.add((ssrc, number))
            self.sequences.setdefault(ssrc, []).append(number)

    def sender_reports(self) -> list[float]:
        """When they came."""
        return [at for at, report in self.reports if isinstance(report, SenderReport)]
