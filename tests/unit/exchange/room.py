"""An exchange with a clock of its own, and clients that note what they are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from sightline.exchange import Close, Connection, Drop, Exchange, ExchangeLimits, Muted, Output, Ping, Role, Send
from sightline.timers import Timers
from sightline.wire.messages import ClientMessage

ARN = "arn:aws:kinesisvideo:us-west-2:000000000000:channel/demo/1700000000123"
OTHER = "arn:aws:kinesisvideo:us-west-2:000000000000:channel/other/1700000000123"


def payload(text: str) -> str:
    """Base64, as clients send it."""
    return base64.b64encode(text.encode()).decode()


@dataclass(eq=False)
class Client:
    """One socket's other end: what arrived, and how it ended."""

    connection: Connection
    frames: list[dict[str, object]] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    mutes: list[Muted] = field(default_factory=list)
    pings: int = 0

    def received(self) -> list[str]:
        """The payloads that arrived since the last question, as text."""
        frames, self.frames = self.frames, []
        assert all("messagePayload" in frame for frame in frames), frames
        return [base64.b64decode(str(frame["messagePayload"])).decode() for frame in frames]

    def extras(self) -> list[tuple[str, dict[str, object]]]:
        """Takes out the messages beyond KVS that arrived: name after the slash, and content."""
        mine = [frame for frame in self.frames if str(frame["messageType"]).startswith("sightline/")]
        self.frames = [frame for frame in self.frames if frame not in mine]
        return [
            (str(frame["messageType"]).partition("/")[2], json.loads(base64.b64decode(str(frame["messagePayload"]))))
            for frame in mine
        ]

    def reasons(self) -> list[object]:
        """The reasons of the notices that arrived, all else beyond KVS left out."""
        return [content["reason"] for name, content in self.extras() if name == "notice"]

    def statuses(self) -> list[dict[str, str]]:
        """The STATUS_RESPONSEs that arrived since the last question."""
        frames, self.frames = self.frames, []
        assert all(frame["messageType"] == "STATUS_RESPONSE" for frame in frames), frames
        return [frame["statusResponse"] for frame in frames]  # type: ignore[misc]

    @property
    def codes(self) -> list[int]:
        """The close codes it was given."""
        return [int(close.code) for close in self.closes]


class Room:
    """Steps an exchange: each method is something that happens in the world, at `now`."""

    def __init__(
        self,
        *,
        limits: ExchangeLimits | None = None,
        timers: Timers | None = None,
        ttl: float = 60.0,
        now: float = 1000.0,
    ) -> None:
        self.exchange = Exchange(limits=limits, timers=timers or Timers())
        self.ttl = ttl
        self.now = now

    def master(self, *, arn: str = ARN, **more: object) -> Client:
        """A master connects."""
        return self._join(arn, Role.MASTER, "", **more)

    def viewer(self, client_id: str = "v1", *, arn: str = ARN, **more: object) -> Client:
        """A viewer connects; raises ClientLimitExceeded when the channel is full."""
        return self._join(arn, Role.VIEWER, client_id, **more)

    def _join(self, arn: str, role: Role, client_id: str, **more: object) -> Client:
        connection = Connection(arn, role, client_id, now=self.now, **more)  # type: ignore[arg-type]
        client = Client(connection)
        connection.shell = client
        self.perform(self.exchange.connect(connection, ttl=self.ttl, now=self.now))
        return client

    def leave(self, client: Client) -> None:
        """Its socket is gone."""
        self.perform(self.exchange.disconnect(client.connection))

    def say(
        self,
        client: Client,
        text: str = "x",
        *,
        to: str = "",
        action: str = "ICE_CANDIDATE",
        correlation_id: str = "",
        raw: str | None = None,
    ) -> None:
        """It sends a message; `raw` is a payload that is not made of text."""
        message = ClientMessage(action, payload(text) if raw is None else raw, to, correlation_id)
        self.perform(self.exchange.message(client.connection, message, self.now))

    def junk(self, client: Client) -> None:
        """It sends something that is no message."""
        self.perform(self.exchange.malformed(client.connection, self.now))

    def later(self, seconds: float) -> None:
        """Time passes at once; what was due is done then."""
        self.now += seconds
        self.perform(self.exchange.tick(self.now))

    def live(self, seconds: float) -> None:
        """Time passes, with each deadline kept to the moment."""
        end = self.now + seconds
        while (due := self.exchange.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.perform(self.exchange.tick(self.now))
        self.now = end

    def perform(self, outputs: Iterable[Output]) -> None:
        """What the shell does."""
        for output in outputs:
            client = output.to.shell
            assert isinstance(client, Client)
            assert not output.to.closed, f"{output} for a socket that is gone"
            match output:
                case Send():
                    client.frames.append(json.loads(output.frame))
                case Close():
                    client.closes.append(output)
                case Drop():
                    client.drops.append(output)
                case Ping():
                    client.pings += 1
                case Muted():
                    client.mutes.append(output)

    def is_empty(self) -> bool:
        """Nothing is kept of any channel."""
        return not len(self.exchange) and not list(self.exchange.connections()) and not self.exchange._channels
