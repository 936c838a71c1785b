"""From one configuration to the command that would be started, and to its identity."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autotuner.contracts.attempt import Command
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    Engine,
    LaunchRequest,
    PlanContext,
    Rule,
    Runtime,
    canonical,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import MODEL_IN_RULES, MODEL_KEY, Configuration, Scalar, digest

ENV_PREFIX = "__env__"
"""Prefix of searched environment variables."""


@dataclass(frozen=True)
class ModelFile:
    """One model that may be served: how it is called in the document, where it is, and what is known of it."""

    name: str
    path: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Resolver:
    """Turns configurations into launch requests; pure.

    ``fixed``: parameters with one value, by canonical name. ``models``: the first is the default one.
    ``raw_fixed``: flags that the catalogue does not know (only with ``allow_unknown_flags``), passed on as written.
    """

    engine: Engine
    runtime: Runtime
    models: tuple[ModelFile, ...]
    served_name: str
    context: PlanContext
    fixed: Mapping[str, Scalar]
    raw: frozenset[str] = frozenset()

    def model(self, configuration: Configuration) -> ModelFile:
        """The model file of a configuration."""
        name = configuration.get(MODEL_KEY)
        for candidate in self.models:
            if candidate.name == name:
                return candidate
        return self.models[0]

    def effective(self, configuration: Configuration) -> dict[str, Scalar]:
        """Engine parameters by canonical name that differ from the engine's defaults."""
        merged = {**self.fixed, **{k: v for k, v in configuration.items() if not k.startswith("__")}}
        kept: dict[str, Scalar] = {}
        for name, value in merged.items():
            parameter = self.engine.catalogue.find(name)
            default = parameter.default if parameter else None
            if value is not None and not (value == default and isinstance(value, bool) == isinstance(default, bool)):
                kept[name] = value
        return dict(sorted(kept.items()))

    def launch(self, configuration: Configuration) -> LaunchRequest:
        """What the engine is asked to write as a command."""
        return self._launch(configuration, self.model(configuration).path)

    def command(self, configuration: Configuration) -> Command:
        """The typed command. AutotunerError for a value that the engine cannot express."""
        return self.engine.command(self.launch(configuration))

    def options(self, configuration: Configuration) -> dict[str, object]:
        """What the engine's own deployment or client must know, and what the client must know of the model."""
        facts = self.model(configuration).facts
        shared = {key: facts[key] for key in ("prompt_token_ids",) if key in facts}
        return {**shared, **self.engine.options(self.launch(configuration))}

    def identity(self, configuration: Configuration) -> str:
        """Hash of what is launched.

        How the program is called (everything before its first option) and where the model lies are left out: moving
        the environment or the model does not make another experiment.
        """
        launch = self._launch(configuration, self.model(configuration).name)
        command = self.engine.command(launch)
        first = next((i for i, word in enumerate(command.argv) if word.startswith("-")), len(command.argv))
        return digest([command.argv[first:], command.env, self.engine.options(launch)])

    def check(self, rules: Sequence[Rule] | None, configuration: Configuration) -> str | None:
        """The sentence of the first broken rule; with ``rules`` None also whether the command can be written."""
        values = self._values(configuration)
        context = self._context(configuration)
        for rule in self.engine.rules if rules is None else rules:
            sentence = rule.check(values, context)
            if sentence is not None:
                return sentence
        if rules is None:
            try:
                self.command(configuration)
            except AutotunerError as error:
                return f"{error.what}: {error.why}"
        return None

    def _values(self, configuration: Configuration) -> dict[str, Scalar]:
        defaults = {p.name: p.default for p in self.engine.catalogue.parameters if p.default is not None}
        return {**defaults, **self.effective(configuration), MODEL_IN_RULES: self.model(configuration).name}

    def _context(self, configuration: Configuration) -> PlanContext:
        model = self.model(configuration)
        return replace(self.context, model=model.name, model_config=model.facts)

    def _launch(self, configuration: Configuration, model: str) -> LaunchRequest:
        effective = self.effective(configuration)
        raw = [word for name in sorted(self.raw & effective.keys()) for word in _flag(name, effective[name])]
        env = {k.removeprefix(ENV_PREFIX): str(v) for k, v in configuration.items() if _is_env(k) and v is not None}
        runtime = self.runtime.model_copy(
            update={"extra_args": (*raw, *self.runtime.extra_args), "env": {**self.runtime.env, **env}}
        )
        known = {name: value for name, value in effective.items() if name not in self.raw}
        return LaunchRequest(model, self.served_name, known, runtime, self._context(configuration))


def _is_env(name: str) -> bool:
    return name.startswith(ENV_PREFIX)


def _flag(name: str, value: Scalar) -> tuple[str, ...]:
    """A flag that no catalogue knows: true gives it bare, false nothing."""
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return (flag,) if value else ()
    return (flag, str(value))


def find_parameter(
    catalogue: Catalogue, spelling: str, *, place: str, allow_unknown: bool
) -> CatalogueParameter | None:
    """The catalogue's parameter; None for an unknown one that is allowed; AutotunerError with the nearest otherwise."""
    parameter = catalogue.find(spelling)
    if parameter is not None or allow_unknown:
        return parameter
    near = difflib.get_close_matches(canonical(spelling), [canonical(s) for s in catalogue.spellings()], n=1)
    raise AutotunerError(
        ErrorCode.UNKNOWN_PARAMETER,
        f"{catalogue.engine} {catalogue.version} has no parameter {spelling!r}",
        why="what the engine does not know would stop it at start",
        remedy=(f"Did you mean {near[0]!r}? " if near else "")
        + f"`autotuner engine show {catalogue.engine}` lists all; "
        "runtime.allow_unknown_flags: true passes it on unchecked",
        place=place,
    )


def check_value(parameter: CatalogueParameter, value: Scalar, *, place: str) -> None:
    """AutotunerError(INVALID_VALUE) for a value of another type or out of range. None (the engine decides) is fine."""
    if value is None:
        return
    expected = _mismatch(parameter, value)
    if expected is not None:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{parameter.name} cannot be {value!r}",
            why=f"it takes {expected}",
            remedy=f"`autotuner engine show` describes it; the engine's default is {parameter.default!r}",
            place=place,
        )


def _mismatch(parameter: CatalogueParameter, value: Scalar) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match parameter.type:
        case "bool":
            return None if isinstance(value, bool) else "true or false"
        case "choice":
            same = any(value == c and isinstance(value, bool) == isinstance(c, bool) for c in parameter.choices)
            return None if same else "one of " + ", ".join(map(str, parameter.choices))
        case "str":
            return None if isinstance(value, str) else "text"
        case "int":
            if not number or value != int(value or 0):
                return "a whole number"
        case "float":
            if not number:
                return "a number"
    low, high = parameter.low, parameter.high
    if isinstance(value, int | float) and ((low is not None and value < low) or (high is not None and value > high)):
        return f"a number from {'…' if low is None else f'{low:g}'} to {'…' if high is None else f'{high:g}'}"
    return None
