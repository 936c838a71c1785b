"""From neutral settings to engine parameters, by the engine's table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from autotuner.config.parameters import same_value
from autotuner.contracts.engine import Catalogue, CatalogueParameter, PlanContext, Rule, canonical
from autotuner.contracts.neutral import PRESET, VALUE, Block, Fields, NeutralTable, Row, split_key
from autotuner.contracts.values import MODEL_IN_RULES, Scalar
from autotuner.planning.values import described, takes

AUTO = "auto"
"""Value of a neutral field that asks for nothing."""

PROBLEM = "__problem__"
"""Prefix of the names under which rules find what a block's fields cannot be."""


@dataclass(frozen=True)
class Expansion:
    """What becomes of the neutral settings of one configuration."""

    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    """Engine parameters by canonical name."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Engine parameter → name of the neutral setting that it comes from."""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """Neutral settings by name, after presets."""
    notes: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    """Block → why the engine cannot do what its fields ask."""


NOTHING = Expansion()


class Neutral:
    """The neutral table of an engine, read with its catalogue."""

    def __init__(self, table: NeutralTable, catalogue: Catalogue) -> None:
        self.table = table
        self._catalogue = catalogue
        self._rows: dict[str, list[Row]] = {}
        for row in table.rows:
            self._rows.setdefault(row.field, []).append(row)

    def block(self, prefix: str) -> Block | None:
        """The block of that prefix; None where the engine has none."""
        return next((block for block in self.table.blocks if block.prefix == prefix), None)

    def known(self, key: str) -> CatalogueParameter | None:
        """The neutral field of a name such as ``__parallel__tp``, presets as a choice; None for another name."""
        return self._fields.get(key)

    def named(self, spelling: str) -> str | None:
        """The name of the neutral field that a spelling means (``tp``, ``moe-ep``); None for none."""
        return self._spellings.get(canonical(spelling))

    def direct(self, key: str) -> CatalogueParameter | None:
        """The engine parameter that takes a field's value as it is, whatever the others are; None where there is none.

        Only of blocks whose fields need not be parameters of their own.
        """
        found = split_key(key)
        block = self.block(found[0]) if found else None
        rows = self._rows.get(found[1], []) if found else []
        if block is None or block.joint or len(rows) != 1:
            return None
        (row,) = rows
        if row.values or row.when or row.note or list(row.sets.values()) != [VALUE]:
            return None
        return self._catalogue.find(next(iter(row.sets)))

    def plain(self, key: str) -> CatalogueParameter | None:
        """The engine parameter that takes a setting's value as it is while no other counts; None: there is none.

        Unlike ``direct`` of every block, and where rows for other circumstances stand beside.
        """
        found = split_key(key)
        rows = [row for row in self._rows.get(found[1], ()) if not row.error and not row.when] if found else []
        if len(rows) != 1 or rows[0].values or list(rows[0].sets.values()) != [VALUE]:
            return None
        return self._catalogue.find(next(iter(rows[0].sets)))

    def sets(self, key: str) -> frozenset[str]:
        """Engine parameters that a neutral setting (or any preset of its block) may decide."""
        return frozenset(parameter for parameter, keys in self._setting.items() if key in keys)

    def writes(self, key: str) -> frozenset[str]:
        """Engine parameters that a neutral field itself becomes, whatever its value and the other fields are."""
        found = split_key(key)
        flags = [flag for row in self._rows.get(found[1] if found else "", ()) for flag in row.sets]
        known = map(self._catalogue.find, flags)
        return frozenset(parameter.name for parameter in known if parameter is not None)

    def keys(self, parameter: str) -> frozenset[str]:
        """Neutral settings that may decide an engine parameter."""
        return self._setting.get(parameter, frozenset())

    def rules(self, engine: Iterable[Rule], used: Iterable[str]) -> tuple[Rule, ...]:
        """The engine's rules as the planner needs them: they look at what decides their parameters, too; and one rule
        per used block, which is broken by what the engine cannot express.
        """
        widened = [
            replace(rule, parameters=rule.parameters.union(*(self.keys(p) for p in rule.parameters))) for rule in engine
        ]
        prefixes = {found[0] for key in used if (found := split_key(key))}
        return (*(self._block_rule(block) for block in self.table.blocks if block.prefix in prefixes), *widened)

    def refusal(self, key: str, value: Scalar, context: PlanContext) -> str | None:
        """Why the engine can never do this, whatever the other settings are; None when it depends on them, or can."""
        found = split_key(key)
        if found is None or value is None or value == AUTO or found[1] == PRESET:
            return None
        facts = self.table.facts(context)
        for row in self._fitting(found[1], value, facts, only_facts=True):
            if row is None:
                return None
            return _sentence(found[1], value, row.error, facts) if row.error else None
        return self._unknown(found[1], value)

    def expand(self, given: Mapping[str, Scalar], context: PlanContext) -> Expansion:
        """Engine parameters of the given neutral settings. A preset stands for the fields that it names; a field that
        is given itself (and is not ``auto``) counts before it.
        """
        fields: dict[str, Scalar] = dict(self.table.facts(context))
        settings: dict[str, Scalar] = {}
        problems: dict[str, str] = {}
        asked: list[tuple[Block, str, Scalar, bool]] = []
        for block in self.table.blocks:
            name = given.get(block.key(PRESET))
            preset = None if name is None else block.presets[str(name)]
            if preset is not None:
                settings[block.key(PRESET)] = name
                fields[f"{PRESET}.{block.prefix}"] = name
                if preset.excluded:
                    problems[block.prefix] = f"{name}: {preset.excluded}"
            for one in block.fields:
                value, own = given.get(block.key(one.name)), True
                if preset is not None and value in (None, AUTO) and one.name in preset.fields:
                    value, own = preset.fields[one.name], False
                if value is not None:
                    settings[block.key(one.name)] = fields[one.name] = value
                    asked.append((block, one.name, value, own))
        parameters: dict[str, Scalar] = {}
        sources: dict[str, str] = {}
        notes: list[str] = []
        for block, name, value, own in asked:
            if value == AUTO:
                continue
            # What only a preset may do is not done to a field that is given itself.
            seen = {**fields, f"{PRESET}.{block.prefix}": None} if own else fields
            problem = self._apply(block, name, value, seen, context, parameters, sources, notes)
            if problem is not None and block.prefix not in problems:
                preset_name = settings.get(block.key(PRESET))
                problems[block.prefix] = problem if preset_name is None else f"{preset_name}: {problem}"
        return Expansion(parameters, sources, settings, tuple(dict.fromkeys(notes)), problems)

    # ---- parts

    def _apply(
        self,
        block: Block,
        name: str,
        value: Scalar,
        fields: Fields,
        context: PlanContext,
        parameters: dict[str, Scalar],
        sources: dict[str, str],
        notes: list[str],
    ) -> str | None:
        """Put what a field sets into ``parameters``; the sentence when the engine cannot do it."""
        row = next(iter(self._fitting(name, value, fields)), None)
        if row is None:
            return self._unknown(name, value)
        if row.error:
            return _sentence(name, value, row.error, fields)
        if row.note:
            notes.append(_sentence(name, value, row.note, fields))
        for flag, set_to in row.sets.items():
            parameter = self._parameter(flag)
            try:
                new = value if set_to is VALUE else set_to(fields, context) if callable(set_to) else set_to
            except ValueError as error:
                return _sentence(name, value, str(error), fields)
            if not isinstance(new, str | int | float | bool | None):
                raise TypeError(f"{flag} cannot be {new!r}")
            before = parameters.get(parameter.name)
            if parameter.name in parameters and not same_value(before, new):
                other = split_key(sources[parameter.name])
                return f"{name} {value} and {other[1] if other else ''} both decide {flag} ({new} and {before})"
            parameters[parameter.name] = new
            sources[parameter.name] = block.key(name)
        return None

    def _fitting(self, name: str, value: Scalar, fields: Fields, *, only_facts: bool = False) -> Iterable[Row | None]:
        """Rows of a field that fit. ``only_facts``: None stands for one that hangs on other fields."""
        for row in self._rows.get(name, ()):
            if row.values and not any(same_value(value, known) for known in row.values):
                continue
            others = {other: allowed for other, allowed in row.when.items() if "." not in other}
            facts = {fact: allowed for fact, allowed in row.when.items() if "." in fact}
            if not _holds(facts, fields) or not self._catalogue_has(row, value):
                continue
            if others and only_facts:
                yield None
            elif _holds(others, fields):
                yield row

    def _catalogue_has(self, row: Row, value: Scalar) -> bool:
        for flag, set_to in row.sets.items():
            parameter = self._catalogue.find(flag)
            if parameter is None:
                return False
            new = value if set_to is VALUE else set_to
            if new is not None and isinstance(new, str | int | float | bool) and not takes(parameter, new):
                return False
        return True

    def _parameter(self, flag: str) -> CatalogueParameter:
        found = self._catalogue.find(flag)
        if found is None:
            raise KeyError(flag)
        return found

    def _unknown(self, name: str, value: Scalar) -> str:
        who = f"{self._catalogue.engine} {self._catalogue.version}"
        for row in self._rows.get(name, ()):
            for flag, set_to in row.sets.items():
                parameter = self._catalogue.find(flag)
                if parameter is not None and set_to is VALUE:
                    return f"{name} {value}: {flag} of {who} takes {described(parameter)}"
        return f"{name} {value}: {who} cannot do it"

    def _block_rule(self, block: Block) -> Rule:
        names = {block.key(PRESET), *(block.key(one.name) for one in block.fields), MODEL_IN_RULES}

        def check(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
            problem = values.get(PROBLEM + block.prefix)
            return None if problem is None else str(problem)

        return Rule(f"{block.prefix} settings", frozenset(names), check)

    @cached_property
    def _fields(self) -> dict[str, CatalogueParameter]:
        found = {block.key(one.name): one for block in self.table.blocks for one in block.fields}
        for block in self.table.blocks:
            if block.presets:
                found[block.key(PRESET)] = CatalogueParameter(
                    name=PRESET,
                    flag="",
                    type="choice",
                    choices=tuple(block.presets),
                    default=block.default_preset,
                    help=f"named settings of {block.place}",
                    lossy=any(one.lossy for one in block.fields),
                )
        return found

    @cached_property
    def _spellings(self) -> dict[str, str]:
        return {
            canonical(spelling): block.key(one.name)
            for block in self.table.blocks
            for one in block.fields
            for spelling in (one.name, *one.aliases)
        }

    @cached_property
    def _setting(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for block in self.table.blocks:
            for one in block.fields:
                for row in self._rows.get(one.name, ()):
                    beside = {key for other in row.when if (key := self._key_of(other)) is not None}
                    keys = {block.key(one.name), *beside, *([block.key(PRESET)] if block.presets else [])}
                    for flag in row.sets:
                        parameter = self._catalogue.find(flag)
                        if parameter is not None:
                            found.setdefault(parameter.name, set()).update(keys)
        return {name: frozenset(keys) for name, keys in found.items()}

    def _key_of(self, name: str) -> str | None:
        return next((b.key(name) for b in self.table.blocks if any(one.name == name for one in b.fields)), None)


def _holds(wanted: Mapping[str, Sequence[Scalar]], fields: Fields) -> bool:
    return all(any(same_value(fields.get(name), value) for value in allowed) for name, allowed in wanted.items())


def _sentence(name: str, value: Scalar, text: str, fields: Fields) -> str:
    """With what the engine's table calls ``{method}``: how the checkpoint is quantised."""
    return f"{name} {value}: {text}".replace("{method}", str(fields.get("model.method")))
