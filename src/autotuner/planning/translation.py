"""What was written for one engine, in the names of another: profiles and presets are for every engine.

A parameter goes through its neutral name. What the engine lacks is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotuner.config.parameters import Choices, parse_spec, same_value
from autotuner.config.structured import GROUPS, NEUTRAL_NAMES, PRESETS_FIELD
from autotuner.contracts.engine import CatalogueParameter, Engine, PlanContext, canonical
from autotuner.contracts.values import Scalar, canonical_json
from autotuner.planning.neutral import Neutral
from autotuner.planning.values import described, standing_for, takes

Refusal = Callable[[Scalar], str | None]
"""Why the engine cannot do a value; None: it can."""


@dataclass(frozen=True)
class Translated:
    """A part of a task document for one engine."""

    data: dict[str, Any]
    left_out: tuple[str, ...]
    """One sentence for each parameter, field or value that the engine lacks."""


def has_parameter(engine: Engine, name: str) -> bool:
    """Whether the engine has a parameter of that name, its own or a neutral one that it can write."""
    neutral = Neutral(engine.neutral, engine.catalogue)
    if engine.catalogue.find(name) is not None:
        return True
    key = neutral.named(name)
    return key is not None and bool(neutral.writes(key))


def translate(data: Mapping[str, Any], engine: Engine, *, model: str = "") -> Translated:
    """The same with ``parameters`` and the structured blocks as the engine has them; other keys as they are.

    ``model``: name of the checkpoint, which may tell how it is quantised. AutotunerError (INVALID_VALUE) for what is no
    value of a parameter.
    """
    reader = _Reader(engine, model)
    made: dict[str, Any] = {}
    for key, block in data.items():
        if not isinstance(block, Mapping) or key not in ("parameters", *GROUPS):
            made[key] = block
            continue
        kept: dict[str, Any] = {}
        for name, value in block.items():
            found = reader.parameter(name, value) if key == "parameters" else reader.field(key, name, value)
            if found is not None:
                kept[found[0]] = found[1]
        if kept:
            made[key] = kept
    return Translated(made, tuple(reader.left_out))


class _Reader:
    """Reads one part of a document with an engine's tables, and keeps what it had to leave out."""

    def __init__(self, engine: Engine, model: str) -> None:
        self._engine = engine
        self._catalogue = engine.catalogue
        self._neutral = Neutral(engine.neutral, engine.catalogue)
        self._context = PlanContext(model=model)
        self.left_out: list[str] = []

    def parameter(self, spelling: str, value: object) -> tuple[str, object] | None:
        """Name and value for the engine; None: it is left out."""
        place = f"parameters.{spelling}"
        known = self._catalogue.find(spelling)
        if known is not None:
            kept = self._kept(place, known, value, lambda one: _not_taken(known, one))
            return None if kept is None else (_own_spelling(known, spelling), kept)
        key = self._neutral.named(spelling)
        field = None if key is None else self._neutral.known(key)
        if key is None or field is None:
            self._leave_out(place, f"{self._engine.name} has nothing like it")
            return None
        kept = self._kept(place, field, value, lambda one: self._refused(key, one))
        if kept is None:
            return None
        return self._own_name(key, field, kept) or spelling, kept

    def field(self, block: str, name: str, value: object) -> tuple[str, object] | None:
        """The same for a field of a structured block, whose name does not change."""
        place = f"{block}.{name}"
        known = self._neutral.block(GROUPS[block])
        if known is not None and name == PRESETS_FIELD and isinstance(value, Sequence):
            kept_names = [one for one in value if one in known.presets]
            for one in value:
                if one not in known.presets:
                    self._leave_out(f"{place}: {one}", f"{self._engine.name} has no such preset")
            return (name, kept_names) if kept_names else None
        key = "" if known is None else known.key(NEUTRAL_NAMES.get(name, name))
        field = self._neutral.known(key)
        if field is None:
            self._leave_out(place, f"{self._engine.name} has nothing like it")
            return None
        direct = self._neutral.direct(key)

        def refusal(one: Scalar) -> str | None:
            return self._refused(key, one) or (None if direct is None else _not_taken(direct, one))

        kept = self._kept(place, field, value, refusal)
        return None if kept is None else (name, kept)

    def _kept(self, place: str, field: CatalogueParameter, value: object, refusal: Refusal) -> object | None:
        """What is left of a value, list or range; None: nothing."""
        spec = parse_spec(value)
        reasons = [(one, why) for one in standing_for(field, spec) if (why := refusal(one)) is not None]
        if not reasons:
            return value
        refused = [one for one, _ in reasons]
        values = spec.values if isinstance(spec, Choices) else ()
        left = [one for one in values if not any(same_value(one, other) for other in refused)]
        if not left:
            self._leave_out(place, reasons[0][1])
            return None
        self._leave_out(f"{place}: {', '.join(map(canonical_json, refused))}", reasons[0][1])
        return left

    def _refused(self, key: str, value: Scalar) -> str | None:
        if value is None:
            return None
        known = self._neutral.known(key)
        if known is not None and (why := _not_taken(known, value)) is not None:
            return why
        return self._neutral.refusal(key, value, self._context)

    def _own_name(self, key: str, field: CatalogueParameter, value: object) -> str | None:
        """The engine's flag, without its dashes, if it takes every value as it is; None: the neutral name stays."""
        names: set[str] = set()
        for one in standing_for(field, parse_spec(value)):
            if one is None:
                continue
            expansion = self._neutral.expand({key: one}, self._context)
            if len(expansion.parameters) != 1 or expansion.notes or expansion.problems:
                return None
            ((name, written),) = expansion.parameters.items()
            if not same_value(written, one):
                return None
            names.add(name)
        found = self._catalogue.find(names.pop()) if len(names) == 1 else None
        return None if found is None else _flag(found)

    def _leave_out(self, what: str, why: str) -> None:
        self.left_out.append(f"{what} is left out: {why}")


def _own_spelling(parameter: CatalogueParameter, spelling: str) -> str:
    """A name as it is if it is the engine's own; what the engine only knows from others becomes its flag."""
    own = (parameter.name, parameter.flag, *parameter.flags, parameter.key)
    return spelling if canonical(spelling) in map(canonical, own) else _flag(parameter)


def _flag(parameter: CatalogueParameter) -> str:
    return (parameter.flag or parameter.key).lstrip("-")


def _not_taken(parameter: CatalogueParameter, value: Scalar) -> str | None:
    if value is None or takes(parameter, value):
        return None
    return f"{parameter.flag or parameter.name} takes {described(parameter)}"
