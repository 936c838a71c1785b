"""What ending windows by the noise of the task does to their figures: bias, noise, and length.

    python benchmarks/window_length.py [--tasks 40] [--out out/window-length.json]

Starts of three configurations of the quickstart task in virtual time (``virtual_windows.py``). In each task six starts
of each are measured whole; from their windows follows the noise, as in a task. Six further ones are measured whole and,
the same draws, ended by the rule. Compared are the logarithms of the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, stdev

from virtual_windows import BETWEEN_STARTS, JITTER, WANDER, WANDER_S, Loop, Loops, full_window, stopped_at

from autotuner.contracts.measurement import Measurement
from autotuner.contracts.stopping import Precision, SloStake, StopRules
from autotuner.contracts.values import digest
from autotuner.metrics.summary import summarise
from autotuner.planning.plan import Plan
from autotuner.scoring.early_stop import Looks
from autotuner.scoring.evidence import pooled_noise
from autotuner.scoring.slo import request_limits, slo_set
from autotuner.scoring.window_length import WORTH, Course, between, precision, within
from autotuner.services.documents import read_document
from autotuner.services.grid_files import load_grid
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quickstart"
STARTS = 6
START_S = 1.2
"""Of a start beside its window: the quickstarts' 6.2 s less 5 s."""


@dataclass(frozen=True)
class Both:
    """A start measured whole and ended by the rule."""

    whole: Measurement
    ended: Measurement


class Windows:
    """Windows of one plan. ``noise`` of a start is drawn from the task and its number."""

    def __init__(self, plan: Plan) -> None:
        self._limits = plan.workload.limits
        self._point = plan.workload.load_points[-1]
        slo = slo_set(plan.document.slo.model_dump(mode="json", exclude_none=True))
        self._request_limits = request_limits(slo)
        self._stakes = tuple(
            SloStake(
                metric=metric,
                statistic=rule.statistic,
                threshold=rule.threshold,
                hard_fail=rule.hard_fail,
                fail_ratio=rule.fail_ratio,
            )
            for rule in slo.rules
            if (metric := rule.load_metric) is not None
        )

    def measure(self, loop: Loop, task: int, name: str, start: int, enough: Precision | None) -> Both:
        """One start; without ``enough`` both are whole."""
        rng = Random(digest([task, name, start]))
        noise = math.exp(BETWEEN_STARTS * rng.gauss(0, 1))
        records = loop.records(rng, Random(f"{task}/0"), noise, loop.enough_s(self._limits))
        window = full_window(records, self._limits)
        seconds = window.seconds
        if enough is not None:
            rules = StopRules(judged=False, slo=self._stakes, scored=(self._point.name,), precision=enough)
            limits = self._limits
            looks = Looks(rules, planned_s=limits.window_s, min_requests=limits.min_requests, scored=True)
            seconds, _ = stopped_at(window, looks, self._request_limits)
        whole, ended = (
            summarise(
                [record for record in window.records if record.started < length],
                load_point=self._point,
                repeat=0,
                window_s=length,
                slo_limits=self._request_limits,
            )
            for length in (window.seconds, seconds)
        )
        return Both(whole, ended)


def figures_of(measurement: Measurement) -> dict[str, float]:
    """Logarithms of what the quickstart is judged by."""
    if measurement.ttft is None or measurement.tpot is None:
        raise SystemExit("a window without requests")
    return {
        "throughput": math.log(measurement.total_throughput),
        "TTFT p90": math.log(measurement.ttft.p90),
        "TPOT mean": math.log(measurement.tpot.mean),
    }


def rule_of(
    windows: Windows, loops: dict[str, Loop], task: int, whole_s: float
) -> tuple[float | None, Precision | None]:
    """w² and the rule, from the starts that were measured whole."""
    known = {
        name: [windows.measure(loop, task, name, n, None).whole for n in range(STARTS)] for name, loop in loops.items()
    }
    courses = [
        Course(number, m.slice_s, m.slice_tokens)
        for number, own in enumerate(known.values())
        for m in own
        if m.slice_s is not None
    ]
    noise = within(courses)
    if noise is None:
        return None, None
    spread = between([[m.total_throughput for m in own] for own in known.values()], noise / whole_s)
    return noise, precision(noise, spread, whole_s=whole_s, start_s=START_S)


def report(name: str, starts: Sequence[Sequence[Both]], figure: str) -> dict[str, float | str]:
    """Of one configuration and figure, by task."""
    whole = [[figures_of(both.whole)[figure] for both in of_task] for of_task in starts]
    ended = [[figures_of(both.ended)[figure] for both in of_task] for of_task in starts]
    shifts = [fmean(e) - fmean(w) for e, w in zip(ended, whole, strict=True)]
    spread = [pooled_noise([[math.exp(value) for value in own] for own in side]) or 0.0 for side in (whole, ended)]
    return {
        "configuration": name,
        "figure": figure,
        "shift": fmean(shifts),
        "shift_error": stdev(shifts) / math.sqrt(len(shifts)),
        "noise_whole": spread[0],
        "noise_ended": spread[1],
        "worth": (spread[0] / spread[1]) ** 2,
    }


def main() -> int:
    """Print a line for each configuration and figure."""
    parser = argparse.ArgumentParser(description="what ending windows by the noise of the task does to their figures")
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--first", type=int, default=101, help="number of the first task, which seeds all it draws")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    given = parser.parse_args()
    grid = load_grid(str(EXAMPLE / "grid.json"))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database=str(Path(folder) / "tasks.db"))
        plan = plan_document(read_document(str(EXAMPLE / "task.yaml")), settings)
    if plan.baseline is None:
        raise SystemExit("the task has no baseline")
    windows, loops = Windows(plan), Loops(plan, grid)
    ranked = sorted((p for p in grid.points if p.eligible), key=lambda point: -(point.score or 0.0))
    chosen = {
        "default": plan.baseline.configuration,
        "best": ranked[0].parameters,
        "middling": ranked[len(ranked) // 2].parameters,
    }
    of_each = {name: loops.of(plan.resolver.command(each).argv)[1] for name, each in chosen.items()}
    whole_s = plan.workload.limits.window_s
    starts: dict[str, list[list[Both]]] = {name: [] for name in of_each}
    noises: list[float] = []
    for task in range(given.first, given.first + given.tasks):
        noise, rule = rule_of(windows, of_each, task, whole_s)
        noises += [] if noise is None else [noise]
        for name, loop in of_each.items():
            starts[name].append([windows.measure(loop, task, name, STARTS + n, rule) for n in range(STARTS)])
    rows = [report(name, own, figure) for name, own in starts.items() for figure in figures_of(own[0][0].whole)]
    true = WANDER**2 * 2 * WANDER_S * (1 - WANDER_S / whole_s) + JITTER**2 / (ranked[0].metrics["requests_per_second"])
    print(f"noise within a window: {math.sqrt(fmean(noises)):.2%} in one second, true {math.sqrt(true):.2%}")
    for name, own in starts.items():
        lengths = [both.ended.window_s for of_task in own for both in of_task]
        print(f"{name}: {fmean(lengths):.2f} s of {whole_s:g} s in the mean")
    for row in rows:
        print(
            f"{row['configuration']}, {row['figure']}: shifted by {row['shift']:+.2%} ± {row['shift_error']:.2%}, "
            f"noise {row['noise_whole']:.2%} whole, {row['noise_ended']:.2%} ended, "
            f"worth {row['worth']:.2f} (at least, by the rule: {WORTH})"
        )
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps({"within": noises, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
