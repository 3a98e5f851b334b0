"""Messages that wait for an absent recipient (KVS.md §5.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Container

from ..wire.messages import MessageType

__all__ = ["PendingMessage", "PendingQueue"]


class PendingMessage:
    """A frame ready to be sent, and until when it is worth sending."""

    __slots__ = ("expires_at", "frame", "kind", "sender")

    def __init__(self, sender: str, kind: str, frame: bytes, expires_at: float) -> None:
        self.sender = sender
        self.kind = kind
        self.frame = frame
        self.expires_at = expires_at


class PendingQueue:
    """First in, first out, with two rules: a newer SDP of the same sender and kind overwrites the waiting one, in its
    place (so that candidates never come before their description), and nothing is given out after its time.
    """

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: deque[PendingMessage] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def count_from(self, sender: str) -> int:
        """How many messages of that sender wait."""
        return sum(message.sender == sender for message in self._messages)

    def put(self, message: PendingMessage) -> bool:
        """Add a message; True when it took the place of an older one."""
        if message.kind != MessageType.ICE_CANDIDATE:
            for index, waiting in enumerate(self._messages):
                if waiting.kind == message.kind and waiting.sender == message.sender:
                    self._messages[index] = message
                    return True
        self._messages.append(message)
        return False

    def senders_of(self, kind: str) -> set[str]:
        """Who has a message of that kind waiting."""
        return {message.sender for message in self._messages if message.kind == kind}

    def keep_until(self, time: float) -> None:
        """Let nothing that waits now expire before that time."""
        for message in self._messages:
            message.expires_at = max(message.expires_at, time)

    def withdraw(self, sender: str) -> int:
        """Forget what that sender has waiting; the number of messages forgotten."""
        waiting = len(self._messages)
        self._messages = deque(message for message in self._messages if message.sender != sender)
        return waiting - len(self._messages)

    def expire(self, now: float) -> int:
        """Forget what is too old; the number of messages forgotten."""
        kept = deque(message for message in self._messages if message.expires_at > now)
        gone = len(self._messages) - len(kept)
        self._messages = kept
        return gone

    def take(self, now: float, *, but_of: Container[str] = ()) -> list[bytes]:
        """The frames that are still worth sending, in order; those of the senders ``but_of`` stay."""
        taken = [message for message in self._messages if message.sender not in but_of]
        self._messages = deque(message for message in self._messages if message.sender in but_of)
        return [message.frame for message in taken if message.expires_at > now]

    def take_of(self, sender: str, now: float) -> list[bytes]:
        """The same for one sender's frames."""
        frames = [message.frame for message in self._messages if message.sender == sender and message.expires_at > now]
        self.withdraw(sender)
        return frames
