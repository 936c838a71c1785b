"""``autotuner task cancel|pause|resume|start|retry``: what is asked of a task, whoever runs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from autotuner.cli.detached import shell_line, start_detached
from autotuner.cli.options import detach_option
from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.config.document import TaskDocument
    from autotuner.contracts.store import TaskRecord


@click.command()
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="Return when it is asked for, not when it is done.")
@shared_options()
@pass_state
def cancel(state: State, name: str, no_wait: bool) -> None:
    """End the task NAME (name or number) from wherever it stands. What was measured is kept.

    The process that runs it starts nothing more and ends its server. If that process is gone, what it left behind is
    cleared away here.

    \b
    Example:
      autotuner task cancel mytask

    Exit codes: 0 cancelled, 2 when there is no such task or it has ended already.
    """
    wait_for(_cancel(state, name, no_wait))


async def _cancel(state: State, name: str, no_wait: bool) -> None:
    from collections import Counter

    from autotuner.contracts.store import TaskStatus
    from autotuner.services.queries import named_task
    from autotuner.services.requests import request_cancel, wait_cancelled
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await request_cancel(store, await named_task(store, name))
        if not no_wait:
            found = await wait_cancelled(store, settings, found, lambda text: say(text, err=True))
        counts = dict(Counter(e.status.value for e in await store.list_experiments(found.id)))
    resume = state.command("task", "start", found.name)
    if state.json:
        _say_json(found, experiments=counts, resume=resume)
        return
    if found.status is TaskStatus.CANCELLED:
        say(f"The task {found.name!r} is cancelled.")
    elif found.status is TaskStatus.CANCELLING:
        say(f"The task {found.name!r} was asked to end.")
    else:
        say(f"The task {found.name!r} had ended before it was cancelled: it is {found.status.value}.")
        return
    say(f"Kept: {', '.join(f'{count} {status}' for status, count in counts.items()) or 'nothing was measured'}.")
    say(f"To go on from there: {shell_line(resume)}")


@click.command()
@click.argument("name")
@shared_options()
@pass_state
def pause(state: State, name: str) -> None:
    """Let the running task NAME (name or number) start nothing more until it is resumed.

    The start that is under way is finished and stored first. Then no server of it runs; its process waits.

    \b
    Example:
      autotuner task pause mytask

    Exit codes: 0, or 2 when there is no such task or it does not run.
    """
    wait_for(_pause(state, name))


async def _pause(state: State, name: str) -> None:
    from autotuner.services.queries import named_task
    from autotuner.services.requests import request_pause
    from autotuner.services.stored import open_stored
    from autotuner.services.task_lock import is_taken

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await request_pause(store, await named_task(store, name))
    attended = await is_taken(settings, found.id)
    resume = state.command("task", "resume", found.name)
    if state.json:
        _say_json(found, held=attended, resume=resume)
        return
    then = "it waits when its present start is done" if attended else "no process runs it"
    say(f"The task {found.name!r} is paused; {then}.")
    say(f"To go on: {shell_line(resume)}")


@click.command()
@click.argument("name")
@detach_option
@shared_options()
@pass_state
def resume(state: State, name: str, detach: bool) -> None:
    """Go on with the task NAME (name or number) that was paused.

    If its process waits, it goes on there. If no process runs the task, it is run here, as by `autotuner run`.

    \b
    Example:
      autotuner task resume mytask

    Exit codes: 0, 2 when there is no such task or it is not paused; else as of `autotuner run`.
    """
    document = wait_for(_resume(state, name))
    if document is not None:
        _run(document, state, detach=detach)


async def _resume(state: State, name: str) -> TaskDocument | None:
    from autotuner.services.queries import named_task
    from autotuner.services.requests import request_resume
    from autotuner.services.stored import open_stored
    from autotuner.services.task_lock import is_taken
    from autotuner.services.tasks import document_to_start

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, name)
        if not await is_taken(settings, found.id):
            return await document_to_start(store, settings, found)
        found = await request_resume(store, found)
    if state.json:
        _say_json(found, held=True)
    else:
        say(f"The task {found.name!r} goes on in its process. To watch it: ")
        say(f"  {shell_line(state.command('attach', found.name))}")
    return None


@click.command()
@click.argument("name")
@detach_option
@shared_options()
@pass_state
def start(state: State, name: str, detach: bool) -> None:
    """Run the stored task NAME (name or number) from where it stands; its file is not needed.

    For a task that was cancelled, has failed or was left behind. Runs it as `autotuner run` does.

    \b
    Example:
      autotuner task start mytask

    Exit codes: 2 when there is no such task, it is being run or is completed; else as of `autotuner run`.
    """
    _run(wait_for(_start(state, name)), state, detach=detach)


async def _start(state: State, name: str) -> TaskDocument:
    from autotuner.services.queries import named_task
    from autotuner.services.stored import open_stored
    from autotuner.services.tasks import document_to_start

    settings = state.settings()
    async with open_stored(settings) as store:
        return await document_to_start(store, settings, await named_task(store, name))


@click.command()
@click.argument("name")
@click.option(
    "--experiment",
    "numbers",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="N",
    help="Only this experiment; repeatable. Without it all that failed.",
)
@detach_option
@shared_options()
@pass_state
def retry(state: State, name: str, numbers: tuple[int, ...], detach: bool) -> None:
    """Try failed experiments of the task NAME (name or number) again.

    A process that runs the task measures them before it asks for another configuration. If there is none, the task is
    run here, as by `autotuner run`; a completed task goes on too.

    \b
    Example:
      autotuner task retry mytask --experiment 3

    Exit codes: 0, 2 when there is no such task or experiment or it did not fail; else as of `autotuner run`.
    """
    if detach:
        # All of it there: what it opens would be no failed experiment any more for a second one.
        start_detached(sys.argv[1:], state)
        return
    document = wait_for(_retry(state, name, numbers))
    if document is not None:
        _run(document, state, go_on=state.command("task", "start", document.task_name or name))


async def _retry(state: State, name: str, numbers: tuple[int, ...]) -> TaskDocument | None:
    from autotuner.services.queries import named_task
    from autotuner.services.requests import reopen_failed
    from autotuner.services.stored import open_stored
    from autotuner.services.tasks import document_to_start

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, name)
        opened, attended = await reopen_failed(store, settings, found, numbers)
        if not attended:
            return await document_to_start(store, settings, await store.get_task(found.id))
    listed = [experiment.number for experiment in opened]
    if state.json:
        _say_json(found, held=True, experiments=listed)
    else:
        say(f"Tried again by the process that runs it: experiment {', '.join(map(str, listed))}.")
    return None


def _run(document: TaskDocument, state: State, *, detach: bool = False, go_on: list[str] | None = None) -> None:
    from autotuner.cli.running import run_document

    run_document(document, state, detach=detach, go_on=go_on)


def _say_json(task: TaskRecord, **fields: object) -> None:
    say_json({"task": task.name, "id": task.id, "status": task.status.value, **fields})
