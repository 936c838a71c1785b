"""What early stop saves on the quickstart task, and what it costs in the quality of the choice.

    python benchmarks/early_stop.py --simulated 20 --out out/early-stop.json
    python benchmarks/early_stop.py --real --seeds 1 2 3 4 --data-dir /tmp/fresh --out out/early-stop-real.json

Each seed is run twice, with and without ``optimization.early_stop``, all else the same.

Simulated: the whole task, through its coordinator, with request-level windows in virtual time (``virtual_windows.py``).
Both runs of a seed draw the same.

Real: the task itself on llama.cpp; on a quiet machine only. What lies finished in ``--data-dir`` is not run again: a
new folder for new figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median

from quiet import add_arguments, quiet_machine
from virtual_windows import Loops, virtual_session

from autotuner.cli.render.progress import PlainObserver
from autotuner.config.document import TaskDocument
from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.store import ExperimentOrigin, NewTask
from autotuner.contracts.values import Frozen, Scalar
from autotuner.coordinator.loop import Coordinator
from autotuner.planning.plan import Plan
from autotuner.search.registry import make_strategy
from autotuner.services.documents import read_document
from autotuner.services.grid import Grid
from autotuner.services.grid_files import load_grid
from autotuner.services.host import describe_host
from autotuner.services.planning import plan_document
from autotuner.services.report.wording import percent
from autotuner.services.settings import Settings
from autotuner.services.tasks import run_task
from autotuner.store.sql_store import open_store

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quickstart"
DATA = Path(tempfile.gettempdir()) / "inference-autotuner-early-stop"


class Arm(Frozen):
    """One run of one seed. Times in seconds; ``truth``: what the grid says of its choice, None where that is unfit."""

    windows_s: float
    search_windows_s: float
    measure_s: float | None = None
    confirm_starts: int = 0
    claimed: bool = False
    shortened: int = 0
    pruned: int = 0
    winner: dict[str, Scalar] | None = None
    truth: float | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Pair(Frozen):
    """A seed without and with early stop."""

    seed: int
    full: Arm
    early: Arm

    @property
    def saved(self) -> float:
        """By how much the measuring of the whole task is shorter, as a share."""
        return 1 - self.early.windows_s / self.full.windows_s

    @property
    def saved_in_search(self) -> float:
        """The same of the searched configurations alone."""
        return 1 - self.early.search_windows_s / self.full.search_windows_s

    @property
    def regret(self) -> float | None:
        """By how much the choice is worse by the grid, as a share; below zero it is better.

        1 for a choice that is unfit where the other one is not; None where the full run's choice is unfit.
        """
        if self.full.truth is None:
            return None
        return 1.0 if self.early.truth is None else 1 - self.early.truth / self.full.truth


# ---- the two runs of a seed


async def simulated(seed: int, grid: Grid, settings: Settings) -> Pair:
    """Both runs in virtual time."""
    arms: list[Arm] = []
    loops: Loops | None = None
    for early in (False, True):
        document = _document(seed, early=early)
        plan = plan_document(document, settings)
        plan = replace(plan, server=plan.server.model_copy(update={"metrics_path": None}))
        loops = loops or Loops(plan, grid)
        with tempfile.TemporaryDirectory(dir=settings.data_dir) as own:
            arms.append(_arm(await _run(plan, document, virtual_session(loops, seed), Path(own)), plan, grid))
    return Pair(seed=seed, full=arms[0], early=arms[1])


async def _run(
    plan: Plan, document: TaskDocument, opening: AbstractAsyncContextManager[ExecutorSession], folder: Path
) -> TaskResult:
    described = identity(document)
    async with open_store(str(folder / "tasks.db")) as store:
        task = await store.create_task(
            NewTask(
                name=plan.task_name, document=to_data(document), fingerprint=fingerprint(described), identity=described
            )
        )
        coordinator = Coordinator(
            store=store,
            plan=plan,
            strategy=lambda setup: make_strategy(document.optimization.strategy, setup),
            observer=Silent(),
            artefacts=folder,
            host={"hostname": "virtual"},
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        return await coordinator.run(task, opening)


async def real(seed: int, grid: Grid, settings: Settings) -> Pair:
    """Both runs on llama.cpp. What lies finished in the data folder is not run again."""
    arms: list[Arm] = []
    for early in (False, True):
        document = _document(seed, early=early)
        outcome = await run_task(document, settings, PlainObserver(sys.stderr))
        arms.append(_arm(outcome.result, plan_document(document, settings), grid))
    return Pair(seed=seed, full=arms[0], early=arms[1])


def _document(seed: int, *, early: bool) -> TaskDocument:
    name = f"early-stop-{seed}-{'on' if early else 'off'}"
    sets = [f"optimization.seed={seed}", f"task_name={name}", f"optimization.early_stop={str(early).lower()}"]
    return read_document(str(EXAMPLE / "task.yaml"), sets=sets)


def _arm(result: TaskResult, plan: Plan, grid: Grid) -> Arm:
    searched = [s for s in result.experiments if s.origin is ExperimentOrigin.SEARCH]
    scores = {plan.space.identity(p.parameters): p.score if p.eligible else None for p in grid.points}
    chosen = None if result.winner is None else plan.space.identity(result.winner.parameters)
    return Arm(
        windows_s=result.measuring.windows_s,
        search_windows_s=math.fsum(float(s.metrics.get("measured_s") or 0.0) for s in searched),
        measure_s=result.phase_seconds.get(Phase.MEASURE),
        confirm_starts=len(result.confirmation),
        claimed=result.verdict == "gain",
        shortened=result.measuring.shortened,
        pruned=result.measuring.pruned,
        winner=None if result.winner is None else result.winner.parameters,
        truth=None if chosen is None else scores.get(chosen),
        reasons=tuple(
            str(reason)
            for metrics in (*(s.metrics for s in result.experiments), *(start.metrics for start in result.confirmation))
            for reason in metrics.get("stopped_early") or ()
        ),
        warnings=result.warnings,
    )


class Silent:
    """An observer that shows nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Nothing."""

    def on_message(self, message: str) -> None:
        """Nothing."""


# ---- what it comes to


def summary(pairs: Sequence[Pair]) -> dict[str, float | int | None]:
    """The figures over all seeds; shares."""
    regrets = [pair.regret for pair in pairs if pair.regret is not None]
    full, early = math.fsum(p.full.windows_s for p in pairs), math.fsum(p.early.windows_s for p in pairs)
    full_search = math.fsum(p.full.search_windows_s for p in pairs)
    early_search = math.fsum(p.early.search_windows_s for p in pairs)
    return {
        "seeds": len(pairs),
        "saved_of_search": 1 - early_search / full_search,
        "least_saved_of_search": min(pair.saved_in_search for pair in pairs),
        "saved_of_task": 1 - early / full,
        "least_saved_of_task": min(pair.saved for pair in pairs),
        "compared": len(regrets),
        "mean_regret": fmean(regrets) if regrets else None,
        "median_regret": median(regrets) if regrets else None,
        "worst_regret": max(regrets, default=None),
        "unfit_choices": sum(pair.early.truth is None for pair in pairs),
        "unfit_choices_without": sum(pair.full.truth is None for pair in pairs),
        "gains_claimed": sum(pair.early.claimed for pair in pairs),
        "gains_claimed_without": sum(pair.full.claimed for pair in pairs),
    }


def text(pairs: Sequence[Pair]) -> str:
    """All of it as plain text."""
    lines = ["seed  search without  with    saved   task without  with    saved   not to the end   confirmed  regret"]
    lines += [
        f"{p.seed:4}  {p.full.search_windows_s:12.1f} s  {p.early.search_windows_s:5.1f} s"
        f" {percent(p.saved_in_search):>7}"
        f"  {p.full.windows_s:10.1f} s  {p.early.windows_s:5.1f} s {percent(p.saved):>7}"
        f"  {p.early.shortened:3} ({p.early.pruned} out)"
        f"  {p.full.confirm_starts:4} {p.early.confirm_starts:4}  {percent(p.regret):>7}"
        for p in pairs
    ]
    reasons = Counter(_kind(reason) for pair in pairs for reason in pair.early.reasons)
    lines += ["", *(f"{count:4} × {reason}" for reason, count in reasons.most_common()), ""]
    return "\n".join([*lines, *(f"{name:26} {_shown(name, value)}" for name, value in summary(pairs).items())])


KINDS = (
    "the SLO is out of reach",
    "it is certainly worse",
    "it is precise enough",
    "its figures are known well enough",
)


def _kind(reason: str) -> str:
    why = reason.partition(": ")[2]
    return next((kind for kind in KINDS if why.startswith(kind)), why)


def _shown(name: str, value: float | int | None) -> str:
    return percent(value) if isinstance(value, float) or value is None else str(value)


async def run_all(given: argparse.Namespace, grid: Grid) -> list[Pair]:
    """One seed after the other."""
    pairs: list[Pair] = []
    settings = Settings(data_dir=given.data_dir, database=str(given.data_dir / "autotuner.db"))
    for seed in given.seeds:
        print(f"Seed {seed}", file=sys.stderr)
        pairs.append(await (real if given.real else simulated)(seed, grid, settings))
    return pairs


def main() -> int:
    """0 when at least 30 % of the task's measuring is saved at a mean regret of at most 3 %, else 1."""
    parser = argparse.ArgumentParser(description="what early stop saves and costs on the quickstart task")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--real", action="store_true", help="on llama.cpp, instead of in virtual time")
    how.add_argument("--simulated", type=int, metavar="N", help="in virtual time, seeds 1 to N (default: 20)")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of 1 to N, with --real of 1 to 4")
    parser.add_argument("--grid", default=str(EXAMPLE / "grid.json"), help="the measured grid (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=DATA, help="tasks and models (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    add_arguments(parser)
    given = parser.parse_args()
    given.seeds = given.seeds or list(range(1, 5 if given.real else 1 + (given.simulated or 20)))
    given.data_dir = given.data_dir.absolute()
    given.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    grid = load_grid(given.grid)
    quiet = quiet_machine(anyway=given.anyway, wait=given.wait) if given.real else nullcontext()
    with quiet as disturbance:
        host = describe_host()
        pairs = asyncio.run(run_all(given, grid))
        print(text(pairs))
    figures = summary(pairs)
    if given.out is not None:
        everything = {
            "host": host,
            "simulated": not given.real,
            "not_to_be_quoted": disturbance,
            "summary": figures,
            "seeds": [{**pair.model_dump(mode="json"), "regret": pair.regret} for pair in pairs],
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    saved, regret = figures["saved_of_task"], figures["mean_regret"]
    return 0 if saved is not None and saved >= 0.3 and regret is not None and regret <= 0.03 else 1


if __name__ == "__main__":
    sys.exit(main())
