"""Values and types of Python source that is not run."""

import ast
from typing import Any

import pytest

from autotuner.engines.catalogue_source.static import (
    Member,
    Source,
    TypeAtom,
    UnknownError,
    class_fields,
    default_value,
    type_atoms,
    value,
)

FILES = {
    "pkg/__init__.py": "from pkg.names import KINDS as EXPORTED\n",
    "pkg/names.py": (
        "from typing import Literal, get_args\n"
        "from . import other\n"
        "KINDS = ['b', 'a']\n"
        "Kind = Literal['x', 'y']\n"
        "Wider = Literal[Kind, 'z']\n"
        "ALL = ['auto'] + list(get_args(Wider))\n"
        "NUMBER: int = 4 * 1024\n"
        "TABLE = {'one': SomeClass, 'two': 2}\n"
        "if TYPE_CHECKING:\n    Dtype = Literal['half']\nelse:\n    Dtype = object\n"
        "AGAIN = other.BASE\n"
    ),
    "pkg/other.py": (
        "import enum\n"
        "from dataclasses import dataclass, field\n"
        "from pkg.names import Kind, NUMBER\n"
        "BASE = 7\n"
        "class Color(enum.Enum):\n    RED = 'red'\n    BLUE = 'blue'\n    GREEN = enum.auto()\n"
        "@dataclass\nclass Config:\n    size: int = Field(default=3, ge=1)\n    'How large.'\n"
        "    names: list[str] = field(default_factory=lambda: ['*'])\n    kind: Kind | None = None\n"
        "    broken: int = compute()\n"
        "@dataclass\nclass More(Config):\n    size: int = Config.size + NUMBER\n    extra: 'float | None' = None\n"
    ),
}


def source() -> Source:
    return Source(FILES.get)


def of(text: str, module: str = "pkg.names") -> Any:
    return value(ast.parse(text, mode="eval").body, source().need(module))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KINDS", ["b", "a"]),
        ("sorted(KINDS)", ["a", "b"]),
        ("ALL", ["auto", "x", "y", "z"]),
        ("list(get_args(Dtype))", ["half"]),
        ("NUMBER", 4096),
        ("AGAIN", 7),
        ("list(TABLE.keys())", ["one", "two"]),
        ("[kind.upper() for kind in KINDS if kind != 'b']", None),
        ("f'of {NUMBER} and {nothing}'", "of 4096 and …"),
        ("-NUMBER", -4096),
        ("('a', *KINDS)", ("a", "b", "a")),
        ("{**{'a': 1}, 'b': 2}", {"a": 1, "b": 2}),
    ],
)
def test_values(text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(UnknownError):
            of(text)
    else:
        assert of(text) == expected


@pytest.mark.parametrize("text", ["missing", "TABLE['one']", "open('x')", "other", "1 if missing else 2"])
def test_what_cannot_be_told_is_unknown(text: str) -> None:
    with pytest.raises(UnknownError):
        of(text)


def test_members_of_enumerations() -> None:
    assert of("[color.value for color in Color]", "pkg.other") == ["red", "blue", "GREEN"]
    assert of("Color.BLUE.value", "pkg.other") == "blue"
    assert of("Config.size", "pkg.other") == 3


def test_fields_of_a_class_and_its_bases() -> None:
    module = source().need("pkg.other")
    fields = {one.name: one for one in class_fields(module.find("More"))}
    assert list(fields) == ["size", "names", "kind", "broken", "extra"]
    assert default_value(fields["size"].default, module) == 3 + 4096
    assert default_value(fields["names"].default, module) == ["*"]
    with pytest.raises(UnknownError):
        default_value(fields["broken"].default, module)
    own = {one.name: one for one in class_fields(module.find("Config"))}
    assert (own["size"].doc, own["names"].doc) == ("How large.", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", ["int"]),
        ("Optional[int]", ["int", "None"]),
        ("int | str | None", ["int", "str", "None"]),
        ("'int | None'", ["int", "None"]),
        ("Kind | None", ["Literal", "None"]),
        ("Union[Config, dict]", ["dataclass", "dict"]),
        ("Color", ["Enum"]),
        ("List[int]", ["list"]),
        ("Annotated[float, Field(gt=0)]", ["float"]),
        ("enum.Flag", ["Flag"]),
    ],
)
def test_types(text: str, expected: list[str]) -> None:
    atoms = type_atoms(ast.parse(text, mode="eval").body, source().need("pkg.other"))
    assert [atom.name for atom in atoms] == expected


@pytest.mark.parametrize("text", ["Missing", "something.Missing", "Kind | Missing"])
def test_a_type_that_the_package_should_define_is_not_passed_over(text: str) -> None:
    with pytest.raises(UnknownError):
        type_atoms(ast.parse(text, mode="eval").body, source().need("pkg.other"))


def test_values_of_types() -> None:
    module = source().need("pkg.other")
    (kind, _) = type_atoms(ast.parse("Kind | None", mode="eval").body, module)
    assert kind.values == ("x", "y")
    (listed,) = type_atoms(ast.parse("list[int]", mode="eval").body, module)
    assert listed.arguments == ((TypeAtom("int"),),)
    (color,) = type_atoms(ast.parse("Color", mode="eval").body, module)
    assert color.values == (Member("RED", "red"), Member("BLUE", "blue"), Member("GREEN", "GREEN"))
