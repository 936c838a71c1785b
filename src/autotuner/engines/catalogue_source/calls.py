"""What ``parser.add_argument(…)`` declares, read from the call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.engines.catalogue_source.static import Member, Module, UnknownError, resolve, value
from autotuner.engines.catalogues.options import ParserOption

Stored = Callable[[str, str], ParserOption | None]
"""Variable and key of a ``**variable["key"]`` → the option that it stands for."""

MARKED = "the engine's own parser marks it as deprecated"
LESS = " without"


@dataclass
class Scope:
    """Where calls are read: the module, local variables, and what was changed of stored options before the call."""

    module: Module
    stored: Stored = lambda name, key: None
    functions: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    """Functions of one word whose value the source tells elsewhere, by name."""
    values: dict[str, Any] = field(default_factory=dict)
    changed: dict[tuple[str, str], dict[str, ast.expr | None]] = field(default_factory=dict)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Local variables that stand for one stored option."""

    def value(self, node: ast.expr) -> Any:
        """The value of an expression, an enumeration's member as its value. UnknownError."""
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(word))]) if name in self.functions:
                found = self.functions[name](word)
            case _:
                found = value(node, self.module, self.values)
        return found.value if isinstance(found, Member) else found

    def read(self, node: ast.stmt) -> None:
        """Remember what a statement assigns to a local variable, or changes of a stored option."""
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Subscript(value=origin, slice=ast.Constant(value=str(key)))
            ) if self.stored(ast.unparse(origin), key) is not None:
                self.names[name] = (ast.unparse(origin), key)
            case ast.Assign(targets=[ast.Name(id=name)], value=entry):
                try:
                    self.values[name] = self.value(entry)
                except UnknownError:
                    self.values.pop(name, None)
            case ast.Assign(targets=[target], value=entry):
                self._change(target, entry)
            case ast.Delete(targets=[target]):
                self._change(target, None)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="remove"), args=[entry])):
                self._change(target, entry, mark=LESS)
            case _:
                pass

    def _change(self, target: ast.expr, entry: ast.expr | None, mark: str = "") -> None:
        match target:
            case ast.Subscript(
                value=ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))),
                slice=ast.Constant(value=str(one)),
            ):
                self.changed.setdefault((name, key), {})[one + mark] = entry
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(one))) if name in self.names:
                self.changed.setdefault(self.names[name], {})[one + mark] = entry
            case _:
                pass


def added_options(function: ast.FunctionDef, scope: Scope) -> list[ParserOption]:
    """The options that a function adds to its parser, in order. UnknownError for a call that is not understood."""
    found: list[ParserOption] = []
    for node in in_order(function.body):
        scope.read(node)
        found += [_option(call, scope) for call in _calls(node)]
    return found


def in_order(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Simple statements, also of branches; of an ``if`` the body alone, since options have no alternatives."""
    for node in body:
        match node:
            case ast.If(body=inside) | ast.With(body=inside) | ast.Try(body=inside):
                yield from in_order(inside)
            case ast.For() | ast.While() | ast.FunctionDef() | ast.ClassDef():
                continue
            case _:
                yield node


def _calls(node: ast.stmt) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "add_argument":
            yield inner


def _option(call: ast.Call, scope: Scope) -> ParserOption:
    names = tuple(scope.value(argument) for argument in call.args if not isinstance(argument, ast.Starred))
    named = [keyword for keyword in call.keywords if keyword.arg is not None]
    option = ParserOption(options=tuple(name for name in names if name.startswith("-")), dest=destination(names))
    for keyword in call.keywords:
        if keyword.arg is None:
            base, more = _spread(keyword.value, scope)
            option = changed_option(
                base.model_copy(update={"options": option.options, "dest": option.dest}), more, scope
            )
    return changed_option(option, {keyword.arg or "": keyword.value for keyword in named}, scope)


def _spread(node: ast.expr, scope: Scope) -> tuple[ParserOption, Mapping[str, ast.expr | None]]:
    """What ``**…`` brings: the option it starts from, and fields that replace some of its own."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))):
            found = scope.stored(name, key)
            if found is not None:
                return found, scope.changed.get((name, key), {})
        case ast.Name(id=name) if name in scope.names:
            found = scope.stored(*scope.names[name])
            if found is not None:
                return found, scope.changed.get(scope.names[name], {})
        case ast.Dict(keys=keys, values=values):
            base: ParserOption | None = None
            more: dict[str, ast.expr | None] = {}
            for one, entry in zip(keys, values, strict=True):
                if one is None:
                    base, inner = _spread(entry, scope)
                    more |= inner
                elif isinstance(one, ast.Constant):
                    more[str(one.value)] = entry
            if base is not None:
                return base, more
        case _:
            pass
    raise UnknownError(ast.unparse(node))


def destination(names: Sequence[str]) -> str:
    """Where argparse stores the value when it is not told."""
    long = [name for name in names if name.startswith("--")]
    return (long or list(names))[0].lstrip("-").replace("-", "_")


def changed_option(option: ParserOption, fields: Mapping[str, ast.expr | None], scope: Scope) -> ParserOption:
    """The option with keywords of ``add_argument``; None takes one away. UnknownError for an unreadable value."""
    # What an action takes by itself may be changed by the other keywords.
    for name, node in sorted(fields.items(), key=lambda entry: entry[0] != "action"):
        option = option.model_copy(update=_update(option, name, node, scope))
    return option


def _update(option: ParserOption, name: str, node: ast.expr | None, scope: Scope) -> dict[str, Any]:
    if node is None:
        return {name: {"choices": (), "help": "", "required": False, "type": "str"}.get(name)}
    match name:
        case "type":
            kind, suffixes, words = converter(node, scope.module)
            return {"type": kind, "suffixes": suffixes, "words": words}
        case "action":
            return _action(option, node, scope.module)
        case "help" | "metavar":
            return _text(name, node, scope)
        case "choices":
            found = scope.value(node)
            return {"choices": tuple(getattr(found, "values", found))}
        case "choices without":
            return {"choices": tuple(choice for choice in option.choices if choice != scope.value(node))}
        case "default":
            return {} if ast.unparse(node) == "argparse.SUPPRESS" else {"default": scope.value(node)}
        case "deprecated":
            return {"deprecated": MARKED} if scope.value(node) else {}
        case "error_message":
            return {"kind": "refused", "deprecated": str(scope.value(node))}
        case "new_flag":
            return {"deprecated": f"use {scope.value(node)}"}
        case "nargs":
            several = scope.value(node)
            return {"nargs": several, **({"kind": "store"} if option.kind == "const" and several != 0 else {})}
        case "required" | "dest":
            return {name: scope.value(node)}
        case "const" | "const_value" | "flags" | "version":
            return {}
        case _:
            raise UnknownError(f"{name} of {', '.join(option.options)}")


def _text(name: str, node: ast.expr, scope: Scope) -> dict[str, Any]:
    """A help text, or the list of usual values that stands for it; nothing where it is not a constant."""
    try:
        found = scope.value(node)
    except UnknownError:
        return {}
    if name == "help":
        return {"help": found} if isinstance(found, str) else {}
    return {"choices": tuple(found)} if isinstance(found, list) else {}


def _action(option: ParserOption, node: ast.expr, module: Module) -> dict[str, Any]:
    try:
        text = value(node, module)
    except UnknownError:
        text = ast.unparse(node).rpartition(".")[2]
    kinds: dict[str, dict[str, Any]] = {
        "store": {"kind": "store"},
        "store_true": {"kind": "true"},
        "store_false": {"kind": "false"},
        "append": {"kind": "append"},
        "extend": {"kind": "store", "nargs": "+"},
        "BooleanOptionalAction": {"kind": "switch"},
        "store_const": {"kind": "const"},
        "help": {"kind": "help"},
        "version": {"kind": "help"},
    }
    return kinds.get(text) or _own_action(option, node, module)


def _own_action(option: ParserOption, node: ast.expr, module: Module) -> dict[str, Any]:
    """An action class of the package: a switch if it sets ``nargs=0``, deprecated if its name says so."""
    update: dict[str, Any] = {}
    if "deprecat" in ast.unparse(node).lower() and not option.deprecated:
        update["deprecated"] = MARKED
    try:
        found = resolve(node, module)
    except UnknownError:
        return update
    source = ast.unparse(found.node)
    return update | ({"kind": "const"} if "nargs=0" in source else {})


def converter(node: ast.expr, module: Module) -> tuple[str, bool, tuple[str, ...]]:
    """What a ``type=`` makes of a word: kind, whether numbers may have a suffix, words beside numbers."""
    text = ast.unparse(node)
    match node:
        case ast.Name(id="int" | "float" | "str" as name):
            return name, False, ()
        case ast.Call(args=[inner, *_]) if text.startswith(("optional_type(", "parse_type(", "nullable")):
            return converter(inner, module)
        case _:
            pass
    return converter_name(text.rpartition(".")[2])


def converter_name(name: str) -> tuple[str, bool, tuple[str, ...]]:
    """The same for a converter function of that name."""
    if name.startswith("human_readable_int"):
        return "int", True, ("auto",) if name.endswith("_or_auto") else ()
    if name in ("loads", "parse_dataclass") or "json" in name:
        return "json", False, ()
    return "str", False, ()
