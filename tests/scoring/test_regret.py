"""Distance to the optimum, and random search as the honest comparison."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.search import Direction
from autotuner.scoring.regret import experiments_until, fraction_of_optimum, place_in_grid, random_search_best

GRID: dict[str, float | None] = {"a": 100.0, "b": 80.0, "c": None, "d": 100.0, "e": 50.0}


def test_fraction_is_one_at_the_optimum_in_both_directions() -> None:
    assert fraction_of_optimum(80.0, 100.0, "maximize") == 0.8
    assert fraction_of_optimum(100.0, 80.0, "minimize") == 0.8
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            fraction_of_optimum(bad, 1.0, "maximize")


def test_a_place_in_the_grid() -> None:
    place = place_in_grid(GRID, "b", "maximize")
    assert place is not None
    assert (place.rank, place.scored, place.failed, place.best) == (3, 4, 1, 100.0)
    assert place.distance == pytest.approx(0.2)
    lowest = place_in_grid(GRID, "b", "minimize")
    assert lowest is not None
    assert (lowest.rank, lowest.best, lowest.fraction) == (2, 50.0, 0.625)
    assert place_in_grid(GRID, "c", "maximize") is None
    with pytest.raises(KeyError):
        place_in_grid(GRID, "z", "maximize")


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_random_search_agrees_with_simulation(direction: Direction) -> None:
    rng = random.Random(7)
    scores: list[float | None] = [rng.uniform(1, 100) for _ in range(45)] + [None] * 15
    best = max if direction == "maximize" else min
    worst = -1.0 if direction == "maximize" else 1000.0
    found = [best(worst if s is None else s for s in rng.sample(scores, 8)) for _ in range(4000)]
    cuts = statistics.quantiles(found, n=20)
    exact = random_search_best(scores, 8, direction)
    assert exact.median is not None
    below = [sum(not (f > exact.median if direction == "maximize" else f < exact.median) for f in found) / len(found)]
    assert 0.45 <= below[0] <= 0.65
    ends = (cuts[18], cuts[0]) if direction == "maximize" else (cuts[0], cuts[18])
    assert exact.lucky == pytest.approx(ends[0], rel=0.1)
    assert exact.unlucky == pytest.approx(ends[1], rel=0.15)


@given(st.lists(st.one_of(st.none(), st.floats(1, 1e6)), min_size=1, max_size=30), st.data())
def test_random_search_finds_more_with_more_budget(scores: list[float | None], data: st.DataObject) -> None:
    budget = data.draw(st.integers(1, len(scores)))
    few, all_of_it = random_search_best(scores, budget, "minimize"), random_search_best(scores, len(scores), "minimize")
    optimum = min((s for s in scores if s is not None), default=None)
    assert (all_of_it.lucky, all_of_it.median, all_of_it.unlucky) == (optimum,) * 3
    order = [float("inf") if s is None else s for s in (few.lucky, few.median, few.unlucky)]
    assert order == sorted(order)


def test_one_draw_is_the_plain_median() -> None:
    assert random_search_best([5.0, 1.0, 3.0], 1, "minimize").median == 3.0
    assert random_search_best([1.0, None, None], 1, "minimize").median is None
    for budget in (0, 4):
        with pytest.raises(ValueError, match="budget"):
            random_search_best([1.0, 2.0, 3.0], budget, "minimize")


def test_experiments_until_near_the_optimum() -> None:
    history = [None, 50.0, 97.0, 99.0]
    assert experiments_until(history, 100.0, 0.05, "maximize") == 3
    assert experiments_until(history, 100.0, 0.02, "maximize") == 4
    assert experiments_until(history, 100.0, 0.001, "maximize") is None
    assert experiments_until([12.0, 10.1], 10.0, 0.02, "minimize") == 2
