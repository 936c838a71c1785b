"""``autotuner task``: list, show, delete; what else can be asked is in ``task_requests`` and ``task_purge``."""

from __future__ import annotations

import click

from autotuner.cli.commands.task_purge import purge
from autotuner.cli.commands.task_requests import cancel, pause, resume, retry, start
from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "paused", "cancelling")


@click.group(short_help="List, show, pause, cancel, start and delete tasks.")
def task() -> None:
    """Look at the stored tasks, and pause, cancel, start, retry and delete them, whichever process runs them.

    \b
    Examples:
      autotuner task list --status failed
      autotuner task show demo
      autotuner task cancel demo
    """


for _command in (start, pause, resume, cancel, retry, purge):
    task.add_command(_command)


@task.command(name="list")
@click.option("--status", type=click.Choice(STATUSES), help="Only tasks of this status.")
@click.option("--search", metavar="TEXT", help="Only tasks with this text in their name.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show so many.")
@shared_options()
@pass_state
def list_tasks(state: State, status: str | None, search: str | None, limit: int) -> None:
    """List the tasks, newest first: number, name, status, what they came to.

    A task that is running by its status but that no process runs any more is marked as left behind.

    Exit codes: 0, or 2 when the database cannot be read.
    """
    wait_for(_list(state, status, search, limit))


async def _list(state: State, status: str | None, search: str | None, limit: int) -> None:
    from autotuner.contracts.store import TaskStatus
    from autotuner.services.report.wording import duration
    from autotuner.services.stored import open_stored
    from autotuner.services.task_lock import is_taken

    ended = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)
    busy = (TaskStatus.RUNNING, TaskStatus.CANCELLING)
    wanted = TaskStatus(status) if status else None
    settings = state.settings()
    async with open_stored(settings) as store:
        found, total = await store.list_tasks(status=wanted, search=search, limit=limit)
    attended = {entry.id: entry.status not in ended and await is_taken(settings, entry.id) for entry in found}
    if state.json:
        fields = {"id", "name", "status", "created_at", "started_at", "finished_at", "elapsed_s", "stop_reason"}
        tasks = [entry.model_dump(mode="json", include=fields) for entry in found]
        for shown, entry in zip(tasks, found, strict=True):
            shown["headline"] = (entry.result or {}).get("headline")
            shown["held"] = attended[entry.id]
        say_json({"tasks": tasks, "total": total})
        return
    queued = {entry.id for entry in found if entry.queued_at is not None and not attended[entry.id]}
    left = {entry.id for entry in found if entry.status in busy and not attended[entry.id]} - queued
    rows = [
        (
            entry.id,
            entry.name,
            entry.status.value + (" (left behind)" if entry.id in left else " (queued)" if entry.id in queued else ""),
            f"{entry.created_at.astimezone():%Y-%m-%d %H:%M}",
            duration(entry.elapsed_s),
            (entry.result or {}).get("headline") or (entry.error or {}).get("what"),
        )
        for entry in found
    ]
    show(table(("#", "task", "status", "created", "ran for", "outcome"), rows))
    if left:
        say("Left behind: no process runs it any more. `autotuner task start NAME` goes on with it.")
    if total > len(found):
        say(f"{total - len(found)} more: --limit {total} shows all.")


@task.command(name="show")
@click.argument("name", required=False)
@shared_options()
@pass_state
def show_task(state: State, name: str | None) -> None:
    """Show a task (by name or number; default: the newest): its state, its counts, its failed starts, its document.

    \b
    Example:
      autotuner task show demo

    Exit codes: 0, or 2 when there is no such task.
    """
    wait_for(_show(state, name))


async def _show(state: State, name: str | None) -> None:
    from autotuner.config.load import dump, validate
    from autotuner.services.queries import failed_starts, named_task
    from autotuner.services.report.wording import duration, failure_count_text
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, name)
        counts = {status.value: count for status, count in (await store.count_experiments(found.id)).items()}
        failures = await failed_starts(store, found)
    folder = settings.folder_of(found)
    if state.json:
        kept = found.model_dump(mode="json", exclude={"result", "fingerprint", "next_seq", "deleted_at"})
        failed = [count.model_dump(mode="json") for count in failures]
        say_json({**kept, "experiments": counts, "failures": failed, "folder": str(folder)})
        return
    rows = [
        ("task", f"{found.name} (number {found.id})"),
        ("status", found.status.value),
        ("created", f"{found.created_at.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("ran for", duration(found.elapsed_s)),
        ("experiments", ", ".join(f"{count} {status}" for status, count in counts.items()) or "none"),
        *(("failed starts", f"{failure_count_text(count)}: {count.example}") for count in failures),
        ("outcome", (found.result or {}).get("headline") or ""),
        ("stopped because", found.stop_reason or ""),
        ("error", " ".join(str((found.error or {}).get(key) or "") for key in ("what", "why", "remedy")).strip()),
        ("files", str(folder)),
    ]
    show(table(("", ""), [row for row in rows if row[1]]))
    say()
    say(dump(validate(found.document, name=found.name)).rstrip())


@task.command(name="delete")
@click.argument("name")
@shared_options()
@pass_state
def delete(state: State, name: str) -> None:
    """Delete the task NAME (name or number). Its files stay, and the command says where they are.

    After 30 days a running service removes both for ever; `autotuner task purge` does so when you like.

    \b
    Example:
      autotuner task delete demo-2

    Exit codes: 0, or 2 when there is no such task or it is being run.
    """
    wait_for(_delete(state, name))


async def _delete(state: State, name: str) -> None:
    from autotuner.services.deletion import delete_task
    from autotuner.services.queries import named_task
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, name)
        await delete_task(store, settings, found)
    folder = settings.folder_of(found)
    if state.json:
        say_json({"deleted": found.name, "id": found.id, "folder": str(folder)})
    else:
        say(f"Deleted the task {found.name!r}." + (f" Its files stay in {folder}" if folder.exists() else ""))
