"""Which parameters matter, and how: only as far as a model of the measured scores has shown that it can be believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autotuner.contracts.findings import Importance, ParameterImportance, Slice, SlicePoint
from autotuner.contracts.search import Dimension
from autotuner.contracts.values import Configuration, Scalar, digest
from autotuner.scoring.surrogate import Fitted, fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Indices = NDArray[np.int_]

EXPLAINS = 0.3
"""R² on held-out experiments above which the model is believed (search.md, Evidence)."""

FEWEST = 10
"""With fewer experiments nothing is said."""

FOLDS = 5
ROUNDS = 2
"""Cross-validation is repeated with other folds, since that of few experiments depends on the folds."""

MOST = 150
"""Of more experiments so many are used, drawn at random: the model's cost grows with their cube."""

SEEN = 2.0
"""A parameter's effect is told from nothing from so many standard errors on."""

MOST_VALUES = 24
PLACES = 13
"""A slice has every value of a parameter with at most ``MOST_VALUES``, else so many places on its axis."""

_BAND = 1.96


@dataclass(frozen=True)
class Measured:
    """A measured configuration of the space: number of its experiment, searched values, score."""

    number: int
    configuration: Configuration
    score: float


@dataclass(frozen=True)
class Explanation:
    """What ``explain`` found."""

    importance: Importance
    slices: tuple[Slice, ...] = ()


def explain(
    measured: Sequence[Measured],
    dimensions: Sequence[Dimension],
    *,
    seed: int,
    best: Configuration | None,
    valid: Callable[[Configuration], bool] = lambda _: True,
) -> Explanation:
    """The importance of each searched parameter, and slices through the best configuration.

    A Gaussian process (``surrogate``) models the log of the score. It is believed if it explains experiments that it
    has not seen: R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)² over held-out folds, ȳ being the mean of the others, above 0.3.
    Otherwise there is no importance but the reason, and the slices show measured scores alone.

    The importance of a parameter is permutation importance on held-out experiments: by how much the squared error
    grows when its value is replaced by that of any experiment, averaged over all of them; the shares of all parameters
    add up to 1. Its effect is seen when that growth is more than two standard errors above 0.

    Configurations outside the space (such as a baseline whose values are not searched) and scores that are not
    positive are left out. The order of ``measured`` plays no part: folds follow from ``seed`` and the configurations.
    ``best``: where the slices go through. ``valid``: whether a configuration may be launched at all; others have no
    place in a slice.
    """
    rows = _usable(measured, dimensions)
    varied = [d for d in dimensions if len({_place(d, row.configuration) for row in rows}) > 1]
    at = {d.name: best[d.name] for d in dimensions} if best is not None and _inside(best, dimensions) else None
    why = _too_little(rows, varied, dimensions)
    if why is not None:
        note = Importance(experiments=len(rows), note=f"not enough data: {why}")
        return Explanation(note, _slices(rows, varied, at, None, valid))
    table = _Table(_drawn(rows, seed), tuple(varied))
    validated = _validate(table, seed)
    if not validated.explained > EXPLAINS:
        importance = Importance(
            experiments=len(rows),
            explained=validated.explained,
            note=f"not enough data: a model of {len(rows)} experiments explains {_share(validated.explained)} of the"
            f" variation of experiments that it has not seen, and more than {_share(EXPLAINS)} is asked for",
        )
        return Explanation(importance, _slices(rows, varied, at, None, valid))
    importance = Importance(experiments=len(rows), explained=validated.explained, parameters=_shares(varied, validated))
    model = _Model(table, fit(table.distances, table.targets), max(1.0, validated.surprise))
    return Explanation(importance, _slices(rows, varied, at, model, valid))


def _too_little(rows: Sequence[Measured], varied: Sequence[Dimension], dimensions: Sequence[Dimension]) -> str | None:
    if not dimensions:
        return "no parameter was searched"
    if len(rows) < FEWEST:
        many = "1 experiment" if len(rows) == 1 else f"{len(rows)} experiments"
        return f"{many} of the searched space with a score, and {FEWEST} are asked for"
    if not varied:
        return "no searched parameter has two measured values"
    if len({row.score for row in rows}) == 1:
        return "all experiments have the same score"
    return None


def _usable(measured: Sequence[Measured], dimensions: Sequence[Dimension]) -> list[Measured]:
    names = [dimension.name for dimension in dimensions]
    found = [
        Measured(row.number, {name: row.configuration[name] for name in names}, row.score)
        for row in measured
        if row.score > 0 and math.isfinite(row.score) and _inside(row.configuration, dimensions)
    ]
    return sorted(found, key=lambda row: row.number)


def _inside(configuration: Configuration, dimensions: Sequence[Dimension]) -> bool:
    try:
        for dimension in dimensions:
            dimension.unit(configuration[dimension.name])
    except (KeyError, ValueError):
        return False
    return True


def _drawn(rows: Sequence[Measured], seed: int) -> list[Measured]:
    """At most ``MOST`` of them, in an order that follows from the seed and the configurations alone."""
    return sorted(rows, key=lambda row: (digest([seed, dict(row.configuration)]), row.number))[:MOST]


def _place(dimension: Dimension, configuration: Configuration) -> float:
    return dimension.unit(configuration[dimension.name])


def _share(value: float) -> str:
    return f"{max(value, 0.0):.0%}".replace("%", " %") if value > 0 else "nothing"


# ---- the model


@dataclass(frozen=True)
class _Table:
    """The measured scores as a model sees them: distances per parameter, and log scores."""

    rows: list[Measured]
    dimensions: tuple[Dimension, ...]
    distances: list[Matrix] = field(init=False)
    targets: Matrix = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np

        object.__setattr__(self, "targets", np.log([row.score for row in self.rows]))
        object.__setattr__(self, "distances", self.to([row.configuration for row in self.rows]))

    def to(self, configurations: Sequence[Configuration]) -> list[Matrix]:
        """Per parameter the squared distances of other configurations (rows) to the measured ones (columns)."""
        import numpy as np

        found: list[Matrix] = []
        for dimension in self.dimensions:
            theirs = np.array([_place(dimension, configuration) for configuration in configurations])
            ours = np.array([_place(dimension, row.configuration) for row in self.rows])
            apart = theirs[:, None] - ours[None, :]
            # The places of choices without an order are names: equal or not is all that they tell.
            found.append((apart != 0).astype(float) if dimension.kind == "categorical" else _stretched(apart, ours))
        return found


def _stretched(apart: Matrix, ours: Matrix) -> Matrix:
    """Squared distances on an axis whose measured ends are 1 apart."""
    span = float(ours.max() - ours.min())
    squares: Matrix = (apart / span) ** 2
    return squares


@dataclass(frozen=True)
class _Model:
    table: _Table
    fitted: Fitted
    widened: float
    """By what its intervals are multiplied: held-out experiments lay so much farther off than it thought."""

    def scores(self, configurations: Sequence[Configuration]) -> list[tuple[float, float, float]]:
        """The expected score of each, and the ends of a 95 % interval for one start of it."""
        import numpy as np

        distances = self.table.to(configurations)
        middle, reach = self.fitted.predict(distances), _BAND * self.widened * self.fitted.deviation(distances)
        ends = np.exp(np.clip([middle, middle - reach, middle + reach], -700, 700))
        return [(float(m), float(low), float(high)) for m, low, high in ends.T]


@dataclass(frozen=True)
class _Validated:
    """What held-out experiments say.

    Fields: ``explained``, R²; ``surprise``, root mean square of their residues in standard deviations of the model;
    ``growth``, per experiment (row) and parameter (column) the growth of the squared error
    when that parameter's value is replaced, relative to the variance of the targets.
    """

    explained: float
    surprise: float
    growth: Matrix


def _validate(table: _Table, seed: int) -> _Validated:
    import numpy as np

    count = len(table.rows)
    errors = naive = surprises = 0.0
    growth = np.zeros((count, len(table.dimensions)))
    keys = [dict(row.configuration) for row in table.rows]
    for turn in range(ROUNDS):
        order = sorted(range(count), key=lambda i: digest([seed, turn, keys[i]]))
        for fold in range(FOLDS):
            test = np.array(order[fold::FOLDS])
            train = np.array([i for place, i in enumerate(order) if place % FOLDS != fold])
            model = fit([d[np.ix_(train, train)] for d in table.distances], table.targets[train])
            found = table.targets[test]
            distances = [d[np.ix_(test, train)] for d in table.distances]
            residues = found - model.predict(distances)
            surprises += float(((residues / model.deviation(distances)) ** 2).sum())
            errors += float((residues**2).sum())
            naive += float(((found - table.targets[train].mean()) ** 2).sum())
            growth[test] += _growth(table, model, test, train, residues) / ROUNDS
    surprise = math.sqrt(surprises / (ROUNDS * count))
    return _Validated(1 - errors / naive if naive > 0 else 0.0, surprise, growth / float(table.targets.var()))


def _growth(table: _Table, model: Fitted, test: Indices, train: Indices, residues: Matrix) -> Matrix:
    """By how much the squared error of each held-out experiment grows, per parameter whose value is replaced."""
    import numpy as np

    own = model.parts([d[np.ix_(test, train)] for d in table.distances])
    anybody = model.parts([d[:, train] for d in table.distances])
    grown = np.zeros((len(test), len(own)))
    for j in range(len(own)):
        others = np.ones_like(own[j])
        for k in range(len(own)):
            if k != j:
                others = others * own[k]
        # (held-out experiment, whose value it gets): the kernel is a product, so only one factor changes.
        weighted = others * model.solved * (model.signal * model.scale)
        predicted = model.mean + weighted @ anybody[j].T
        grown[:, j] = ((table.targets[test][:, None] - predicted) ** 2).mean(axis=1) - residues**2
    return grown


def _shares(varied: Sequence[Dimension], validated: _Validated) -> tuple[ParameterImportance, ...]:
    import numpy as np

    means = validated.growth.mean(axis=0)
    errors = validated.growth.std(axis=0) / np.sqrt(len(validated.growth))
    total = float(np.maximum(means, 0.0).sum())
    found = [
        ParameterImportance(
            parameter=dimension.name,
            share=max(float(mean), 0.0) / total if total > 0 else 0.0,
            spread=float(error) / total if total > 0 else 0.0,
            seen=bool(mean > SEEN * error),
        )
        for dimension, mean, error in zip(varied, means, errors, strict=True)
    ]
    return tuple(sorted(found, key=lambda entry: -entry.share))


# ---- slices


def _slices(
    rows: Sequence[Measured],
    varied: Sequence[Dimension],
    best: Configuration | None,
    model: _Model | None,
    valid: Callable[[Configuration], bool],
) -> tuple[Slice, ...]:
    """One slice per varied parameter that has something to show: two measured scores, or the model."""
    if best is None:
        return ()
    found: list[Slice] = []
    for dimension in varied:
        beside = [row for row in rows if _differ(row.configuration, best, varied) <= {dimension.name}]
        measured = {_place(dimension, row.configuration): row for row in beside}
        if model is None and len(measured) < 2:
            continue
        values = _values(dimension, [row.configuration[dimension.name] for row in measured.values()])
        if model is None:
            values = [value for value in values if dimension.unit(value) in measured]
        configurations: list[Mapping[str, Scalar]] = [{**best, dimension.name: value} for value in values]
        kept = [c for c in configurations if dimension.unit(c[dimension.name]) in measured or valid(c)]
        modelled = model.scores(kept) if model is not None and kept else [None] * len(kept)
        points = []
        for configuration, expected in zip(kept, modelled, strict=True):
            row = measured.get(_place(dimension, configuration))
            middle, low, high = expected if expected is not None else (None, None, None)
            points.append(
                SlicePoint(
                    value=configuration[dimension.name],
                    measured=row.score if row is not None else None,
                    experiment=row.number if row is not None else None,
                    modelled=middle,
                    low=low,
                    high=high,
                )
            )
        found.append(Slice(parameter=dimension.name, best=best[dimension.name], points=tuple(points)))
    return tuple(found)


def _differ(a: Configuration, b: Configuration, dimensions: Sequence[Dimension]) -> set[str]:
    return {d.name for d in dimensions if _place(d, a) != _place(d, b)}


def _values(dimension: Dimension, measured: Sequence[Scalar]) -> list[Scalar]:
    """The values that a slice has a place for, in the order of the axis."""
    size = dimension.size
    if size is not None and size <= MOST_VALUES:
        return [dimension.value(index) for index in range(size)]
    spread = [dimension.at((place + 0.5) / PLACES) for place in range(PLACES)]
    by_place = {dimension.unit(value): value for value in (*spread, *measured)}
    return [by_place[place] for place in sorted(by_place)]
