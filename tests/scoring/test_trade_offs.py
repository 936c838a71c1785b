"""What stands for a front."""

import random

from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.search import Direction
from autotuner.scoring.pareto import pareto_front
from autotuner.scoring.trade_offs import trade_offs

BOTH: tuple[Direction, ...] = ("maximize", "minimize")
POINTS = st.dictionaries(st.integers(0, 50), st.tuples(st.floats(0, 100), st.floats(0.01, 10)), max_size=12)


@given(POINTS, st.randoms())
def test_it_stands_for_the_front_whatever_the_order(points: dict[int, tuple[float, float]], rng: random.Random) -> None:
    found = trade_offs(points, BOTH)
    numbers = sorted(points)
    assert list(found.front) == [numbers[i] for i in pareto_front([points[n] for n in numbers], BOTH)]
    assert sorted(found.order) == list(found.front)
    shuffled = list(points.items())
    rng.shuffle(shuffled)
    assert trade_offs(dict(shuffled), BOTH) == found
    if points:
        assert points[found.extremes[0]][0] == max(p[0] for p in points.values())
        assert points[found.extremes[1]][1] == min(p[1] for p in points.values())
        assert found.order[0] == found.extremes[0]


def test_the_knee_has_a_good_deal_of_everything() -> None:
    points = {1: (100.0, 1.0), 2: (90.0, 0.2), 3: (10.0, 0.1), 4: (50.0, 0.9), 5: (60.0, 0.18)}
    found = trade_offs(points, BOTH)
    assert found.front == (1, 2, 3, 5)
    assert found.knee == 2
    assert found.order == (1, 2, 3, 5)


def test_the_best_of_everything_is_no_knee() -> None:
    found = trade_offs({7: (5.0, 0.1), 8: (4.0, 0.2)}, BOTH)
    assert (found.front, found.extremes, found.knee, found.order) == ((7,), (7, 7), None, (7,))
    assert trade_offs({}, BOTH).front == ()
