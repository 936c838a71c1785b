"""Importance that is only claimed where the data show it."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from autotuner.contracts.search import Dimension
from autotuner.contracts.values import Configuration
from autotuner.planning.dimensions import ChoiceDimension, FloatDimension, IntDimension, choices
from autotuner.scoring.importance import EXPLAINS, FEWEST, Explanation, Measured, explain

ORDERED = choices("batch", [128, 256, 512, 1024, 2048])
BOOLEAN = choices("flash", [False, True])
NAMED = ChoiceDimension("cache", ("f16", "q8", "q4", "f32"))
IDLE = IntDimension("idle", 1, 8)
SPACE: tuple[Dimension, ...] = (ORDERED, BOOLEAN, NAMED, IDLE)


def draw(count: int, seed: int, space: tuple[Dimension, ...] = SPACE) -> list[Configuration]:
    rng = random.Random(seed)
    return [{d.name: d.at(rng.random()) for d in space} for _ in range(count)]


def scored(
    configurations: list[Configuration], score: Callable[[Configuration], float], noise: float = 0.0, seed: int = 0
) -> list[Measured]:
    rng = random.Random(seed)
    return [Measured(n, c, score(c) * math.exp(rng.gauss(0, noise))) for n, c in enumerate(configurations)]


def by_batch_and_flash(c: Configuration) -> float:
    """A hump over the batch, a little of the flag, nothing of the rest."""
    place = ORDERED.unit(c["batch"])
    return 100 * math.exp(-2 * (place - 0.6) ** 2) * (1.1 if c["flash"] else 1.0)


def explained(measured: list[Measured], space: tuple[Dimension, ...] = SPACE, seed: int = 0) -> Explanation:
    return explain(measured, space, seed=seed, best=measured[0].configuration if measured else None)


@pytest.mark.parametrize("seed", range(6))
def test_what_matters_comes_first_and_what_does_not_is_not_seen(seed: int) -> None:
    found = explained(scored(draw(40, seed), by_batch_and_flash, 0.01, seed), seed=seed).importance
    assert found.note is None
    assert found.explained is not None
    assert found.explained > 0.8
    assert [p.parameter for p in found.parameters][:2] == ["batch", "flash"]
    assert sum(p.share for p in found.parameters) == pytest.approx(1.0)
    assert all(0 <= p.share <= 1 and p.spread >= 0 for p in found.parameters)
    seen = {p.parameter for p in found.parameters if p.seen}
    assert {"batch", "flash"} <= seen


def test_a_choice_without_an_order_and_an_interaction_are_found() -> None:
    def score(c: Configuration) -> float:
        level = {"f16": 1.0, "q8": 1.5, "q4": 0.7, "f32": 1.2}[str(c["cache"])]
        return 50 * level * (1.4 if c["flash"] and c["cache"] == "q8" else 1.0)

    found = explained(scored(draw(48, 3), score, 0.01)).importance
    assert [p.parameter for p in found.parameters][:2] == ["cache", "flash"]


def test_pure_noise_says_that_there_are_not_enough_data() -> None:
    claimed = 0
    for seed in range(40):
        count = 10 + seed % 30
        found = explained(scored(draw(count, seed), lambda _: 100.0, 0.05, seed), seed=seed).importance
        claimed += found.note is None
        if found.note is not None:
            assert found.parameters == ()
            assert found.note.startswith("not enough data")
            assert found.experiments == count
            assert found.explained is not None
            assert found.explained <= EXPLAINS
    assert claimed <= 1


def test_few_experiments_are_not_enough_and_it_says_how_many() -> None:
    found = explained(scored(draw(FEWEST - 1, 0), by_batch_and_flash)).importance
    assert (
        found.note
        == f"not enough data: {FEWEST - 1} experiments of the searched space with a score, and 10 are asked for"
    )
    assert found.explained is None
    assert explained([]).importance.experiments == 0
    assert "no parameter was searched" in (explained([], ()).importance.note or "")


def test_equal_scores_say_so() -> None:
    found = explained(scored(draw(12, 0), lambda _: 7.0)).importance
    assert found.note == "not enough data: all experiments have the same score"


def test_the_order_of_the_experiments_plays_no_part() -> None:
    measured = scored(draw(30, 5), by_batch_and_flash, 0.02)
    best = measured[0].configuration
    first = explain(measured, SPACE, seed=1, best=best)
    shuffled = list(measured)
    random.Random(9).shuffle(shuffled)
    assert explain(shuffled, SPACE, seed=1, best=best) == first


def test_what_is_outside_the_space_or_has_no_score_is_left_out() -> None:
    inside = scored(draw(20, 2), by_batch_and_flash)
    outside = [
        Measured(100, {"batch": 333, "flash": True, "cache": "f16", "idle": 1}, 90.0),
        Measured(101, {"batch": 128, "flash": True}, 90.0),
        Measured(102, inside[0].configuration, 0.0),
        Measured(103, inside[0].configuration, math.nan),
    ]
    assert explained(inside + outside) == explained(inside)


def test_a_parameter_with_one_measured_value_is_not_among_them() -> None:
    measured = scored([{**c, "idle": 3} for c in draw(30, 1)], by_batch_and_flash)
    assert "idle" not in {p.parameter for p in explained(measured).importance.parameters}


def test_more_experiments_than_the_model_takes_are_drawn_from() -> None:
    space = (FloatDimension("x", 0.0, 1.0), FloatDimension("y", 0.0, 1.0))
    measured = scored(draw(260, 1, space), lambda c: 10 + 5 * float(str(c["x"])), 0.01)
    found = explained(measured, space).importance
    assert found.experiments == 260
    assert found.parameters[0].parameter == "x"


# ---- slices


def test_a_slice_has_what_was_measured_and_marks_what_was_not() -> None:
    configurations: list[Configuration] = [
        {"batch": b, "flash": f, "cache": c, "idle": i}
        for b, f, c, i in itertools.product((128, 256, 1024, 2048), (False, True), ("f16", "q8"), (1, 4))
    ]
    measured = scored(configurations, by_batch_and_flash, 0.02)
    best = {"batch": 1024, "flash": True, "cache": "f16", "idle": 1, "fixed": "left out"}
    found = explain(measured, SPACE, seed=0, best=best)
    batch = next(s for s in found.slices if s.parameter == "batch")
    assert [p.value for p in batch.points] == [128, 256, 512, 1024, 2048]
    assert batch.best == 1024
    assert [p.measured is None for p in batch.points] == [False, False, True, False, False]
    for point in batch.points:
        truth = by_batch_and_flash({**best, "batch": point.value})
        assert point.modelled is not None
        assert point.low is not None
        assert point.high is not None
        assert point.low < point.modelled < point.high
        assert point.low < truth < point.high
        if point.measured is not None:
            assert point.modelled == pytest.approx(truth, rel=0.03)
            assert point.measured == pytest.approx(truth, rel=0.08)
            assert measured[point.experiment or 0].configuration["batch"] == point.value


def test_without_a_model_a_slice_is_what_was_measured() -> None:
    base: Configuration = {"batch": 128, "flash": False, "cache": "f16", "idle": 1}
    measured = scored([base, {**base, "batch": 512}, {**base, "idle": 5, "flash": True}], by_batch_and_flash)
    found = explain(measured, SPACE, seed=0, best=base)
    (batch,) = found.slices
    assert batch.parameter == "batch"
    assert [(p.value, p.experiment, p.modelled) for p in batch.points] == [(128, 0, None), (512, 1, None)]
    assert explain(measured, SPACE, seed=0, best=None).slices == ()
    assert explain(measured, SPACE, seed=0, best={"batch": 77}).slices == ()


def test_what_may_not_be_launched_has_no_place_in_a_slice() -> None:
    measured = scored(draw(40, 4), by_batch_and_flash)
    best = {**measured[0].configuration, "batch": 128}
    found = explain(measured, SPACE, seed=0, best=best, valid=lambda c: c["batch"] != 2048)
    batch = next(s for s in found.slices if s.parameter == "batch")
    unmeasured = [p.value for p in batch.points if p.measured is None]
    assert 2048 not in unmeasured
    assert 1024 in [p.value for p in batch.points]


def test_a_continuous_parameter_has_places_on_its_axis() -> None:
    space = (FloatDimension("x", 1.0, 100.0, log=True), BOOLEAN)
    measured = scored(draw(30, 1, space), lambda c: 10 * math.log10(float(str(c["x"])) + 1), 0.0)
    found = explain(measured, space, seed=0, best=measured[0].configuration)
    x = next(s for s in found.slices if s.parameter == "x")
    values = [float(str(p.value)) for p in x.points]
    assert values == sorted(values)
    assert len(values) >= 13
    assert sum(p.measured is not None for p in x.points) >= 1
