"""Figures of the delivery, for /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCIES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class LiveMetrics:
    """Counters and gauges on the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "autotuner_live_connections", "Open streams of events", ["transport"], registry=registry
        )
        self.events = Counter(
            "autotuner_live_events", "Events of the log that were read for those who follow it", registry=registry
        )
        self.frames = Counter(
            "autotuner_live_frames", "Frames that were handed to connections", ["transport"], registry=registry
        )
        self.resyncs = Counter(
            "autotuner_live_resyncs", "Times that a client was told of events left out", ["reason"], registry=registry
        )
        self.closed = Counter(
            "autotuner_live_closed", "Connections that the service closed", ["reason"], registry=registry
        )
        self.latency = Histogram(
            "autotuner_live_delivery_seconds",
            "From an event's timestamp, taken before its commit, until it was given to all who follow",
            buckets=LATENCIES_S,
            registry=registry,
        )
