"""One source to all its viewers: each unit is packetised once and handed to every outlet in one loop, without tasks."""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from .channel import Channel, Feed
from .outlet import Outlet
from .packetize import Packets, Unit
from .rtcp import MalformedRtcp, Report
from .switching import Member, Switching

__all__ = ["CallLater", "Fanout", "Feed", "Handle"]

log = logging.getLogger(__name__)

_TURN = 0.003
"""Seconds that the loop over the viewers may take before others on the event loop have their turn."""

_REPORT = 0.45
"""Seconds between two sender reports to a viewer: ``Timers.sender_report``."""

_FIRST_REPORT = 0.05
"""Seconds until the first one: sound and picture are in step only after it."""


_TOGETHER = 0.001
"""Seconds by which a part may leave early, so that one timer serves all viewers whose parts are due about now."""


class Handle(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Do not call."""


class CallLater(Protocol):
    """``asyncio``'s ``loop.call_later``."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Call back after ``delay`` seconds."""


class Fanout:
    """All outlets of one source. Belongs to the event loop's thread; owns no task, only timers until ``close``."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        call_later: CallLater,
        report_interval: float = _REPORT,
    ) -> None:
        """``clock`` is steady, ``wall`` counts seconds since 1970."""
        self._clock = clock
        self._wall = wall
        self._call_later = call_later
        self._report_interval = report_interval
        self._channels: dict[int, Channel] = {}
        self._members: dict[Outlet, Member] = {}
        self._switching = Switching(join=self._join, leave=self._leave)
        self._ready: deque[Outlet] = deque()
        self._is_ready: set[Outlet] = set()
        self._due: dict[Outlet, float] = {}
        self._reports: list[tuple[float, int, Outlet]] = []
        self._reports_begun = 0
        self._reporting: set[Outlet] = set()
        self._again: Handle | None = None
        self._timer: Handle | None = None
        self._timer_at = 0.0
        self._closed = False

    # -- viewers -------------------------------------------------------------------------------------------------------

    def add(
        self,
        outlet: Outlet,
        *,
        video: Feed | None = None,
        audio: Feed | None = None,
        renditions: Sequence[Feed] = (),
    ) -> None:
        """A viewer that was answered: the source begins to work for it, and nothing is sent before ``start``.

        ``renditions``: all sizes in which it may get the pictures, the greatest first, which is ``video``.
        """
        if self._closed or outlet in self._members:
            return
        self._members[outlet] = Member()
        self.change(outlet, video=video, audio=audio, renditions=renditions)

    def change(
        self,
        outlet: Outlet,
        *,
        video: Feed | None = None,
        audio: Feed | None = None,
        renditions: Sequence[Feed] = (),
    ) -> None:
        """A viewer that takes other feeds from now on. Those that it had already go on without a break."""
        member = self._members.get(outlet)
        if member is None:
            return
        before = (member.video, member.audio)
        self._switching.cancel(outlet, member)
        feed = member.take(video, renditions)
        # First those that come: without any viewer at all a source would stop, and begin anew.
        member.video = None if feed is None else self._join(feed, outlet)
        member.audio = None if audio is None else self._join(audio, outlet)
        for channel in before:
            if channel is not None and channel not in (member.video, member.audio):
                self._leave(channel, outlet)

    def rendition(self, outlet: Outlet) -> str | None:
        """What people call the size that a viewer gets, for instance ``720p``; None when it gets no pictures."""
        member = self._members.get(outlet)
        return None if member is None or member.video is None else member.video.feed.label

    def start(self, outlet: Outlet) -> None:
        """The viewer is connected (again): it is sent a keyframe as soon as there is one, and all that follows."""
        member = self._members.get(outlet)
        if member is None:
            return
        outlet.start()
        member.choice.switched(self._clock())  # what was known of the path was before
        if outlet not in self._reporting:
            self._reporting.add(outlet)
            self._schedule_report(outlet, self._clock() + _FIRST_REPORT)
        self._make_ready(outlet)
        self._drain()

    def pause(self, outlet: Outlet) -> None:
        """Send nothing more to the viewer until ``start``."""
        outlet.pause()
        self._due.pop(outlet, None)

    def remove(self, outlet: Outlet) -> None:
        """The viewer is gone. Harmless for one that is not known."""
        self.pause(outlet)
        member = self._members.pop(outlet, None)
        if member is None:
            return
        self._switching.cancel(outlet, member)
        for channel in (member.video, member.audio):
            if channel is not None:
                self._leave(channel, outlet)

    def request_keyframe(self, outlet: Outlet) -> None:
        """The viewer's path changed: what is on its way may be lost."""
        if outlet.active and outlet in self._members:
            outlet.keyframes.ask_at_once()
            self._wake(outlet)

    def receive_rtcp(self, outlet: Outlet, packet: bytes) -> Sequence[Report]:
        """``Outlet.receive_rtcp``, and what follows from it. Raises MalformedRtcp."""
        try:
            reports = outlet.receive_rtcp(packet, self._clock())
        except MalformedRtcp:
            raise
        except Exception as error:
            self._fail(outlet, error)
            return ()
        self._adapt(outlet, self._clock())
        if outlet.keyframes.next_time is not None:
            self._wake(outlet)
        return reports

    def close(self) -> None:
        """End all timers and leave the feeds. Idempotent."""
        self._closed = True
        for outlet in list(self._members):
            self.remove(outlet)
        for handle in (self._again, self._timer):
            if handle is not None:
                handle.cancel()
        self._again = self._timer = None
        self._ready.clear()
        self._is_ready.clear()
        self._reports.clear()
        self._reporting.clear()

    # -- units ---------------------------------------------------------------------------------------------------------

    def _publish(self, channel: Channel, unit: Unit) -> None:
        now = self._clock()
        channel.clock.observe(unit.timestamp, now)
        packets = channel.packetize(unit)
        if not packets.payloads:
            return
        channel.meter.add(packets.octets, now)
        if channel.is_audio:
            for outlet in channel.outlets:
                if outlet.offer_audio(packets, now):
                    self._make_ready(outlet)
        else:
            self._offer_video(channel, packets, now)
        self._drain()

    def _offer_video(self, channel: Channel, packets: Packets, now: float) -> None:
        rate = channel.meter.rate(now)
        if packets.keyframe and channel.waiting:
            for outlet in tuple(channel.waiting):
                self._switching.arrive(outlet, self._members[outlet], now)
        if channel.feed.makes_keyframes:
            channel.recent.push(packets, now)
        for outlet in channel.outlets:
            if outlet.offer_video(packets, now, stream_rate=rate):
                self._make_ready(outlet)

    def _make_ready(self, outlet: Outlet) -> None:
        if outlet not in self._is_ready:
            self._is_ready.add(outlet)
            self._ready.append(outlet)

    def _wake(self, outlet: Outlet) -> None:
        self._make_ready(outlet)
        self._drain()

    def _drain(self) -> None:
        """Flush who is ready, in turn; after a while the rest waits until others had the event loop."""
        if self._again is not None or self._closed:
            return
        begun = now = self._clock()
        while self._ready:
            outlet = self._ready.popleft()
            self._is_ready.discard(outlet)
            self._flush(outlet, now)
            now = self._clock()
            if now - begun > _TURN and self._ready:
                self._again = self._call_later(0, self._go_on)
                break
        self._set_timer(now)

    def _go_on(self) -> None:
        self._again = None
        self._drain()

    def _flush(self, outlet: Outlet, now: float) -> None:
        member = self._members.get(outlet)
        if member is None or not outlet.active:
            return
        try:
            if outlet.keyframes.due(now):
                self._serve_keyframe(outlet, member, now)
            again = outlet.flush(now)
        except Exception as error:  # Whatever it is, it is one viewer's: the others are served.
            self._fail(outlet, error)
            return
        if again is None:
            self._due.pop(outlet, None)
        else:
            self._due[outlet] = again

    def _serve_keyframe(self, outlet: Outlet, member: Member, now: float) -> None:
        channel = member.video
        if channel is None:
            outlet.keyframes.served()
            return
        if member.pending is not None and member.pending.feed.makes_keyframes:
            member.pending.feed.request_keyframe()
        elif channel.feed.makes_keyframes:
            live = channel.clock.at(now) if outlet.fresh else None
            held = () if live is None else channel.recent.replay(now, live)
            if held:
                outlet.replay(held, channel.packetize, now)
            else:
                channel.feed.request_keyframe()
        elif outlet.may_replay(now):
            outlet.replay(channel.feed.replay(now), channel.packetize, now)

    def _fail(self, outlet: Outlet, error: Exception) -> None:
        self.pause(outlet)
        if outlet.on_error is None:
            log.warning("a viewer is sent nothing any more: %r", error)
        else:
            outlet.on_error(error)

    # -- timers --------------------------------------------------------------------------------------------------------

    def _schedule_report(self, outlet: Outlet, due: float) -> None:
        self._reports_begun += 1
        heapq.heappush(self._reports, (due, self._reports_begun, outlet))

    def _set_timer(self, now: float) -> None:
        times = list(self._due.values())
        if self._reports:
            times.append(self._reports[0][0])
        if not times:
            return
        due = min(times)
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._call_later(max(0.0, due - now), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock()
        for outlet, due in list(self._due.items()):
            if due <= now + _TOGETHER:
                del self._due[outlet]
                self._make_ready(outlet)
        while self._reports and self._reports[0][0] <= now:
            _, _, outlet = heapq.heappop(self._reports)
            self._report(outlet, now)
        self._drain()
        self._set_timer(self._clock())

    def _report(self, outlet: Outlet, now: float) -> None:
        member = self._members.get(outlet)
        if member is None or not outlet.active:
            self._reporting.discard(outlet)
            return
        self._schedule_report(outlet, now + self._report_interval)
        self._adapt(outlet, now)
        video, audio = member.video, member.audio
        try:
            outlet.report(
                now,
                self._wall(),
                video=None if video is None else video.clock,
                audio=None if audio is None else audio.clock,
            )
        except Exception as error:
            self._fail(outlet, error)

    # -- feeds ---------------------------------------------------------------------------------------------------------

    def _adapt(self, outlet: Outlet, now: float) -> None:
        member = self._members.get(outlet)
        if member is None or len(member.rungs) < 2 or not outlet.active:
            return
        try:
            self._switching.adapt(outlet, member, now)
        except Exception as error:
            self._fail(outlet, error)

    def _join(self, feed: Feed, outlet: Outlet, *, waits: bool = False) -> Channel:
        """``waits``: it is sent nothing before the next keyframe."""
        channel = self._channels.get(id(feed))
        if channel is None:
            channel = self._channels[id(feed)] = Channel(feed)
        place = channel.waiting if waits else channel.outlets
        if outlet not in place:
            place.append(outlet)
        if channel.stop_listening is None:
            channel.stop_listening = feed.listen(partial(self._publish, channel))
        return channel

    def _leave(self, channel: Channel, outlet: Outlet, *, waits: bool = False) -> None:
        (channel.waiting if waits else channel.outlets).remove(outlet)
        channel.left.pop(outlet, None)
        if channel.outlets or channel.waiting:
            return
        self._channels.pop(id(channel.feed), None)
        if channel.stop_listening is not None:
            channel.stop_listening()
            channel.stop_listening = None
