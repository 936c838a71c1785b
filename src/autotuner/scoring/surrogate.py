"""A Gaussian process over configurations: what scores are likely where nothing was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_CENTRE = (0.0, -0.5, -2.0)
_SPREAD = (1.5, 1.0, 2.0)
"""Log of a parameter's weight, of the signal's and of the noise's variance (of targets scaled to 1): where they are
expected, and how far from there. A weight of 1 lets the ends of an axis agree a little (correlation 0.6)."""

_JITTER = 1e-8
_STEPS = 60


@dataclass(frozen=True)
class Fitted:
    """A fitted process: squared-exponential kernel with a weight per parameter, constant mean, Gaussian noise.

    Fields: ``weights`` by parameter; ``signal`` and ``noise`` variance of the scaled targets; ``mean`` and ``scale`` of
    the targets; ``solved``, K⁻¹ y; ``lower``, the Cholesky factor of K.
    """

    weights: Matrix
    signal: float
    noise: float
    mean: float
    scale: float
    solved: Matrix
    lower: Matrix

    def predict(self, distances: Sequence[Matrix]) -> Matrix:
        """The expected target at each row of ``distances``: per parameter, squared, to the points it was fitted to."""
        expected: Matrix = self.mean + self.scale * (self._kernel(distances) @ self.solved)
        return expected

    def deviation(self, distances: Sequence[Matrix]) -> Matrix:
        """Standard deviation of one measurement around the expectation."""
        import numpy as np

        half = np.linalg.solve(self.lower, self._kernel(distances).T)
        deviation: Matrix = self.scale * np.sqrt(np.maximum(self.signal - (half**2).sum(axis=0), 0.0) + self.noise)
        return deviation

    def parts(self, distances: Sequence[Matrix]) -> list[Matrix]:
        """The kernel as a factor per parameter (``signal`` is not in them)."""
        import numpy as np

        return [np.exp(-0.5 * weight * d) for weight, d in zip(self.weights, distances, strict=True)]

    def _kernel(self, distances: Sequence[Matrix]) -> Matrix:
        import numpy as np

        kernel: Matrix = self.signal * np.exp(-0.5 * sum(w * d for w, d in zip(self.weights, distances, strict=True)))
        return kernel


def fit(distances: Sequence[Matrix], targets: Matrix) -> Fitted:
    """Fit a process to at least two points.

    ``distances``: per parameter the squared distances between all points, on an axis of length one (choices without an
    order: 0 or 1). Weights, signal and noise maximise the posterior: likelihood × log-normal priors, which keep few
    points from being over-read. Rasmussen and Williams, Gaussian Processes for Machine Learning, section 5.4.
    """
    import numpy as np
    from scipy.optimize import minimize

    mean, scale = float(targets.mean()), float(targets.std()) or 1.0
    y = (targets - mean) / scale
    stack = np.array(distances)
    count = len(stack)
    centre = np.array([_CENTRE[0]] * count + [_CENTRE[1], _CENTRE[2]])
    spread = np.array([_SPREAD[0]] * count + [_SPREAD[1], _SPREAD[2]])

    def loss(logs: Matrix) -> tuple[float, Matrix]:
        weights, (signal, noise) = np.exp(logs[:count]), np.exp(logs[count:])
        smooth = signal * np.exp(-0.5 * np.tensordot(weights, stack, axes=1))
        lower = np.linalg.cholesky(smooth + (noise + _JITTER) * np.eye(len(y)))
        inverse = _inverse(lower)
        solved = inverse @ y
        outer = inverse - np.outer(solved, solved)
        pulled = outer * smooth
        gradient = np.append(
            -0.25 * weights * np.tensordot(stack, pulled, axes=([1, 2], [0, 1])),
            [0.5 * pulled.sum(), 0.5 * noise * np.trace(outer)],
        )
        off = (logs - centre) / spread
        value = 0.5 * y @ solved + np.log(np.diag(lower)).sum() + 0.5 * off @ off
        return float(value), gradient + off / spread

    bounds = [(c - 4 * s, c + 4 * s) for c, s in zip(centre, spread, strict=True)]
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    weights, (signal, noise) = np.exp(found.x[:count]), np.exp(found.x[count:])
    smooth = signal * np.exp(-0.5 * np.tensordot(weights, stack, axes=1))
    lower = np.linalg.cholesky(smooth + (noise + _JITTER) * np.eye(len(y)))
    return Fitted(weights, float(signal), float(noise), mean, scale, _inverse(lower) @ y, lower)


def _inverse(lower: Matrix) -> Matrix:
    import numpy as np

    half = np.linalg.inv(lower)
    inverse: Matrix = half.T @ half
    return inverse
