"""Figures of the service's own work, for Prometheus; those of tasks and workers are read from the store when asked."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

from autotuner.server.exposition import PhaseTimes

BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """What the process counts. ``registry``: others register their own figures there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.phases = PhaseTimes()
        self.requests = Histogram(
            "autotuner_http_request_duration_seconds",
            "Time from a request to the end of its answer, by route",
            ("method", "route", "status"),
            registry=registry,
            buckets=BUCKETS_S,
        )
