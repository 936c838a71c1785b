"""``autotuner quick`` and ``autotuner demo``: tasks without a file."""

from __future__ import annotations

import click

from autotuner.cli.options import all_sets, profile_option, run_options
from autotuner.cli.output import wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Tune a model without a task file.")
@click.argument("model")
@click.option("--objective", metavar="NAME", help="What is sought; the default is maximize_throughput.")
@profile_option
@run_options
@shared_options()
@pass_state
def quick(
    state: State,
    model: str,
    objective: str | None,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    budget: float | None,
    seed: int | None,
    new: bool,
    grid: str | None,
    report_file: str | None,
    detach: bool,
) -> None:
    """Tune MODEL (a file, a name on a hub, or `tiny`) with a sensible task.

    The engine is chosen by the kind of model. The parameters that matter most for it are searched, under a short
    mixed load, and the best is confirmed. With --profile the profile says what is searched, and under which load.

    \b
    Examples:
      autotuner quick model.gguf
      autotuner quick tiny --objective minimize_latency --budget 5m
      autotuner quick tiny --profile low-latency

    Prints what `autotuner run` prints, and goes on with an interrupted task like it.

    Exit codes: as of `autotuner run`: 0, 1, 2, 130.
    """
    from autotuner.cli.running import run_document
    from autotuner.services.documents import profile_document, quick_document

    changes = all_sets(sets, budget=budget, seed=seed)
    document = (
        profile_document(model, profiles, state.settings(), objective=objective, sets=changes)
        if profiles
        else quick_document(model, state.settings(), objective=objective, sets=changes)
    )
    run_document(document, state, new=new, grid=grid, report_file=report_file, detach=detach)


@click.command(short_help="See a whole search over predicted figures, in seconds.")
@run_options
@shared_options()
@pass_state
def demo(
    state: State,
    sets: tuple[str, ...],
    budget: float | None,
    seed: int | None,
    new: bool,
    grid: str | None,
    report_file: str | None,
    detach: bool,
) -> None:
    """Search over predicted figures of a large model on GPUs: no server, no GPU, a few seconds.

    Everything is as in a real run (task, search, confirmation, report), but the figures are predictions, and every
    display says so.

    \b
    Examples:
      autotuner demo
      autotuner demo --set optimization.strategy=random --seed 3

    Prints what `autotuner run` prints. Each time it makes another task: demo, demo-2, …

    Exit codes: as of `autotuner run`: 0, 1, 2, 130.
    """
    from autotuner.cli.running import run_document
    from autotuner.services.documents import demo_document

    document = demo_document(sets=all_sets(sets, budget=budget, seed=seed), settings=state.settings())
    again = new or wait_for(_finished(state, document.task_name or ""))
    run_document(document, state, new=again, grid=grid, report_file=report_file, detach=detach)


async def _finished(state: State, name: str) -> bool:
    """Whether a task of that name ran to its end."""
    from autotuner.contracts.store import TaskStatus
    from autotuner.services.stored import open_stored

    async with open_stored(state.settings(), create=True) as store:
        found = await store.find_task(name)
        return found is not None and found.status is TaskStatus.COMPLETED
