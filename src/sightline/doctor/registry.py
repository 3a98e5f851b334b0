"""All checks, in the order in which a connection is made. Ids are stable: each has an entry in docs/why-no-video.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from ..reasons import Reason
from . import camera, ice, identity, reach, signaling
from .findings import Verdict
from .visit import Visit

__all__ = ["CHECKS", "Check", "checks_for", "dependents"]


class Check(msgspec.Struct, frozen=True):
    """One check. Where it looks for exactly one cause it has that reason's id."""

    id: str
    title: str
    """One or two words, for people."""
    run: Callable[[Visit], Awaitable[Verdict]]
    needs: tuple[str, ...] = ()
    """Without these it cannot be made."""
    by: str = "any"
    """``key`` or ``link``: only where the visitor comes with that."""
    of: str = "any"
    """``viewer``: only in that role."""
    names_channel: bool = True
    """Whether it needs a channel's name."""


_SERVICE, _TLS, _KEY = Reason.SERVICE_UNREACHABLE.value, reach.TLS_TRUST, Reason.WRONG_KEY.value
_REGION, _CHANNEL, _ROLE = Reason.WRONG_REGION.value, Reason.UNKNOWN_CHANNEL.value, Reason.NOT_ALLOWED.value
_SOCKET, _CAMERA, _ANSWER = Reason.SIGNALING_REFUSED.value, Reason.CAMERA_OFFLINE.value, Reason.NO_ANSWER.value
_CODEC, _PATH = Reason.NO_COMMON_CODEC.value, Reason.NO_PATH.value

CHECKS: Final[Sequence[Check]] = (
    Check(_SERVICE, "service", reach.reachable, names_channel=False),
    Check(_TLS, "certificate", reach.tls_trust, (_SERVICE,), names_channel=False),
    # Not after the certificate: a wrong clock is one of the reasons why that is not trusted.
    Check(Reason.CLOCK_SKEW.value, "clock", reach.clock, (_SERVICE,), names_channel=False),
    Check(_KEY, "key", identity.key, (_TLS,), by="key", names_channel=False),
    Check(_REGION, "region", identity.region, (_KEY,), by="key", names_channel=False),
    Check(_CHANNEL, "channel", identity.channel, (_REGION,), by="key", names_channel=False),
    Check(_ROLE, "role", identity.role, (_CHANNEL,), by="key"),
    Check(identity.LINK, "link", identity.link, (_TLS,), by="link"),
    Check(_SOCKET, "signaling", signaling.socket_opens, (_ROLE, identity.LINK)),
    Check(Reason.ICE_EXPIRED.value, "ICE servers", ice.configuration, (_ROLE, identity.LINK)),
    Check(ice.STUN, "STUN", ice.stun, (Reason.ICE_EXPIRED.value,)),
    Check(ice.TURN, "TURN", ice.turn, (Reason.ICE_EXPIRED.value,)),
    Check(_CAMERA, "camera", camera.connected, (_SOCKET,), of="viewer"),
    Check(_ANSWER, "answer", camera.answers, (_CAMERA,), of="viewer"),
    Check(_CODEC, "codecs", camera.codecs, (_ANSWER,), of="viewer"),
    Check(_PATH, "path", camera.path, (_CODEC,), of="viewer"),
    Check(Reason.NO_MEDIA.value, "first frame", camera.first_frame, (_PATH,), of="viewer"),
)


def checks_for(visit: Visit) -> Sequence[Check]:
    """Those that make sense for this visit."""
    return [
        check
        for check in CHECKS
        if check.by in ("any", "link" if visit.link else "key")
        and check.of in ("any", visit.role)
        and (visit.channel is not None or not check.names_channel)
    ]


def dependents(failed: str, checks: Sequence[Check]) -> Sequence[Check]:
    """The later checks that cannot be made because of one that failed."""
    lost = {failed}
    for check in checks:
        if lost & set(check.needs):
            lost.add(check.id)
    return [check for check in checks if check.id in lost and check.id != failed]
