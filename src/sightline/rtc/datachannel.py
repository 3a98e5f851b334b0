"""Data channels with one peer (RFC 8831, RFC 8832): messages, broadcasts, questions and answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count

from aiortc import RTCDataChannel, RTCDataChannelParameters

from .data_requests import Ask, Json, encode_ask, encode_error, encode_reply, read_request
from .sctp import SctpAssociation
from .sdp import AgreedData

__all__ = ["DataChannels", "DataRequest", "RequestFailed"]

log = logging.getLogger(__name__)

_MAX_CHANNELS = 64
_MAX_BUFFERED = 1024 * 1024
"""Bytes that wait for a slow viewer; what comes then is not sent, and ``send`` says so."""

_MAX_PENDING = 256
"""Questions without an answer, each way."""

_NO_QUESTION = 'This is no question: it reads {"id": "1", "request": …}.'

Message = str | bytes


class RequestFailed(Exception):
    """There is no answer to a question: the peer said why, it left, or the time was over.

    ``code`` says which: the peer's own code or ``refused``; ``not-connected`` and ``not-sent``: the peer never got the
    question; ``no-answer``, ``connection-lost``: it may have.
    """

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class DataRequest:
    """A question of the peer's. Answer it once, now or later; after the channel is closed that does nothing."""

    def __init__(self, channel: RTCDataChannel, ask: Ask, send: Callable[[RTCDataChannel, Message], bool]) -> None:
        self.label = str(channel.label)
        self.value = ask.value
        """JSON, as dicts, lists, strings, numbers, booleans and None."""
        self._channel = channel
        self._id = ask.id
        self._send = send
        self._answered = False

    def reply(self, value: Json) -> bool:
        """Answer; False when it could not be sent."""
        return self._answer(encode_reply(self._id, value))

    def refuse(self, reason: str, code: str = "") -> bool:
        """Say that there is no answer, in words for a person; ``code``: a word with small letters for programs."""
        return self._answer(encode_error(self._id, reason, code))

    def _answer(self, text: str) -> bool:
        if self._answered:
            return False
        # What cannot be sent, because it is too long or the peer too slow, may be followed by something shorter.
        self._answered = self._send(self._channel, text)
        return self._answered


class DataChannels:
    """All channels of one peer, whoever opened them. Callbacks come in the event loop, and may close everything.

    A malformed packet never raises: it is dropped, or it ends the channels (``on_failure``), and nothing else.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """``send`` takes an SCTP packet for DTLS. ConnectionError is taken as a lost packet."""
        self.on_message: Callable[[str, Message], None] | None = None
        """Label of the channel and the message: ``str`` or ``bytes`` as it was sent."""
        self.on_request: Callable[[DataRequest], None] | None = None
        """Questions. While it is None, they come as messages like any other."""
        self.on_open: Callable[[str], None] | None = None
        self.on_close: Callable[[str], None] | None = None
        self.on_failure: Callable[[str], None] | None = None
        """The channels are gone though the connection is not; with the reason, for the log."""
        self.dropped = 0
        """Messages that a slow peer was not sent."""
        self._send_packet = send
        self._association: SctpAssociation | None = None
        self._channels: list[RTCDataChannel] = []
        self._pending: dict[str, tuple[RTCDataChannel, asyncio.Future[object]]] = {}
        self._listeners: dict[str, Callable[[DataRequest], None]] = {}
        self._ids = count(1)
        self._closed = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the channels that are open, one for each."""
        return tuple(channel.label for channel in self._channels if channel.readyState == "open")

    @property
    def refused(self) -> int:
        """Malformed packets that were dropped."""
        return self._association.refused if self._association is not None else 0

    def start(self, agreed: AgreedData, *, client: bool) -> None:
        """To be called when DTLS is connected. ``client``: our role there. Calls after the first do nothing."""
        if self._closed or self._association is not None:
            return
        self._association = SctpAssociation(
            self._transmit,
            client=client,
            port=agreed.local_port,
            on_channel=self._accept,
            on_failure=self._fail,
        )
        self._association.start(remote_port=agreed.remote_port, max_message_size=agreed.max_message_size)

    def receive(self, packet: bytes) -> None:
        """Application data out of DTLS. Dropped before ``start`` and after the end."""
        if self._association is not None and not self._closed:
            self._association.receive(packet)

    def open(self, label: str, *, ordered: bool = True, max_retransmits: int | None = None, protocol: str = "") -> None:
        """Open a channel of ours, after ``start``; ``on_open`` tells when the peer has it."""
        if self._association is None or self._closed or len(self._channels) >= _MAX_CHANNELS:
            raise ConnectionError("There is no connection for a data channel.")
        # aiortc writes lengths in characters and means bytes (RFC 8832 §5.1).
        if not (label + protocol).isascii():
            raise ValueError("The label and the protocol of a data channel must be ASCII.")
        parameters = RTCDataChannelParameters(
            label=label, ordered=ordered, maxRetransmits=max_retransmits, protocol=protocol
        )
        self._follow(self._association.open(lambda sctp: RTCDataChannel(sctp, parameters)))

    def answer_on(self, label: str, listener: Callable[[DataRequest], None]) -> None:
        """Channels of this label are for questions, and the listener's alone; all else is answered with an error."""
        self._listeners[label] = listener

    def send(self, message: Message, label: str | None = None) -> int:
        """Send to every open channel, or to those of the label; the number of channels that took it.

        A slow peer, whose buffer is full, misses the message (``dropped``); so does one that takes none that long.
        """
        chosen = [channel for channel in self._channels if label is None or channel.label == label]
        return sum(self._send(channel, message) for channel in chosen)

    async def request(self, value: Json, *, label: str, timeout: float = 5.0) -> object:
        """Ask the peer on the first open channel of the label, and wait for the answer, at most ``timeout`` seconds.

        Raises RequestFailed when there is none.
        """
        channel = next((one for one in self._channels if one.label == label and one.readyState == "open"), None)
        if channel is None:
            raise RequestFailed(f"There is no open data channel {label!r} to ask on.", "not-connected")
        if len(self._pending) >= _MAX_PENDING:
            raise RequestFailed(f"{_MAX_PENDING} questions wait for their answers already.", "not-sent")
        id_ = str(next(self._ids))
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._pending[id_] = channel, answer
        try:
            if not self._send(channel, encode_ask(id_, value)):
                raise RequestFailed(f"The question could not be sent on {label!r}.", "not-sent")
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise RequestFailed(f"No answer on {label!r} within {timeout:g} s.", "no-answer") from None
        finally:
            del self._pending[id_]

    def abandon(self) -> None:
        """The connection is being given up: whoever waits for an answer need not wait for its end."""
        self._give_up("The connection was closed.")

    def close(self, label: str) -> None:
        """Close the channels of a label, ours or the peer's."""
        for channel in [channel for channel in self._channels if channel.label == label]:
            channel.close()

    async def aclose(self) -> None:
        """Close everything. Idempotent, safe from any state."""
        self._closed = True
        self._give_up("The connection was closed.")
        if self._association is not None:
            await self._association.aclose()
        self._channels.clear()

    def _transmit(self, packet: bytes) -> None:
        try:
            self._send_packet(packet)
        except ConnectionError as error:
            log.debug("SCTP packet lost: %s", error)

    def _accept(self, channel: RTCDataChannel) -> None:
        """A channel that the peer has opened."""
        if len(self._channels) >= _MAX_CHANNELS:
            channel.close()
            return
        self._follow(channel)
        self._call(self.on_open, channel.label)

    def _follow(self, channel: RTCDataChannel) -> None:
        self._channels.append(channel)
        channel.on("message", lambda message: self._receive(channel, message))
        channel.on("open", lambda: self._call(self.on_open, channel.label))
        channel.on("close", lambda: self._forget(channel))

    def _forget(self, channel: RTCDataChannel) -> None:
        if channel in self._channels:
            self._channels.remove(channel)
            self._give_up("The data channel was closed.", channel)
            self._call(self.on_close, channel.label)

    def _receive(self, channel: RTCDataChannel, message: Message) -> None:
        read = read_request(message) if isinstance(message, str) else None
        listener = self._listeners.get(channel.label)
        if listener is not None and isinstance(read, Ask):
            self._call(listener, DataRequest(channel, read, self._send))
            return
        if listener is not None and read is None:
            self._send(channel, encode_error("", _NO_QUESTION, "bad-request"))
            return
        if isinstance(read, Ask) and self.on_request is not None:
            self._call(self.on_request, DataRequest(channel, read, self._send))
            return
        if read is not None and not isinstance(read, Ask):
            _, answer = self._pending.get(read.id, (None, None))
            if answer is not None and not answer.done():
                if read.error is None:
                    answer.set_result(read.value)
                else:
                    answer.set_exception(RequestFailed(read.error, read.code or "refused"))
                return
        self._call(self.on_message, channel.label, message)

    def _send(self, channel: RTCDataChannel, message: Message) -> bool:
        if self._closed or channel.readyState != "open":
            return False
        waiting = sum(one.bufferedAmount for one in self._channels)
        if waiting + len(message) > _MAX_BUFFERED:
            self.dropped += 1
            return False
        try:
            channel.send(message)
        except ValueError as error:
            log.debug("message not sent on %s: %s", channel.label, error)
            self.dropped += 1
            return False
        return True

    def _fail(self, why: str) -> None:
        self._give_up("The data channels have failed.")
        self._channels.clear()
        self._call(self.on_failure, why)

    def _give_up(self, why: str, channel: RTCDataChannel | None = None) -> None:
        """Of one channel, or of all."""
        for asked_on, answer in self._pending.values():
            if not answer.done() and channel in (None, asked_on):
                answer.set_exception(RequestFailed(why, "connection-lost"))

    def _call(self, listener: Callable[..., None] | None, *arguments: object) -> None:
        """A listener's mistake is not the peer's fault, and aiortc must not stumble over it."""
        if listener is None:
            return
        try:
            listener(*arguments)
        except Exception:
            log.exception("a listener of data channels raised")
