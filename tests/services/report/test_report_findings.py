"""Trade-offs, importance, differences and load curves in every display."""

import io
import math
import re

import pytest
from rich.console import Console

import result_builder as build
from autotuner.cli.render.result import result_tables
from autotuner.contracts.findings import Importance, ParetoSet
from autotuner.contracts.result import TaskResult
from autotuner.services.report import figures, render_html
from autotuner.services.report.figures.figure import axis_scale
from autotuner.services.report.findings_text import (
    front_sentence,
    place_text,
    score_range,
    shown_points,
    slo_word,
    value_text,
)
from autotuner.services.report.wording import chosen_title, winner_name


def page(result: TaskResult) -> str:
    """The words of the report: scripts, style and markup left out."""
    text = render_html(result)
    text = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def terminal(result: TaskResult) -> str:
    out = io.StringIO()
    Console(file=out, width=180).print(result_tables(result))
    return out.getvalue()


def test_the_verdict_comes_first_then_the_evidence_then_the_detail() -> None:
    text = page(build.with_findings())
    order = [
        "43 % better",
        "Evidence",
        "Winner beside the baseline",
        "Trade-offs",
        "Parameters",
        "Load curve",
        "Search",
        "Failures",
        "Where the time went",
        "Experiments",
        "Provenance",
    ]
    places = [text.index(f"{title} ") for title in order]
    assert places == sorted(places)
    shown = terminal(build.with_findings())
    steps = ["43 % better", "Evidence: winner #4", "SLO, worst start", "trade-offs", "Parameter importance", "Warning"]
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)


def test_only_a_significant_gain_makes_a_winner() -> None:
    sure, unsure = build.with_findings(), build.unsure()
    names = [winner_name(result) for result in (sure, unsure, build.infeasible())]
    assert names == ["winner", "best candidate", "nearest"]
    assert winner_name(build.unconfirmed()) == "best candidate"
    assert sure.winner is not None
    assert chosen_title(sure, sure.winner) == "winner #4"
    for text in (page(unsure), terminal(unsure)):
        assert "winner" not in text.lower()
        assert "best candidate #4" in text
    assert "Best candidate beside the baseline" in page(unsure)


def test_a_baseline_that_nothing_beats_is_called_the_baseline() -> None:
    found = build.result()
    changes = {"winner": found.baseline, "gain": None, "finalists": (), "verdict": "no_significant_gain"}
    result = found.model_copy(update=changes)
    assert result.winner is not None
    assert chosen_title(result, result.winner) == "#0 baseline"
    assert "#0 baseline" in terminal(result)
    assert "winner" not in page(result).lower()


def test_a_missed_soft_slo_is_named() -> None:
    result = build.unsure()
    assert result.winner is not None
    assert slo_word(result.winner) == "misses p90 TTFT"
    assert "It misses an SLO: p90 TTFT 550 ms of at most 500 ms (soft): missed" in page(result)
    assert "misses p90 TTFT" in terminal(result)
    words = {slo_word(s) for s in build.result().experiments}
    assert words == {"met", "violated", "–"}


# ---- trade-offs


def test_the_front_is_told_with_its_certainty() -> None:
    text = page(build.with_findings())
    assert "3 configurations are on the measured front." in text
    assert "2 are on the true front with a probability of 95 % or more, and 2 cannot be told from it." in text
    assert "total tokens/s 2.0 %" in text
    assert "best total tokens/s" in text
    assert "cannot be told from the front (60.0 %)" in text
    assert "violates a hard SLO" in text
    assert "2 more are not listed." in text
    assert "410 ms (393.6 to 426.4)" in text
    shown = terminal(build.with_findings())
    assert "on the front (97.0 %)" in shown
    assert "knee" in shown


def test_without_noise_nothing_is_claimed_of_the_front() -> None:
    found = build.pareto(noise=None)
    assert front_sentence(found).endswith("No configuration was started twice, so the noise is not known.")
    assert place_text(found.points[0]) == "on the measured front"
    assert place_text(found.points[3]) == "behind the measured front"
    assert score_range(found, found.points[0], 0) == "154.5 tokens/s"
    (figure,) = figures.trade_off_figures(build.unsure())
    assert "noise unknown" in {trace["name"] for trace in figure.data}
    assert not any("error_x" in trace for trace in figure.data)


def test_each_configuration_is_drawn_once_with_its_bars() -> None:
    result = build.with_findings()
    (figure,) = figures.trade_off_figures(result)
    assert result.pareto is not None
    drawn = [trace for trace in figure.data if "error_x" in trace]
    assert sum(len(list(trace["x"])) for trace in drawn) == len(result.pareto.points)  # type: ignore[call-overload]
    front = next(trace for trace in drawn if trace["name"] == "on the front")
    bars = front["error_y"]
    assert isinstance(bars, dict)
    # Milliseconds, as in the tables.
    assert bars["array"] == pytest.approx([410 * 0.04, 300 * 0.04])
    assert "ms (less is better)" in str(figure.layout["yaxis"])


def test_values_that_are_far_worse_make_an_axis_logarithmic() -> None:
    found = build.pareto()
    far = found.points[-1].model_copy(update={"values": (140.0, 90.0)})
    wide = build.result(pareto=found.model_copy(update={"points": (*found.points[:-1], far)}))
    (narrow,), (figure,) = figures.trade_off_figures(build.with_findings()), figures.trade_off_figures(wide)
    for drawn, kind in ((narrow, "linear"), (figure, "log")):
        axis, marks = drawn.layout["yaxis"], drawn.layout["annotations"]
        assert isinstance(axis, dict)
        assert isinstance(marks, list)
        assert axis["type"] == kind
        knee = next(mark for mark in marks if mark["text"] == "#5 knee")
        assert knee["y"] == pytest.approx(300.0 if kind == "linear" else math.log10(0.3))


def test_three_objectives_are_three_plots() -> None:
    found = build.pareto()
    third = found.objectives[1].model_copy(update={"name": "minimize_tpot", "label": "tpot"})
    points = tuple(
        p.model_copy(update={name: (*value, value[1]) for name, value in _sides(p.values, p.low, p.high).items()})
        for p in found.points
    )
    wide = found.model_copy(update={"objectives": (*found.objectives, third), "points": points})
    drawn = figures.trade_off_figures(build.result(pareto=wide))
    assert [figure.name for figure in drawn] == ["plot-trade-off-0", "plot-trade-off-1", "plot-trade-off-2"]


def _sides(
    values: tuple[float, ...], low: tuple[float, ...] | None, high: tuple[float, ...] | None
) -> dict[str, tuple[float, ...]]:
    return {"values": values, **({"low": low} if low else {}), **({"high": high} if high else {})}


def test_an_empty_front_says_so() -> None:
    found = build.pareto()
    none = ParetoSet(objectives=found.objectives, points=(), confidence=0.95)
    assert "there is no front" in front_sentence(none)
    assert figures.trade_off_figures(build.result(pareto=none)) == []
    assert "Trade-offs" in page(build.result(pareto=none))
    assert "Trade-offs" not in page(build.result())
    assert shown_points(found, 0) == [p for p in found.points if p.on_front or p.place == "unclear"]


# ---- importance and slices


def test_importance_names_what_it_rests_on() -> None:
    text = page(build.with_findings())
    assert "A model of 16 experiments explains 83.0 % of the variation among experiments that it has not seen." in text
    assert "threads 70.0 % ± 10.0 %" in terminal(build.with_findings())
    assert "flash 2.0 % ± 3.0 % (not told from nothing)" in terminal(build.with_findings())


def test_too_few_data_give_a_reason_and_no_plot() -> None:
    result = build.unsure()
    for text in (page(result), terminal(result)):
        assert "Parameter importance: not enough data: a model explains 12 %." in text
    assert figures.importance_figure(result) is None
    nothing = build.result(importance=Importance(experiments=0, note="not enough data: no parameter was searched"))
    assert "no parameter was searched" in page(nothing)
    assert "Parameter importance" not in terminal(build.result())


def test_what_is_modelled_is_marked_so() -> None:
    result = build.with_findings()
    (figure,) = figures.slice_figures(result)
    modelled, measured = figure.data
    assert modelled["name"] == "expected by the model"
    assert modelled["x"] == ["1", "2", "3"]
    assert measured["name"] == "measured"
    assert measured["x"] == ["1", "2"]
    assert "nothing of it was measured" in page(result)


# ---- differences


def test_every_metric_stands_with_its_difference_and_noise() -> None:
    text = page(build.with_findings())
    assert "Figures over 5 paired starts, with 95 % intervals; an interval holds for its line alone" in text
    assert "total throughput 154.5 tokens/s 100 tokens/s +54.5 % (+52.0 % to +58.0 %) 1.2 % more than noise" in text
    assert "TTFT, mean 400 ms 390 ms +2.0 % (−3.0 % to +7.0 %) – within the noise" in text
    assert "TTFT, p99 600 ms 500 ms +20.0 % – noise not known" in text
    assert "--flash on" in text
    assert "Against #5, which the search measured as best" in text
    assert "Both have the same parameters." in text
    assert "more than noise" in terminal(build.with_findings())
    assert "Figures of one start each" in page(build.unsure())


# ---- load curve, provenance


def test_the_load_curve_has_both_configurations_and_the_limit() -> None:
    result = build.with_findings()
    drawn = {figure.title: figure for figure in figures.load_figures(result)}
    assert set(drawn) == {"Output throughput", "Time to first token, mean"}
    assert [trace["x"] for trace in drawn["Output throughput"].data] == [[1, 2, 4, 8], [1, 2, 4, 8]]
    assert drawn["Output throughput"].layout["shapes"] == []
    assert "D(100,100)@8" in page(result)
    assert "Means over all windows (#4: 5 starts, #0 baseline: 5 starts)." in page(result)
    assert "Load curve" not in page(build.result())


def test_where_values_come_from() -> None:
    text = page(build.with_findings())
    assert "threads 1, 2, 3, 4 document, searched" in text
    assert "port engine's choice engine default" in text
    assert "strategy bayesian" in text
    origin = build.with_findings().provenance[0]
    assert value_text(origin.model_copy(update={"value": {"min": 1, "max": 8}})) == "min 1, max 8"


def test_one_is_no_plural() -> None:
    one = build.result(experiments=[build.searched()[0]], attempts=1, stop_reason=None)
    assert "1 experiment, 1 server start, " in page(one)
    assert "1 experiment, 1 server start in " in terminal(one)


def test_axes_have_the_units_of_the_tables() -> None:
    assert axis_scale([0.2, None, 0.9], "s") == (1000.0, "ms")
    assert axis_scale([0.2, 1.2], "s") == (1.0, "s")
    assert axis_scale([], "s") == (1.0, "s")
    assert axis_scale([0.2], "share") == (100.0, "%")
    assert axis_scale([0.2], "tokens/s") == (1.0, "tokens/s")
