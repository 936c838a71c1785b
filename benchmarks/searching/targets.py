"""What the default strategy is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from searching.running import TOLERANCES, Run
from searching.tables import NEVER, STARTS_S, Row, rows

OURS, BASELINE = "bayesian", "tpe"
MOST = {"dense": 8, "MoE": 12, "llama.cpp": 8, "measured": 6}
"""Median of experiments to within 5 %, by kind of task."""
WITH_PRIOR, INVERTED, ROUGH = 4, 3, 2
"""Median with a good prior; experiments more than plain with an inverted one, and with noise and crashes."""
PARALLEL, TRANSFER, GPU_SECONDS = 1.5, 0.5, 1 / 3
"""Times the experiments of the plain search with four at once, and after an earlier task; times the GPU-seconds of
the baseline, where searches of it that never get there count with what they had spent.
"""
TAIL = 2
"""p90 is at most so many medians."""
_NEAR = TOLERANCES[0]


@dataclass(frozen=True)
class Target:
    """One line: what is asked for, what there is."""

    tasks: str
    sentence: str
    asked: float
    found: float

    @property
    def met(self) -> bool:
        """Whether it is reached; what never ends does not."""
        return self.found <= self.asked < NEVER


def targets(runs: Sequence[Run]) -> list[Target]:
    """All that the runs say something of. Tasks that were tuned on are not looked at."""
    found = {row.labels: row for row in rows((r for r in runs if not r.tuning), _labels)}
    return [line for kind in MOST for line in _of_kind(kind, found)]


def _labels(run: Run) -> tuple[str, ...]:
    return run.kind, run.condition, run.strategy


def _of_kind(kind: str, found: dict[tuple[str, ...], Row]) -> Iterator[Target]:
    plain = found.get((kind, "plain", OURS))
    if plain is None:
        return
    median, tail = plain.needed[_NEAR]
    yield Target(kind, "experiments to within 5 %, median", MOST[kind], median)
    yield Target(kind, "p90 of it", TAIL * median, tail)
    yield Target(kind, "share of searches that never come within 5 %", 0.0, plain.never[_NEAR])
    yield Target(kind, "share not within 2 % by half of the grid", 0.5, 1 - plain.half_a_grid)
    baseline = found.get((kind, "plain", BASELINE))
    if baseline is not None:
        for start in STARTS_S:
            asked = baseline.at_least[start] * GPU_SECONDS
            spent = plain.gpu_seconds[_NEAR, start][0]
            yield Target(kind, f"GPU-hours, starts of {start:.0f} s", asked / 3600, spent / 3600)
    for condition, asked in {
        "prior": WITH_PRIOR,
        "inverted": median + INVERTED,
        "rough": median + ROUGH,
        "parallel": median * PARALLEL,
        "transfer": median * TRANSFER,
    }.items():
        row = found.get((kind, condition, OURS))
        if row is not None:
            yield Target(kind, f"the same, {condition}", asked, row.needed[_NEAR][0])


def text(lines: Sequence[Target]) -> str:
    """One line for each."""
    return "\n".join(
        f"{'met   ' if line.met else 'MISSED'}  {line.tasks:<10} {line.sentence:<46} "
        f"{_figure(line.found):>6} (at most {_figure(line.asked)})"
        for line in lines
    )


def _figure(value: float) -> str:
    return "never" if value == NEVER else f"{value:.3g}"
