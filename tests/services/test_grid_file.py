"""Measured grids: made from a task, kept in a file, and compared with later tasks."""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

import result_builder as build
from autotuner.contracts.engine import Rule
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus
from autotuner.contracts.values import MODEL_KEY, Scalar, digest
from autotuner.planning.dimensions import ChoiceDimension
from autotuner.planning.space import ParameterSpace
from autotuner.services.grid import compare, grid_from_result, grid_text, read_grid, why_not

MADE = datetime(2026, 11, 1, 12, tzinfo=UTC)
FILES = ("/srv/models/a-q4.gguf", "/srv/models/a-q8.gguf")
THREADS = (1, 2, 3, 4)


def identity(configuration: Mapping[str, Scalar]) -> str:
    """The engine's own choice of threads is 4: such configurations launch alike."""
    return digest({**configuration, "threads": configuration["threads"] or 4})


def space() -> ParameterSpace:
    """Two model files × four numbers of threads, without four threads on the first file."""

    def check(rules: Sequence[Rule] | None, configuration: Mapping[str, Scalar]) -> str | None:
        refused = configuration[MODEL_KEY] == FILES[0] and configuration["threads"] == 4
        return "four threads do not fit" if refused else None

    return ParameterSpace(
        [ChoiceDimension(MODEL_KEY, FILES), ChoiceDimension("threads", THREADS)],
        rules=[Rule("fit", frozenset({"model", "threads"}), lambda values, context: None)],
        check=check,
        identify=identity,
    )


def measured(*, minimize: bool = False) -> list[ExperimentSummary]:
    """All seven configurations; the engine's default (four threads, second file) is the baseline, #6 failed.

    Scores are 10 … 70 by configuration; the best two (by maximising) violate a hard SLO.
    """
    found: list[ExperimentSummary] = []
    for number, (file, threads) in enumerate((f, t) for f in FILES for t in THREADS if (f, t) != (FILES[0], 4)):
        baseline = (file, threads) == (FILES[1], 4)
        found.append(
            build.experiment(
                number,
                {MODEL_KEY: file, "threads": None if baseline else threads},
                score=10.0 * (number + 1),
                ttft=0.9 if number == 4 and not minimize else 0.2,
                origin=ExperimentOrigin.BASELINE if baseline else ExperimentOrigin.SEARCH,
                failure=build.oom() if number == 5 else None,
            )
        )
    return found


def task(experiments: list[ExperimentSummary], **changes: object) -> TaskResult:
    return build.result(experiments=experiments, references=(), **changes)


def other_place(summary: ExperimentSummary) -> ExperimentSummary:
    """The same configuration with its model in another folder."""
    file = str(summary.parameters[MODEL_KEY]).replace("/srv", "/home/me")
    return summary.model_copy(update={"parameters": {**summary.parameters, MODEL_KEY: file}})


def test_a_grid_holds_every_configuration_once() -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    assert [point.score for point in grid.points] == [10.0, 20.0, 30.0, 40.0, 50.0, None, 70.0]
    assert [point.eligible for point in grid.points] == [True, True, True, True, False, False, True]
    assert grid.parameters == {MODEL_KEY: ("a-q4.gguf", "a-q8.gguf"), "threads": THREADS}
    assert grid.points[0].parameters == {MODEL_KEY: "a-q4.gguf", "threads": 1}
    assert grid.points[6].parameters["threads"] == 4
    assert grid.points[0].metrics["mean_total_throughput"] == 10.0
    assert grid.points[5].metrics == {}


def test_a_grid_comes_back_from_its_file() -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    assert read_grid(grid_text(grid)) == grid
    written = json.loads(grid_text(grid))
    assert written["version"] == 1
    assert "/srv" not in json.dumps([written["points"], written["parameters"], written["model"]])


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "points": []}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(AutotunerError, match=r"not a grid \(at grid\.json\)"):
        read_grid(text, place="grid.json")


def test_an_incomplete_grid_is_refused() -> None:
    complete = measured()
    pending = complete[3].model_copy(update={"status": ExperimentStatus.PENDING, "score": None})
    for experiments in (complete[:-1], [*complete[:3], pending, *complete[4:]]):
        with pytest.raises(AutotunerError, match="1 of 7 configurations are not measured"):
            grid_from_result(task(experiments), space(), made_at=MADE)
    with pytest.raises(AutotunerError, match="predictions"):
        grid_from_result(task(complete, predicted=True), space(), made_at=MADE)


def test_the_winner_is_placed_by_the_grids_own_figures() -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    # A search of three that came upon 20, 40 and 30; its own scores are noisier than the grid's.
    found = [other_place(s) for s in measured() if s.number in (1, 2, 3)]
    searched = [s.model_copy(update={"score": (s.score or 0.0) * 1.3}) for s in found]
    reference = build.experiment(
        9, {MODEL_KEY: FILES[0], "threads": 1}, origin=ExperimentOrigin.REFERENCE, label="old settings"
    )
    outside = build.experiment(10, {MODEL_KEY: FILES[0], "threads": 64}, origin=ExperimentOrigin.REFERENCE, label="far")
    result = task(searched).model_copy(update={"references": (reference, outside)})
    assert why_not(grid, result) is None
    placed = compare(grid, result)
    assert placed.points == 7
    assert placed.feasible == 5
    assert placed.best_score == 70.0
    assert placed.best_parameters == {MODEL_KEY: "a-q8.gguf", "threads": 4}
    assert placed.winner_score == 40.0
    assert placed.winner_fraction == pytest.approx(4 / 7)
    assert placed.winner_rank == 2
    assert placed.reference_fractions == {"old settings": pytest.approx(1 / 7), "far": None}
    assert placed.budget == 3
    # By hand, over all draws: the best eligible score of each, 0 where there is none.
    values = (10, 20, 30, 40, 0, 0, 70)
    bests = sorted((max(draw) for draw in itertools.combinations(values, 3)), reverse=True)
    assert placed.random_median_fraction == pytest.approx(bests[len(bests) // 2] / 70)
    assert placed.random_low_fraction is not None
    assert placed.random_high_fraction == 1.0
    assert placed.random_low_fraction < placed.random_median_fraction


def test_a_minimised_score_is_placed_the_other_way() -> None:
    everything = task(measured(minimize=True), direction="minimize")
    grid = grid_from_result(everything, space(), made_at=MADE)
    placed = compare(grid, task(measured(minimize=True)[1:2], direction="minimize"))
    assert placed.best_score == 10.0
    assert placed.winner_fraction == pytest.approx(0.5)
    assert placed.winner_rank == 2


def test_a_baseline_of_engine_defaults_is_found_in_the_grid() -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    (baseline,) = [s for s in measured() if s.origin is ExperimentOrigin.BASELINE]
    assert baseline.parameters["threads"] is None
    placed = compare(grid, task([baseline, *measured()[:2]], winner=baseline))
    assert placed.baseline_fraction == 1.0
    assert placed.winner_rank == 1


def test_a_winner_that_violates_in_the_grid_has_no_figure() -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    (violating,) = [s for s in measured(minimize=True) if s.number == 4]
    placed = compare(grid, task([violating]))
    assert placed.winner_score is None
    assert placed.winner_fraction is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": {"cpu_model": "Other CPU"}}, "the CPU differs: Other CPU here, Some CPU 3000 in the grid"),
        ({"engine": "another"}, "the engine differs: another here"),
        ({"engine_version": "9"}, "the engine's version differs: 9 here"),
        ({"objective": "minimize_ttft"}, "the objective differs: minimize_ttft here"),
        ({"scored_at": ("D(1,1)@1",)}, "the workload differs: D(1,1)@1 here"),
        ({"slo_sentences": ()}, "the list of SLOs differs: none here"),
        ({"predicted": True}, "figures are predictions"),
        ({"experiments": [build.experiment(1, {"x": 1})]}, "parameters __model__file, threads, x"),
        ({"experiments": [build.experiment(1, {MODEL_KEY: "b.gguf", "threads": 1})]}, "b.gguf"),
        ({"experiments": [build.experiment(1, {MODEL_KEY: "a-q4.gguf", "threads": True})]}, "threads=True"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, object], sentence: str) -> None:
    grid = grid_from_result(task(measured()), space(), made_at=MADE)
    experiments = changes.pop("experiments", measured())
    assert isinstance(experiments, list)
    result = task(experiments, **changes)
    reason = why_not(grid, result)
    assert reason is not None
    assert sentence in reason
    with pytest.raises(AutotunerError, match="do not fit"):
        compare(grid, result)


def test_another_single_model_does_not_fit_but_another_folder_does() -> None:
    summary = build.experiment(0, {"threads": 1})
    plain_space = ParameterSpace(
        [ChoiceDimension("threads", (1,))], rules=[], check=lambda rules, configuration: None, identify=digest
    )
    grid = grid_from_result(task([summary]), plain_space, made_at=MADE)
    assert why_not(grid, task([summary], model="/elsewhere/tiny-q8_0.gguf")) is None
    reason = why_not(grid, task([summary], model="/srv/models/tiny-q4_0.gguf"))
    assert reason is not None
    assert "the model differs: tiny-q4_0.gguf here" in reason
