"""What the engines' pages say in our terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.contracts.server_metrics import MetricNames
from autotuner.engines.metric_names import METRIC_NAMES
from autotuner.telemetry.reading import read_page

PAGES = Path(__file__).resolve().parents[1] / "data" / "metrics_pages"

TOLD = {
    "llamacpp": {
        "running": 2,
        "waiting": 3,
        "prefix_hits": 0,
        "prefix_queries": 18,
        "prompt_tokens": 18,
        "generation_tokens": 201,
    },
    "vllm": {
        "running": 23,
        "waiting": 5,
        "kv_cache_use": 0.71875,
        "preemptions": 3,
        "prefix_hits": 4096,
        "prefix_queries": 1049600,
        "prompt_tokens": 1049600,
        "generation_tokens": 65600,
    },
    "vllm-old": {
        "running": 2,
        "waiting": 0,
        "kv_cache_use": 0.5,
        "preemptions": 0,
        "prefix_hits": 80,
        "prefix_queries": 800,
        "prompt_tokens": 800,
        "generation_tokens": 128,
    },
    "sglang": {
        "running": 12,
        "waiting": 2,
        "kv_cache_use": 0.5,
        "preemptions": 2,
        "prefix_hits": 4096,
        "prefix_queries": 8128902,
        "prompt_tokens": 8128902,
        "generation_tokens": 7557572,
    },
    "tensorrt-llm": {
        "running": 16,
        "waiting": 4,
        "kv_cache_use": 0.25,
        "prefix_hits": 4096,
        "prefix_queries": 16384,
        "prompt_tokens": 16384,
        "generation_tokens": 8192,
    },
}


@pytest.mark.parametrize("name", TOLD)
def test_a_page_is_read_by_the_names_that_it_holds(name: str) -> None:
    page = (PAGES / f"{name}.txt").read_bytes()
    reading = read_page(page, 12.5, METRIC_NAMES)
    assert reading is not None
    assert reading.at == 12.5
    assert reading.told == TOLD[name]


def test_a_page_of_something_else_tells_nothing() -> None:
    assert read_page(b"<html>Not Found</html>", 0.0, METRIC_NAMES) is None
    assert read_page(b"process_cpu_seconds_total 1\n", 0.0, METRIC_NAMES) is None
    assert read_page(b"vllm:num_requests_running NaN\n", 0.0, METRIC_NAMES) is None
    assert read_page(b"vllm:num_requests_running 1\n", 0.0, ()) is None


def test_a_sum_needs_all_its_parts() -> None:
    """A version that does not count cached tokens has no total, rather than one that leaves them out."""
    reading = read_page(b"llamacpp:prompt_tokens_total 5\nllamacpp:requests_processing 1\n", 0.0, METRIC_NAMES)
    assert reading is not None
    assert reading.told == {"running": 1}


def test_the_first_way_that_the_page_has_is_taken() -> None:
    names = MetricNames(kv_cache_use=(("new",), ("old",)))
    for page, expected in ((b"old 0.1\nnew 0.2\n", 0.2), (b"old 0.1\n", 0.1)):
        reading = read_page(page, 0.0, (names,))
        assert reading is not None
        assert reading.told == {"kv_cache_use": expected}
