"""The process: its gradients, what it says where it was measured, and what trends do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from autotuner.search.bayesian import process
from autotuner.search.bayesian.kernel import Kernel
from autotuner.search.bayesian.process import Beliefs, Data, Settings, condition, fit

BELIEFS = Beliefs(length=(0.0, 1.0), own=(-1.6, 0.7), joint=(-2.0, 0.7), noise=(-4.0, 0.5), offset=1.0)


def data(points: np.ndarray, y: np.ndarray, variance: float = 0.0, spread: float = 0.0) -> Data:
    """Points in some dimensions; a trend along the first one where ``spread`` is given."""
    distances = [np.abs(column[:, None] - column[None, :]) for column in points.T]
    return Data(
        axes=distances,
        y=y,
        variance=np.full(len(y), variance),
        trends=points[:, :1],
        factors=np.zeros(1),
        spreads=np.full(1, spread),
    )


def cross(own: Data, points: np.ndarray, asked: np.ndarray, kernel: Kernel) -> np.ndarray:
    return kernel.cross([np.abs(a[:, None] - b[None, :]) for a, b in zip(asked.T, points.T, strict=True)])


def test_the_gradient_is_that_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against differences, at the start and at other places."""
    rng = np.random.default_rng(0)
    points = rng.random((9, 3))
    own = data(points, np.sin(3 * points[:, 0]) + points[:, 1], 0.01, 0.3)
    checked = []

    def minimize(loss, start, **_):  # type: ignore[no-untyped-def]
        for place in (start, start + 0.5, start - 0.3):
            exact = loss(place)[1]
            approximate = approx_fprime(place, lambda at: loss(at)[0], 1e-6)
            assert exact == pytest.approx(approximate, rel=1e-3, abs=1e-3)
            checked.append(place)
        raise StopIteration

    monkeypatch.setattr(process, "minimize", minimize)
    with pytest.raises(StopIteration):
        fit(own, BELIEFS, 0.0)
    assert len(checked) == 3


def test_it_says_what_was_measured_and_knows_little_far_away() -> None:
    points = np.array([[0.0], [0.1], [0.2]])
    y = np.array([1.0, 1.1, 1.3])
    own = data(points, y)
    settings = Settings(Kernel(np.array([0.3]), 0.5, 0.1), 1e-3, 1.0, 0.5)
    found = condition(settings, own)
    asked = np.array([[0.1], [5.0]])
    mean, variance = found.predict(cross(own, points, asked, settings.kernel), asked)
    assert mean[0] == pytest.approx(1.1, abs=0.01)
    assert variance[0] < 1e-4
    assert variance[1] > 0.2


def test_a_trend_reaches_beyond_what_was_measured() -> None:
    points = np.linspace(0, 1, 6)[:, None]
    y = 2.0 * points[:, 0]
    for spread, expected in ((2.0, 6.0), (0.0, 2.0)):
        own = data(points, y, spread=spread)
        found = condition(Settings(Kernel(np.array([0.5]), 0.1, 0.05), 0.01, 1.0, 1.0), own)
        asked = np.array([[3.0]])
        mean, _ = found.predict(cross(own, points, asked, found.settings.kernel), asked)
        assert abs(mean[0] - expected) < 1.0


def test_repeats_that_scatter_pull_less() -> None:
    points = np.array([[0.0], [0.0]])
    settings = Settings(Kernel(np.array([0.5]), 0.5, 0.1), 0.01, 0.0, 1.0)
    own = data(points, np.array([0.0, 1.0]))
    sure_of_the_first = Data(own.axes, own.y, np.array([0.0, 1.0]), own.trends, own.factors, own.spreads)
    mean, _ = condition(settings, sure_of_the_first).predict(
        cross(own, points, points[:1], settings.kernel), points[:1]
    )
    assert 0.0 < mean[0] < 0.1


def test_noise_is_found() -> None:
    rng = np.random.default_rng(1)
    points = rng.random((40, 2))
    smooth = 0.5 * points[:, 0]
    quiet = fit(data(points, smooth, spread=1.0), BELIEFS, 0.0)
    loud = fit(data(points, smooth + 0.1 * rng.standard_normal(40), spread=1.0), BELIEFS, 0.0)
    assert quiet.noise < 0.02
    assert 0.05 < loud.noise < 0.15
