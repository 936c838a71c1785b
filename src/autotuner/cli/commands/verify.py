"""``autotuner verify``."""

from __future__ import annotations

import click

from autotuner.cli.options import Duration
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Measure a winner again, with another client beside.")
@click.argument("task")
@click.option(
    "--client",
    default="guidellm",
    show_default=True,
    metavar="NAME",
    help="The other client (`autotuner client list`).",
)
@click.option(
    "--window",
    type=Duration(),
    metavar="TIME",
    help="Length of both measuring windows, such as 60s; default: the task's. genai-bench needs whole minutes.",
)
@shared_options()
@pass_state
def verify(state: State, task: str, client: str, window: float | None) -> None:
    """Start the winner of the finished TASK (name or number) again and measure it with another benchmark client.

    Two servers are started one after the other with the winner's command. The task's own client measures the first, the
    other one the second, both at the load that the task scored. Their figures are shown side by side, and whether they
    agree. They are stored, `autotuner results` and the report show them, and no figure of the task changes.

    \b
    Examples:
      autotuner client install guidellm
      autotuner verify my-task
      autotuner verify my-task --client genai-bench --window 60s

    Ctrl-C ends the server and stores no verification.

    Exit codes: 0 when both could measure, whether they agree or not; 2 when there is no such task, it has no winner, it
    is still running, the client is not installed or cannot produce the load, or a start failed; 130 interrupted.
    """
    import sys

    from autotuner.cli.failures import INTERRUPTED
    from autotuner.cli.interruption import Interruption
    from autotuner.cli.output import say, say_json, show
    from autotuner.cli.render.progress import PlainObserver
    from autotuner.cli.render.verification import verification_table
    from autotuner.cli.running import STOPPING
    from autotuner.services.verify import verify_task

    settings = state.settings()
    observer = PlainObserver(sys.stderr)
    interruption = Interruption(lambda: observer.on_message(STOPPING))
    found = interruption.run(verify_task(task, settings, observer, client=client, window_s=window))
    if found is None:
        say("Stopped. No verification was stored.", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    _, made = found
    if state.json:
        say_json(made.model_dump(mode="json"))
        return
    show(*verification_table(made))
