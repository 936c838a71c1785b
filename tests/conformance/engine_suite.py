"""What every engine must keep. A test module of an engine runs each of ``CHECKS`` with a ``Case`` of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.attempt import API_KEY, HOST, PORT, file_argument
from autotuner.contracts.engine import CatalogueParameter, Engine, LaunchRequest, PlanContext, Runtime, canonical
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.neutral import PRESET
from autotuner.contracts.values import Scalar
from autotuner.planning.neutral import Neutral


@dataclass(frozen=True)
class Case:
    """An engine, and what a command of it can be written for. ``context`` must suit every commonly tuned value."""

    engine: Engine
    model: str = "models/a model.bin"
    context: PlanContext = field(default_factory=lambda: PlanContext(model="models/a model.bin", longest_request=100))
    runtime: Runtime = field(default_factory=Runtime)

    def launch(self, parameters: dict[str, Scalar]) -> LaunchRequest:
        return LaunchRequest(self.model, "served name", parameters, self.runtime, self.context)

    def broken_rule(self, parameters: dict[str, Scalar]) -> str | None:
        values = {parameter.name: parameter.default for parameter in self.engine.catalogue.parameters} | parameters
        return next((text for rule in self.engine.rules if (text := rule.check(values, self.context))), None)


def tried_values(parameter: CatalogueParameter) -> list[Scalar]:
    """Values that the catalogue itself calls allowed."""
    values: list[Scalar] = [*parameter.commonly_tuned, *parameter.choices]
    if parameter.type == "bool":
        values += [True, False]
    if parameter.type == "int":
        values += [int(limit) for limit in (parameter.low, parameter.high) if limit is not None]
    if parameter.default is not None:
        values.append(parameter.default)
    return values


def configurations(case: Case) -> st.SearchStrategy[dict[str, Scalar]]:
    """Some parameters with allowed values, no rule broken."""
    tried = {p.name: tried_values(p) for p in case.engine.catalogue.parameters}
    values = {name: st.sampled_from(found) for name, found in tried.items() if found}

    @st.composite
    def some(draw: st.DrawFn) -> dict[str, Scalar]:
        # Of some hundred parameters a few at a time.
        names = draw(st.lists(st.sampled_from(sorted(values)), unique=True, max_size=12))
        return {name: draw(values[name]) for name in names}

    return some().filter(lambda parameters: case.broken_rule(parameters) is None)


def check_catalogue_is_consistent(case: Case) -> None:
    """Names and flags are unique; defaults and commonly tuned values are allowed values of the type."""
    catalogue = case.engine.catalogue
    assert catalogue.engine == case.engine.name
    owner: dict[str, str] = {}
    for parameter in catalogue.parameters:
        for spelling in {canonical(s) for s in parameter.spellings}:
            assert owner.setdefault(spelling, parameter.name) == parameter.name, spelling
            assert catalogue.find(spelling) is parameter
        assert re.fullmatch(r"[a-z][a-z0-9_]*", parameter.name)
        assert parameter.help
        kinds = {"int": int, "float": (int, float), "bool": bool, "choice": (str, int, float)}
        for value in (*parameter.commonly_tuned, parameter.default):
            assert value is None or isinstance(value, kinds.get(parameter.type, str)), (parameter.name, value)
            if parameter.type == "choice" and value is not None:
                assert value in parameter.choices
            if parameter.type in ("int", "float") and isinstance(value, (int, float)):
                assert parameter.low is None or value >= parameter.low
                assert parameter.high is None or value <= parameter.high


def check_the_catalogue_can_be_another_one(case: Case) -> None:
    """With its own catalogue nothing changes: neither its name nor what it writes."""
    other = case.engine.with_catalogue(case.engine.catalogue)
    assert other.name == case.engine.name
    assert other.catalogue == case.engine.catalogue
    assert other.command(case.launch({})) == case.engine.command(case.launch({}))


def check_rules_name_their_parameters(case: Case) -> None:
    names = {parameter.name for parameter in case.engine.catalogue.parameters} | {"model"}
    for block in case.engine.neutral.blocks:
        names |= {block.key(PRESET), *(block.key(one.name) for one in block.fields)}
    assert len({rule.name for rule in case.engine.rules}) == len(case.engine.rules)
    for rule in case.engine.rules:
        assert rule.parameters
        assert rule.parameters <= names
        assert rule.inputs is None or rule.inputs <= rule.parameters


def check_defaults_break_no_rule(case: Case) -> None:
    assert case.broken_rule({}) is None


def check_command_is_deterministic(case: Case) -> None:
    @settings(max_examples=40, deadline=None)
    @given(configurations(case))
    def holds(parameters: dict[str, Scalar]) -> None:
        turned = dict(reversed(parameters.items()))
        assert case.engine.command(case.launch(parameters)) == case.engine.command(case.launch(turned))

    holds()


def check_defaults_change_nothing(case: Case) -> None:
    """A value that equals the engine's default, or None, gives the command that leaving it out gives."""
    defaults = {p.name: p.default for p in case.engine.catalogue.parameters}

    @settings(max_examples=40, deadline=None)
    @given(configurations(case))
    def holds(parameters: dict[str, Scalar]) -> None:
        bare = {name: value for name, value in parameters.items() if value != defaults[name]}
        assert case.engine.command(case.launch(bare)) == case.engine.command(case.launch(defaults | bare))

    holds()


def check_argv_is_typed(case: Case) -> None:
    """No Python literal becomes text, each argument stays one, the stand-ins are there and the key is no argument."""

    @settings(max_examples=40, deadline=None)
    @given(configurations(case))
    def holds(parameters: dict[str, Scalar]) -> None:
        command = case.engine.command(case.launch(parameters))
        assert not {"None", "True", "False", "true", "false"} & set(command.argv)
        assert not any(word in ("", "null") for word in command.argv)
        assert case.model in command.argv
        assert "served name" in command.argv
        assert HOST in command.argv
        assert PORT in command.argv
        assert API_KEY not in command.argv
        in_files = any(json.dumps(API_KEY) in text for text in command.files.values())
        assert in_files or API_KEY in command.env.values() or not case.engine.server.takes_key
        assert {file_argument(name) for name in command.files} <= set(command.argv)

    holds()


def check_runtime_is_used(case: Case) -> None:
    """The prefix comes first and the extra arguments last, word by word; variables are added."""
    runtime = Runtime(launcher_prefix=("nice", "-n", "5"), extra_args=("--x", "two words"), env={"NAME": "a b"})
    plain = case.engine.command(case.launch({}))
    command = case.engine.command(replace(case.launch({}), runtime=runtime))
    assert command.argv == ("nice", "-n", "5", *plain.argv, "--x", "two words")
    assert command.env == plain.env | {"NAME": "a b"}
    own = replace(case.launch({}), runtime=Runtime(command=("/opt/a b/server", "serve")))
    assert case.engine.command(own).argv[:2] == ("/opt/a b/server", "serve")


def check_wrong_parameters_are_refused(case: Case) -> None:
    with pytest.raises(AutotunerError) as unknown:
        case.engine.command(case.launch({"no_such_parameter": 1}))
    assert "no_such_parameter" in str(unknown.value)
    for parameter in case.engine.catalogue.parameters:
        free = parameter.type == "str" or (parameter.type == "list" and parameter.items == "str")
        if free and not parameter.choices:
            continue
        wrong: Scalar = "{nonsense" if parameter.type != "bool" else 3
        with pytest.raises(AutotunerError) as error:
            case.engine.command(case.launch({parameter.name: wrong}))
        assert error.value.place == parameter.name


def check_suggestion_is_usable(case: Case) -> None:
    """Every suggested value is one that the catalogue allows, and most of the points break no rule."""
    for cores, concurrency in ((None, 1), (1, 4), (2, 16), (64, 300)):
        suggestion = case.engine.suggest({}, cores, concurrency)
        assert suggestion.reason
        tuned = replace(case, context=replace(case.context, cores=cores))
        for name, values in suggestion.parameters.items():
            assert case.engine.catalogue.find(name) is not None
            for value in values if isinstance(values, (list, tuple)) else [values]:
                assert tuned.broken_rule({name: value}) is None
                case.engine.command(case.launch({name: value}))


def check_patterns_compile(case: Case) -> None:
    for pattern in case.engine.server.log_patterns:
        assert not re.compile(pattern.pattern).search("")
        assert pattern.diagnosis
        assert pattern.hint


def check_neutral_table_is_consistent(case: Case) -> None:
    """Rows name fields of the blocks and values that those have; presets name fields; what a row sets is settled."""
    table = case.engine.neutral
    fields = {one.name: one for block in table.blocks for one in block.fields}
    assert len(fields) == sum(len(block.fields) for block in table.blocks)
    for row in table.rows:
        assert row.field in fields or row.field == "strict_dp", row
        assert not (row.error and row.sets), row
        field = fields.get(row.field)
        for value in row.values if field is not None and field.choices else ():
            assert value in field.choices, row
    for block in table.blocks:
        assert block.default_preset is None or block.default_preset in block.presets
        for preset in block.presets.values():
            assert preset.fields.keys() <= {one.name for one in block.fields}


def check_neutral_settings_end_in_the_catalogue(case: Case) -> None:
    """Whatever is asked neutrally becomes parameters that a command can be written from, or a sentence."""
    neutral = Neutral(case.engine.neutral, case.engine.catalogue)
    tried = {
        block.key(one.name): tried_values(one) or ["auto", "fcfs", 1]
        for block in case.engine.neutral.blocks
        for one in block.fields
    }
    tried |= {block.key(PRESET): [*block.presets] for block in case.engine.neutral.blocks if block.presets}

    @settings(max_examples=100, deadline=None)
    @given(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in tried.items()}))
    def holds(asked: dict[str, Scalar]) -> None:
        expansion = neutral.expand(asked, case.context)
        if expansion.problems:
            assert all(sentence.strip() for sentence in expansion.problems.values())
            return
        known = {parameter.name for parameter in case.engine.catalogue.parameters}
        assert expansion.parameters.keys() <= known
        assert expansion.sources.keys() == expansion.parameters.keys()
        if case.broken_rule(dict(expansion.parameters)) is None:
            case.engine.command(case.launch(dict(expansion.parameters)))

    holds()


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_catalogue_is_consistent,
    check_the_catalogue_can_be_another_one,
    check_rules_name_their_parameters,
    check_defaults_break_no_rule,
    check_command_is_deterministic,
    check_defaults_change_nothing,
    check_argv_is_typed,
    check_runtime_is_used,
    check_wrong_parameters_are_refused,
    check_suggestion_is_usable,
    check_patterns_compile,
    check_neutral_table_is_consistent,
    check_neutral_settings_end_in_the_catalogue,
)
