"""Figures of any result: what is drawn is what was measured."""

import itertools
import json
import math

from hypothesis import given
from hypothesis import strategies as st

import result_builder as build
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.store import ExperimentOrigin
from autotuner.services.report import figures
from autotuner.services.report.json_export import finite

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([1.0, 0.5, "a", "b", "<i>", "1"])
SCORES = st.none() | st.floats(allow_nan=True) | st.integers(1, 500).map(float)


@st.composite
def results(draw: st.DrawFn) -> TaskResult:
    names = draw(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=4))
    experiments: list[ExperimentSummary] = []
    for number in range(draw(st.integers(1, 8))):
        score = draw(SCORES)
        experiments.append(
            build.experiment(
                number,
                {name: draw(SCALARS) for name in names},
                score=score,
                ttft=draw(st.floats(0.01, 2.0)),
                origin=ExperimentOrigin.SEARCH if number else ExperimentOrigin.BASELINE,
                failure=build.oom() if score is None else None,
            )
        )
    return build.result(
        experiments=experiments, direction=draw(st.sampled_from(["maximize", "minimize"])), gain=None, finalists=()
    )


def drawn(result: TaskResult) -> list[figures.Figure]:
    single = (figures.history_figure, figures.parallel_figure, figures.phases_figure, figures.starts_figure)
    found = [make(result) for make in single]
    found += [*figures.slo_figures(result), *figures.value_figures(result)]
    return [figure for figure in found if figure is not None]


@given(results())
def test_every_figure_is_plain_json_with_a_text_per_point(result: TaskResult) -> None:
    found = drawn(result)
    assert len({figure.name for figure in found}) == len(found)
    for figure in found:
        json.dumps(finite(figure.spec()), allow_nan=False)
        for trace in figure.data:
            x, y = trace["x"], trace["y"]
            assert isinstance(x, list)
            assert isinstance(y, list)
            assert len(x) == len(y) > 0
            texts = trace.get("hovertext", x)
            assert isinstance(texts, list)
            assert len(texts) == len(x)


@given(results())
def test_the_history_shows_every_experiment_once(result: TaskResult) -> None:
    figure = figures.history_figure(result)
    scored = {s.number for s in result.experiments if s.score is not None and math.isfinite(s.score)}
    if figure is None:
        assert not scored
        return
    shown: list[int] = []
    for trace in figure.data:
        if trace["mode"] == "markers":
            assert isinstance(trace["x"], list)
            shown += trace["x"]
    assert sorted(shown) == sorted(scored | {s.number for s in result.experiments if s.failure is not None})


@given(results())
def test_parallel_coordinates_stay_on_their_axes(result: TaskResult) -> None:
    figure = figures.parallel_figure(result)
    if figure is None:
        return
    heights = [y for trace in figure.data for y in as_list(trace["y"]) if y is not None]
    assert all(isinstance(y, float) and 0 <= y <= 1 for y in heights)


def as_list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def test_values_are_numbers_in_order_and_true_is_not_one() -> None:
    values = (10, 9, True, None, "b", "a", 1, 1.0)
    experiments = [build.experiment(n, {"p": value}, score=10.0 + n) for n, value in enumerate(values)]
    (figure,) = figures.value_figures(build.result(experiments=experiments, gain=None, finalists=()))
    order = [as_list(trace["x"])[0] for trace in figure.data]
    assert order == ["engine's choice", "true", "1", "9", "10", "a", "b"]
    assert [len(as_list(trace["y"])) for trace in figure.data] == [1, 1, 2, 1, 1, 1, 1]


def test_the_limit_stands_in_the_slo_figure() -> None:
    (figure,) = figures.slo_figures(build.result())
    shapes = as_list(figure.layout["shapes"])
    assert [shape["x0"] for shape in shapes if isinstance(shape, dict)] == [build.THRESHOLD * 1000]
    points = itertools.chain.from_iterable(as_list(trace["x"]) for trace in figure.data)
    assert max(x for x in points if isinstance(x, float)) > build.THRESHOLD * 1000
