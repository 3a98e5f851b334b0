"""The camera itself: connected, answering, with a codec in common, reached, and sending pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..errors import InvalidSdp
from ..reasons import REASONS, Reason
from .findings import Stage, Verdict, fail, fine, skip, warn
from .reach import trusting
from .visit import Visit
from .watching import Watching, WatchingPeer

__all__ = ["answers", "codecs", "connected", "first_frame", "path"]

_ASK_AGAIN = 0.5
"""Seconds between two requests for a keyframe."""

_LONG = 2.0
"""Seconds; a camera with a keyframe every two seconds is usual, and asked for one it should not take that long."""


async def connected(visit: Visit) -> Verdict:
    """Whether the service sees the camera. Only a Sightline tells."""
    assert visit.socket is not None
    if visit.socket.camera_present is None:
        return skip("this service does not tell; the camera's answer will")
    if visit.socket.camera_present:
        return fine(f"connected to {visit.channel}")
    return fail(
        f"no camera is connected to {visit.channel}",
        reason=Reason.CAMERA_OFFLINE,
        advice=f"Start it: sightline master {visit.channel} --source test. If it runs, look at its log: it needs the "
        "same service, channel and region.",
    )


async def answers(visit: Visit) -> Verdict:
    """A real offer under an id of the doctor's own; the camera sees a viewer come and go."""
    assert visit.socket is not None
    watching = visit.watching = Watching(visit.socket, await _new_peer(visit))
    socket = watching.socket
    await watching.offer(ask=visit.is_sightline)
    try:
        await watching.until(
            lambda: bool(watching.answer or watching.refused or socket.notices) or socket.close_code is not None,
            visit.patience,
        )
    except InvalidSdp as error:
        return fail(f"the answer cannot be used: {error.message}", reason=Reason.BAD_ANSWER)
    if watching.answer is not None:
        took = watching.answered_at - watching.offered_at
        visit.stages.append(Stage("offer and answer", took))
        return fine(f"in {took * 1000:.0f} ms")
    if watching.refused is not None:
        status = watching.refused
        limit = status.error_type == "ClientLimitExceededException"
        return fail(
            f"the service refuses the offer: {_line(status.description)} ({_line(status.error_type)})",
            reason=Reason.TOO_MANY_REQUESTS if limit else Reason.BAD_OFFER,
        )
    if socket.notices:
        notice = socket.notices[-1]
        reason = notice.reason if notice.reason in REASONS else Reason.NO_ANSWER
        took = time.monotonic() - watching.offered_at
        return fail(f"none; after {took:.1f} s we are told why", reason=reason, meaning=_line(notice.message))
    if socket.close_code is not None:
        return fail(f"the service closed the socket ({socket.close_code})", reason=Reason.SIGNALING_LOST)
    return fail(
        f"none in {visit.patience:g} s",
        reason=Reason.NO_ANSWER,
        meaning="The offer went out and nothing came back: no camera is connected, it hangs, or it drops what it does "
        "not understand.",
        advice=f"Check that the camera's program runs and has this channel, and look in its log for {visit.client_id}.",
    )


async def codecs(visit: Visit) -> Verdict:
    """What camera and viewer agreed on, by the camera's answer."""
    from ..rtc.sdp import parse_description

    description = parse_description(_answer(visit))  # accepted before: it can be read
    media = [section for section in description.sections if section.kind in ("video", "audio")]
    sent = [section for section in media if not section.rejected and section.direction.sends]
    if not any(section.kind == "video" for section in sent):
        return fail(
            "the camera declines to send video" if any(s.kind == "video" for s in media) else "the answer has no video",
            reason=Reason.NO_COMMON_CODEC,
            meaning="Camera and viewer have no video format in common, or this camera sends none.",
            advice="Set the camera to H.264 (Constrained Baseline, which every browser plays) or VP8.",
        )
    names = []
    for section in sent:
        if section.codecs:
            profile = section.codecs[0].parameter("profile-level-id")
            names.append(section.codecs[0].name + (f" ({profile})" if profile else ""))
    if not any(section.kind == "audio" for section in sent):
        names.append("no sound")
    return fine(_line(", ".join(names)))


async def path(visit: Visit) -> Verdict:
    """Whether a network path and its keys come about."""
    watching = _watching(visit)
    peer = watching.peer
    await watching.until(lambda: str(peer.connection_state) in ("connected", "failed", "closed"), visit.patience)
    if watching.connected_at is None:
        state = str(peer.connection_state)
        return _no_path(visit, "it failed" if state == "failed" else f"none in {visit.patience:g} s")
    took = max(watching.connected_at - watching.answered_at, 0.0)
    visit.stages.append(Stage("path and keys", took))
    pair = peer.path()
    return fine(f"connected in {took * 1000:.0f} ms" + (f": {pair}" if pair else ""))


def _no_path(visit: Visit, measured: str) -> Verdict:
    from ..rtc.sdp import parse_description

    candidates = parse_description(_answer(visit)).candidates
    kinds = sorted({words[7] for text in candidates if len(words := text.split()) > 7})
    theirs = f"the camera's answer names {', '.join(kinds)}" if kinds else "the camera's answer names no address"
    if _watching(visit).peer.turn_refused:
        return fail(f"{measured}; the relay refused our credentials", theirs, reason=Reason.ICE_EXPIRED)
    return fail(
        measured,
        _line(theirs),
        reason=Reason.NO_PATH,
        meaning="Signaling works, and no UDP packet gets from one to the other: a firewall or NAT is in the way, on "
        "this side or on the camera's.",
        advice="See that a TURN server is reached from both sides (run this on the camera's machine as well), or let "
        "UDP through. For a camera in a container: sightline master --advertise-ip, --udp-ports.",
    )


async def first_frame(visit: Visit) -> Verdict:
    """Whether a whole picture arrives, one with which decoding can begin."""
    watching = _watching(visit)
    connected_at = watching.connected_at
    assert connected_at is not None
    end = time.monotonic() + visit.patience
    while watching.picture_at is None and (left := end - time.monotonic()) > 0:
        watching.peer.request_keyframe()
        await watching.until(lambda: watching.picture_at is not None, min(_ASK_AGAIN, left))
    if watching.picture_at is None:
        return fail(
            f"none in {visit.patience:g} s",
            reason=Reason.NO_MEDIA,
            meaning="The path is there, and no picture comes on it: the camera's source or its encoder has stopped.",
            advice="Look at the camera's source (file, cable, RTSP address) and at its log.",
        )
    took = max(watching.picture_at - connected_at, 0.0)
    visit.stages.append(Stage("first frame", took))
    measured = f"{took * 1000:.0f} ms after the path, {sum(s.seconds for s in visit.stages) * 1000:.0f} ms in all"
    if took > _LONG:
        return warn(
            measured,
            meaning="The camera sends, and it takes long until a picture comes with which decoding can begin.",
            advice="Have the camera answer requests for keyframes (PLI), or send one every two seconds.",
        )
    return fine(measured)


async def _new_peer(visit: Visit) -> WatchingPeer:
    if visit.make_peer is not None:
        return visit.make_peer(visit)
    new_viewer, tls = await asyncio.to_thread(_loaded), await asyncio.to_thread(trusting, visit)
    return new_viewer(visit.ice, tls=tls)


def _loaded() -> Callable[..., WatchingPeer]:
    """In a thread: it is much that is read from the disk, and the socket is open already."""
    from .viewer import new_viewer

    return new_viewer


def _watching(visit: Visit) -> Watching:
    assert visit.watching is not None, "the check of the answer comes first"
    return visit.watching


def _answer(visit: Visit) -> str:
    return _watching(visit).answer or ""


def _line(text: str) -> str:
    """What came from elsewhere, fit for a terminal."""
    return "".join(character for character in text if character.isprintable())[:250]
