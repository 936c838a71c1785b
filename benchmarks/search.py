"""How many experiments search strategies need: strategies × tasks × conditions × paired seeds, without HTTP.

    python benchmarks/search.py [--jobs 2] [--tuning] [--tasks PATTERN …] [--strategies …] [--conditions …] [--seeds 20]

A task is a finite space of which everything is known: tables of predictions (`searching/surfaces.py`), published
measurements (`searching/measured.py`), recorded grids of real servers (`searching/recorded.py`). Every strategy gets
the same known constraints, the default first and 40 experiments, none of them twice; runs of one seed have the same
noise and the same crashes. Counted are experiments, and GPU-seconds under a cost model, until one is truly within 5 %
and 2 % of the best feasible value; those that never are count as such.

Each finished run is a line of `--out`; a comparison that was cut off goes on where it was. A run is made again when its
task, the rules or the code of its strategy have changed. Hyper-parameters are chosen on the tasks of `--tuning` alone
(qwen3_32b); without it all tasks are run, and those are shown apart. The tables need pyarrow.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from searching.conditions import CONDITIONS
from searching.landscape import Task
from searching.plot import svg
from searching.records import Records, dump, fingerprint, key_of
from searching.running import TOLERANCES, Run, search
from searching.tables import Row, cells, header, markdown, rows, text
from searching.targets import OURS, targets
from searching.targets import text as targets_text
from searching.tasks import load_task, task_names

ROOT = Path(__file__).resolve().parents[1]
SURFACES = ROOT.parent / "shared" / "surfaces"
OUT = Path("out/search.jsonl")
STRATEGIES = ("random", "tpe", "bayesian")
TAKE_PRIORS = ("bayesian",)
"""Others search as without, whatever is known from before."""
SEEDS = 20
"""Seeds are 1 to this number."""

Job = tuple[str, str, str, int]


def run_job(folder: Path, job: Job) -> Run:
    """One run, in whichever process."""
    strategy, task_name, condition_name, seed = job
    task, condition = load_task(folder, task_name), CONDITIONS[condition_name]
    neighbour = load_task(folder, task.neighbour) if condition.transfer and task.neighbour is not None else None
    searched = search(strategy, task, condition, seed, neighbour=neighbour)
    return Run(
        strategy=strategy,
        task=task.name,
        condition=condition.name,
        seed=seed,
        kind=task.kind,
        tuning=task.tuning,
        size=len(task.space),
        fingerprint=fingerprint(strategy, task, condition),
        steps=searched.steps,
        ask_s=searched.ask_s,
    )


def planned(given: argparse.Namespace, tasks: Sequence[Task]) -> Iterator[tuple[Job, str]]:
    """All runs that are wanted, with the fingerprint that makes an earlier one good enough."""
    for seed in range(1, given.seeds + 1):
        for condition in (CONDITIONS[name] for name in given.conditions):
            for task in tasks:
                if condition.fits(task):
                    for strategy in given.strategies:
                        if condition.informs and strategy not in TAKE_PRIORS:
                            continue
                        yield (strategy, task.name, condition.name, seed), fingerprint(strategy, task, condition)


def run_all(given: argparse.Namespace, jobs: Sequence[Job], records: Records) -> None:
    """Those that are missing, each in the file as soon as it is done."""
    # Each worker has one core; more threads of its linear algebra would take those of the others.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=context) as pool:
        waiting = iter(jobs)
        running: set[Future[Run]] = set()
        done = 0
        while True:
            for job in waiting:
                running.add(pool.submit(run_job, given.surfaces, job))
                if len(running) >= 2 * given.jobs:
                    break
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                records.append(future.result())
                done += 1
                print(f"\r{done} of {len(jobs)} runs", end="", file=sys.stderr, flush=True)


def kind_of(run: Run) -> str:
    """The kind of its task, those that were tuned on apart."""
    return f"{run.kind}, tuned on" if run.tuning else run.kind


def show(given: argparse.Namespace, runs: Sequence[Run]) -> None:
    """Print the tables, write what is asked for."""
    titles = header(["condition", "tasks", "strategy"])
    found = rows(runs, lambda run: (run.condition, kind_of(run), run.strategy))
    print(text(titles, found))
    by_task = rows(runs, lambda run: (run.condition, run.task, run.strategy))
    if given.by_task:
        print("\n" + text(titles, by_task))
    if given.markdown is not None:
        _write(given.markdown, markdown(titles, found) + "\n")
    if given.json is not None:
        dump(given.json, [_figures(titles, row) for row in (*found, *by_task)])
    if given.plot is not None:
        plain = [run for run in runs if run.condition == given.conditions[0]]
        panels: dict[str, dict[str, list[Run]]] = {}
        for run in plain:
            panels.setdefault(kind_of(run), {}).setdefault(run.strategy, []).append(run)
        _write(given.plot, svg(panels, TOLERANCES[0]))
    lines = targets(runs)
    if lines:
        print(f"\nTargets of {OURS}\n{targets_text(lines)}")
    slowest = max((max(run.ask_s, default=0.0) for run in runs), default=0.0)
    print(f"\nLongest ask on this machine: {slowest:.2f} s.")


def _figures(titles: Sequence[str], row: Row) -> dict[str, str]:
    return dict(zip(titles, cells(row), strict=True))


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="how many experiments search strategies need")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--conditions", nargs="+", default=["plain"], choices=[*CONDITIONS, "all"])
    parser.add_argument("--tasks", nargs="+", default=["*"], metavar="PATTERN", help="such as 'qwen3_32b_h200/*'")
    parser.add_argument("--tuning", action="store_true", help="only the tasks that hyper-parameters are chosen on")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds 1 to this number (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--out", type=Path, default=OUT, help="file of finished runs (default: %(default)s)")
    parser.add_argument("--surfaces", type=Path, default=SURFACES, help="folder of the tables (default: %(default)s)")
    parser.add_argument("--by-task", action="store_true", help="print a table by task too")
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, help="write all figures")
    parser.add_argument("--plot", type=Path, help="write a plot of the first condition as SVG")
    parser.add_argument("--only-show", action="store_true", help="run nothing; show what the file holds")
    given = parser.parse_args()
    if "all" in given.conditions:
        given.conditions = list(CONDITIONS)
    return given


def main() -> int:
    """0; 2 where no task has a name that was asked for."""
    given = arguments()
    tasks = [load_task(given.surfaces, name) for name in task_names(given.surfaces, given.tasks, tuning=given.tuning)]
    if not tasks:
        print("No task has such a name.", file=sys.stderr)
        return 2
    records = Records(given.out)
    wanted = list(planned(given, tasks))
    before = records.read()
    if not given.only_show:
        fresh = {job for job, mark in wanted if job in before and before[job].fingerprint == mark}
        run_all(given, [job for job, _ in wanted if job not in fresh], records)
    found = {key_of(run): run for run in records.read().values()}
    show(given, [found[job] for job, _ in wanted if job in found])
    return 0


if __name__ == "__main__":
    sys.exit(main())
