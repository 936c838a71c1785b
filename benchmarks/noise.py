"""How much starts of one configuration differ on this machine, and how it drifts meanwhile.

    python benchmarks/noise.py --out noise.json [--configurations 6] [--rounds 6] [--task task.yaml]

Starts several configurations of a task (the quickstart's) in interleaved rounds, measures each start as the task would,
and writes throughput, time to first token (mean and p90) and time per token of every start: as measured, and split into
the mean of its configuration, the drift of the machine and the rest (natural logarithms). The simulated engine draws
whole starts from the file: `simulation.recorded_noise`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from quiet import add_arguments, quiet_machine

from autotuner.contracts.attempt import AttemptJob, AttemptReason, Ended, Measured
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.values import Configuration
from autotuner.engines.simulated.recorded import FORMAT
from autotuner.executors.inline import InlineExecutor
from autotuner.planning.plan import Plan
from autotuner.scoring.evidence import confirmation_order
from autotuner.services.documents import read_document
from autotuner.services.host import describe_host, off_cores
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.report.wording import parameters_text
from autotuner.services.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
TASK = PROJECT / "examples" / "quickstart" / "task.yaml"
DATA = Path(tempfile.gettempdir()) / "inference-autotuner-noise"
FIGURES = ("throughput", "ttft_mean", "ttft_p90", "tpot_mean")
ROUNDS_OF_BACKFITTING = 30

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Start:
    """One measured start. ``values`` in the order of FIGURES: tokens/s and seconds."""

    configuration: int
    round: int
    started_at: str
    disturbed: bool
    values: tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """The logs of the figures as a sum: ``means`` of the configurations, ``drift`` of the starts, ``residuals``.

    Residuals are larger than what is left over by ``inflation``: means and drift have taken their share of the noise.
    """

    means: Table
    drift: Table
    residuals: Table
    inflation: float


def split(logs: Table, configurations: Sequence[int], bandwidth: float) -> Split:
    """Split starts (rows, in their order) into means, a smooth drift and residuals.

    Backfitting: the drift is the average of what the means leave, weighted by a normal curve over the order of starts
    with that bandwidth. Residuals are scaled by √(n / (n − parameters)), the drift's parameters being the trace of its
    smoother. ValueError when the parameters are as many as the starts.
    """
    n = len(logs)
    order = np.arange(n)
    weights = np.exp(-0.5 * ((order[:, None] - order[None, :]) / bandwidth) ** 2)
    smoother = weights / weights.sum(axis=1, keepdims=True)
    groups = np.asarray(configurations)
    kinds = np.unique(groups)
    free = n - len(kinds) - float(np.trace(smoother)) + 1
    if free <= 0:
        raise ValueError(f"{n} starts are too few for {len(kinds)} configurations and a drift")
    means, drift = np.zeros((len(kinds), logs.shape[1])), np.zeros_like(logs)
    for _ in range(ROUNDS_OF_BACKFITTING):
        means = np.array([(logs - drift)[groups == kind].mean(axis=0) for kind in kinds])
        drift = smoother @ (logs - means[np.searchsorted(kinds, groups)])
        drift -= drift.mean(axis=0)
    residuals = logs - means[np.searchsorted(kinds, groups)] - drift
    inflation = math.sqrt(n / free)
    return Split(means, drift, (residuals - residuals.mean(axis=0)) * inflation, inflation)


def chosen_configurations(plan: Plan, count: int) -> list[Configuration]:
    """The baseline and random others, none twice."""
    if plan.baseline is None:
        raise SystemExit("the task has no baseline")
    found = {plan.baseline.identity: plan.baseline.configuration}
    rng = random.Random(1)
    for _ in range(1000):
        drawn = plan.space.sample(rng)
        if drawn is not None and len(found) < count:
            found.setdefault(plan.space.identity(drawn), drawn)
    return list(found.values())


def job_of(plan: Plan, configuration: Configuration, number: int, attempt: int, folder: Path) -> AttemptJob:
    return AttemptJob(
        task_id=1,
        task_name=plan.task_name,
        experiment_id=number + 1,
        experiment_number=number,
        attempt_id=attempt,
        reason=AttemptReason.VERIFY,
        deployment=plan.deployment,
        client=plan.client,
        client_python=plan.client_python,
        command=plan.resolver.command(configuration),
        served_name=plan.document.benchmark.model_name or plan.resolver.served_name,
        server=plan.server,
        workload=plan.workload,
        budgets=plan.budgets,
        cores=plan.cores,
        artefact_dir=str(folder / f"start-{attempt:03d}"),
        options=plan.resolver.options(configuration),
    )


async def measure(session: ExecutorSession, job: AttemptJob, scored: str) -> Measurement | None:
    """The measurement of the scored load point; None, with a line on stderr, for a start that failed."""
    measured: list[Measurement] = []
    async with aclosing(session.run(job)) as records:
        async for record in records:
            match record:
                case Measured(measurement=measurement):
                    measured.append(measurement)
                case Ended(failure=failure) if failure is not None:
                    print(f"start {job.attempt_id} failed: {failure.diagnosis}", file=sys.stderr)
                    return None
    return next(measurement for measurement in measured if measurement.load_point == scored)


def figures_of(measurement: Measurement) -> tuple[float, ...] | None:
    if measurement.ttft is None or measurement.tpot is None:
        return None
    ttft = measurement.ttft
    return measurement.total_throughput, ttft.mean, ttft.p90, measurement.tpot.mean


async def record(plan: Plan, configurations: Sequence[Configuration], rounds: int, folder: Path) -> list[Start]:
    """All starts, in interleaved rounds."""
    starts: list[Start] = []
    attempt = 0
    with off_cores(plan.cores.server):
        opened = InlineExecutor().open(InstalledPlugins(), client=plan.client, client_cores=plan.cores.client)
        async with opened as session:
            names = [str(number) for number in range(len(configurations))]
            for number, order in enumerate(confirmation_order(names, rounds, seed=1)):
                for name in order:
                    begun = datetime.now(UTC).isoformat(timespec="seconds")
                    attempt += 1
                    job = job_of(plan, configurations[int(name)], int(name), attempt, folder)
                    measurement = await measure(session, job, plan.scored_at[0])
                    values = None if measurement is None else figures_of(measurement)
                    if measurement is None or values is None:
                        continue
                    starts.append(Start(int(name), number, begun, measurement.disturbed, values))
                    shown = ", ".join(f"{n} {v:.4g}" for n, v in zip(FIGURES, values, strict=True))
                    mark = "  disturbed" if measurement.disturbed else ""
                    print(f"{attempt}: configuration {name}, {shown}{mark}", file=sys.stderr)
    return starts


def document_of(
    task: Path, starts: Sequence[Start], configurations: Sequence[Configuration], host: object, disturbance: str | None
) -> dict[str, object]:
    """What is written. Disturbed starts are kept in the list and have no part in the split."""
    clean = [start for start in starts if not start.disturbed]
    if not clean:
        raise SystemExit(f"none of {len(starts)} starts gave undisturbed figures")
    logs = np.log(np.array([start.values for start in clean]))
    found = split(logs, [start.configuration for start in clean], bandwidth=float(len(configurations)))
    shares = logs[:, FIGURES.index("ttft_p90")] - logs[:, FIGURES.index("ttft_mean")]

    def named(row: Table) -> dict[str, float]:
        return {name: round(float(value), 6) for name, value in zip(FIGURES, row, strict=True)}

    return {
        "format": FORMAT,
        "made_by": "benchmarks/noise.py",
        "task": task.relative_to(PROJECT).as_posix() if task.is_relative_to(PROJECT) else task.name,
        "not_to_be_quoted": disturbance,
        "host": host,
        "units": {"throughput": "tokens/s", "times": "s", "residual and drift": "natural logarithms"},
        "configurations": [dict(configuration) for configuration in configurations],
        "ttft_p90_over_mean": round(max(1.0, float(np.exp(shares.mean()))), 6),
        "inflation": round(found.inflation, 6),
        "standard_deviations": {
            "start": named(found.residuals.std(axis=0)),
            "drift": named(found.drift.std(axis=0)),
        },
        "starts": [
            {
                "configuration": start.configuration,
                "round": start.round,
                "started_at": start.started_at,
                "values": named(np.array(start.values)),
                "residual": named(residual),
                "drift": named(drift),
            }
            for start, residual, drift in zip(clean, found.residuals, found.drift, strict=True)
        ],
        "disturbed": [
            {"configuration": s.configuration, "round": s.round, "started_at": s.started_at}
            for s in starts
            if s.disturbed
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="noise between starts of one configuration, and the machine's drift")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--task", type=Path, default=TASK, help="whose configurations and load (the quickstart's)")
    parser.add_argument("--configurations", type=int, default=6, help="so many, the baseline among them")
    parser.add_argument("--rounds", type=int, default=6, help="starts of each")
    parser.add_argument("--data-dir", type=Path, default=DATA, help="models and artefacts (default: %(default)s)")
    add_arguments(parser)
    given = parser.parse_args()
    data = given.data_dir.absolute()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings(data_dir=data, database=str(data / "autotuner.db"))
    task = given.task.absolute()
    plan = plan_document(read_document(str(task)), settings)
    check_ready(plan)
    configurations = chosen_configurations(plan, given.configurations)
    for number, configuration in enumerate(configurations):
        print(f"configuration {number}: {parameters_text(configuration)}", file=sys.stderr)
    with quiet_machine(anyway=given.anyway, wait=given.wait) as disturbance:
        host = {key: value for key, value in describe_host().items() if key != "hostname"}
        folder = data / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        starts = asyncio.run(record(plan, configurations, given.rounds, folder))
        made = document_of(task, starts, configurations, host, disturbance)
        print(json.dumps(made["standard_deviations"], indent=1))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
