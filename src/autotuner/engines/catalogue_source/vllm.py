"""vLLM: the fields of its configuration classes, and the functions that make options of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from autotuner.engines.catalogue_source.calls import Scope, added_options, changed_option, converter, in_order
from autotuner.engines.catalogue_source.static import (
    ClassField,
    Found,
    Member,
    Module,
    Source,
    TypeAtom,
    UnknownError,
    class_fields,
    default_value,
    resolve,
    type_atoms,
    value,
)
from autotuner.engines.catalogues.options import ParserOption

ENGINE_ARGS = "vllm.engine.arg_utils"
FRONTEND = (
    "vllm.entrypoints.common.cli_args",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.openai.cli_args",
)
"""Where the server's own options were from version to version, the newest place first."""
PLATFORM = {"device_type": "cuda"}
"""The few value lists that depend on the machine are those of a machine with GPUs."""


def read_vllm(source: Source) -> list[ParserOption]:
    """The options of ``vllm serve``. UnknownError when the source is not as it is read here."""
    reader = _Reader(source, source.need(ENGINE_ARGS))
    frontend = next(module for name in FRONTEND if (module := source.module(name)) is not None)
    maker = frontend.find("make_arg_parser")
    if not isinstance(maker.node, ast.FunctionDef):
        raise UnknownError("make_arg_parser")
    options = added_options(maker.node, Scope(frontend))
    options += reader.frontend(frontend.find("FrontendArgs"))
    for name in ("EngineArgs", "AsyncEngineArgs"):
        options += reader.engine(reader.module.find(name))
    return [reader.with_opposites(option) for option in options]


@dataclass(frozen=True)
class _Reader:
    source: Source
    module: Module
    """``arg_utils``, whose ``get_kwargs`` is done here."""

    def engine(self, found: Found) -> list[ParserOption]:
        """The options of a class's ``add_cli_args``."""
        options: list[ParserOption] = []
        for function in _functions(found, "add_cli_args"):
            classes = dict(_kwargs_of(function, found.module))
            scope = Scope(found.module, partial(self._stored, classes))
            scope.values["current_platform"] = PLATFORM
            options += added_options(function, scope)
        return options

    def _stored(self, classes: Mapping[str, Found], name: str, key: str) -> ParserOption | None:
        """What ``get_kwargs`` makes of one field of the class behind a variable."""
        if name not in classes:
            return None
        return next((self._option(one) for one in class_fields(classes[name]) if one.name == key), None)

    @cached_property
    def disable_forms(self) -> bool:
        """Whether the parser makes a ``--disable-x`` of each ``--enable-x``, and the other way round."""
        module = self.source.module("vllm.utils.argparse_utils")
        return module is not None and "EnableDisableAction" in module.names

    def with_opposites(self, option: ParserOption) -> ParserOption:
        """The option with all flags that mean false."""
        if option.kind != "switch" or not self.disable_forms:
            return option
        pairs = (("--enable-", "--disable-"), ("--disable-", "--enable-"))
        more = [
            inverse + flag.removeprefix(prefix)
            for flag in option.options
            for prefix, inverse in pairs
            if flag.startswith(prefix)
        ]
        return option.model_copy(update={"off": (*option.opposites, *more)})

    def frontend(self, found: Found) -> list[ParserOption]:
        """Every field of the server's own class, with what the class changes of them by hand."""
        options = self.options_of(found)
        for one in reversed(list(_lineage(found))):
            for function in (*_functions(one, "_customize_cli_kwargs"), *_functions(one, "add_cli_args")):
                scope = Scope(one.module)
                for statement in in_order(function.body):
                    scope.read(statement)
                for (_, key), fields in scope.changed.items():
                    if key in options:
                        options[key] = changed_option(options[key], fields, scope)
        return [
            option.model_copy(update={"options": (f"--{name.replace('_', '-')}",), "dest": name})
            for name, option in options.items()
        ]

    def options_of(self, found: Found) -> dict[str, ParserOption]:
        """What ``get_kwargs`` makes of a configuration class: field → option without flags."""
        return {one.name: self._option(one) for one in class_fields(found) if not one.name.startswith("_")}

    def _option(self, one: ClassField) -> ParserOption:
        atoms = type_atoms(one.annotation, one.module)
        names = {atom.name for atom in atoms}
        low, high = _limits(one, atoms)
        members = [member for atom in atoms if atom.name == "Enum" for member in atom.values]
        default = _default(one)
        default = _spelling(default, members) if isinstance(default, Member) else default
        option = ParserOption(options=(), dest=one.name, default=default, help=one.doc, low=low, high=high)
        return option.model_copy(update=self._shape(one.name, atoms, names))

    def _shape(self, name: str, atoms: Sequence[TypeAtom], names: set[str]) -> dict[str, Any]:
        """The order of the cases is that of vLLM."""
        if "dataclass" in names:
            return {"type": "json"}
        if names == {"bool", "str", "None"}:
            return {"nargs": "?"}
        if "bool" in names:
            return {"kind": "switch", "type": "bool"}
        if "Literal" in names:
            values = next(atom.values for atom in atoms if atom.name == "Literal")
            kind = "int" if all(isinstance(entry, int) for entry in values) else "str"
            return {"type": kind, "choices": tuple(sorted(values))}
        for collection in ("tuple", "list", "set"):
            if collection in names:
                return _collection(next(atom for atom in atoms if atom.name == collection))
        if "int" in names:
            kind, suffixes, words = self._whole_number(name)
            return {"type": kind, "suffixes": suffixes, "words": words}
        if "float" in names:
            return {"type": "float"}
        if "Enum" in names:
            members = [one for atom in atoms if atom.name == "Enum" for one in atom.values]
            return {"choices": tuple(_spelling(one, members) for one in members)}
        if "dict" in names:
            # With str beside it, text that is no JSON is taken as it is.
            return {"type": "str" if names - {"dict", "None"} else "json"}
        return {"type": "str"}

    def _whole_number(self, name: str) -> tuple[str, bool, tuple[str, ...]]:
        """The converter of a field of whole numbers: the function names those that have one of their own."""
        for function in ("_compute_kwargs", "get_kwargs"):
            try:
                node = self.module.find(function).node
            except UnknownError:
                continue
            sets = {ast.unparse(one.targets[0]): one.value for one in ast.walk(node) if isinstance(one, ast.Assign)}
            for inner in ast.walk(node):
                if isinstance(inner, ast.If) and _names_field(inner.test, name, sets):
                    for statement in inner.body:
                        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]).endswith("['type']"):
                            return converter(statement.value, self.module)
        return "int", False, ()


def _names_field(test: ast.expr, name: str, sets: Mapping[str, ast.expr]) -> bool:
    """Whether a test is ``name == "…"`` or ``name in (…)`` for that field; ``sets``: collections by their variable."""
    match test:
        case ast.Compare(left=ast.Name(id="name"), ops=[ast.Eq()], comparators=[ast.Constant(value=wanted)]):
            return bool(wanted == name)
        case ast.Compare(left=ast.Name(id="name"), ops=[ast.In()], comparators=[wanted]):
            try:
                return name in ast.literal_eval(sets.get(ast.unparse(wanted), wanted))
            except ValueError:
                return False
        case _:
            return False


def _collection(atom: TypeAtom) -> dict[str, Any]:
    elements = atom.arguments[0] if atom.arguments else ()
    several: str | int = "+"
    if atom.name == "tuple" and not any(part.name == "..." for part in (*elements, *_second(atom))):
        several = len(atom.arguments)
    if len(elements) == 1 and elements[0].name == "Literal":
        return {"nargs": several, "type": "str", "choices": tuple(sorted(elements[0].values))}
    kind = elements[0].name if len(elements) == 1 and elements[0].name in ("int", "float") else "str"
    return {"nargs": several, "type": kind}


def _second(atom: TypeAtom) -> tuple[TypeAtom, ...]:
    return atom.arguments[1] if len(atom.arguments) > 1 else ()


def _spelling(member: Member, members: Sequence[Member]) -> Any:
    """How a member is written: where values are import paths, they are looked up by name."""
    by_name = any(isinstance(one.value, str) and "." in one.value for one in members)
    return member.name if by_name else member.value


def _default(one: ClassField) -> Any:
    try:
        found = default_value(one.default, one.module)
    except UnknownError:
        return None  # made at start, or from the environment
    return found if isinstance(found, (Member, str, int, float, bool, list, tuple, dict, type(None))) else None


def _limits(one: ClassField, atoms: Sequence[TypeAtom]) -> tuple[float | None, float | None]:
    """``ge``, ``gt``, ``le`` and ``lt`` of the field as inclusive limits; an exclusive one of a fraction is kept."""
    bounds: dict[str, float] = {}
    calls = [(one.default, one.module), *((node, atom.module) for atom in atoms for node in atom.metadata)]
    for node, module in calls:
        if isinstance(node, ast.Call) and module is not None:
            for keyword in node.keywords:
                if keyword.arg in ("ge", "gt", "le", "lt"):
                    try:
                        bounds[keyword.arg] = value(keyword.value, module)
                    except UnknownError:
                        continue
    step = 0 if any(atom.name == "float" for atom in atoms) else 1
    low = bounds.get("ge", bounds["gt"] + step if "gt" in bounds else None)
    high = bounds.get("le", bounds["lt"] - step if "lt" in bounds else None)
    return low, high


def _functions(found: Found, name: str) -> Iterator[ast.FunctionDef]:
    if isinstance(found.node, ast.ClassDef):
        for statement in found.node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                yield statement


def _lineage(found: Found) -> Iterator[Found]:
    """The class and its bases, as far as the package has them."""
    yield found
    if isinstance(found.node, ast.ClassDef):
        for base in found.node.bases:
            try:
                yield from _lineage(resolve(base, found.module))
            except UnknownError:
                continue


def _kwargs_of(function: ast.FunctionDef, module: Module) -> Iterator[tuple[str, Found]]:
    """``variable = get_kwargs(Class)`` → (variable, class); the call without a variable stands for itself."""
    for statement in in_order(function.body):
        for call in ast.walk(statement):
            match call:
                case ast.Call(func=ast.Name(id="get_kwargs"), args=[argument]):
                    found = resolve(argument, module)
                    yield ast.unparse(call), found
                    if isinstance(statement, ast.Assign):
                        yield ast.unparse(statement.targets[0]), found
                case _:
                    continue
