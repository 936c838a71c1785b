"""The configurations among which the next one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from autotuner.contracts.values import Configuration
from autotuner.search.bayesian.encoding import Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Distinct valid configurations with their identities and places, and what makes predictions at all of them quick.

    Parameters have few values, so a sum over axes is a sparse matrix (candidates × values of all axes) times a small
    table of the values. ``values``: of each axis; ``chosen``: that matrix.
    """

    configurations: Sequence[Configuration]
    identities: Sequence[str]
    rows: Matrix
    values: tuple[Matrix, ...]
    chosen: csr_array

    def __len__(self) -> int:
        return len(self.rows)


def candidates(configurations: Sequence[Configuration], identities: Sequence[str], rows: Matrix) -> Candidates:
    """Candidates from their places."""
    count, width = rows.shape
    values: list[Matrix] = []
    columns = np.zeros((count, width), dtype=np.int64)
    offset = 0
    for number in range(width):
        own, inverse = np.unique(rows[:, number], return_inverse=True)
        columns[:, number] = inverse + offset
        values.append(own)
        offset += len(own)
    chosen = csr_array(
        (np.ones(count * width), columns.ravel(), np.arange(0, count * width + 1, max(width, 1))[: count + 1])
        if width
        else (count, 0),
        shape=(count, offset),
    )
    return Candidates(configurations, identities, rows, tuple(values), chosen)


def tables(own: Candidates, axes: Sequence[Axis], measured: Matrix) -> list[Matrix]:
    """Of each axis the distances of its values to the measured places."""
    return [axis.distances(v, measured[:, n]) for n, (axis, v) in enumerate(zip(axes, own.values, strict=True))]


def places_only(rows: Matrix, configurations: Sequence[Configuration] = ()) -> Candidates:
    """Of places, such as those of what was measured."""
    return candidates(configurations, (), rows)
