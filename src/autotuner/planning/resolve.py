"""From one configuration to the command that would be started, and to its identity."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from autotuner.config.parameters import same_value
from autotuner.contracts.attempt import Command
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    Engine,
    LaunchRequest,
    PlanContext,
    Rule,
    RuleRemark,
    Runtime,
    canonical,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import MODEL_IN_RULES, MODEL_KEY, Configuration, Scalar, digest
from autotuner.planning.neutral import NOTHING, PROBLEM, Expansion, Neutral

ENV_PREFIX = "__env__"
"""Prefix of searched environment variables."""


KEPT_EXPANSIONS = 20_000
"""Neutral settings whose expansion is remembered; many configurations share them."""


@dataclass(frozen=True)
class ModelFile:
    """One model that may be served: how it is called in the document, where it is, and what is known of it."""

    name: str
    path: str
    facts: Mapping[str, object]


ANY_PROGRAM = ("server",)
"""Stands for the program in identities."""


@dataclass(frozen=True)
class Resolver:
    """Turns configurations into launch requests; pure.

    ``fixed``: parameters with one value, by canonical name; a configuration that names one of them (a reference may)
    overrides it. ``models``: the first is the default one. ``flags``: the flag of each parameter that the catalogue
    does not know (only with ``allow_unknown_flags``), by canonical name. ``neutral``: what the engine makes of neutral
    settings. ``rules``: known constraints as the planner needs them; None: the engine's.
    """

    engine: Engine
    runtime: Runtime
    models: tuple[ModelFile, ...]
    served_name: str
    context: PlanContext
    fixed: Mapping[str, Scalar]
    flags: Mapping[str, str] = field(default_factory=dict)
    neutral: Neutral | None = None
    rules: tuple[Rule, ...] | None = None

    def model(self, configuration: Configuration) -> ModelFile:
        """The model file of a configuration; ValueError for one that the document does not name."""
        name = configuration.get(MODEL_KEY)
        if name is None:
            return self.models[0]
        for candidate in self.models:
            if candidate.name == name:
                return candidate
        raise ValueError(f"{name!r} is none of the models")

    def effective(self, configuration: Configuration) -> dict[str, Scalar]:
        """Engine parameters by canonical name that differ from the engine's defaults, each in its catalogue's type."""
        flat = {k: v for k, v in {**self.fixed, **configuration}.items() if not k.startswith("__")}
        merged = {**self.expansion(configuration).parameters, **flat}
        kept: dict[str, Scalar] = {}
        for name in sorted(merged):
            parameter = self._catalogue.get(name)
            value = _typed(parameter, merged[name])
            if value is not None and (parameter is None or not same_value(value, parameter.default)):
                kept[name] = value
        return kept

    def expansion(self, configuration: Configuration) -> Expansion:
        """What becomes of the neutral settings of a configuration and of the document."""
        return self._expanded(configuration)[0]

    def world_size(self, configuration: Configuration) -> int | None:
        """GPUs that one server of the configuration takes; None where the engine does not say."""
        return self.engine.world_size(self._values(configuration))

    def summary(self, configuration: Configuration) -> str:
        """How the server of a configuration is spread over GPUs, for people; empty where the engine does not say."""
        return self.engine.summary(self._values(configuration))

    def gpus(self, configuration: Configuration) -> int | None:
        """GPUs through which figures per GPU are made: the world size, else all that may be used; None without GPUs."""
        total = self.context.total_gpus
        return (self.world_size(configuration) or total) if total else None

    def values(self, configuration: Configuration) -> dict[str, Scalar]:
        """Engine parameters by canonical name, the engine's defaults among them where they are known."""
        return self._values(configuration)

    def launch(self, configuration: Configuration) -> LaunchRequest:
        """What the engine is asked to write as a command."""
        return self._launch(configuration, self.model(configuration).path, self.runtime)

    def command(self, configuration: Configuration) -> Command:
        """The typed command. AutotunerError for a value that the engine cannot express."""
        return self.engine.command(self.launch(configuration))

    def options(self, configuration: Configuration) -> dict[str, object]:
        """What the engine's own deployment or client must know, and what the client must know of the model."""
        facts = self.model(configuration).facts
        shared = {key: facts[key] for key in ("prompt_token_ids",) if key in facts}
        return {**shared, **self.engine.options(self.launch(configuration))}

    def identity(self, configuration: Configuration) -> str:
        """Hash of what is launched: equal for two configurations of a task exactly if their command is equal.

        Which program is started and where the model lies are the same for the whole task and left out: moving the
        environment or the model does not make another experiment. AutotunerError as for ``command``.
        """
        path = self.model(configuration).path
        name = next(model.name for model in self.models if model.path == path)
        program = self.runtime.model_copy(update={"python": None, "command": ANY_PROGRAM, "launcher_prefix": ()})
        launch = self._launch(configuration, name, program)
        command = self.engine.command(launch)
        options = self.engine.options(launch)
        return digest([command.argv, command.env, options, *([command.files] if command.files else [])])

    def check(self, rules: Sequence[Rule] | None, configuration: Configuration) -> str | None:
        """The sentence of the first broken rule; with ``rules`` None also whether the command can be written."""
        values = self._values(configuration)
        context = self._context(configuration)
        known = self.engine.rules if self.rules is None else self.rules
        for rule in known if rules is None else rules:
            sentence = rule.check(values, context)
            if sentence is not None:
                return sentence
        if rules is None:
            try:
                self.command(configuration)
            except AutotunerError as error:
                return f"{error.what}: {error.why}"
        return None

    def inputs(self, rules: Sequence[Rule], configuration: Configuration) -> dict[str, Scalar]:
        """The values of the inputs of rules that have some, or what is alike to all of them; None: not given."""
        values, context = self._values(configuration), self._context(configuration)
        found = {name: values.get(name) for rule in rules for name in sorted(rule.inputs or ())}
        if len(rules) == 1 and (alike := rules[0].alike) is not None:
            return {name: alike(name, value, context) for name, value in found.items()}
        return found

    def broken(self, rules: Sequence[Rule], inputs: Mapping[str, Scalar]) -> str | None:
        """The sentence of the first rule that its inputs break. Called very often."""
        model = inputs.get(MODEL_IN_RULES)
        context = self._contexts[self.models[0].name if model is None else str(model)]
        for rule in rules:
            sentence = rule.check(inputs, context)
            if sentence is not None:
                return sentence
        return None

    def remarks(self, configuration: Configuration) -> list[RuleRemark]:
        """What the rules know of a configuration that breaks none of them."""
        values, context = self._values(configuration), self._context(configuration)
        asked = [rule.remark for rule in (self.engine.rules if self.rules is None else self.rules) if rule.remark]
        return [found for remark in asked if (found := remark(values, context)) is not None]

    @cached_property
    def _catalogue(self) -> dict[str, CatalogueParameter]:
        return {parameter.name: parameter for parameter in self.engine.catalogue.parameters}

    @cached_property
    def _defaults(self) -> dict[str, Scalar]:
        return {name: p.default for name, p in self._catalogue.items() if p.default is not None}

    @cached_property
    def _contexts(self) -> dict[str, PlanContext]:
        return {m.name: replace(self.context, model=m.name, model_config=m.facts) for m in self.models}

    @cached_property
    def _fixed_flat(self) -> dict[str, Scalar]:
        return {k: v for k, v in self.fixed.items() if not k.startswith("__")}

    @cached_property
    def _fixed_settings(self) -> dict[str, Scalar]:
        return {k: v for k, v in self.fixed.items() if self._is_setting(k)}

    @cached_property
    def _expansions(self) -> dict[tuple[object, ...], tuple[Expansion, dict[str, Scalar]]]:
        return {}

    def _is_setting(self, name: str) -> bool:
        return name.startswith("__") and self.neutral is not None and self.neutral.known(name) is not None

    def _expanded(self, configuration: Configuration) -> tuple[Expansion, dict[str, Scalar]]:
        """The expansion, and the values that all configurations with these neutral settings share."""
        given = {**self._fixed_settings, **{k: v for k, v in configuration.items() if self._is_setting(k)}}
        context = self._context(configuration)
        # True and 1 are two values.
        key = (context.model, *((name, type(value), value) for name, value in sorted(given.items())))
        found = self._expansions.get(key)
        if found is None:
            asked = {name: value for name, value in given.items() if value is not None}
            expansion = NOTHING if self.neutral is None or not asked else self.neutral.expand(asked, context)
            if len(self._expansions) >= KEPT_EXPANSIONS:
                self._expansions.clear()
            found = self._expansions[key] = expansion, self._shared(expansion)
        return found

    def _shared(self, expansion: Expansion) -> dict[str, Scalar]:
        values = {**self._defaults, **expansion.settings}
        values.update({PROBLEM + block: sentence for block, sentence in expansion.problems.items()})
        for name, given in {**expansion.parameters, **self._fixed_flat}.items():
            value = _typed(self._catalogue.get(name), given)
            if value is None:
                value = self._defaults.get(name)
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        return values

    def _values(self, configuration: Configuration) -> dict[str, Scalar]:
        """What rules look at: every value that is known, the engine's defaults among them. Called very often."""
        values = dict(self._expanded(configuration)[1])
        for name, given in configuration.items():
            if name.startswith("__"):
                continue
            value = _typed(self._catalogue.get(name), given)
            if value is None:
                value = self._defaults.get(name)
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        values[MODEL_IN_RULES] = self.model(configuration).name
        return values

    def _context(self, configuration: Configuration) -> PlanContext:
        return self._contexts[self.model(configuration).name]

    def _launch(self, configuration: Configuration, model: str, runtime: Runtime) -> LaunchRequest:
        effective = self.effective(configuration)
        raw = [word for name, flag in sorted(self.flags.items()) for word in _words(flag, effective.get(name))]
        env = dict(runtime.env)
        for name, value in configuration.items():
            if name.startswith(ENV_PREFIX):
                env.pop(name.removeprefix(ENV_PREFIX), None)
                if value is not None:
                    env[name.removeprefix(ENV_PREFIX)] = env_text(value)
        runtime = runtime.model_copy(update={"extra_args": (*raw, *runtime.extra_args), "env": env})
        known = {name: value for name, value in effective.items() if name not in self.flags}
        return LaunchRequest(model, self.served_name, known, runtime, self._context(configuration))


def env_text(value: str | int | float | bool) -> str:
    """The text of an environment variable; booleans as the document writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_parameter(
    catalogue: Catalogue, spelling: str, *, place: str, allow_unknown: bool
) -> CatalogueParameter | None:
    """The catalogue's parameter; None for an unknown one that is allowed.

    AutotunerError: UNKNOWN_PARAMETER with the nearest name otherwise; CONTRADICTION for what this program sets itself.
    """
    parameter = catalogue.find(spelling)
    if parameter is None and catalogue.keeps(spelling):
        raise kept_error(catalogue, spelling, place)
    if parameter is not None or allow_unknown:
        return parameter
    spellings = [canonical(s) for p in catalogue.parameters for s in p.spellings]
    near = difflib.get_close_matches(canonical(spelling), spellings, n=1)
    raise AutotunerError(
        ErrorCode.UNKNOWN_PARAMETER,
        f"{catalogue.engine} {catalogue.version} has no parameter {spelling!r}",
        why="what the engine does not know would stop it at start",
        remedy=(f"Did you mean {near[0]!r}? " if near else "")
        + f"`autotuner engine show {catalogue.engine}` lists all; "
        "runtime.allow_unknown_flags: true passes it on unchecked",
        place=place,
    )


def kept_error(catalogue: Catalogue, spelling: str, place: str) -> AutotunerError:
    """For what a document must not set."""
    return AutotunerError(
        ErrorCode.CONTRADICTION,
        f"{spelling} of {catalogue.engine} cannot be set",
        why="this program sets the model, the address, the served name and the like itself, anew at each start",
        remedy="Leave it out; model.id_or_path names the model, model.served_name how requests call it",
        place=place,
    )


def _words(flag: str, value: Scalar) -> tuple[str, ...]:
    """A flag that no catalogue knows: true gives it bare, false and None nothing."""
    if value is None or isinstance(value, bool):
        return (flag,) if value else ()
    return (flag, str(value))


def _typed(parameter: CatalogueParameter | None, value: Scalar) -> Scalar:
    """The value in its catalogue's type, so that 1 and 1.0 are written alike; any other value as it is."""
    if parameter is None or value is None:
        return value
    if parameter.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if parameter.type == "choice":
        return next((choice for choice in parameter.choices if same_value(choice, value)), value)
    return value
