"""When requests of an open loop are due."""

from __future__ import annotations

from itertools import accumulate, cycle, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.benchmark.builtin.arrivals import drawn_gaps, replayed_gaps
from autotuner.contracts.workload import Arrival

COUNT = 20_000


def gaps(arrival: Arrival, rate: float, burstiness: float = 1.0, seed: str = "s") -> np.ndarray:
    return np.array(list(islice(drawn_gaps(arrival, rate, burstiness, seed), COUNT)))


@pytest.mark.parametrize("rate", [0.2, 50.0])
@pytest.mark.parametrize(
    ("arrival", "burstiness", "variation"),
    [("poisson", 1.0, 1.0), ("gamma", 1.0, 1.0), ("gamma", 0.25, 2.0), ("gamma", 16.0, 0.25), ("constant", 1.0, 0.0)],
)
def test_mean_and_variation(arrival: Arrival, burstiness: float, variation: float, rate: float) -> None:
    drawn = gaps(arrival, rate, burstiness)
    # Within four standard errors; the seed is fixed.
    assert drawn.mean() * rate == pytest.approx(1.0, abs=4 * variation / COUNT**0.5 + 1e-12)
    assert drawn.std() / drawn.mean() == pytest.approx(variation, rel=0.05, abs=1e-12)
    assert (drawn >= 0).all()


def test_the_seed_decides() -> None:
    assert (gaps("gamma", 2.0, 0.5) == gaps("gamma", 2.0, 0.5)).all()
    assert (gaps("gamma", 2.0, 0.5) != gaps("gamma", 2.0, 0.5, "t")).any()


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=10).filter(any),
    st.floats(0.01, 10),
    st.sampled_from([0.5, 1.0, 4.0]),
)
def test_a_replay_keeps_the_times_and_begins_again_after_its_period(
    steps: list[float], pause: float, speed: float
) -> None:
    times = [0.0, *accumulate(steps)]
    period = times[-1] + pause
    due = list(accumulate(islice(replayed_gaps(cycle(times), period, speed), 3 * len(times))))
    wanted = [(turn * period + at) / speed for turn in range(3) for at in times]
    assert due == pytest.approx(wanted, rel=1e-9, abs=1e-9)
