"""SGLang: the fields of its namespaces with their ``Arg`` annotations, and the options that it adds by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from autotuner.engines.catalogue_source.calls import Scope, added_options, changed_option, converter_name
from autotuner.engines.catalogue_source.static import (
    ClassField,
    Found,
    Module,
    Source,
    TypeAtom,
    UnknownError,
    class_fields,
    default_value,
    type_atoms,
    value,
)
from autotuner.engines.catalogues.options import ParserOption

MODULE = "sglang.srt.server_args"
FIELDS = "sglang.srt.arg_groups.fields"
NAMESPACE = "_NS_PATH"


def read_sglang(source: Source, modules: Iterable[str]) -> list[ParserOption]:
    """The options of ``python -m sglang.launch_server``. UnknownError when the source is not as it is read here.

    ``modules``: names of the modules below ``FIELDS``.
    """
    fields = {
        one.name: one
        for name in modules
        for namespace in _namespaces(source.need(f"{FIELDS}.{name}"))
        for one in class_fields(namespace)
    }
    options = [option for one in fields.values() if (option := _option(one)) is not None]
    server = source.need(MODULE)
    scope = Scope(server, functions={"_declared_default": lambda name: _default(fields[name])})
    for statement in _server_class(server).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "add_cli_args":
            options += added_options(statement, scope)
    return options


def _server_class(module: Module) -> ast.ClassDef:
    """The class itself; the same name is later given to what is made of it."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "ServerArgs":
            return node
    raise UnknownError(f"{module.name} has no class ServerArgs")


def _default(one: ClassField) -> Any:
    return None if one.default is None else default_value(one.default, one.module)


def _namespaces(module: Module) -> Iterator[Found]:
    for node in module.names.values():
        if isinstance(node, ast.ClassDef) and any(
            isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == NAMESPACE
            for statement in node.body
        ):
            yield Found(module, node)


def _option(one: ClassField) -> ParserOption | None:
    """As the package's own ``add_cli_args_from_dataclass`` declares it; None for a field that is no option."""
    atoms = type_atoms(one.annotation, one.module)
    arg = _arg(atoms)
    if arg is None:
        return None
    facts, keywords, module = arg
    if facts.get("no_cli"):
        return None
    names = [facts.get("cli_name") or f"--{one.name.replace('_', '-')}", *(facts.get("aliases") or [])]
    option = ParserOption(
        options=tuple(name for name in names if name.startswith("-")),
        dest=one.name,
        default=_default(one),
        help=facts.get("help", ""),
        required=bool(facts.get("required", one.default is None)),
    )
    if "action" in keywords:
        option = changed_option(option, {"action": keywords["action"]}, Scope(module))
        more = keywords.get("action_kwargs")
        return changed_option(option, _named(more), Scope(module)) if more is not None else option
    return option.model_copy(update=_shape(atoms, facts, keywords))


def _shape(atoms: tuple[TypeAtom, ...], facts: dict[str, Any], keywords: dict[str, ast.expr]) -> dict[str, Any]:
    kinds = [atom for atom in atoms if atom.name != "None"]
    single = kinds[0] if len(kinds) == 1 else TypeAtom("str")
    choices: tuple[Any, ...] = tuple(facts.get("choices") or ())
    nargs = facts.get("nargs")
    parser = ast.unparse(keywords["type_parser"]).rpartition(".")[2] if "type_parser" in keywords else ""
    scalar = single.name
    kind: Literal["store", "true"] = "store"
    if single.name == "Literal":
        choices = choices or single.values
        scalar = type(single.values[0]).__name__
    elif single.name == "list" and not parser:
        inner = single.arguments[0] if single.arguments else ()
        scalar, nargs = (inner[0].name if inner else "str"), nargs or "+"
    elif single.name == "bool":
        kind = "true"
    type_name, suffixes, words = converter_name(parser) if parser else (_plain(scalar), False, ())
    return {
        "kind": kind,
        "type": type_name,
        "suffixes": suffixes,
        "words": words,
        "choices": choices,
        "nargs": nargs,
    }


def _plain(name: str) -> str:
    return name if name in ("int", "float") else "str"


def _arg(atoms: tuple[TypeAtom, ...]) -> tuple[dict[str, Any], dict[str, ast.expr], Module] | None:
    """What the field's ``Arg(…)`` or bare help text says, its unread keywords, and where it stands."""
    for atom in atoms:
        for node in atom.metadata:
            if atom.module is None:
                continue
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Arg":
                keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
                return dict(_facts(node, atom.module)), keywords, atom.module
            text = _help(node, atom.module)
            if text is not None:
                return {"help": text}, {}, atom.module
    return None


def _facts(node: ast.Call, module: Module) -> Iterator[tuple[str, Any]]:
    if node.args:
        yield "help", _help(node.args[0], module) or ""
    for keyword in node.keywords:
        match keyword.arg:
            case "help":
                yield "help", _help(keyword.value, module) or ""
            case "choices":
                found = value(keyword.value, module)
                yield "choices", getattr(found, "values", found)
            case "cli_name" | "aliases" | "nargs" | "no_cli" | "required":
                yield keyword.arg, value(keyword.value, module)
            case _:
                continue


def _help(node: ast.expr, module: Module) -> str | None:
    try:
        found = value(node, module)
    except UnknownError:
        return None
    return found if isinstance(found, str) else None


def _named(node: ast.expr) -> dict[str, ast.expr | None]:
    """The keywords of ``dict(…)`` or ``{…}``."""
    if isinstance(node, ast.Dict):
        return {str(ast.literal_eval(key)): entry for key, entry in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call):
        return {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    raise UnknownError(ast.unparse(node))
