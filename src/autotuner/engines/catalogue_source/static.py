"""Values of Python source without running it: constants, names through imports, classes and their fields, types.

Only what declarations of parameters are made of. Whatever cannot be told from the source raises UnknownError; nothing
is guessed.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class UnknownError(Exception):
    """The source does not say it, or says it in a way that is not understood here."""


@dataclass(frozen=True)
class Alternatives:
    """A ``Literal[…]``, or the members of an enumeration."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Member:
    """One member of an enumeration."""

    name: str
    value: Any


@dataclass(frozen=True)
class TypeAtom:
    """One alternative of a type: ``int``, ``list`` with the types of its elements, a class …"""

    name: str
    arguments: tuple[tuple[TypeAtom, ...], ...] = ()
    values: tuple[Any, ...] = ()
    """Of a Literal; members of an enumeration."""
    metadata: tuple[ast.expr, ...] = field(default=(), compare=False)
    module: Module | None = field(default=None, compare=False)
    """Where the metadata stands."""


@dataclass(frozen=True)
class ClassField:
    """One annotated field of a class."""

    name: str
    annotation: ast.expr
    default: ast.expr | None
    doc: str
    module: Module


@dataclass(frozen=True)
class Found:
    """A definition and the module it stands in."""

    module: Module
    node: ast.AST


class Module:
    """One source file: its definitions by name."""

    def __init__(self, source: Source, name: str, text: str, is_package: bool) -> None:
        self.source = source
        self.name = name
        self.is_package = is_package
        self.tree = ast.parse(text)
        self.names: dict[str, ast.AST] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.stars: list[str] = []
        self._collect(self.tree.body)

    def within(self, function: ast.FunctionDef) -> Module:
        """The module as the function sees it: with what it imports itself."""
        inner = copy.copy(self)
        inner.names, inner.imports = dict(self.names), dict(self.imports)
        inner._collect([node for node in function.body if isinstance(node, (ast.Import, ast.ImportFrom))])
        return inner

    def _collect(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            match node:
                case ast.ClassDef() | ast.FunctionDef():
                    self._define(node.name, node)
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            self._define(target.id, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._define(name, value)
                case ast.Import(names=aliases):
                    for alias in aliases:
                        if alias.asname:
                            self.imports[alias.asname] = (alias.name, None)
                        else:
                            top = alias.name.partition(".")[0]
                            self.imports[top] = (top, None)
                case ast.ImportFrom(module=module, names=aliases, level=level):
                    base = self._absolute(module, level)
                    if aliases[0].name == "*":
                        self.stars.append(base)
                        continue
                    for alias in aliases:
                        self.imports[alias.asname or alias.name] = (base, alias.name)
                        self.names.pop(alias.asname or alias.name, None)
                case ast.If(body=inside, orelse=other):
                    # Both sides of `if TYPE_CHECKING:` define the same names; the first one says what they are.
                    self._collect(other)
                    self._collect(inside)
                case ast.Try(body=inside):
                    self._collect(inside)
                case _:
                    pass

    def _define(self, name: str, node: ast.AST) -> None:
        self.names[name] = node
        self.imports.pop(name, None)

    def is_foreign(self, name: str) -> bool:
        """Whether a name comes from another package, or from Python itself."""
        if name in self.names:
            return False
        base, _ = self.imports.get(name, ("", None))
        return base.partition(".")[0] != self.name.partition(".")[0] and (bool(base) or name in vars(builtins))

    def _absolute(self, module: str | None, level: int) -> str:
        if not level:
            return module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - level + (1 if self.is_package else 0)]
        return ".".join([*base, *((module or "").split(".") if module else [])])

    def find(self, name: str) -> Found:
        """The definition of a name, through imports within the package. UnknownError."""
        if name in self.names:
            return Found(self, self.names[name])
        if name in self.imports:
            base, member = self.imports[name]
            if member is None:
                raise UnknownError(f"{name} is a module")
            inner = self.source.module(f"{base}.{member}")
            if inner is not None and (outer := self.source.module(base)) is not None and member not in outer.names:
                raise UnknownError(f"{name} is a module")
            outer = self.source.module(base)
            if outer is None:
                raise UnknownError(f"{base}.{member} is not part of this package")
            return outer.find(member)
        for star in reversed(self.stars):
            other = self.source.module(star)
            if other is not None and other.defines(name):
                return other.find(name)
        raise UnknownError(f"{self.name} does not define {name}")

    def defines(self, name: str) -> bool:
        """Whether the name is defined here or imported from elsewhere."""
        return (
            name in self.names
            or name in self.imports
            or any(other.defines(name) for star in self.stars if (other := self.source.module(star)) is not None)
        )

    def submodule(self, name: str) -> Module | None:
        """The module that a name stands for, if it is one."""
        base, member = self.imports.get(name, (None, None))
        return None if base is None else self.source.module(base if member is None else f"{base}.{member}")


class Source:
    """Modules of one package, read when they are needed. ``read``: text of a path, None when there is no such file."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name; None when the package has none."""
        if name not in self._modules:
            path = name.replace(".", "/")
            text = self._read(f"{path}.py")
            package = text is None
            if text is None:
                text = self._read(f"{path}/__init__.py")
            self._modules[name] = None if text is None else Module(self, name, text, package)
        return self._modules[name]

    def need(self, name: str) -> Module:
        """The module of that name. UnknownError."""
        found = self.module(name)
        if found is None:
            raise UnknownError(f"there is no module {name}")
        return found


def class_fields(found: Found) -> Iterator[ClassField]:
    """Annotated fields of a class and of its bases, those of the bases first, as dataclasses order them."""
    listed: dict[str, ClassField] = {}
    for one in _own_and_inherited(found):
        listed[one.name] = one
    yield from listed.values()


def _own_and_inherited(found: Found) -> Iterator[ClassField]:
    node = found.node
    if not isinstance(node, ast.ClassDef):
        raise UnknownError("not a class")
    for base in reversed(node.bases):
        try:
            yield from _own_and_inherited(resolve(base, found.module))
        except UnknownError:
            continue  # a base of another package declares no parameters
    for index, statement in enumerate(node.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            following = node.body[index + 1] if index + 1 < len(node.body) else None
            doc = (
                following.value.value
                if isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
                else ""
            )
            yield ClassField(statement.target.id, statement.annotation, statement.value, doc, found.module)


def resolve(node: ast.AST, module: Module) -> Found:
    """The definition that a name or dotted name leads to. UnknownError."""
    match node:
        case ast.Name(id=name):
            found = module.find(name)
            return resolve(found.node, found.module) if isinstance(found.node, (ast.Name, ast.Attribute)) else found
        case ast.Attribute(value=ast.Name(id=name), attr=member) if (inner := module.submodule(name)) is not None:
            return inner.find(member)
        case ast.Attribute(value=value, attr=member):
            return _member(resolve(value, module), member)
        case _:
            raise UnknownError(ast.unparse(node))


def _member(owner: Found, name: str) -> Found:
    if isinstance(owner.node, ast.ClassDef):
        for one in class_fields(owner):
            if one.name == name and one.default is not None:
                return Found(one.module, one.default)
        for statement in owner.node.body:
            if isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == name for target in statement.targets
            ):
                return Found(owner.module, statement.value)
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return Found(owner.module, statement)
    raise UnknownError(f"no {name}")


def enumeration(found: Found) -> tuple[tuple[str, ast.expr], ...]:
    """Members of an enumeration in order; empty for another class."""
    node = found.node
    if not isinstance(node, ast.ClassDef) or not any("Enum" in ast.unparse(base) for base in node.bases):
        return ()
    return tuple(
        (target.id, statement.value)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    )


def value(node: ast.AST, module: Module, scope: Mapping[str, Any] | None = None) -> Any:
    """The value of an expression. UnknownError. ``scope``: values of local names."""
    here = scope or {}
    match node:
        case ast.Constant(value=constant):
            return constant
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            listed = list(_elements(elements, module, here))
            return (
                tuple(listed)
                if isinstance(node, ast.Tuple)
                else _sorted(listed)
                if isinstance(node, ast.Set)
                else listed
            )
        case ast.Dict(keys=keys, values=values):
            made: dict[Any, Any] = {}
            for key, entry in zip(keys, values, strict=True):
                if key is None:
                    made.update(value(entry, module, here))
                else:
                    made[value(key, module, here)] = _or_unknown(entry, module, here)
            return made
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand, module, here)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not value(operand, module, here)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(value(left, module, here), operator, value(right, module, here))
        case ast.JoinedStr(values=parts):
            return "".join(_text_of(part, module, here) for part in parts)
        case ast.Name(id=name):
            if name in here:
                return here[name]
            found = module.find(name)
            return _of_definition(found)
        case ast.Attribute():
            return _attribute(node, module, here)
        case ast.Subscript(value=owner, slice=index):
            if ast.unparse(owner).rpartition(".")[2] == "Literal":
                return Alternatives(_literal_values(index, module))
            return _known(value(owner, module, here)[value(index, module, here)])
        case ast.Call():
            return _call(node, module, here)
        case ast.ListComp(elt=element, generators=[generator]) | ast.GeneratorExp(elt=element, generators=[generator]):
            return list(_comprehension(element, generator, module, here))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _compared(value(left, module, here), operator, value(right, module, here))
        case ast.IfExp(test=test, body=body, orelse=other):
            return value(body if value(test, module, here) else other, module, here)
        case _:
            raise UnknownError(ast.unparse(node))


def _of_definition(found: Found) -> Any:
    if isinstance(found.node, ast.ClassDef):
        members = enumeration(found)
        if members:
            return Alternatives(tuple(_member_of(name, entry, found.module) for name, entry in members))
        raise UnknownError(f"{found.node.name} is a class")
    if isinstance(found.node, ast.FunctionDef):
        raise UnknownError(f"{found.node.name} is a function")
    return value(found.node, found.module)


def _member_of(name: str, node: ast.expr, module: Module) -> Member:
    try:
        return Member(name, value(node, module))
    except UnknownError:
        return Member(name, name)  # auto() and the like


def _or_unknown(node: ast.expr, module: Module, here: Mapping[str, Any]) -> Any:
    """The value of an entry of a table, or what stands for a value that nobody may need."""
    try:
        return value(node, module, here)
    except UnknownError as error:
        return error


def _sorted(entries: list[Any]) -> list[Any]:
    """A set has no order of its own."""
    return sorted(entries, key=str)


def _attribute(node: ast.Attribute, module: Module, here: Mapping[str, Any]) -> Any:
    if isinstance(node.value, ast.Name) and node.value.id not in here:
        inner = module.submodule(node.value.id)
        if inner is not None:
            return _of_definition(inner.find(node.attr))
    if isinstance(node.value, ast.Name) and isinstance(facts := here.get(node.value.id), Mapping):
        if node.attr in facts:
            return facts[node.attr]
        raise UnknownError(ast.unparse(node))
    if node.attr in ("value", "name"):
        member = value(node.value, module, here)
        if isinstance(member, Member):
            return getattr(member, node.attr)
        raise UnknownError(ast.unparse(node))
    if node.attr == "__doc__":
        described = resolve(node.value, module).node
        return (ast.get_docstring(described) or "") if isinstance(described, (ast.ClassDef, ast.FunctionDef)) else ""
    owner = resolve(node.value, module)
    for name, entry in enumeration(owner):
        if name == node.attr:
            return _member_of(name, entry, owner.module)
    found = _member(owner, node.attr)
    return default_value(found.node, found.module, _constants(owner))


def _call(node: ast.Call, module: Module, here: Mapping[str, Any]) -> Any:
    name = ast.unparse(node.func)
    short = name.rpartition(".")[2]
    arguments = node.args
    if short == "get_args" and len(arguments) == 1:
        taken = value(arguments[0], module, here)
        if isinstance(taken, Alternatives):
            return list(taken.values)
        raise UnknownError(ast.unparse(node))
    if name in ("list", "tuple", "sorted", "set", "frozenset", "int", "float", "str", "bool", "len", "max", "min"):
        if not arguments:
            return {"list": [], "tuple": (), "set": [], "frozenset": [], "str": "", "int": 0}.get(name)
        inner = value(arguments[0], module, here)
        entries = list(inner.values) if isinstance(inner, Alternatives) else inner
        apply: Mapping[str, Callable[[Any], Any]] = {
            "list": list,
            "tuple": tuple,
            "sorted": sorted,
            "set": _sorted,
            "frozenset": _sorted,
            "int": int,
            "float": float,
            "str": str,
            "bool": bool,
            "len": len,
            "max": max,
            "min": min,
        }
        return apply[name](entries)
    if isinstance(node.func, ast.Attribute) and short in ("join", "keys", "values", "strip", "format", "lower"):
        owner = value(node.func.value, module, here)
        if short == "join":
            return owner.join(str(entry) for entry in value(arguments[0], module, here))
        if short in ("keys", "values") and isinstance(owner, dict):
            return list(getattr(owner, short)())
        if short in ("strip", "lower") and isinstance(owner, str):
            return getattr(owner, short)()
    if not arguments and not node.keywords:
        return _returned(resolve(node.func, module))
    raise UnknownError(ast.unparse(node))


def _known(found: Any) -> Any:
    if isinstance(found, UnknownError):
        raise found
    return found


def _returned(found: Found) -> Any:
    """What a function without parameters returns when nothing unusual was imported before: its last statement."""
    node = found.node
    if not isinstance(node, ast.FunctionDef) or node.args.args or not isinstance(node.body[-1], ast.Return):
        raise UnknownError(ast.unparse(node))
    result = node.body[-1].value
    if result is None:
        return None
    return value(result, found.module.within(node))


def _constants(owner: Found) -> dict[str, Any]:
    """Values that a class gives to its own names; its later lines may use the earlier ones."""
    known: dict[str, Any] = {}
    for statement in owner.node.body if isinstance(owner.node, ast.ClassDef) else []:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                known[statement.targets[0].id] = value(statement.value, owner.module, known)
            except UnknownError:
                continue
    return known


def default_value(node: ast.AST | None, module: Module, scope: Mapping[str, Any] | None = None) -> Any:
    """The default of a field: the expression itself, or what ``Field(…)`` and ``field(…)`` say. UnknownError."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in ("Field", "field"):
        if node is None:
            raise UnknownError("no default")
        return value(node, module, scope)
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    if "default" in named:
        return value(named["default"], module)
    factory = named.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return value(factory.body, module)
    if isinstance(factory, ast.Name) and factory.id in ("list", "dict", "set", "tuple"):
        return {} if factory.id == "dict" else []
    if node.args:
        return value(node.args[0], module)
    raise UnknownError(ast.unparse(node))


def _comprehension(
    element: ast.expr, generator: ast.comprehension, module: Module, here: Mapping[str, Any]
) -> Iterator[Any]:
    entries = value(generator.iter, module, here)
    for entry in entries.values if isinstance(entries, Alternatives) else entries:
        if not isinstance(generator.target, ast.Name):
            raise UnknownError(ast.unparse(generator.target))
        inner = {**here, generator.target.id: entry}
        if all(value(test, module, inner) for test in generator.ifs):
            yield value(element, module, inner)


def _elements(nodes: Sequence[ast.expr], module: Module, here: Mapping[str, Any]) -> Iterator[Any]:
    for node in nodes:
        if isinstance(node, ast.Starred):
            inner = value(node.value, module, here)
            yield from inner.values if isinstance(inner, Alternatives) else inner
        else:
            yield value(node, module, here)


def _combined(left: Any, operator: ast.operator, right: Any) -> Any:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.FloorDiv():
            return left // right
        case ast.Pow():
            return left**right
        case ast.LShift():
            return left << right
        case _:
            raise UnknownError(type(operator).__name__)


def _compared(left: Any, operator: ast.cmpop, right: Any) -> bool:
    match operator:
        case ast.In():
            return left in right
        case ast.NotIn():
            return left not in right
        case ast.Eq():
            return bool(left == right)
        case ast.NotEq():
            return bool(left != right)
        case _:
            raise UnknownError(type(operator).__name__)


def _text_of(part: ast.expr, module: Module, here: Mapping[str, Any]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue):
        try:
            return str(value(part.value, module, here))
        except UnknownError:
            return "…"  # only in texts; a value would be wrong
    raise UnknownError(ast.unparse(part))


def _literal_values(index: ast.expr, module: Module) -> tuple[Any, ...]:
    found: list[Any] = []
    for node in index.elts if isinstance(index, ast.Tuple) else [index]:
        inner = value(node, module)
        found += inner.values if isinstance(inner, Alternatives) else [inner]
    return tuple(found)


# ---- types


def type_atoms(annotation: ast.expr, module: Module) -> tuple[TypeAtom, ...]:
    """The alternatives of a type, unions and aliases taken apart; ``None`` is one named None."""
    match annotation:
        case ast.Constant(value=None):
            return (TypeAtom("None"),)
        case ast.Constant(value=str(text)):
            return type_atoms(ast.parse(text, mode="eval").body, module)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _distinct((*type_atoms(left, module), *type_atoms(right, module)))
        case ast.Subscript(value=owner, slice=index):
            return _subscripted(annotation, owner, index, module)
        case ast.Name() | ast.Attribute():
            return _named_type(annotation, module)
        case _:
            raise UnknownError(ast.unparse(annotation))


def _subscripted(annotation: ast.expr, owner: ast.expr, index: ast.expr, module: Module) -> tuple[TypeAtom, ...]:
    name = ast.unparse(owner).rpartition(".")[2]
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    if name == "Literal":
        return (TypeAtom("Literal", values=_literal_values(index, module)),)
    if name in ("Union", "Optional"):
        inner = tuple(atom for part in parts for atom in type_atoms(part, module))
        return _distinct((*inner, TypeAtom("None")) if name == "Optional" else inner)
    if name in ("Annotated", "A"):
        metadata = tuple(parts[1:])
        return tuple(
            TypeAtom(atom.name, atom.arguments, atom.values, (*metadata, *atom.metadata), module)
            for atom in type_atoms(parts[0], module)
        )
    if name == "SkipValidation":
        return type_atoms(parts[0], module)
    plain = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Type": "type", "Mapping": "dict"}
    plain |= {"Sequence": "list", "MutableMapping": "dict"}
    name = plain.get(name, name)
    if name in ("list", "dict", "tuple", "set", "frozenset"):
        return (TypeAtom(name, tuple(_element_type(part, module) for part in parts)),)
    return (TypeAtom(name),)


def _element_type(part: ast.expr, module: Module) -> tuple[TypeAtom, ...]:
    if isinstance(part, ast.Constant) and part.value is ...:
        return (TypeAtom("..."),)
    try:
        return type_atoms(part, module)
    except UnknownError:
        return (TypeAtom(ast.unparse(part)),)


def _named_type(annotation: ast.Name | ast.Attribute, module: Module) -> tuple[TypeAtom, ...]:
    name = ast.unparse(annotation)
    if name in ("int", "float", "str", "bool", "list", "dict", "tuple", "set", "None", "Any"):
        return (TypeAtom(name),)
    plain = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set"}
    if name in plain:
        return (TypeAtom(plain[name]),)
    try:
        found = resolve(annotation, module)
    except UnknownError:
        if module.is_foreign(name.partition(".")[0]):
            return (TypeAtom(name.rpartition(".")[2]),)
        raise
    if isinstance(found.node, ast.ClassDef):
        members = enumeration(found)
        values = tuple(_member_of(member, node, found.module) for member, node in members)
        kind = "Enum" if members else "dataclass" if _is_record(found) else found.node.name
        if any(ast.unparse(base).partition("[")[0] in ("dict", "Dict") for base in found.node.bases):
            kind = "dict"
        return (TypeAtom(kind, ((TypeAtom(found.node.name),),), values),)
    if isinstance(found.node, ast.expr):
        return type_atoms(found.node, found.module)
    return (TypeAtom(name.rpartition(".")[2]),)


def _is_record(found: Found) -> bool:
    node = found.node
    if not isinstance(node, ast.ClassDef):
        return False
    marks = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
    return bool(marks & {"dataclass", "config"})


def _distinct(atoms: Sequence[TypeAtom]) -> tuple[TypeAtom, ...]:
    return tuple(dict.fromkeys(atoms))
