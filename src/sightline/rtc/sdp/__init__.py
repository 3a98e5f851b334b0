"""Session descriptions (RFC 8866, RFC 8829): read, written, answered and offered as typed values.

Only ``InvalidSdp`` is raised for what a peer sent. ``parse_description`` reads what browsers, native stacks and devices
write; ``make_answer``, ``make_offer`` and ``make_restart_offer`` say what we want; ``agree`` tells, once both
descriptions are known, what goes over the connection.
"""

from .agreement import AgreedData, AgreedMedia, Agreement, agree
from .answer import make_answer
from .codecs import H264Profile, SourceCodec, h264_profile
from .description import (
    Codec,
    Description,
    Direction,
    HeaderExtension,
    Origin,
    Section,
    Setup,
    Source,
    SourceGroup,
    Transport,
)
from .offer import make_offer, make_restart_offer, with_sending
from .ours import LocalTransport, OurMedia, Ours
from .parse import parse_description
from .write import write_description

__all__ = [
    "AgreedData",
    "AgreedMedia",
    "Agreement",
    "Codec",
    "Description",
    "Direction",
    "H264Profile",
    "HeaderExtension",
    "LocalTransport",
    "Origin",
    "OurMedia",
    "Ours",
    "Section",
    "Setup",
    "Source",
    "SourceCodec",
    "SourceGroup",
    "Transport",
    "agree",
    "h264_profile",
    "make_answer",
    "make_offer",
    "make_restart_offer",
    "parse_description",
    "with_sending",
    "write_description",
]
