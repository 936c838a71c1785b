"""Which presets suit a model, an engine and its GPUs: by what they say of themselves, and by what came of them.

    score = fit + experience

Fit: 2 for a preset of this engine, 1 for one of any, else the share of its parameters that the engine takes; 0.5 more
for each purpose (tag or ``recommended_for``) that suits the number of GPUs, 0.5 less for one that does not; 2 less for
a rule that cannot be kept. Experience, from tasks of the same engine: ``w × (s − 0.5) × 2 × n / (n + 4)`` with s the
share of n experiments that succeeded, and ``w × v / (v + 2)`` for v tasks that it won; w is 1 for the same model,
0.5 for another one on the same kind of GPU, else 0.25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from pydantic import Field

from autotuner.config.comparison import FACTS, Value, parse_comparison
from autotuner.contracts.engine import canonical
from autotuner.contracts.presets import ANY_RUNTIME, Preset
from autotuner.contracts.store import ExperimentStatus
from autotuner.contracts.values import Frozen, Scalar
from autotuner.presets.analytics import PresetUse
from autotuner.presets.translate import Translation

ONE_GPU = frozenset({"single-gpu"})
SEVERAL_GPUS = frozenset({"multi-gpu"})
MOST_COMBINATIONS = 10_000
"""A rule on more combinations of values is not looked at."""


class SuggestionRequest(Frozen):
    """What presets are wanted for."""

    engine: str
    model: str = ""
    gpu_type: str | None = None
    total_gpus: int | None = Field(None, description="null: not known")


class SuggestedPreset(Frozen):
    """A preset that may be used, with the reasons for its place."""

    preset: str = Field(description="slug")
    name: str = Field(description="name of the preset")
    score: float = Field(description="fit and experience together; the greater the better")
    reasons: tuple[str, ...] = Field(description="what the score is made of, in words")


@dataclass(frozen=True)
class Candidate:
    """A preset with what is known of it."""

    preset: Preset
    translation: Translation
    """For the wanted engine."""
    sizes: Sequence[Scalar]
    """Tensor parallel sizes that it gives; empty: none."""
    uses: Sequence[PresetUse]


def suggest(request: SuggestionRequest, candidates: Sequence[Candidate]) -> list[SuggestedPreset]:
    """The presets that can be used, the best first; equal ones in their order."""
    found = [one for candidate in candidates if (one := _judge(request, candidate)) is not None]
    return sorted(found, key=lambda one: -one.score)


def _judge(request: SuggestionRequest, candidate: Candidate) -> SuggestedPreset | None:
    preset, made = candidate.preset, candidate.translation
    if made.empty and made.left_out:
        return None
    sizes = [size for size in candidate.sizes if isinstance(size, int) and not isinstance(size, bool)]
    gpus = request.total_gpus
    if gpus is not None and sizes and min(sizes) > gpus:
        return None
    score, reasons = _runtime_fit(request, candidate)
    for purposes, suits in ((ONE_GPU, gpus == 1), (SEVERAL_GPUS, gpus is not None and gpus > 1)):
        if gpus is not None and purposes & {*preset.metadata.tags, *preset.metadata.recommended_for}:
            score += 0.5 if suits else -0.5
            reasons.append(f"{'' if suits else 'not '}recommended for {gpus} GPU{'' if gpus == 1 else 's'}")
    too_large = [size for size in sizes if gpus is not None and size > gpus]
    if too_large:
        reasons.append(f"of its sizes {', '.join(map(str, too_large))} need more GPUs")
    for message in _broken(request, candidate):
        score -= 2
        reasons.append(f"a rule cannot be kept: {message}")
    more, experience = _experience(request, candidate.uses)
    return SuggestedPreset(
        preset=preset.slug, name=preset.name, score=round(score + more, 4), reasons=(*reasons, *experience)
    )


def _runtime_fit(request: SuggestionRequest, candidate: Candidate) -> tuple[float, list[str]]:
    preset, made = candidate.preset, candidate.translation
    if preset.runtime == request.engine:
        return 2.0, [f"made for {request.engine}"]
    if preset.runtime == ANY_RUNTIME and not made.left_out:
        return 1.0, ["made for any engine"]
    whole = len(preset.parameters) + sum(len(keys) for keys in preset.config.values())
    taken = len(made.parameters) + sum(len(keys) for keys in made.config.values())
    share = min(1.0, taken / whole) if whole else 1.0
    what = f"{taken} of {whole} parameters can be written for {request.engine}"
    return share, [what, *made.left_out]


def _broken(request: SuggestionRequest, candidate: Candidate) -> list[str]:
    """Messages of the rules that no combination of the preset's own values keeps."""
    preset = candidate.preset
    facts: Mapping[str, Value] = {
        "engine": request.engine,
        "model": request.model or None,
        "gpu_type": request.gpu_type,
        "total_gpus": request.total_gpus,
    }
    values = {canonical(name): list(found) for name, found in preset.parameters.items()}
    messages: list[str] = []
    for rule in preset.rules:
        when = None if rule.when is None else parse_comparison(rule.when)
        require = parse_comparison(rule.require)
        said = [*(when.names if when is not None else ()), *require.names]
        names = [name for name in dict.fromkeys(map(canonical, said)) if name in values and name not in FACTS]
        if prod(len(values[name]) for name in names) > MOST_COMBINATIONS:
            continue  # too many to be certain of
        combinations = product(*(values[name] for name in names))
        looked_up = (_lookup(dict(zip(names, chosen, strict=True)), facts) for chosen in combinations)
        if all((when is None or when.holds(value_of)) and require.fails(value_of) for value_of in looked_up):
            messages.append(rule.message)
    return messages


def _lookup(values: Mapping[str, Scalar], facts: Mapping[str, Value]) -> Callable[[str], Value]:
    return lambda name: facts[name] if name in facts else values.get(canonical(name))


def _experience(request: SuggestionRequest, uses: Sequence[PresetUse]) -> tuple[float, list[str]]:
    score = 0.0
    counted = succeeded = won = 0
    by_weight: dict[float, list[PresetUse]] = {}
    for use in uses:
        if use.engine == request.engine:
            by_weight.setdefault(_weight(request, use), []).append(use)
    for weight, found in by_weight.items():
        ended = [e for use in found for e in use.experiments]
        good = sum(e.status is ExperimentStatus.SUCCESS for e in ended)
        number = good + sum(e.status is ExperimentStatus.FAILED for e in ended)
        wins = sum(any(e.winner for e in use.experiments) for use in found)
        if number:
            score += weight * (good / number - 0.5) * 2 * number / (number + 4)
        score += weight * wins / (wins + 2)
        counted, succeeded, won = counted + number, succeeded + good, won + wins
    if not counted:
        return score, []
    wins_said = f", and won {won} task{'' if won == 1 else 's'}" if won else ""
    return score, [f"{succeeded} of {counted} experiments with it succeeded{wins_said}"]


def _weight(request: SuggestionRequest, use: PresetUse) -> float:
    if request.model and _base(use.model) == _base(request.model):
        return 1.0
    same_gpu = use.gpu_type is not None and request.gpu_type is not None
    return 0.5 if same_gpu and use.gpu_type == request.gpu_type else 0.25


def _base(model: str) -> str:
    return model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].casefold()
