"""Several stored presets as one: those that a document asks for, and what a merge comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from autotuner.config.merging import UNION, MergeRules, strategy_named
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import ANY_RUNTIME, PresetStore
from autotuner.contracts.values import Frozen, Scalar
from autotuner.engines.registry import engine
from autotuner.presets.dialect import Dialect
from autotuner.presets.layering import Chosen, contribution_of
from autotuner.presets.merge import Contribution, by_spelling, merge
from autotuner.presets.requirements import with_required
from autotuner.presets.translate import require_something, translate
from autotuner.services.preset_runtimes import dialects_of, runtime_name
from autotuner.services.presets import open_presets, pick
from autotuner.services.settings import Settings


class MergeConflict(Frozen):
    """A parameter of which presets say different things, or which only some of them name."""

    parameter: str = Field(description="as it is called in the result")
    values: dict[str, Any] = Field(description="by preset, in the order of the merge")
    result: Any = Field(description="null: it was left out")
    rule: str = Field(description="the strategy, and what it did")


class MergeAnswer(Frozen):
    """Several presets as one."""

    parameters: dict[str, list[Scalar]] = Field(description="values by parameter")
    config: dict[str, dict[str, Any]] = Field(default_factory=dict, description="structured blocks, if there are any")
    applied_presets: tuple[str, ...] = Field(description="slugs in the order of the merge, required ones among them")
    runtime: str = Field(description="engine whose names these are, or any")
    conflicts: tuple[MergeConflict, ...] = Field((), description="parameters on which the presets do not agree")
    warnings: tuple[str, ...] = Field((), description="whole sentences, such as on what was merged to nothing")


async def choose(store: PresetStore, names: Sequence[str | int], rules: MergeRules | str | None) -> Chosen:
    """The presets that a document asks for, with those that they require.

    AutotunerError: NOT_FOUND, CONTRADICTION for presets that require each other in a circle.
    """
    known = await store.list_presets()
    by_slug = {preset.slug: preset for preset in known}
    merging = rules if isinstance(rules, MergeRules) else MergeRules(default=rules or UNION)
    return Chosen(with_required([pick(known, name) for name in names], by_slug.get), merging)


async def chosen_presets(settings: Settings, names: Sequence[str | int], rules: MergeRules | str | None) -> Chosen:
    """The same of the store that the settings name."""
    async with open_presets(settings) as store:
        return await choose(store, names, rules)


async def merge_presets(
    store: PresetStore,
    names: Sequence[str | int],
    strategy: str = UNION,
    *,
    overrides: Mapping[str, str] | None = None,
    strict: bool = False,
    runtime: str | None = None,
) -> MergeAnswer:
    """Several presets as one, in the given order, and what did not agree; nothing is stored.

    ``runtime``: an engine into whose names all are translated first. AutotunerError: NOT_FOUND ("Preset not found"),
    INVALID_VALUE ("Invalid merge strategy"), CONTRADICTION, UNKNOWN_NAME, UNSUPPORTED for a preset of which that engine
    takes nothing.
    """
    strategy_named(strategy)
    if not names:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "There is nothing to merge",
            why="no preset is named",
            remedy="Name one or several",
            place="preset_ids",
        )
    chosen = await choose(store, names, None)
    sources = dialects_of(chosen)
    runtimes = {preset.runtime for preset in chosen.presets}
    common = next(iter(runtimes)) if len(runtimes) == 1 else ANY_RUNTIME
    contributions = [contribution_of(preset) for preset in chosen.presets]
    notes: list[str] = []
    if runtime is not None and (name := runtime_name(runtime)) != ANY_RUNTIME:
        sources[name] = target = Dialect(engine(name))
        common, translated = name, []
        for preset, one in zip(chosen.presets, contributions, strict=True):
            made = translate(one, sources.get(preset.runtime), target)
            require_something(preset.name, made, name)
            notes += [f"preset {preset.slug}: {sentence}" for sentence in made.left_out]
            translated.append(Contribution(one.preset, made.parameters, made.config))
        contributions = translated
    merged = merge(
        contributions,
        strategy,
        overrides=overrides,
        strict=strict,
        identify=sources[common].identify if common in sources else by_spelling,
    )
    return MergeAnswer(
        parameters={name: list(values) for name, values in merged.parameters.items()},
        config={block: dict(keys) for block, keys in merged.config.items()},
        applied_presets=merged.applied,
        runtime=common,
        conflicts=tuple(
            MergeConflict(parameter=one.parameter, values=dict(one.values), result=one.result, rule=one.rule)
            for one in merged.conflicts
        ),
        warnings=(*notes, *merged.warnings),
    )
