"""Metrics in Prometheus' text form, for the loopback listener."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..exchange import Role
from .context import Context
from .turn_metrics import turn_metrics

__all__ = ["Metrics"]


class Metrics(Collector):
    """Reads the counters that the service keeps anyway; counting costs the hot path nothing but an addition."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """All metrics, as Prometheus scrapes them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        exchange, store = self._context.exchange, self._context.store
        sockets = GaugeMetricFamily("sightline_sockets", "Signaling sockets that are heard.", labels=["role"])
        for role in Role:
            sockets.add_metric([role.lower()], exchange.count(role))
        yield sockets
        yield GaugeMetricFamily("sightline_channels", "Channels in the store.", value=sum(1 for _ in store.channels()))
        messages = CounterMetricFamily(
            "sightline_messages", "Signaling messages by what became of them.", labels=["outcome"]
        )
        for name, value in msgspec.structs.asdict(exchange.stats).items():
            messages.add_metric([name], value)
        yield messages
        yield from turn_metrics(self._context.turn)
        yield from self._lobby()
        requests = CounterMetricFamily("sightline_requests", "HTTP answers.", labels=["operation", "status"])
        for (operation, status), count in self._context.requests.items():
            requests.add_metric([operation, str(status)], count)
        yield requests
        refusals = CounterMetricFamily(
            "sightline_refusals", "Refused sockets and sessions.", labels=["where", "reason"]
        )
        for (where, reason), count in self._context.refusals.items():
            refusals.add_metric([where, reason.value], count)
        yield refusals

    def _lobby(self) -> Iterator[Metric]:
        lobby = self._context.lobby
        yield GaugeMetricFamily("sightline_lobby_sockets", "Sockets of people who call each other.", value=len(lobby))
        yield GaugeMetricFamily("sightline_lobby_rooms", "Rooms that somebody is in.", value=lobby.rooms)
        messages = CounterMetricFamily(
            "sightline_lobby_messages", "Messages of a lobby that were taken.", labels=["type"]
        )
        for kind, count in lobby.stats.messages.items():
            messages.add_metric([kind], count)
        yield messages
        refusals = CounterMetricFamily(
            "sightline_lobby_refusals", "Messages of a lobby that were not.", labels=["reason"]
        )
        for reason, count in lobby.stats.refusals.items():
            refusals.add_metric([reason.value], count)
        yield refusals
        yield CounterMetricFamily(
            "sightline_lobby_list_bytes", "Bytes of the lists of who is there.", value=lobby.stats.list_bytes
        )
