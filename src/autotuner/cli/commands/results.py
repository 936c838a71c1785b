"""``autotuner results`` and ``autotuner compare``."""

from __future__ import annotations

import click

from autotuner.cli.output import say_json, show, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Show the result of a task.")
@click.argument("task", required=False)
@click.option("--experiment", type=click.IntRange(min=0), metavar="N", help="Show one experiment in full instead.")
@shared_options()
@pass_state
def results(state: State, task: str | None, experiment: int | None) -> None:
    """Show the result of TASK (name or number; default: the newest), or what it has measured so far.

    The verdict, the winner beside the baseline, the evidence, the best experiments, failures. With --experiment N:
    the parameters, figures, SLOs, failure and command of one of them.

    \b
    Examples:
      autotuner results
      autotuner results demo --experiment 3
      autotuner results demo --json

    Exit codes: 0, or 2 when there is no such task or experiment.
    """
    wait_for(_results(state, task, experiment))


async def _results(state: State, task: str | None, experiment: int | None) -> None:
    from autotuner.services.queries import experiments_by_number, named_task, task_result
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, task)
        result = await task_result(store, found, settings)
        chosen = await experiments_by_number(store, found, [experiment]) if experiment is not None else None
    if state.json:
        say_json((chosen[0] if chosen else result).model_dump(mode="json"))
        return
    if chosen:
        from autotuner.cli.render.experiment import experiment_view

        show(*experiment_view(chosen[0], result))
        return
    from autotuner.cli.render.result import result_tables

    show(result_tables(result))


@click.command(short_help="Show experiments side by side.")
@click.argument("task")
@click.argument("numbers", metavar="N...", type=click.IntRange(min=0), nargs=-1, required=True)
@shared_options()
@pass_state
def compare(state: State, task: str, numbers: tuple[int, ...]) -> None:
    """Show the experiments N... of TASK side by side: what differs, the scores, the figures, the SLOs.

    \b
    Example:
      autotuner compare demo 0 3 7

    Exit codes: 0, or 2 when there is no such task or experiment.
    """
    wait_for(_compare(state, task, numbers))


async def _compare(state: State, task: str, numbers: tuple[int, ...]) -> None:
    from autotuner.cli.render.result import compare_tables
    from autotuner.services.queries import experiments_by_number, named_task, task_result
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, task)
        chosen = await experiments_by_number(store, found, list(numbers))
        result = await task_result(store, found, settings)
    if state.json:
        say_json([summary.model_dump(mode="json") for summary in chosen])
        return
    show(compare_tables(chosen, objective_label=result.objective_label, unit=result.unit))
