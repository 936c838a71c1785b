"""The exported JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autotuner.config.keys import blocks
from autotuner.config.load import validate
from autotuner.config.problems import DocumentError
from autotuner.config.schema import json_schema

EXAMPLES = [
    pytest.param((*path, name), example, id=".".join((*path, name)))
    for path, block in blocks()
    for name, field in block.model_fields.items()
    for example in field.examples or []
]


def place(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A document that holds a value at a path."""
    for key in reversed(path):
        value = {key: [value] if key == "references" and isinstance(value, dict) else value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_every_example_is_accepted_where_it_stands(path: tuple[str, ...], example: object) -> None:
    try:
        validate({"simulation": {}, **place(path, example)})
    except DocumentError as error:
        # One field alone may contradict the rest; its own value must not be what is wrong.
        assert all(p.code == "contradiction" for p in error.problems), error


def test_names_are_listed_and_the_rest_is_closed() -> None:
    schema = json_schema(
        ["one", "two"], strategy_names=["grid"], client_names=["builtin"], deployment_names=["local", "endpoint"]
    )
    json.dumps(schema, allow_nan=False)
    engines = schema["properties"]["base_runtime"]["anyOf"]
    assert {"one", "two"} == {name for branch in engines for name in branch.get("enum", [])}
    definitions = schema["$defs"]
    assert definitions["Optimization"]["properties"]["strategy"]["enum"] == ["grid"]
    assert definitions["Benchmark"]["properties"]["engine"]["enum"] == ["builtin"]
    assert schema["properties"]["deployment_mode"]["enum"] == ["local", "endpoint"]
    for definition in [schema, *(d for d in definitions.values() if "properties" in d)]:
        assert definition["additionalProperties"] is False
        assert all("description" in field for field in definition["properties"].values())


def test_without_names_any_text_is_allowed() -> None:
    assert "enum" not in json_schema([])["$defs"]["Optimization"]["properties"]["strategy"]
