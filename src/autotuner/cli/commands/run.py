"""``autotuner run``."""

from __future__ import annotations

import click

from autotuner.cli.options import all_sets, profile_option, run_options
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Run a task, or go on with it.")
@click.argument("task_file", metavar="TASK.yaml")
@profile_option
@run_options
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing, as `autotuner plan`.")
@shared_options()
@pass_state
def run(
    state: State,
    task_file: str,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    budget: float | None,
    seed: int | None,
    new: bool,
    grid: str | None,
    report_file: str | None,
    detach: bool,
    dry_run: bool,
) -> None:
    """Run the task of a YAML or JSON file (- is standard input), or go on with it.

    Each configuration is a real server that is started, loaded and ended. First the engine's defaults (the
    baseline), then the search, then the best again, in turns with the baseline, until the gain is certain or not.

    \b
    Examples:
      autotuner run task.yaml
      autotuner run task.yaml --budget 30m --set optimization.max_iterations=40
      autotuner run task.yaml --profile low-latency --profile production
      autotuner run task.yaml --dry-run

    Every step is stored. After Ctrl-C or a crash the same command goes on from there; for a finished task it only
    shows the result. Ctrl-C once stops cleanly, twice kills at once. Closing the terminal does not stop a run;
    `autotuner attach` shows it again. `autotuner task` pauses, cancels and resumes it from elsewhere.

    Prints progress on stderr, then on stdout the verdict, the winner beside the baseline, the evidence, and where
    report.html, result.json and result.csv were written. With --json: one JSON object per line, the last of type
    result (or interrupted).

    Exit codes: 0 done (also when nothing beats the baseline), 2 wrong input or nothing could be measured,
    130 interrupted or cancelled, 1 internal error. With --detach: 0 once the task runs.
    """
    from autotuner.services.documents import read_document

    if detach and task_file == "-":
        raise click.UsageError("--detach needs a task file: a process of its own has no standard input.")
    document = read_document(
        task_file,
        sets=all_sets(sets, budget=budget, seed=seed),
        profiles=profiles,
        settings=state.settings(),
    )
    if dry_run:
        from autotuner.cli.commands.plan import show_plan

        show_plan(document, state, commands=5, every=False)
        return
    from autotuner.cli.running import run_document

    run_document(document, state, new=new, grid=grid, report_file=report_file, detach=detach)
