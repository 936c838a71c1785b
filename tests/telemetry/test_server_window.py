"""From readings to the figures of one window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.server_metrics import Level
from autotuner.telemetry.reading import COUNTERS, Reading
from autotuner.telemetry.window import EDGE_S, server_figures


def readings(*entries: tuple[float, dict[str, float]]) -> list[Reading]:
    return [Reading(at, told) for at, told in entries]


def test_gauges_of_the_window_and_counters_between_its_edges() -> None:
    pages = readings(
        (98.0, {"running": 9, "generation_tokens": 100}),
        (99.9, {"running": 9, "generation_tokens": 190, "preemptions": 1}),
        (101.0, {"running": 1, "kv_cache_use": 0.5, "generation_tokens": 250}),
        (102.0, {"running": 4, "kv_cache_use": 0.7, "generation_tokens": 300}),
        (103.2, {"running": 9, "generation_tokens": 340, "preemptions": 3, "prefix_hits": 5}),
        (104.0, {"running": 9, "generation_tokens": 900}),
    )
    found = server_figures(pages, [99.0, 101.5], 100.0, 3.0)
    assert found is not None
    assert (found.pages, found.missed) == (2, 1)
    assert found.running == Level(mean=2.5, max=4)
    assert found.kv_cache_use == Level(mean=0.6, max=0.7)
    assert found.waiting is None
    assert found.counted_from_s == pytest.approx(-0.1)
    assert found.counted_to_s == pytest.approx(3.2)
    assert (found.generation_tokens, found.preemptions) == (150, 2)
    assert found.prefix_hits == 5, "a counter that appeared later began at 0"
    assert found.prompt_tokens is None, "what was never told has no figure, not even 0"


def test_without_pages_near_the_window_there_is_nothing() -> None:
    far = EDGE_S + 1
    assert server_figures([], [100.5], 100.0, 10.0) is None
    assert server_figures(readings((100 - far, {"running": 1}), (110 + far, {"running": 1})), [], 100.0, 10.0) is None
    one = server_figures(readings((105.0, {"running": 3, "generation_tokens": 7})), [], 100.0, 10.0)
    assert one is not None
    assert one.running == Level(mean=3, max=3)
    assert (one.generation_tokens, one.counted_from_s) == (None, None), "one page makes no difference"
    late = server_figures(readings((105.0, {"preemptions": 1}), (110.0, {"preemptions": 2})), [], 100.0, 10.0)
    assert late is not None
    assert late.preemptions is None, "a count of half a window would look like less"


def test_a_counter_that_fell_has_no_figure() -> None:
    pages = readings((100.0, {"preemptions": 9, "prompt_tokens": 5}), (110.0, {"preemptions": 2, "prompt_tokens": 8}))
    found = server_figures(pages, [], 100.0, 10.0)
    assert found is not None
    assert (found.preemptions, found.prompt_tokens) == (None, 3)


@given(st.lists(st.floats(0, 50), min_size=2, max_size=60), st.floats(0, 40), st.floats(0.1, 30))
def test_windows_never_count_what_lies_between_other_pages(times: list[float], opened: float, window_s: float) -> None:
    """A counter that counts time itself: each difference is exactly the time between the two pages it names."""
    pages = [Reading(at, dict.fromkeys(COUNTERS, round(at * 1e6))) for at in sorted(times)]
    found = server_figures(pages, [], opened, window_s)
    if found is None or found.counted_from_s is None or found.counted_to_s is None:
        return
    assert abs(found.counted_from_s) <= EDGE_S
    assert abs(found.counted_to_s - window_s) <= EDGE_S
    assert found.generation_tokens == pytest.approx((found.counted_to_s - found.counted_from_s) * 1e6, abs=2)
