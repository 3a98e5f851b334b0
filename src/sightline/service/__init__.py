"""The service: control plane, signaling sockets, STUN, pages; an asyncio shell around ``exchange`` and ``wire``."""

from .service import Service, run

__all__ = ["Service", "run"]
