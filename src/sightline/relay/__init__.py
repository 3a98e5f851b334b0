"""The STUN and TURN server's state machines, without I/O and without a clock (RFC 8489, RFC 8656)."""

from .allocation import Allocation, Channel, ClientPath, Ports, RelayedPort
from .counters import RelayCounters
from .credentials import Authority, Nonces
from .frames import CHANNEL_HEADER, MAX_FRAME, StreamCutter, is_channel_data
from .limits import Bucket, Minting, RelayLimits, Strangers
from .peers import PeerRules, Verdict, is_private
from .server import Closed, Opened, Output, RelayServer, Reply, ToClient, ToPeer, data_indication

__all__ = [
    "CHANNEL_HEADER",
    "MAX_FRAME",
    "Allocation",
    "Authority",
    "Bucket",
    "Channel",
    "ClientPath",
    "Closed",
    "Minting",
    "Nonces",
    "Opened",
    "Output",
    "PeerRules",
    "Ports",
    "RelayCounters",
    "RelayLimits",
    "RelayServer",
    "RelayedPort",
    "Reply",
    "Strangers",
    "StreamCutter",
    "ToClient",
    "ToPeer",
    "Verdict",
    "data_indication",
    "is_channel_data",
    "is_private",
]
