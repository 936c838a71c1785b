"""Whether real tasks claim what is there, and what is not: A/A and A/B tasks on llama.cpp.

    python benchmarks/real_evidence.py --tasks 8 --out out/real-evidence.json

Each is a whole task (baseline, search, choice, confirmation) with the load of the quickstart and without limits. In an
A/A task the searched configurations differ in nothing that is used: the size from which chunks of a kept prompt are
used again, where no prompt is kept. In an A/B task one has q8_0 weights instead of f16, which the model's one core
reads faster. Tasks of both kinds are run in turn. What lies finished in the data folder is not run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from quiet import add_arguments, quiet_machine

from autotuner.cli.render.progress import PlainObserver
from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import GainFigure, TaskResult
from autotuner.contracts.values import Frozen
from autotuner.services.host import describe_host
from autotuner.services.report.wording import duration, signed_percent
from autotuner.services.settings import Settings
from autotuner.services.tasks import run_task

Kind = Literal["aa", "ab"]
DATA = Path(tempfile.gettempdir()) / "inference-autotuner-real-evidence"
SEARCHED: dict[Kind, dict[str, list[Any]]] = {
    "aa": {"model.file": ["tiny:f16"], "n_cache_reuse": [64, 256]},
    "ab": {"model.file": ["tiny:f16", "tiny:q8_0"], "n_cache_reuse": [0]},
}


class Outcome(Frozen):
    """What one task came to. ``noise``: from start to start, a share."""

    kind: Kind
    number: int
    error: str | None = None
    headline: str = ""
    elapsed_s: float | None = None
    claimed: bool = False
    gains: tuple[GainFigure, ...] = ()
    noise: float | None = None


def document_of(kind: Kind, number: int) -> dict[str, Any]:
    """A small task: two configurations beside the baseline at most, both of them confirmed."""
    searched = SEARCHED[kind]
    return {
        "task_name": f"{kind}-{number}",
        "base_runtime": "llamacpp",
        "model": {"id_or_path": searched["model.file"]},
        "parameters": {
            "n_cache_reuse": searched["n_cache_reuse"],
            "n_parallel": 4,
            "threads": 1,
            "threads_batch": 1,
            "max_model_len": 256,
            "cache_prompt": False,
            "cache_ram_mib": 0,
        },
        "optimization": {
            "objective": "maximize_throughput",
            "strategy": "grid",
            "max_iterations": 2,
            "seed": number,
            "confirm": {"top_k": 1},
        },
        "benchmark": {
            "traffic_scenarios": ["0.7*D(16,48)+0.3*D(128,24)"],
            "num_concurrency": [16],
            "max_time_per_iteration": 5,
            "min_requests": 100,
            "warmup_requests": 20,
            "additional_params": {"temperature": 0.0},
        },
        "quality": {"enabled": False},
    }


def described(kind: Kind, number: int, result: TaskResult) -> Outcome:
    """What counts of a result."""
    return Outcome(
        kind=kind,
        number=number,
        headline=result.headline,
        elapsed_s=result.elapsed_s,
        claimed=result.gain is not None and result.gain.significant,
        gains=result.finalists,
        noise=result.noise,
    )


async def run_all(tasks: int, settings: Settings) -> list[Outcome]:
    """One task after the other, the kinds in turn."""
    outcomes: list[Outcome] = []
    kinds: tuple[Kind, ...] = ("aa", "ab")
    for number in range(1, tasks + 1):
        for kind in kinds:
            print(f"Task {kind}-{number}", file=sys.stderr)
            try:
                document = validate(document_of(kind, number))
                outcome = await run_task(document, settings, PlainObserver(sys.stderr))
            except AutotunerError as error:
                outcomes.append(Outcome(kind=kind, number=number, error=str(error)))
                continue
            outcomes.append(described(kind, number, outcome.result))
            print(line(outcomes[-1]), flush=True)
    return outcomes


def line(outcome: Outcome) -> str:
    """One task as a line."""
    if outcome.error is not None:
        return f"{outcome.kind}-{outcome.number}  {outcome.error}"
    gains = "; ".join(
        f"{signed_percent(g.gain)} ({signed_percent(g.low)} to {signed_percent(g.high)}, {g.pairs} pairs)"
        for g in outcome.gains
    )
    noise = "unknown" if outcome.noise is None else f"{100 * outcome.noise:.1f} %"
    claim = "claimed    " if outcome.claimed else "not claimed"
    return f"{outcome.kind}-{outcome.number}  {claim}  {gains}  noise {noise}  {duration(outcome.elapsed_s)}"


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many of each kind ended, and claimed a gain."""
    found: dict[str, int] = {}
    for kind in SEARCHED:
        own = [o for o in outcomes if o.kind == kind and o.error is None]
        found |= {f"{kind}_tasks": len(own), f"{kind}_claimed": sum(o.claimed for o in own)}
    return found


def main() -> int:
    """0 when no A/A task and every A/B task claimed a gain, else 1."""
    parser = argparse.ArgumentParser(description="A/A and A/B tasks on llama.cpp")
    parser.add_argument("--tasks", type=int, default=8, help="of each kind")
    parser.add_argument("--data-dir", type=Path, default=DATA, help="tasks and models (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    add_arguments(parser)
    given = parser.parse_args()
    data = given.data_dir.absolute()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings(data_dir=data, database=str(data / "autotuner.db"))
    with quiet_machine(anyway=given.anyway, wait=given.wait) as disturbance:
        outcomes = asyncio.run(run_all(given.tasks, settings))
    figures = summary(outcomes)
    print(json.dumps(figures, indent=1))
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        made = {
            "host": {key: value for key, value in describe_host().items() if key != "hostname"},
            "not_to_be_quoted": disturbance,
            "summary": figures,
            "tasks": [outcome.model_dump(mode="json") for outcome in outcomes],
        }
        given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    right = figures["aa_claimed"] == 0 and figures["ab_claimed"] == figures["ab_tasks"] == given.tasks
    return 0 if right and figures["aa_tasks"] == given.tasks else 1


if __name__ == "__main__":
    sys.exit(main())
