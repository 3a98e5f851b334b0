"""Messages that wait for an absent recipient (KVS.md §5.4)."""

from __future__ import annotations

from collections import deque

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

    def has(self, kind: str) -> bool:
        """Whether a message of that kind waits."""
        return any(message.kind == kind for message in self._messages)

    def withdraw(self, sender: str) -> None:
        """Forget what that sender has waiting."""
        self._messages = deque(message for message in self._messages if message.sender != sender)

    def expire(self, now: float) -> int:
        """Forget what is too old; the number of messages forgotten."""
        kept = deque(message for message in self._messages if message.expires_at > now)
        gone = len(self._messages) - len(kept)
        self._messages = kept
        return gone

    def take(self, now: float) -> list[bytes]:
        """All frames that are still worth sending, in order; the queue is empty then."""
        frames = [message.frame for message in self._messages if message.expires_at > now]
        self._messages.clear()
        return frames
