"""``autotuner preset history``, ``diff``, ``rollback``, ``analytics``, ``suggest``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(name="history")
@click.argument("name")
@shared_options()
@pass_state
def history(state: State, name: str) -> None:
    """List the revisions of the preset NAME, oldest first.

    \b
    Example:
      autotuner preset history team-a

    Exit codes: 0, or 2 for an unknown preset.
    """
    wait_for(_history(state, name))


async def _history(state: State, name: str) -> None:
    from autotuner.services.presets import named_preset, open_presets
    from autotuner.services.report.wording import plain

    async with open_presets(state.settings()) as store:
        found = await named_preset(store, name)
        revisions = await store.preset_revisions(found.id)
    if state.json:
        say_json([revision.model_dump(mode="json") for revision in revisions])
        return
    rows = [
        (
            revision.number,
            f"{revision.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
            revision.reason.value.replace("_", " "),
            "; ".join(f"{key} {plain(list(values))}" for key, values in revision.content.parameters.items()),
        )
        for revision in revisions
    ]
    show(table(("revision", "stored", "", "parameters"), rows))


@click.command(name="diff")
@click.argument("name")
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1), required=False)
@shared_options()
@pass_state
def diff(state: State, name: str, old: int, new: int | None) -> None:
    """Show what changed in the preset NAME from revision OLD to revision NEW (default: the newest).

    \b
    Example:
      autotuner preset diff team-a 1 2

    Exit codes: 0, or 2 for an unknown preset or revision.
    """
    wait_for(_diff(state, name, old, new))


async def _diff(state: State, name: str, old: int, new: int | None) -> None:
    from autotuner.services.presets import named_preset, open_presets, preset_diff
    from autotuner.services.report.wording import plain

    async with open_presets(state.settings()) as store:
        found = await preset_diff(store, await named_preset(store, name), old, new)
    if state.json:
        say_json([change.model_dump(mode="json") for change in found])
        return
    if not found:
        say("Nothing differs.")
        return
    rows = [
        (one.place, "" if one.was is None else plain(one.was), "" if one.now is None else plain(one.now))
        for one in found
    ]
    show(table(("", "was", "is"), rows))


@click.command(name="rollback")
@click.argument("name")
@click.argument("revision", type=click.IntRange(min=1))
@shared_options()
@pass_state
def rollback(state: State, name: str, revision: int) -> None:
    """Make the preset NAME what it was in REVISION, as a further revision: nothing of its history is lost.

    \b
    Example:
      autotuner preset rollback team-a 1

    Exit codes: 0, or 2 for an unknown preset or revision, or a preset that comes with the program.
    """
    wait_for(_rollback(state, name, revision))


async def _rollback(state: State, name: str, revision: int) -> None:
    from autotuner.services.presets import named_preset, open_presets, rollback_preset

    async with open_presets(state.settings()) as store:
        made = await rollback_preset(store, await named_preset(store, name), revision)
    if state.json:
        say_json(made.model_dump(mode="json"))
    else:
        say(f"The preset {made.slug} is as in revision {revision} (now revision {made.revision}).")


@click.command(name="analytics")
@click.argument("name")
@shared_options()
@pass_state
def analytics(state: State, name: str) -> None:
    """Show what came of the preset NAME: who used it, how many experiments succeeded, best and median result.

    An experiment used it if it has one of its values of each parameter that the preset gave to the task.

    \b
    Example:
      autotuner preset analytics high-throughput

    Exit codes: 0, or 2 for an unknown preset.
    """
    wait_for(_analytics(state, name))


async def _analytics(state: State, name: str) -> None:
    from autotuner.services.preset_history import preset_analytics
    from autotuner.services.presets import named_preset, open_presets

    async with open_presets(state.settings()) as store:
        found = await preset_analytics(store, await named_preset(store, name))
    if state.json:
        say_json(found.model_dump(mode="json"))
        return
    rate = "" if found.success_rate is None else f"{found.success_rate:.0%}"
    rows = [
        ("preset", found.preset),
        ("tasks", f"{found.tasks}" + (f": {', '.join(found.task_names[:10])}" if found.task_names else "")),
        ("experiments", f"{found.experiments}: {found.succeeded} succeeded, {found.failed} failed"),
        ("succeeded", rate),
        *(
            (
                one.objective.replace("_", " "),
                f"best {one.best:.6g}, median {one.median:.6g} {one.unit} ({one.experiments} experiments)",
            )
            for one in found.results
        ),
    ]
    show(table(("", ""), [row for row in rows if row[1]]))


@click.command(name="suggest")
@click.option("--engine", metavar="ENGINE", help="The engine; default: the default one.")
@click.option(
    "--model", default="", metavar="MODEL", help="Name or path of the model: earlier tasks with it count most."
)
@click.option("--gpu-type", metavar="NAME", help="Kind of GPU, such as h100_sxm.")
@click.option("--gpus", type=click.IntRange(min=0), metavar="N", help="Number of GPUs.")
@shared_options()
@pass_state
def suggest(state: State, engine: str | None, model: str, gpu_type: str | None, gpus: int | None) -> None:
    """Rank the presets for a model, an engine and its GPUs: by what they say of themselves, and by what came of them.

    \b
    Example:
      autotuner preset suggest --engine ENGINE --gpu-type h100_sxm --gpus 2

    Presets of which the engine takes nothing, or that need more GPUs, are left out.

    Exit codes: 0, or 2 for an unknown engine.
    """
    wait_for(_suggest(state, engine, model, gpu_type, gpus))


async def _suggest(state: State, engine: str | None, model: str, gpu_type: str | None, gpus: int | None) -> None:
    from autotuner.presets.suggest import SuggestionRequest
    from autotuner.services.preset_history import suggest_presets
    from autotuner.services.presets import open_presets

    request = SuggestionRequest(engine=engine or "", model=model, gpu_type=gpu_type, total_gpus=gpus)
    async with open_presets(state.settings()) as store:
        found = await suggest_presets(store, store, request)
    if state.json:
        say_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        say("No preset can be used there.")
        return
    show(table(("preset", "score", "why"), [(one.preset, f"{one.score:.2f}", "; ".join(one.reasons)) for one in found]))
