"""How often whole tasks claim what is there, and what is not: A/A and A/B tasks on predictions with real noise.

    python benchmarks/evidence.py --tasks 500 --kinds aa ab --noise noise.json [--jobs 2]

Each task is a whole one (baseline, search, choice, confirmation, result) through the coordinator, with a store in
memory, on a space of sixteen configurations of the simulated engine. In an A/A task all of them are equally fast in
truth; in an A/B task one that is not the baseline is 10 % faster (or ``--gain``). Starts deviate as recorded ones did
(`benchmarks/noise.py`), or normally by a given share. Printed are the shares of tasks with a claim, and how often
intervals cover the truth, with exact binomial bounds. Nothing is timed, so the machine need not be quiet; but the noise
file must have been recorded on one that was.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from memory_store import MemoryStore

from autotuner.config.identity import fingerprint, identity
from autotuner.config.load import to_data, validate
from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary, TaskResult, VerdictKind
from autotuner.contracts.store import NewTask
from autotuner.contracts.values import Frozen, Scalar
from autotuner.coordinator.loop import Coordinator
from autotuner.executors.inline import InlineExecutor
from autotuner.search.registry import make_strategy
from autotuner.services.planning import plan_document
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.settings import Settings, load_settings

Kind = Literal["aa", "ab"]

SPACE: dict[str, list[Scalar]] = {
    "gemm_quant": ["bfloat16", "fp8"],
    "kv_quant": ["bfloat16", "fp8"],
    "max_num_batched_tokens": [2048, 4096, 8192, 16384],
}
DEFAULT = ("bfloat16", "bfloat16", 8192)
GAIN = 0.1
"""True gain of the better configuration of an A/B task."""

CHUNK = 10


class Finding(Frozen):
    """A finalist's interval and the truth. ``low`` None: too few pairs."""

    gain: float
    low: float | None
    high: float | None
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low is not None and self.high is not None and self.low <= self.truth <= self.high


class Outcome(Frozen):
    """What a task came to. ``claimed``: the finding of the claim, None without one. Times in seconds."""

    kind: Kind
    seed: int
    verdict: VerdictKind | None
    headline: str
    claimed: Finding | None
    finalists: tuple[Finding, ...]
    confirm_starts: int
    starts: int
    noise: float | None
    took_s: float

    @property
    def found(self) -> bool:
        """Whether a claim was made of a configuration that is better in truth."""
        return self.claimed is not None and self.claimed.truth > 0


class Silent:
    """An observer that shows nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


def configurations() -> list[tuple[Scalar, ...]]:
    return list(itertools.product(*SPACE.values()))


def better_one(kind: Kind, seed: int) -> tuple[Scalar, ...] | None:
    """The configuration that is better in truth in the task of that seed."""
    others = [values for values in configurations() if values != DEFAULT]
    return random.Random(f"better {seed}").choice(others) if kind == "ab" else None


def write_surface(path: Path, better: tuple[Scalar, ...] | None, gain: float) -> None:
    """A made-up table: all configurations alike, but for the better one."""
    same: dict[str, Scalar] = {
        "model": "made up", "system": "none", "backend": "vllm", "backend_version": "0", "isl": 1000, "osl": 200,
        "tp": 1, "pp": 1, "dp": 1, "moe_tp": 1, "moe_ep": 1, "bs": 256, "replicas": 1, "status": "ok", "error": "",
        "ttft_ms": 500.0, "kv_capacity_seqs": 512,
    }  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        names = [*same, *SPACE, "tpot_ms", "output_tok_s_node"]
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for values in configurations():
            factor = 1 + gain if values == better else 1.0
            row = {**same, **dict(zip(SPACE, values, strict=True))}
            writer.writerow({**row, "tpot_ms": 40.0 / factor, "output_tok_s_node": 5000.0 * factor})


def task_document(kind: Kind, seed: int, surface: Path, noise: str, changes: dict[str, Any]) -> dict[str, Any]:
    """``noise``: a file, or a number. ``changes`` of the block optimization."""
    try:
        noisy: dict[str, Any] = {"noise": float(noise)}
    except ValueError:
        noisy = {"recorded_noise": noise}
    return {
        "task_name": f"{kind}-{seed}",
        "base_runtime": "simulated",
        "simulation": {"surface": str(surface), **noisy},
        "parameters": SPACE,
        "optimization": {"objective": "maximize_throughput", "seed": seed, **changes},
        "benchmark": {
            "traffic_scenarios": ["D(1000,200)"],
            "num_concurrency": [256],
            "max_requests_per_iteration": 100,
        },
    }


async def run_one(
    settings: Settings, folder: Path, kind: Kind, seed: int, noise: str, changes: dict[str, Any], gain: float
) -> Outcome:
    """One whole task."""
    begun, store = time.perf_counter(), MemoryStore()
    better = better_one(kind, seed)
    surface = folder / f"{kind}-{seed}.csv"
    write_surface(surface, better, gain)
    document = validate(task_document(kind, seed, surface, noise, changes))
    plan = plan_document(document, settings)
    described = identity(document)
    made = NewTask(
        name=plan.task_name, document=to_data(document), fingerprint=fingerprint(described), identity=described
    )
    task = await store.create_task(made)
    coordinator = Coordinator(
        store=store,
        plan=plan,
        strategy=lambda setup: make_strategy(document.optimization.strategy, setup),
        observer=Silent(),
        artefacts=folder / "artefacts",
        host={},
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
    )
    opening = InlineExecutor().open(InstalledPlugins(), client=plan.client, client_cores=None)
    result = await coordinator.run(task, opening)
    surface.unlink()
    return outcome_of(kind, seed, result, {better: gain}, time.perf_counter() - begun)


def outcome_of(
    kind: Kind, seed: int, result: TaskResult, gains: Mapping[tuple[Scalar, ...] | None, float], took_s: float
) -> Outcome:
    """``gains``: true ones of configurations that are better than the others."""
    truths = {
        experiment.number: gains.get(tuple(experiment.parameters[name] for name in SPACE), 0.0)
        for experiment in result.experiments
    }
    findings = {
        figure.experiment: Finding(gain=figure.gain, low=figure.low, high=figure.high, truth=truths[figure.experiment])
        for figure in result.finalists
    }
    claims = result.verdict == "gain" and result.gain is not None
    return Outcome(
        kind=kind,
        seed=seed,
        verdict=result.verdict,
        headline=result.headline,
        claimed=findings[result.gain.experiment] if claims and result.gain is not None else None,
        finalists=tuple(findings.values()),
        confirm_starts=len(result.confirmation),
        starts=result.attempts,
        noise=result.noise,
        took_s=took_s,
    )


async def run_some(
    kind: Kind, seeds: Sequence[int], noise: str, changes: dict[str, Any], gain: float = GAIN
) -> list[Outcome]:
    """Tasks one after the other, each with a store of its own in memory."""
    with tempfile.TemporaryDirectory(prefix="autotuner-evidence-") as name:
        settings = load_settings({"AUTOTUNER_DATA_DIR": name, "HOME": name})
        return [await run_one(settings, Path(name), kind, seed, noise, changes, gain) for seed in seeds]


def _chunk(kind: Kind, seeds: Sequence[int], noise: str, changes: dict[str, Any], gain: float) -> list[Outcome]:
    return asyncio.run(run_some(kind, seeds, noise, changes, gain))


def bounds(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, of - hits + 1, tail))
    high = 1.0 if hits == of else float(betaincinv(hits + 1, of - hits, 1 - tail))
    return low, high


def share(hits: int, of: int) -> str:
    if not of:
        return "none"
    low, high = bounds(hits, of)
    return f"{hits} of {of}, {hits / of:.1%} (95 % bounds {low:.1%} to {high:.1%})"


def summary(outcomes: Sequence[Outcome], gain: float = GAIN) -> list[str]:
    """Lines about the tasks of one kind."""
    kind = outcomes[0].kind
    claims = [o.claimed for o in outcomes if o.claimed is not None]
    judged = [finding for o in outcomes for finding in o.finalists if finding.low is not None]
    held = sum(all(finding.covers for finding in o.finalists if finding.low is not None) for o in outcomes)
    noises = [o.noise for o in outcomes if o.noise is not None]
    lines = [f"{'A/A: all configurations alike' if kind == 'aa' else f'A/B: one is {gain:.0%} faster'}"]
    lines.append(f"  gain claimed            {share(len(claims), len(outcomes))}")
    if kind == "ab":
        lines.append(f"  the better one found    {share(sum(o.found for o in outcomes), len(outcomes))}")
    lines.append(f"  claimed interval covers {share(sum(claim.covers for claim in claims), len(claims))}")
    lines.append(f"  any interval covers     {share(sum(finding.covers for finding in judged), len(judged))}")
    lines.append(f"  all of a task cover     {share(held, len(outcomes))}")
    lines.append(f"  confirmation starts     {mean(o.confirm_starts for o in outcomes):.1f} in the mean")
    lines.append(f"  server starts           {mean(o.starts for o in outcomes):.1f} in the mean")
    lines.append(
        f"  noise from start to start, as the tasks report it: {mean(noises):.2%} in the mean" if noises else ""
    )
    lines.append(f"  time                    {mean(o.took_s for o in outcomes):.2f} s per task")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="A/A and A/B tasks on predictions")
    parser.add_argument("--tasks", type=int, default=500, help="tasks of each kind")
    parser.add_argument("--kinds", nargs="+", choices=("aa", "ab"), default=["aa", "ab"])
    parser.add_argument("--noise", required=True, help="file of recorded noise, or standard deviation of log tpot")
    parser.add_argument("--gain", type=float, default=GAIN, help="of the better one of an A/B task (a share)")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--strategy", default="bayesian")
    parser.add_argument("--out", type=Path, help="JSON file for every task")
    given = parser.parse_args()
    noise = given.noise if _is_number(given.noise) else str(Path(given.noise).absolute())
    changes = {"strategy": given.strategy}
    seeds = list(range(given.first, given.first + given.tasks))
    outcomes: dict[Kind, list[Outcome]] = {kind: [] for kind in given.kinds}
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = [
            (kind, pool.submit(_chunk, kind, seeds[at : at + CHUNK], noise, changes, given.gain))
            for at in range(0, len(seeds), CHUNK)
            for kind in given.kinds
        ]
        for kind, future in made:
            outcomes[kind] += future.result()
            print(f"{sum(map(len, outcomes.values()))} tasks", file=sys.stderr)
    print(f"noise: {given.noise}; nothing is timed, so the machine need not have been quiet")
    for of_kind in outcomes.values():
        print("\n".join(summary(of_kind, given.gain)))
    if given.out is not None:
        everything = [o.model_dump(mode="json") for of_kind in outcomes.values() for o in of_kind]
        given.out.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    return 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
