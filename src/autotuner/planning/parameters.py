"""The document's parameters: named after the engine's catalogue, and their values checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autotuner.config.document import TaskDocument
from autotuner.config.optimization import Reference
from autotuner.config.parameters import Fixed, ParameterSpec
from autotuner.contracts.engine import Catalogue, CatalogueParameter, canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import MODEL_KEY, Scalar, canonical_json
from autotuner.planning.neutral import Neutral
from autotuner.planning.resolve import ENV_PREFIX, ModelFile, find_parameter, kept_error
from autotuner.planning.values import check_values

RESERVED = "__"
"""Names that begin so are the planner's own (model file, environment); no flag has such a name."""


@dataclass(frozen=True)
class Given:
    """A parameter of the document."""

    name: str
    """Canonical name."""
    spelling: str
    """As the document has it."""
    known: CatalogueParameter | None
    """None: the catalogue lacks it, and the document allows that."""
    spec: ParameterSpec
    place: str = ""
    """Key path in the document."""

    @property
    def flag(self) -> str:
        """The flag of an unknown one: as written if written with dashes in front, else ``--`` and dashes inside."""
        return self.spelling if self.spelling.startswith("-") else "--" + self.spelling.replace("_", "-")


def read_parameters(document: TaskDocument, catalogue: Catalogue, neutral: Neutral) -> dict[str, Given]:
    """What ``parameters`` of the document gives, by canonical name.

    A neutral name that is not the engine's own stands for what the engine makes of it.
    AutotunerError: UNKNOWN_PARAMETER, CONTRADICTION (two spellings of one parameter, or what this program sets itself),
    INVALID_VALUE.
    """
    free = document.runtime.allow_unknown_flags
    return _read(document.parameters, catalogue, neutral, "parameters", allow_unknown=free)


def check_extra_args(document: TaskDocument, catalogue: Catalogue) -> None:
    """AutotunerError(CONTRADICTION) when ``runtime.extra_args`` has a flag of what this program sets itself."""
    kept = {flag for parameter in catalogue.reserved for flag in (parameter.flag, *parameter.flags) if flag}
    for word in document.runtime.extra_args:
        flag = word.partition("=")[0]
        if flag in kept:
            raise kept_error(catalogue, flag, "runtime.extra_args")


def read_reference(
    document: TaskDocument,
    number: int,
    reference: Reference,
    catalogue: Catalogue,
    neutral: Neutral,
    models: tuple[ModelFile, ...],
) -> tuple[dict[str, Given], dict[str, Scalar]]:
    """What a reference sets: engine parameters by canonical name, and the planner's own names with their values.

    Of the latter there are the model file, one of the document's, the environment variables that the document names,
    and neutral settings such as ``__parallel__tp``. AutotunerError as for ``read_parameters``.
    """
    place = f"optimization.references.{number}.parameters"
    own = {name: value for name, value in reference.parameters.items() if name.startswith(RESERVED)}
    for name, value in own.items():
        if name == MODEL_KEY:
            _one_of(f"{place}.{name}", "the model", value, [model.name for model in models])
        elif (field := neutral.known(name)) is not None:
            check_values(field, Fixed(value=value), f"{place}.{name}")
        elif name.removeprefix(ENV_PREFIX) not in document.runtime.env or not name.startswith(ENV_PREFIX):
            find_parameter(catalogue, name, place=f"{place}.{name}", allow_unknown=False)
    flags: dict[str, ParameterSpec] = {
        name: Fixed(value=value) for name, value in reference.parameters.items() if name not in own
    }
    return _read(flags, catalogue, neutral, place, allow_unknown=document.runtime.allow_unknown_flags), own


def _read(
    specs: Mapping[str, ParameterSpec], catalogue: Catalogue, neutral: Neutral, place: str, *, allow_unknown: bool
) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for spelling, spec in specs.items():
        here = f"{place}.{spelling}"
        free = allow_unknown and not canonical(spelling).startswith(RESERVED)
        key = neutral.named(spelling) if catalogue.find(spelling) is None else None
        if key is None:
            known = find_parameter(catalogue, spelling, place=here, allow_unknown=free)
            name = known.name if known else canonical(spelling)
        else:
            known = neutral.direct(key) or neutral.known(key)
            name = key if neutral.direct(key) is None else known.name if known else key
        if name in found:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"{found[name].spelling!r} and {spelling!r} are one parameter",
                why=f"both mean {name}",
                remedy="Keep one of them",
                place=here,
            )
        if known is not None:
            check_values(known, spec, here)
        found[name] = Given(name, spelling, known, spec, here)
    return found


def _one_of(place: str, what: str, value: Scalar, allowed: list[str]) -> None:
    if value not in allowed:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{what} cannot be {canonical_json(value)}",
            why=f"the document names {', '.join(allowed)}",
            remedy="Write one of these names, or add it to model.id_or_path",
            place=place,
        )
