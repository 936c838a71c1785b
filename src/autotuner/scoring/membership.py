"""How certain it is which configurations stand on the Pareto front, given the noise from start to start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autotuner.contracts.search import Direction
from autotuner.scoring.pareto import pareto_front

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Place = Literal["front", "unclear", "behind"]
"""``unclear``: it cannot be told from the front."""

CERTAIN = 0.95
"""A configuration is called on the front from this probability on, and behind it up to one minus this."""

DRAWS = 2_000
"""So many draws give a probability to within 2.2 percentage points (twice the standard error at one half)."""

_FEWEST_DRAWS = 200
_PAIRS_AT_ONCE = 4_000_000
_PAIRS_IN_ALL = 80_000_000
_MOST_CANDIDATES = 1_000
_IMPOSSIBLE = 1e-4


@dataclass(frozen=True)
class Candidate:
    """A configuration. ``values``: a score ≥ 0 per objective, the geometric mean over ``starts`` starts."""

    values: tuple[float, ...]
    starts: int = 1


@dataclass(frozen=True)
class StartNoise:
    """Noise of the log scores from start to start of one configuration.

    Fields: ``covariance`` between the objectives, a row each (a slow start is slow in all of them); ``freedom``, the
    degrees of freedom that it was estimated with.
    """

    covariance: tuple[tuple[float, ...], ...]
    freedom: int

    def deviation(self, objective: int) -> float:
        """Standard deviation of one objective's log score: 0.02 reads as about 2 %."""
        return math.sqrt(max(0.0, self.covariance[objective][objective]))


def start_noise(groups: Sequence[Sequence[Sequence[float]]]) -> StartNoise | None:
    """The noise from several starts of several configurations; None when no configuration was started twice.

    ``groups``: per configuration its starts, per start a score per objective. Starts with a score that is not positive
    are left out. The covariance is pooled over the configurations; its diagonal is the square of
    ``evidence.pooled_noise``.
    """
    logs = [
        [[math.log(value) for value in start] for start in group if all(math.isfinite(v) and v > 0 for v in start)]
        for group in groups
    ]
    logs = [group for group in logs if group]
    freedom = sum(len(group) - 1 for group in logs)
    if freedom < 1:
        return None
    axes = len(logs[0][0])
    sums = [[0.0] * axes for _ in range(axes)]
    for group in logs:
        means = [math.fsum(start[k] for start in group) / len(group) for k in range(axes)]
        for a in range(axes):
            for b in range(axes):
                sums[a][b] += math.fsum((start[a] - means[a]) * (start[b] - means[b]) for start in group)
    return StartNoise(tuple(tuple(value / freedom for value in row) for row in sums), freedom)


def front_probabilities(
    candidates: Mapping[int, Candidate],
    directions: Sequence[Direction],
    noise: StartNoise,
    *,
    seed: int,
    draws: int = DRAWS,
) -> dict[int, float]:
    """The probability of each configuration that no other is at least as good as it everywhere and better somewhere.

    Given the measured scores and no other knowledge, the true log scores of a configuration are spread around its
    measured ones by a multivariate t-distribution with the covariance / starts of the noise and its degrees of freedom
    (the posterior under a flat prior). They are drawn many times, for all configurations at once, and the front of each
    draw is found; the probability is the share of the draws. Without noise that is the measured front.

    Configurations that the measured front beats by so much that it cannot be chance (1 in 10,000) have the probability
    0 and are not drawn. Where more than 1,000 others remain, those farthest behind are left out of the answer, and with
    hundreds of them there are fewer draws, at least 200. The order of the configurations plays no part.
    """
    numbers = sorted(candidates)
    if not numbers:
        return {}
    import numpy as np

    logs = _log_losses([candidates[n].values for n in numbers], directions)
    starts = np.array([candidates[n].starts for n in numbers], dtype=float)
    measured = pareto_front([candidates[n].values for n in numbers], directions)
    if not any(noise.deviation(k) > 0 for k in range(len(directions))):
        on = set(measured)
        return {number: float(index in on) for index, number in enumerate(numbers)}
    behind = _behind(logs, starts, measured, noise)
    from scipy.special import stdtrit

    reach = float(stdtrit(noise.freedom, 1 - _IMPOSSIBLE / len(directions)))
    kept = sorted(np.flatnonzero(behind <= reach).tolist(), key=lambda i: (behind[i], numbers[i]))[:_MOST_CANDIDATES]
    kept.sort()
    found = {numbers[index]: 0.0 for index in np.flatnonzero(behind > reach).tolist()}
    signs = np.array([1.0 if direction == "minimize" else -1.0 for direction in directions])
    covariance = np.array(noise.covariance) * np.outer(signs, signs)
    shares = _shares(logs[kept], starts[kept], covariance, noise.freedom, seed, draws)
    found.update((numbers[index], float(share)) for index, share in zip(kept, shares, strict=True))
    return dict(sorted(found.items()))


def place(probability: float) -> Place:
    """What may be said of a configuration with that probability of being on the front."""
    return "front" if probability >= CERTAIN else "behind" if probability <= 1 - CERTAIN else "unclear"


def score_interval(value: float, deviation: float, starts: int, freedom: int, confidence: float) -> tuple[float, float]:
    """A t-interval of a score: ``value``, the geometric mean of its starts, times or divided by what the noise gives.

    ``deviation`` of the log score from start to start, with its degrees of freedom.
    """
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * deviation / math.sqrt(starts)
    factor = math.exp(min(reach, 700.0))
    return value / factor, min(value * factor, 1.7e308)


def _log_losses(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> NDArray[np.float64]:
    """Logs of the scores, turned so that less is better; a throughput of zero is infinitely bad."""
    import numpy as np

    with np.errstate(divide="ignore"):
        logs = np.log(np.array(values, dtype=float))
    turned: NDArray[np.float64] = np.where(np.array([d == "minimize" for d in directions]), logs, -logs)
    return turned


def _behind(
    logs: NDArray[np.float64], starts: NDArray[np.float64], front: Sequence[int], noise: StartNoise
) -> NDArray[np.float64]:
    """How many standard errors the front leaves each point behind in the axis where it does so least; 0 on the front.

    The chance that such a point is on the true front is at most that of its overtaking in one of the axes.
    """
    import numpy as np

    deviations = np.array([noise.deviation(k) for k in range(logs.shape[1])])
    most = np.zeros(len(logs))
    for j in front:
        errors = deviations * np.sqrt(1 / starts + 1 / starts[j])[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            lags = (logs - logs[j]) / errors
        # 0 / 0: equal in an axis without noise. Infinity − infinity: both are worth nothing there.
        most = np.maximum(most, np.nan_to_num(lags, nan=0.0, posinf=math.inf, neginf=-math.inf).min(axis=1))
    return most


def _shares(
    logs: NDArray[np.float64],
    starts: NDArray[np.float64],
    covariance: NDArray[np.float64],
    freedom: int,
    seed: int,
    draws: int,
) -> NDArray[np.float64]:
    """In which share of the draws each point is on the front; all turned so that less is better."""
    import numpy as np

    count, axes = logs.shape
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    pairs = count * count * axes
    draws = max(min(draws, _PAIRS_IN_ALL // pairs), min(draws, _FEWEST_DRAWS))
    on = np.zeros(count)
    left = draws
    while left:
        batch = min(left, max(1, _PAIRS_AT_ONCE // pairs))
        left -= batch
        # One covariance for all points of a draw, since it was estimated from all of them.
        scale = np.sqrt(freedom / rng.chisquare(freedom, size=(batch, 1, 1)))
        errors = rng.standard_normal((batch, count, axes)) @ root.T
        drawn = logs + errors * scale / np.sqrt(starts)[:, None]
        on += (~_beaten(drawn)).sum(axis=0)
    return on / draws


def _beaten(drawn: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of points (draw, point, axis): whether another one is at least as good everywhere and better somewhere."""
    import numpy as np

    as_good = np.ones((drawn.shape[0], drawn.shape[1], drawn.shape[1]), dtype=bool)
    better = np.zeros_like(as_good)
    for axis in range(drawn.shape[2]):
        others, own = drawn[:, :, None, axis], drawn[:, None, :, axis]
        as_good &= others <= own
        better |= others < own
    return np.asarray((as_good & better).any(axis=1))
