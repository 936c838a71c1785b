"""What came of presets in the stored tasks, and which of them suit a new one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.presets import Preset, PresetStore
from autotuner.contracts.store import Store, TaskRecord
from autotuner.engines.registry import DEFAULT_ENGINE, engine
from autotuner.presets.analytics import PresetAnalytics, PresetUse, UsedExperiment, summarise, used
from autotuner.presets.dialect import Dialect
from autotuner.presets.layering import Chosen, contribution_of
from autotuner.presets.merge import PARAMETERS
from autotuner.presets.suggest import Candidate, SuggestedPreset, SuggestionRequest, suggest
from autotuner.presets.translate import Translation, translate
from autotuner.scoring.objectives import directions
from autotuner.services.planning import engine_of
from autotuner.services.preset_runtimes import dialects_of, runtime_name

PAGE = 200
"""Tasks that are read at once."""


async def preset_analytics(store: Store, preset: Preset) -> PresetAnalytics:
    """Tasks and experiments that used a preset in any of its revisions, and their results."""
    return summarise(preset.slug, (await _uses(store)).get(preset.id, []))


async def suggest_presets(store: Store, presets: PresetStore, request: SuggestionRequest) -> list[SuggestedPreset]:
    """The presets that can be used for a model on an engine, the best first.

    AutotunerError(UNKNOWN_NAME) for an engine that there is not.
    """
    request = request.model_copy(update={"engine": runtime_name(request.engine or DEFAULT_ENGINE, place="engine")})
    uses = await _uses(store)
    target = Dialect(engine(request.engine))
    candidates: list[Candidate] = []
    for preset in await presets.list_presets():
        source = dialects_of(Chosen((preset,))).get(preset.runtime)
        made = translate(contribution_of(preset), source, target, model=request.model)
        candidates.append(Candidate(preset, made, _sizes(made, target), uses.get(preset.id, [])))
    return suggest(request, candidates)


def _sizes(made: Translation, target: Dialect) -> list[Any]:
    """The tensor parallel sizes of a preset, wherever it says them."""
    said = {(PARAMETERS, name): list(values) for name, values in made.parameters.items()}
    said |= {(block, name): value for block, keys in made.config.items() for name, value in keys.items()}
    found = [value for place, value in said.items() if (target.key(place) or "").endswith("__tp")]
    return [size for value in found for size in (value if isinstance(value, list | tuple) else [value])]


async def _uses(store: Store) -> dict[int, list[PresetUse]]:
    """By the preset's number, every task that used it, the newest first."""
    found: dict[int, list[PresetUse]] = {}
    async for task, document in _tasks(store):
        layers = [layer for layer in document.assembled.layers if layer.number] if document.assembled else []
        if not layers:
            continue
        experiments = await store.list_experiments(task.id, bulk=False)
        winner = _winner(task)
        for layer in layers:
            had = tuple(
                UsedExperiment(status=one.status, score=one.objective_score, winner=one.number == winner)
                for one in experiments
                if used(one.parameters, layer.gives)
            )
            found.setdefault(layer.number or 0, []).append(_use(task, document, had))
    return found


def _use(task: TaskRecord, document: TaskDocument, experiments: tuple[UsedExperiment, ...]) -> PresetUse:
    objective = document.optimization.objectives[0]
    result: Mapping[str, Any] = task.result or {}
    return PresetUse(
        task=task.name,
        model=document.model.files[0] if document.model.files else "",
        engine=engine_of(document).name,
        gpu_type=document.system_config.gpu_type,
        objective=objective,
        unit=str(result.get("unit") or ""),
        direction=directions([objective])[0],
        experiments=experiments,
    )


def _winner(task: TaskRecord) -> int | None:
    """Number of the winner, if it beat the baseline."""
    result = task.result or {}
    winner = result.get("winner")
    return winner.get("number") if result.get("verdict") == "gain" and isinstance(winner, Mapping) else None


async def _tasks(store: Store) -> AsyncIterator[tuple[TaskRecord, TaskDocument]]:
    """All undeleted tasks with their documents; one whose document this version cannot read is left out."""
    offset, seen = 0, set[int]()
    while True:
        tasks, total = await store.list_tasks(offset=offset, limit=PAGE)
        for task in tasks:
            if task.id in seen or not task.document.get("assembled"):
                continue
            seen.add(task.id)  # a task that is made meanwhile moves the pages
            try:
                yield task, validate(task.document, name=task.name)
            except AutotunerError:
                continue
        offset += len(tasks)
        if not tasks or offset >= total:
            return
