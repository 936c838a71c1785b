"""How good and how honest the quickstart task is, over several seeds of the search.

    python benchmarks/quickstart.py --seeds 1 2 3 4 5 --grid examples/quickstart/grid.json --out out/quickstart.json

Runs the task once per seed, places its winner in the measured grid, and then starts winner and baseline again, in turn
and outside the task, to see whether the claimed gain is there. What lies finished in the data folder is not run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from quiet import add_arguments, quiet_machine
from side_by_side import SideBySide, measure_again

from autotuner.cli.render.progress import PlainObserver
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import GainFigure, GridComparison, TaskResult
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import Frozen, Scalar
from autotuner.services.documents import read_document
from autotuner.services.grid import Grid
from autotuner.services.grid_files import load_grid, placed
from autotuner.services.host import describe_host
from autotuner.services.report.wording import duration, parameters_text, percent, signed_percent
from autotuner.services.settings import Settings
from autotuner.services.tasks import run_task

TASK = Path(__file__).resolve().parents[1] / "examples" / "quickstart" / "task.yaml"
DATA = Path(tempfile.gettempdir()) / "inference-autotuner-quickstart"
NONE = "–"


class SeedOutcome(Frozen):
    """What one seed came to. ``claim``: the gain that the task reports, None when its winner is the baseline."""

    seed: int
    fresh: bool = False
    error: str | None = None
    not_to_be_quoted: str | None = None
    headline: str = ""
    elapsed_s: float | None = None
    searched: int = 0
    winner: dict[str, Scalar] | None = None
    winner_score: float | None = None
    unit: str = ""
    claim: GainFigure | None = None
    grid: GridComparison | None = None
    grid_note: str | None = None
    again: SideBySide | None = None
    warnings: tuple[str, ...] = ()

    @property
    def distance(self) -> float | None:
        """1 − the winner's fraction of the optimum; 1 for a winner that the grid finds unfit; None without a grid."""
        return None if self.grid is None else 1 - (self.grid.winner_fraction or 0.0)

    @property
    def claims(self) -> bool:
        """Whether the task says that its winner is better than the baseline."""
        return self.claim is not None and self.claim.significant

    @property
    def confirmed(self) -> bool:
        """Whether a claim was there again: better over all fresh pairs, and every SLO kept."""
        return self.claims and self.again is not None and self.again.above_zero and self.again.slo_kept

    @property
    def in_interval(self) -> bool | None:
        """Whether the re-measured gain lies in the claimed interval; None when one of them is missing."""
        claim, again = self.claim, self.again
        if claim is None or claim.low is None or claim.high is None or again is None or again.gain is None:
            return None
        return claim.low <= again.gain <= claim.high


async def run_seed(
    seed: int, settings: Settings, grid: Grid | None, sets: Sequence[str], pairs: int, disturbance: str | None
) -> SeedOutcome:
    """One seed. That its figures are not to be quoted is kept beside them, for runs that only read them."""
    mark = settings.data_dir / "not-to-be-quoted" / f"bench-{seed}.txt"
    marked = mark.exists()
    if disturbance is not None and not marked:
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(disturbance, encoding="utf-8")
    found = await _measured_seed(seed, settings, grid, sets, pairs)
    untouched = found.error is None and not found.fresh and (found.again is None or not found.again.fresh)
    if untouched and not marked:
        mark.unlink(missing_ok=True)
    why = mark.read_text(encoding="utf-8") if mark.exists() else None
    return found.model_copy(update={"not_to_be_quoted": why})


async def _measured_seed(
    seed: int, settings: Settings, grid: Grid | None, sets: Sequence[str], pairs: int
) -> SeedOutcome:
    """Tune, place, measure again."""
    name = f"bench-{seed}"
    try:
        document = read_document(str(TASK), sets=[f"optimization.seed={seed}", f"task_name={name}", *sets])
        outcome = await run_task(document, settings, PlainObserver(sys.stderr))
        result = outcome.result if grid is None else placed(outcome.result, grid)
        found = _described(seed, result, fresh=outcome.fresh)
        if result.winner is None or result.baseline is None or result.winner.number == result.baseline.number:
            return found
        print("Winner and baseline side by side.", file=sys.stderr)
        folder = settings.data_dir / "side-by-side" / name
        again = await measure_again(outcome, document, settings, folder, pairs=pairs)
        return found.model_copy(update={"again": again})
    except AutotunerError as error:
        return SeedOutcome(seed=seed, error=str(error))


def _described(seed: int, result: TaskResult, *, fresh: bool) -> SeedOutcome:
    return SeedOutcome(
        seed=seed,
        fresh=fresh,
        headline=result.headline,
        elapsed_s=result.elapsed_s,
        searched=sum(experiment.origin is ExperimentOrigin.SEARCH for experiment in result.experiments),
        winner=None if result.winner is None else result.winner.parameters,
        winner_score=None if result.winner is None else result.winner.score,
        unit=result.unit,
        claim=result.gain,
        grid=result.grid,
        grid_note=result.grid_note,
        warnings=result.warnings,
    )


def summary(outcomes: Sequence[SeedOutcome]) -> dict[str, float | int | None]:
    """The figures over all seeds. Shares of the optimum; seconds."""
    distances = [outcome.distance for outcome in outcomes if outcome.distance is not None]
    times = [outcome.elapsed_s for outcome in outcomes if outcome.elapsed_s is not None]
    return {
        "seeds": len(outcomes),
        "without_result": sum(outcome.error is not None for outcome in outcomes),
        "placed_in_grid": len(distances),
        "median_distance": median(distances) if distances else None,
        "worst_distance": max(distances, default=None),
        "median_tuning_s": median(times) if times else None,
        "claims": sum(outcome.claims for outcome in outcomes),
        "confirmed": sum(outcome.confirmed for outcome in outcomes),
        "inside_interval": sum(bool(outcome.in_interval) for outcome in outcomes if outcome.claims),
    }


def text(outcomes: Sequence[SeedOutcome]) -> str:
    """All of it as plain text."""
    header = (
        *("seed", "tuning", "searched", "of optimum", "random", "claimed", "interval"),
        *("again", "each pair", "above 0", "SLOs kept", "confirmed"),
    )
    lines = [*_table([header, *(_row(outcome) for outcome in outcomes)]), ""]
    for outcome in outcomes:
        lines += [f"seed {outcome.seed}: {note}" for note in _notes(outcome)]
    figures = summary(outcomes)
    rows = [
        ("median distance to the optimum", percent(figures["median_distance"])),
        ("worst distance to the optimum", percent(figures["worst_distance"])),
        ("median tuning time", duration(figures["median_tuning_s"])),
        ("claims confirmed", f"{figures['confirmed']} of {figures['claims']}"),
        ("  and inside the claimed interval", f"{figures['inside_interval']} of {figures['claims']}"),
        ("seeds without a result", str(figures["without_result"])),
    ]
    return "\n".join([*lines, "", *_table(rows)])


def _row(outcome: SeedOutcome) -> tuple[str, ...]:
    claim, grid, again = outcome.claim, outcome.grid, outcome.again
    return (
        str(outcome.seed),
        duration(outcome.elapsed_s),
        str(outcome.searched),
        percent(grid.winner_fraction) if grid is not None else NONE,
        percent(grid.random_median_fraction) if grid is not None else NONE,
        signed_percent(claim.gain) if claim is not None else NONE,
        f"{signed_percent(claim.low)} to {signed_percent(claim.high)}" if claim is not None else NONE,
        signed_percent(again.gain) if again is not None else NONE,
        ", ".join(map(signed_percent, again.gains)) if again is not None else NONE,
        _yes(again.above_zero) if again is not None else NONE,
        _yes(again.slo_kept) if again is not None else NONE,
        _yes(outcome.confirmed) if outcome.claims else "no claim",
    )


def _notes(outcome: SeedOutcome) -> list[str]:
    if outcome.error is not None:
        return [outcome.error]
    notes = [f"winner {parameters_text(outcome.winner)}"] if outcome.winner is not None else ["no winner"]
    notes += [] if outcome.fresh else ["the task was finished before"]
    notes += [outcome.grid_note] if outcome.grid_note is not None else []
    notes += [f"NOT TO BE QUOTED: {outcome.not_to_be_quoted}"] if outcome.not_to_be_quoted is not None else []
    notes += outcome.warnings
    for start in outcome.again.starts if outcome.again is not None else ():
        said = [*start.missed, *([start.failure] if start.failure is not None else [])]
        said += ["disturbed by other programs"] if start.disturbed else []
        notes += [f"fresh start {start.pair} of the {start.which}: {sentence}" for sentence in said]
    return notes


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


async def run_all(
    given: argparse.Namespace, settings: Settings, grid: Grid | None, disturbance: str | None
) -> list[SeedOutcome]:
    """One seed after the other."""
    outcomes: list[SeedOutcome] = []
    for seed in given.seeds:
        print(f"Seed {seed}", file=sys.stderr)
        outcomes.append(await run_seed(seed, settings, grid, given.sets, given.pairs, disturbance))
    return outcomes


def main() -> int:
    """0 when every seed gave a result and every claim was confirmed, else 1; 2 for a grid that cannot be read."""
    parser = argparse.ArgumentParser(description="the quickstart task over several seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--grid", help="file of the measured grid; without it winners are not placed")
    parser.add_argument(
        "--data-dir", type=Path, default=DATA, help="tasks, models and artefacts (default: %(default)s)"
    )
    parser.add_argument("--pairs", type=int, default=3, help="fresh pairs of winner and baseline")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    parser.add_argument("--set", dest="sets", action="append", default=[], help=argparse.SUPPRESS)
    add_arguments(parser)
    given = parser.parse_args()
    data = given.data_dir.absolute()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings(data_dir=data, database=str(data / "autotuner.db"))
    try:
        grid = load_grid(given.grid) if given.grid is not None else None
    except AutotunerError as error:
        print(error, file=sys.stderr)
        return 2
    with quiet_machine(anyway=given.anyway, wait=given.wait) as disturbance:
        host = describe_host()
        outcomes = asyncio.run(run_all(given, settings, grid, disturbance))
        print(text(outcomes))
    figures = summary(outcomes)
    if given.out is not None:
        everything = {
            "host": host,
            "changes": given.sets,
            "grid_made_at": None if grid is None else grid.made_at.isoformat(),
            "summary": figures,
            "seeds": [
                {**outcome.model_dump(mode="json"), "distance": outcome.distance, "confirmed": outcome.confirmed}
                for outcome in outcomes
            ],
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if figures["without_result"] == 0 and figures["confirmed"] == figures["claims"] else 1


if __name__ == "__main__":
    sys.exit(main())
