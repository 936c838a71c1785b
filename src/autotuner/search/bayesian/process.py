"""A Gaussian process of one figure's logarithm, fitted by its posterior mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from autotuner.search.bayesian.kernel import Kernel, matern, slope

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_JITTER = 1e-7
_STEPS = 40


@dataclass(frozen=True)
class Beliefs:
    """What is believed of a figure's logarithm before anything was measured: centres and spreads of normal priors.

    ``length``, ``own``, ``joint``, ``noise``: (centre, spread) of the logarithm of a kernel's fields and of the
    noise's standard deviation. ``offset``: standard deviation of the mean around the first guess.
    """

    length: tuple[float, float]
    own: tuple[float, float]
    joint: tuple[float, float]
    noise: tuple[float, float]
    offset: float


@dataclass(frozen=True)
class Data:
    """Measured points of one figure.

    ``axes``: of each axis the distances between all pairs; ``y``: logarithms; ``variance``: of each y, as far as its
    repeats tell it; ``trends``: one column per trend, whose factor is normal around ``factors`` with ``spreads``.
    """

    axes: list[Matrix]
    y: Matrix
    variance: Matrix
    trends: Matrix
    factors: Matrix
    spreads: Matrix


@dataclass(frozen=True)
class Settings:
    """What a process is made of beside its points. ``evidence``: log of the posterior density at this mode."""

    kernel: Kernel
    noise: float
    first_guess: float
    offset: float
    evidence: float = 0.0


@dataclass(frozen=True)
class Process:
    """A process that has seen its points. ``lower``: Cholesky factor of their covariance; ``solved``: K⁻¹ y."""

    settings: Settings
    data: Data
    lower: Matrix
    solved: Matrix

    def predict(self, cross: Matrix, trends: Matrix) -> tuple[Matrix, Matrix]:
        """Mean and variance of the figure itself, without noise. ``cross``: kernel of the asked × the measured."""
        data, offset = self.data, self.settings.offset
        k = cross + offset**2 + (trends * data.spreads**2) @ data.trends.T
        mean = self.settings.first_guess + trends @ data.factors + k @ self.solved
        half = solve_triangular(self.lower, k.T, lower=True, check_finite=False)
        prior = self.settings.kernel.variance + offset**2 + trends**2 @ data.spreads**2
        return mean, np.maximum(prior - np.einsum("ij,ij->j", half, half), 1e-12)

    def covariance(self, within: Matrix, cross: Matrix, trends: Matrix) -> Matrix:
        """Of the asked points with each other. ``within``: their kernel."""
        data, offset = self.data, self.settings.offset
        scaled = trends * data.spreads**2
        half = solve_triangular(self.lower, (cross + offset**2 + scaled @ data.trends.T).T, lower=True)
        found: Matrix = within + offset**2 + scaled @ trends.T - half.T @ half
        return found

    def factors(self) -> Matrix:
        """The expected factor of each trend."""
        data = self.data
        found: Matrix = data.factors + data.spreads**2 * (data.trends.T @ self.solved)
        return found


def condition(settings: Settings, data: Data) -> Process:
    """The process with these settings that has seen these points."""
    k = settings.kernel.cross(data.axes) + settings.offset**2 + (data.trends * data.spreads**2) @ data.trends.T
    k += np.diag(data.variance + _JITTER + settings.noise**2)
    lower = cholesky(k, lower=True, check_finite=False)
    residual = data.y - settings.first_guess - data.trends @ data.factors
    return Process(settings, data, lower, cho_solve((lower, True), residual, check_finite=False))


def fit(data: Data, beliefs: Beliefs, first_guess: float) -> Settings:
    """The settings at the mode of likelihood × priors, by L-BFGS with analytic gradients.

    Rasmussen and Williams, Gaussian Processes for Machine Learning, sections 2.7 (trends) and 5.4.
    """
    count, n = len(data.axes), len(data.y)
    stack = np.array(data.axes).reshape(count, n, n)
    squares = stack**2
    residual = data.y - first_guess - data.trends @ data.factors
    eye = np.eye(n)
    fixed = beliefs.offset**2 + (data.trends * data.spreads**2) @ data.trends.T + np.diag(data.variance + _JITTER)
    centre = np.array([beliefs.length[0]] * count + [beliefs.own[0], beliefs.joint[0], beliefs.noise[0]])
    spread = np.array([beliefs.length[1]] * count + [beliefs.own[1], beliefs.joint[1], beliefs.noise[1]])

    def loss(logs: Matrix) -> tuple[float, Matrix]:
        lengths = np.exp(logs[:count])
        own, joint, noise = np.exp(2 * logs[count:])
        r = stack / lengths[:, None, None]
        far = np.sqrt((r**2).sum(axis=0))
        alone, together = own * matern(r).sum(axis=0), joint * matern(far)
        lower = cholesky(fixed + alone + together + noise * eye, lower=True, check_finite=False)
        inverse = cho_solve((lower, True), eye, check_finite=False)
        solved = inverse @ residual
        outer = inverse - np.outer(solved, solved)
        pulled = outer * (own * slope(r) + joint * slope(far))
        gradient = np.append(
            0.5 * (pulled * squares).sum(axis=(1, 2)) / lengths**2,
            [(outer * alone).sum(), (outer * together).sum(), noise * np.trace(outer)],
        )
        off = (logs - centre) / spread
        value = 0.5 * residual @ solved + np.log(np.diag(lower)).sum() + 0.5 * off @ off
        return float(value), gradient + off / spread

    bounds = [(c - 3 * s, c + 3 * s) for c, s in zip(centre, spread, strict=True)]
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    own, joint, noise = (float(v) for v in np.exp(found.x[count:]))
    kernel = Kernel(np.exp(found.x[:count]), own, joint)
    return Settings(kernel, noise, first_guess, beliefs.offset, -float(found.fun))
