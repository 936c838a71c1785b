"""The rules of presets as constraints of the search space. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autotuner.config.assembled import AppliedRule
from autotuner.config.comparison import FACTS, Value, parse_comparison
from autotuner.contracts.engine import Catalogue, PlanContext, Rule
from autotuner.contracts.values import MODEL_IN_RULES, Scalar
from autotuner.planning.neutral import Neutral


def preset_rules(rules: Sequence[AppliedRule], catalogue: Catalogue, neutral: Neutral) -> tuple[Rule, ...]:
    """One constraint per rule. A combination is left out only where what the rule requires is certainly false; a value
    that is left to the engine, and that nobody knows, breaks nothing.
    """
    return tuple(_rule(rule, catalogue, neutral) for rule in rules)


def _rule(rule: AppliedRule, catalogue: Catalogue, neutral: Neutral) -> Rule:
    when = None if rule.when is None else parse_comparison(rule.when)
    require = parse_comparison(rule.require)
    names = {
        name: parameter_of(name, catalogue, neutral)
        for name in (*(when.names if when is not None else ()), *require.names)
    }

    def check(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
        value_of = _values(names, values, facts_of(catalogue.engine, context))
        if (when is None or when.holds(value_of)) and require.fails(value_of):
            return f"{rule.message} ({rule.layer})"
        return None

    # The setting beside the parameter that it becomes: either may be what is searched.
    known = {name for name in names.values() if name is not None}
    keys = {key for name in names if (key := neutral.named(name)) is not None}
    model = {MODEL_IN_RULES} if "model" in names else set()
    return Rule(f"rule of {rule.layer}", frozenset({*known, *keys, *model}), check)


def parameter_of(name: str, catalogue: Catalogue, neutral: Neutral) -> str | None:
    """What a name in a rule stands for among the values that rules see; None for a fact, or what the engine lacks."""
    if name in FACTS:
        return None
    parameter = catalogue.find(name)
    if parameter is not None:
        return parameter.name
    key = neutral.named(name)
    plain = None if key is None else neutral.plain(key)
    return key if plain is None else plain.name


def facts_of(engine: str, context: PlanContext) -> dict[str, Value]:
    """What ``config.comparison.FACTS`` are for a plan."""
    facts: dict[str, Value] = {
        "engine": engine,
        "model": context.model,
        "gpu_type": context.gpu_type,
        "total_gpus": context.total_gpus,
    }
    return {name: facts[name] for name in FACTS}


def _values(
    names: Mapping[str, str | None], values: Mapping[str, Scalar], facts: Mapping[str, Value]
) -> Callable[[str], Value]:
    def value_of(name: str) -> Value:
        parameter = names[name]
        return facts.get(name) if parameter is None else values.get(parameter)

    return value_of
