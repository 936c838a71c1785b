"""What must not change between two runs of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.load import to_data
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, parse_spec, same_value
from autotuner.config.structured import STRUCTURED
from autotuner.contracts.values import Scalar, canonical_json, digest

_FREE = ("task_name", "description", "labels", "metadata", "profiles", "presets", "merge_strategy", "assembled")
_FREE_OPTIMIZATION = (
    "strategy",
    "max_iterations",
    "timeout_per_iteration",
    "phase_budgets",
    "max_parallel_experiments",
    "budget",
    "patience",
    "regret_tolerance",
    "warm_start",
    "predictions",
    "confirm",
    "references",
    "retries",
    "fail_fast_k",
    "early_stop",
)
"""How long and how thoroughly to look: none of it changes what a finished measurement means."""


def identity(document: TaskDocument) -> dict[str, Any]:
    """Everything that decides what is measured and how it is scored, as plain data.

    Left out: names and free text; strategy, budgets, patience, confirmation, references, retries; where the dataset and
    the prompts lie. A caller may add keys of its own (engine version, hardware, what the dataset holds): ``changed``
    compares them too.
    """
    data = to_data(document)
    for key in _FREE:
        data.pop(key, None)
    data["deployment"].pop("gpu_wait_timeout", None)
    if data["benchmark"]["profile"] == "levels":  # what it was before there were others
        del data["benchmark"]["profile"]
    data["benchmark"].get("dataset", {}).pop("path", None)
    data.get("quality", {}).pop("prompts", None)
    for key in _FREE_OPTIMIZATION:
        data["optimization"].pop(key, None)
    return data


def fingerprint(identity: Mapping[str, Any]) -> str:
    """Hash of an identity that added values leave as it is: of a searched parameter only its name counts."""
    return digest(dict(_leaves(_names_only(identity))))


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One sentence per difference of two identities that keeps the new one from continuing the old one's task.

    A searched parameter, environment variable or model that gained values, and kept those it had, is no difference.
    """
    before, after = dict(_leaves(_specs(old))), dict(_leaves(_specs(new)))
    sentences = []
    for place in [*before, *(p for p in after if p not in before)]:
        if place not in after:
            sentences.append(f"{place} was {_shown(before[place])} and is no longer given")
        elif place not in before:
            sentences.append(f"{place} is now {_shown(after[place])} and was not given")
        elif not _continues(before[place], after[place]):
            sentences.append(f"{place} was {_shown(before[place])} and is now {_shown(after[place])}")
    return sentences


_SEARCHABLE = (("parameters",), ("runtime", "env"), *((place,) for place in STRUCTURED))


def _specs(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The identity with everything that may be searched in its typed form."""
    result = _copied(identity)
    for path in _SEARCHABLE:
        *outer, last = path
        holder = result
        for key in outer:
            holder = holder.get(key, {})
        if last in holder:
            holder[last] = {name: parse_spec(value) for name, value in holder[last].items()}
    model = result.get("model", {})
    if isinstance(model.get("id_or_path"), list):
        model["id_or_path"] = parse_spec(model["id_or_path"])
    return result


def _names_only(identity: Mapping[str, Any]) -> dict[str, Any]:
    result = _specs(identity)

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(item) for key, item in value.items()}
        if isinstance(value, Fixed):
            return {"fixed": value.value}
        return "searched" if isinstance(value, Choices | IntRange | FloatRange) else value

    return {key: masked(value) for key, value in result.items()}


def _copied(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(item) if isinstance(item, Mapping) else item for key, item in value.items()}


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if isinstance(item, Mapping) and item:
            yield from _leaves(item, place)
        elif not isinstance(item, Mapping):
            yield place, item


def _continues(old: object, new: object) -> bool:
    specs = Fixed | Choices | IntRange | FloatRange
    if isinstance(old, specs) and isinstance(new, specs):
        return _contains(new, old)
    if isinstance(old, specs) or isinstance(new, specs):
        return False
    return canonical_json(old) == canonical_json(new)


def _contains(new: ParameterSpec, old: ParameterSpec) -> bool:
    match old, new:
        case Fixed(), Fixed():
            return same_value(old.value, new.value)
        case (Fixed(), _) | (_, Fixed()):
            # The baseline takes a fixed value as it is and the engine's default for a searched one.
            return False
        case Choices(), _:
            return all(_has(new, value) for value in old.values)
        case IntRange(), IntRange():
            last = old.low + (old.high - old.low) // old.step * old.step
            on_grid = (old.low - new.low) % new.step == 0 and old.step % new.step == 0
            return old.log == new.log and on_grid and new.low <= old.low and last <= new.high
        case FloatRange(), FloatRange():
            same_grid = new.step is None or (old.step == new.step and old.low == new.low)
            return old.log == new.log and same_grid and new.low <= old.low and old.high <= new.high
        case _:
            return False


def _has(spec: ParameterSpec, value: Scalar) -> bool:
    if isinstance(spec, Choices):
        return any(same_value(value, other) for other in spec.values)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(spec, IntRange):
        return isinstance(value, int) and spec.low <= value <= spec.high and (value - spec.low) % spec.step == 0
    return isinstance(spec, FloatRange) and spec.step is None and spec.low <= value <= spec.high


def _shown(value: object) -> str:
    if isinstance(value, Fixed):
        return canonical_json(value.value)
    if isinstance(value, Choices):
        return canonical_json(value.values)
    if isinstance(value, IntRange | FloatRange):
        return f"{value.low:g} to {value.high:g}"
    return canonical_json(value)
