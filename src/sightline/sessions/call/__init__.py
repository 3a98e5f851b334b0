"""One end of 1:1 calls: what to do about each message, wish and change of the connection (seed 004).

Sans-IO. ``web/sdk/call_session.js`` is its twin; both run over ``tests/vectors/call_session.json``.
"""

from .machine import CallMachine
from .options import CallOptions

__all__ = ["CallMachine", "CallOptions"]
