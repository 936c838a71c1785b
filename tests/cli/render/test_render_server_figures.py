"""What servers and GPUs told, in every display; nothing where nothing was told."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console, Group, RenderableType

import result_builder as build
from autotuner.cli.render.experiment import experiment_view
from autotuner.cli.render.result import compare_tables
from autotuner.contracts.result import TaskResult
from autotuner.services.report import render_csv, render_html, render_json

TOLD = {
    "mean_server_running": 3.5,
    "max_server_waiting": 2,
    "mean_kv_cache_use": 0.715,
    "preemptions": 4,
    "prefix_hit_rate": 0.0,
    "max_gpu_memory_used": 8 << 30,
    "energy_per_output_token": 1.25,
}
WORDS = {
    "requests computed by the server, mean": "3.5 requests",
    "requests in the server's queue, most": "2 requests",
    "KV cache in use, mean": "71.5 %",
    "preemptions": "4",
    "prompt tokens found in the prefix cache": "0 %",
    "memory in use on a GPU, most": "8 GiB",
    "energy per output token": "1.25 J",
}


@pytest.fixture
def told() -> TaskResult:
    """A result whose winner and baseline were told of; every other experiment was not."""
    plain = build.result()
    assert plain.winner is not None
    assert plain.baseline is not None
    both = {plain.winner.number, plain.baseline.number}
    experiments = tuple(
        s.model_copy(update={"metrics": s.metrics | TOLD}) if s.number in both else s for s in plain.experiments
    )
    own = {s.number: s for s in experiments}
    return plain.model_copy(
        update={
            "experiments": experiments,
            "winner": own[plain.winner.number],
            "baseline": own[plain.baseline.number],
        }
    )


def shown(renderable: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=200, color_system=None).print(renderable)
    return out.getvalue()


def row(text: str, label: str) -> str:
    (found,) = (line for line in text.splitlines() if line.strip().startswith(f"{label} "))
    return found


def test_one_experiment_and_a_comparison_show_them(told: TaskResult) -> None:
    assert told.winner is not None
    view = shown(Group(*experiment_view(told.winner, told)))
    side_by_side = shown(compare_tables(told.experiments[:5]))
    for label, figure in WORDS.items():
        assert figure in row(view, label)
        assert figure in row(side_by_side, label)
        assert "–" in row(side_by_side, label), "of an experiment that was not told of nothing is shown, not even 0"


def test_the_report_and_the_exports_have_them(told: TaskResult) -> None:
    page = render_html(told)
    for label, figure in WORDS.items():
        assert label.replace("'", "&#x27;") in page or label in page
        assert figure in page
    rows = {int(found["number"]): found for found in csv.DictReader(io.StringIO(render_csv(told), newline=""))}
    data = json.loads(render_json(told))
    assert told.winner is not None
    for name, value in TOLD.items():
        assert float(rows[told.winner.number][f"metric.{name}"]) == value
        assert rows[1][f"metric.{name}"] == ""
        assert data["winner"]["metrics"][name] == value


def test_nothing_is_shown_where_nothing_was_told() -> None:
    result = build.result()
    assert result.winner is not None
    texts = (
        shown(Group(*experiment_view(result.winner, result))),
        shown(compare_tables(result.experiments[:5])),
        render_html(result),
    )
    assert [label for label in WORDS for text in texts if label in text] == []
    assert "metric.preemptions" not in render_csv(result)
