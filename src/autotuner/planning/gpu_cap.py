"""What the number of GPUs leaves of the parallel sizes: the strongest layer of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from autotuner.config.layers import Path, place
from autotuner.config.parameters import Choices, Fixed, dump_spec, parse_spec
from autotuner.config.structured import NEUTRAL_NAMES
from autotuner.contracts.engine import Engine, PlanContext
from autotuner.contracts.neutral import VALUE, Block
from autotuner.contracts.values import Scalar, canonical_json
from autotuner.planning.neutral import Neutral

PARALLEL, TP = "parallel", "tp"

MOST_COMBINATIONS = 4096
"""With more combinations of sizes nothing is left out here; the planner leaves them out one by one."""

SKIPPED = "the number of GPUs is not known, so no parallel size is left out for it: give system_config.total_gpus"


@dataclass(frozen=True)
class Cap:
    """What must change."""

    data: dict[str, Any]
    """Keys of a task document; empty: nothing."""
    notes: tuple[str, ...]
    """Whole sentences for people."""


NO_CHANGE = Cap({}, ())


def cap_sizes(data: Mapping[str, Any], engine: Engine, total_gpus: int | None) -> Cap:
    """Leave out parallel sizes that need more GPUs than there are.

    ``data``: an assembled document. If no combination is left, tp becomes the largest size that the engine takes and
    that fits beside the others: at most total_gpus ÷ (pp · dp · cp). ``total_gpus`` None: not known. AutotunerError
    (INVALID_VALUE) for what is no value of a parameter.
    """
    asked = _Asked(data, engine)
    if asked.world_size(()) is None or not asked.spread:
        return NO_CHANGE
    if total_gpus is None:
        return Cap({}, (SKIPPED,))
    if prod(len(size.values) for size in asked.sizes.values()) > MOST_COMBINATIONS:
        return NO_CHANGE
    sizes = {key: size.values for key, size in asked.sizes.items()}
    allowed = _fitting(sizes, asked, total_gpus)
    if allowed is None and asked.tp in sizes:
        tried = (_fitting({**sizes, asked.tp: [size]}, asked, total_gpus) for size in asked.larger_first)
        allowed = next((found for found in tried if found is not None), None)
    if allowed is None:
        return NO_CHANGE  # the planner says of the empty space why it is empty
    made: dict[str, Any] = {}
    notes = []
    for key, size in asked.sizes.items():
        if canonical_json(allowed[key]) != canonical_json(size.values):
            block, name = size.path
            left = allowed[key][0] if size.fixed else allowed[key]
            made.setdefault(block, {})[name] = left
            there = "1 GPU" if total_gpus == 1 else f"{total_gpus} GPUs"
            notes.append(
                f"{place(size.path)} is {canonical_json(left)} in place of {canonical_json(size.given)}, for {there}"
            )
    return Cap(made, tuple(notes))


def _fitting(sizes: Mapping[str, Sequence[Scalar]], asked: _Asked, total_gpus: int) -> dict[str, list[Scalar]] | None:
    """Of each size the values that occur in a combination that fits; None: there is no such combination."""
    used: dict[str, set[int]] = {key: set() for key in sizes}
    for picked in product(*(range(len(values)) for values in sizes.values())):
        needed = asked.world_size((key, sizes[key][index]) for key, index in zip(sizes, picked, strict=True))
        if needed is not None and needed <= total_gpus:
            for key, index in zip(sizes, picked, strict=True):
                used[key].add(index)
    if not all(used.values()):
        return None
    return {key: [value for index, value in enumerate(sizes[key]) if index in used[key]] for key in sizes}


@dataclass(frozen=True)
class _Size:
    path: Path
    given: object
    """As the document has it, in its shortest form."""
    values: Sequence[Scalar]
    fixed: bool


class _Asked:
    """The parallel sizes of a document, and the GPUs of a server with some of them."""

    def __init__(self, data: Mapping[str, Any], engine: Engine) -> None:
        self._engine = engine
        self._neutral = Neutral(engine.neutral, engine.catalogue)
        self._block = self._neutral.block(PARALLEL)
        parameters = dict(data.get("parameters") or {})
        specs = {name: parse_spec(value) for name, value in parameters.items()}
        found = [] if self._block is None else list(self._sizes(self._block, data, parameters))
        self.sizes: dict[str, _Size] = dict(found)
        """By neutral name. What ``parameters`` gives beats the block."""
        self._values = {p.name: p.default for p in engine.catalogue.parameters if p.default is not None}
        for name, spec in specs.items():
            known = engine.catalogue.find(name)
            if known is not None and isinstance(spec, Fixed) and spec.value is not None:
                self._values[known.name] = spec.value

    @property
    def tp(self) -> str:
        """Neutral name of the tensor parallel size."""
        return "" if self._block is None else self._block.key(TP)

    @property
    def spread(self) -> bool:
        """Whether any size is more than one GPU."""
        return any(
            isinstance(value, int) and not isinstance(value, bool) and value > 1
            for size in self.sizes.values()
            for value in size.values
        )

    @property
    def larger_first(self) -> list[int]:
        """The tensor parallel sizes that the engine takes, falling."""
        known = self._neutral.known(self.tp)
        return sorted((v for v in (known.choices if known else ()) if isinstance(v, int)), reverse=True)

    def world_size(self, sizes: Iterator[tuple[str, Scalar]] | tuple[()]) -> int | None:
        """GPUs of one server as the engine counts them; None: not known, or the engine cannot do it."""
        given = {key: value for key, value in sizes if value is not None}
        expansion = self._neutral.expand(given, PlanContext(model=""))
        if expansion.problems:
            return None
        return self._engine.world_size({**self._values, **expansion.settings, **expansion.parameters})

    def _sizes(
        self, block: Block, data: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> Iterator[tuple[str, _Size]]:
        fields = {one.name for one in block.fields}
        for name, value in dict(data.get("parallel_config") or {}).items():
            field = NEUTRAL_NAMES.get(name, name)
            if field in fields and (size := _size(("parallel_config", name), value)) is not None:
                yield block.key(field), size
        written = self._written(block)
        for spelling, value in parameters.items():
            known = self._engine.catalogue.find(spelling)
            key = self._neutral.named(spelling) if known is None else written.get(known.name)
            if key is None or not key.startswith(block.key("")):
                continue
            if (size := _size(("parameters", spelling), value)) is not None:
                yield key, size

    def _written(self, block: Block) -> dict[str, str]:
        """Engine parameter → the neutral size that it takes as it is."""
        found: dict[str, str] = {}
        fields = {one.name for one in block.fields}
        for row in self._neutral.table.rows:
            for flag, set_to in row.sets.items():
                known = self._engine.catalogue.find(flag)
                if row.field in fields and set_to is VALUE and known is not None:
                    found.setdefault(known.name, block.key(row.field))
        return found


def _size(path: Path, value: object) -> _Size | None:
    """A size with its values; None for a range, which the planner looks at."""
    spec = parse_spec(value)
    if isinstance(spec, Fixed):
        return _Size(path, dump_spec(spec), [spec.value], fixed=True)
    return _Size(path, dump_spec(spec), spec.values, fixed=False) if isinstance(spec, Choices) else None
