"""What servers told, put together over repeats."""

from __future__ import annotations

import pytest

from autotuner.contracts.server_metrics import Level, ServerFigures
from autotuner.metrics.server import server_metrics


def test_repeats_are_put_together() -> None:
    one = ServerFigures(
        pages=1, running=Level(mean=2, max=3), preemptions=1, prefix_hits=10, prefix_queries=100, prompt_tokens=100
    )
    two = ServerFigures(pages=3, running=Level(mean=6, max=7), preemptions=4, prefix_hits=0, prefix_queries=300)
    found = server_metrics([one, two])
    assert found == {
        "mean_server_running": pytest.approx(5.0),
        "max_server_running": 7,
        "preemptions": 5,
        "prefix_hit_rate": pytest.approx(0.025),
    }, "a count that one repeat lacks has no sum"


def test_what_was_not_told_is_missing() -> None:
    told = ServerFigures(pages=1, preemptions=0, prefix_hits=0, prefix_queries=0)
    assert server_metrics([None, None]) == {}
    assert server_metrics([]) == {}
    assert server_metrics([told]) == {"preemptions": 0}, "no lookup: no rate of hits"
    assert server_metrics([told, None]) == {}
