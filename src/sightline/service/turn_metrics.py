"""The relay's figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .turn import TurnServer

__all__ = ["turn_metrics"]


def turn_metrics(turn: TurnServer) -> Iterator[Metric]:
    """Relays, bytes, and what was refused."""
    counters = turn.counters
    stun = CounterMetricFamily("sightline_stun", "STUN requests by what was done with them.", labels=["outcome"])
    stun.add_metric(["bindings"], counters.bindings)
    stun.add_metric(["ignored"], counters.ignored)
    yield stun
    yield GaugeMetricFamily("sightline_turn_allocations", "Relays that are open.", value=turn.allocations)
    yield GaugeMetricFamily(
        "sightline_turn_connections", "TCP and TLS connections of TURN.", value=len(turn.connections)
    )
    made = CounterMetricFamily("sightline_turn_allocations_made", "Relays since the start.", labels=["end"])
    made.add_metric(["expired"], counters.expired)
    made.add_metric(["other"], counters.allocations - counters.expired)
    yield made
    for what, to_peers, to_clients in (
        ("packets", counters.packets_to_peers, counters.packets_to_clients),
        ("bytes", counters.bytes_to_peers, counters.bytes_to_clients),
    ):
        relayed = CounterMetricFamily(f"sightline_turn_{what}", f"Relayed {what}.", labels=["to"])
        relayed.add_metric(["peers"], to_peers)
        relayed.add_metric(["clients"], to_clients)
        yield relayed
    yield CounterMetricFamily(
        "sightline_turn_in_memory_packets", "Packets from relay to relay.", value=counters.packets_in_memory
    )
    rejected = CounterMetricFamily("sightline_turn_rejected", "Refused requests and dropped data.", labels=["cause"])
    for cause, count in counters.rejected.items():
        rejected.add_metric([cause], count)
    yield rejected
    external = GaugeMetricFamily("sightline_turn_external_up", "External TURN servers that work.", labels=["url"])
    for health in turn.external.report():
        external.add_metric([health.url], 0.0 if health.problem else 1.0)
    yield external
