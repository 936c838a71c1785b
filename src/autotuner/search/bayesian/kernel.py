"""How alike two configurations are: one term per parameter, and one for what parameters do together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_ROOT5 = 5.0**0.5


@dataclass(frozen=True)
class Kernel:
    """Matérn-5/2: ``own``² Σ_d k(s_d / l_d) + ``joint``² k(√Σ_d (s_d / l_d)²), with s_d the distance on an axis.

    The logarithms of throughput and latencies are nearly sums of what each parameter does, which the first part learns
    from few points; the second is for the rest. Fields: ``lengths`` l by axis; ``own``, ``joint``: standard deviations
    of the target's logarithm.
    """

    lengths: Matrix
    own: float
    joint: float

    def cross(self, axes: list[Matrix]) -> Matrix:
        """Covariances of pairs; ``axes``: of each axis (there is at least one) the distances of the pairs."""
        total = np.zeros_like(axes[0])
        square = np.zeros_like(total)
        for distances, length in zip(axes, self.lengths, strict=True):
            r = distances / length
            total += matern(r)
            square += r * r
        return self.own**2 * total + self.joint**2 * matern(np.sqrt(square))

    @property
    def variance(self) -> float:
        """Of any one configuration."""
        return len(self.lengths) * self.own**2 + self.joint**2


def matern(r: Matrix) -> Matrix:
    """Matérn-5/2 correlation at a distance in lengths (Rasmussen and Williams, equation 4.17)."""
    s = _ROOT5 * r
    found: Matrix = (1.0 + s + s * s / 3.0) * np.exp(-s)
    return found


def slope(r: Matrix) -> Matrix:
    """Of ``matern`` along log l: r² times this; finite at 0."""
    s = _ROOT5 * r
    found: Matrix = 5.0 / 3.0 * (1.0 + s) * np.exp(-s)
    return found
