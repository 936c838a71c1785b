"""Start a finished task's winner and its baseline again, in turn, outside the task: does its claim hold afterwards?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

from pydantic import ValidationError

from autotuner.config.document import TaskDocument
from autotuner.contracts.attempt import AttemptJob, AttemptReason, Ended, Failure, Measured
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.values import Configuration, Frozen, digest
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.executors.inline import InlineExecutor
from autotuner.scoring.evidence import confirmation_order, paired_gain
from autotuner.scoring.verdict import Verdict
from autotuner.services.host import off_cores
from autotuner.services.planning import plan_document
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.queries import winning_job
from autotuner.services.settings import Settings
from autotuner.services.stored import open_stored
from autotuner.services.tasks import RunOutcome

BASELINE, WINNER = "baseline", "winner"
FILE = "side-by-side.json"


class FreshStart(Frozen):
    """One start of one of the two. ``score`` in natural units, None without figures; ``missed``: sentences on SLOs."""

    pair: int
    which: str
    score: float | None = None
    missed: tuple[str, ...] = ()
    disturbed: bool = False
    failure: str | None = None


class SideBySide(Frozen):
    """Both, started again. ``gain`` of the winner over all complete pairs, relative; ``gains`` of each of them.

    ``fresh``: measured just now, not read from its file.
    """

    key: str
    pairs: int
    starts: tuple[FreshStart, ...]
    gain: float | None = None
    gains: tuple[float, ...] = ()
    fresh: bool = True

    @property
    def above_zero(self) -> bool:
        """The winner was better over all pairs, and none of them is missing."""
        return self.gain is not None and self.gain > 0 and len(self.gains) == self.pairs

    @property
    def slo_kept(self) -> bool:
        """The winner kept every SLO in each of its starts."""
        own = [start for start in self.starts if start.which == WINNER]
        return len(own) == self.pairs and all(start.score is not None and not start.missed for start in own)


async def measure_again(
    outcome: RunOutcome, document: TaskDocument, settings: Settings, folder: Path, *, pairs: int
) -> SideBySide:
    """Fresh interleaved pairs with artefacts in ``folder``; what lies there complete already is only read.

    Nothing is written to the task. AutotunerError(NOT_FOUND) for a task without a measured winner and baseline.
    """
    if outcome.result.baseline is None:
        raise ValueError("the task has no baseline")
    plan = await asyncio.to_thread(plan_document, document, settings)
    async with open_stored(settings) as store:
        jobs = {
            BASELINE: await winning_job(store, outcome.task, outcome.result, experiment=outcome.result.baseline.number),
            WINNER: await winning_job(store, outcome.task, outcome.result, experiment=None),
        }
        ledger = await Ledger.read(store, outcome.task.id)
    wanted = {name: (job.command, job.workload, job.cores, job.options) for name, job in jobs.items()}
    key = digest([pairs, {name: [str(part) for part in parts] for name, parts in wanted.items()}])
    file = folder / FILE
    known = await asyncio.to_thread(_read, file, key)
    if known is not None:
        return known
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)  # half a comparison of another hour is none
    scorer = Scorer(document, scored_at=plan.scored_at, gpu_count=plan.gpu_count, gpus=plan.resolver.gpus)
    scorer.settle_from(ledger)
    # Prompts are salted with the attempt's number, so a new one makes them new for the server.
    shown = {BASELINE: outcome.result.baseline, WINNER: outcome.result.winner}
    configurations = {name: one.parameters for name, one in shown.items() if one is not None}
    first_attempt = max(ledger.attempts) + 1
    starts = await _start_all(jobs, configurations, scorer, folder, pairs, first_attempt)
    found = _compare(key, pairs, starts, scorer)
    await asyncio.to_thread(file.write_text, found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


async def _start_all(
    jobs: Mapping[str, AttemptJob],
    configurations: Mapping[str, Configuration],
    scorer: Scorer,
    folder: Path,
    pairs: int,
    first_attempt: int,
) -> list[FreshStart]:
    starts: list[FreshStart] = []
    model = jobs[WINNER]
    with off_cores(model.cores.server):
        opened = InlineExecutor().open(InstalledPlugins(), client=model.client, client_cores=model.cores.client)
        async with opened as session:
            for pair, order in enumerate(confirmation_order(list(jobs), pairs, seed=model.workload.seed), start=1):
                for which in order:
                    changes = {
                        "attempt_id": first_attempt + len(starts),
                        "reason": AttemptReason.VERIFY,
                        "artefact_dir": str(folder / f"pair-{pair}-{which}"),
                    }
                    measured, failure = await _run(session, jobs[which].model_copy(update=changes))
                    starts.append(_judge(pair, which, measured, failure, scorer, configurations[which]))
    return starts


async def _run(session: ExecutorSession, job: AttemptJob) -> tuple[list[Measurement], Failure | None]:
    measured: list[Measurement] = []
    failure: Failure | None = None
    async with aclosing(session.run(job)) as records:
        async for record in records:
            match record:
                case Measured(measurement=measurement):
                    measured.append(measurement)
                case Ended():
                    failure = record.failure
    return measured, failure


def _judge(
    pair: int,
    which: str,
    measured: list[Measurement],
    failure: Failure | None,
    scorer: Scorer,
    configuration: Configuration,
) -> FreshStart:
    disturbed = any(measurement.disturbed for measurement in measured)
    if failure is not None or not measured:
        why = failure.diagnosis if failure is not None else "nothing was measured"
        return FreshStart(pair=pair, which=which, disturbed=disturbed, failure=why)
    verdict = scorer.judge(scorer.metrics(measured, configuration=configuration))
    if not isinstance(verdict, Verdict):
        return FreshStart(pair=pair, which=which, disturbed=disturbed, failure=verdict.reason)
    score = verdict.objective_scores[0]
    return FreshStart(pair=pair, which=which, score=score, missed=verdict.reasons, disturbed=disturbed)


def _compare(key: str, pairs: int, starts: list[FreshStart], scorer: Scorer) -> SideBySide:
    scores = {(start.pair, start.which): start.score for start in starts}
    both = [(scores.get((pair, BASELINE)), scores.get((pair, WINNER))) for pair in range(1, pairs + 1)]
    complete = [(base, own) for base, own in both if base and own]
    found = SideBySide(key=key, pairs=pairs, starts=tuple(starts))
    if not complete:
        return found
    direction = scorer.objectives[0].direction
    gains = [paired_gain([base], [own], direction=direction).gain for base, own in complete]
    over_all = paired_gain([base for base, _ in complete], [own for _, own in complete], direction=direction)
    return found.model_copy(update={"gain": over_all.gain, "gains": tuple(gains)})


def _read(file: Path, key: str) -> SideBySide | None:
    """The stored comparison of the same two; None when there is none."""
    try:
        found = SideBySide.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return found.model_copy(update={"fresh": False}) if found.key == key else None
