"""The OpenAPI document: every call can be read, and a typed client made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from schema_cases import examples, resolved
from served import client, serving, settings_in

from autotuner.server.app import create_app
from autotuner.server.description import TAGS

FREE_TEXT = ("text/plain", "text/html", "text/csv", "text/event-stream", "application/octet-stream")
HEALTH = ("GET /api/system/health", "503")
"""Tells what is wrong in the form in which it tells that nothing is."""
SAYS_A_KIND = {"type", "$ref", "anyOf", "oneOf", "allOf", "const", "enum"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(settings_in(tmp_path_factory.mktemp("description"))).openapi()


def calls(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def schemas(part: object, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema of a property, parameter or body, with its place."""
    if isinstance(part, Mapping):
        for key, inner in part.items():
            if key == "properties" and isinstance(inner, Mapping):
                for name, schema in inner.items():
                    yield f"{place}.{name}", schema
            elif key in {"schema", "items"} and isinstance(inner, Mapping):
                yield f"{place}.{key}", inner
            if key not in {"examples", "example", "default"}:
                yield from schemas(inner, f"{place}.{key}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from schemas(inner, f"{place}.{number}")


def test_every_call_says_what_it_does(document: dict[str, Any]) -> None:
    groups = {tag["name"] for tag in TAGS}
    for label, call in calls(document):
        assert call.get("summary"), label
        assert call.get("description"), label
        assert set(call.get("tags", ())) and set(call["tags"]) <= groups, label
    assert {tag["name"] for tag in document["tags"]} <= groups
    assert all(tag["description"] for tag in document["tags"])


def test_every_call_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [call["operationId"] for _, call in calls(document)]
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name)] == []
    assert len(set(names)) == len(names)


def test_every_answer_has_a_form(document: dict[str, Any]) -> None:
    for label, call in calls(document):
        done = {status: answer for status, answer in call["responses"].items() if status.startswith("2")}
        assert done, label
        for status, answer in done.items():
            assert answer["description"], label
            if status == "204":
                assert "content" not in answer, label
                continue
            assert answer["content"], label
            for media_type, content in answer["content"].items():
                assert media_type in FREE_TEXT or content.get("schema"), f"{label} {status} {media_type}"


def test_every_call_says_how_it_fails(document: dict[str, Any]) -> None:
    for label, call in calls(document):
        failures = {status: answer for status, answer in call["responses"].items() if status[0] in "45"}
        for status, answer in failures.items():
            if (label, status) != HEALTH:
                assert set(answer["content"]) == {"application/problem+json"}, f"{label} {status}"
        takes = call.get("parameters") or call.get("requestBody")
        assert "422" in failures or not takes, label
        assert "404" in failures or "{" not in label, label
        if call.get("security", document["security"]):
            assert "401" in failures, label


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for label, call in calls(document):
        if "application/json" in call.get("requestBody", {}).get("content", {}):
            assert examples(call, document), label


def test_every_field_is_described(document: dict[str, Any]) -> None:
    missing = [
        f"{model}.{name}"
        for model, schema in document["components"]["schemas"].items()
        for name, field in schema.get("properties", {}).items()
        if not resolved(field, document).get("description") and not field.get("description")
    ]
    assert missing == []
    parameters = [
        f"{label} {parameter['name']}"
        for label, call in calls(document)
        for parameter in call.get("parameters", ())
        if not parameter.get("description")
    ]
    assert parameters == []


def test_nothing_can_be_anything_without_a_word(document: dict[str, Any]) -> None:
    """What has no kind is free JSON, and says so."""
    loose = [
        place for place, schema in schemas(document) if not SAYS_A_KIND & set(schema) and "description" not in schema
    ]
    assert loose == []


def test_a_client_knows_where_and_how(document: dict[str, Any]) -> None:
    assert document["servers"]
    assert document["info"]["description"]
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/presets", "create_preset"),
        ("/api/presets/merge", "merge_presets"),
        ("/api/presets/suggest", "suggest_presets"),
        ("/api/presets/import", "import_preset"),
        ("/api/tasks/from-context", "create_task_from_context"),
        ("/api/engines/validate", "validate_for_engine"),
        ("/api/engines/preview", "preview_for_engine"),
        ("/api/aiconfigurator/import", "import_aiconfigurator"),
    ],
)
async def test_examples_work(document: dict[str, Any], tmp_path: Path, path: str, body: str) -> None:
    """Of calls that need nothing to be there; the others' are tried by the schema test."""
    (call,) = [call for _, call in calls(document) if call["operationId"] == body]
    app = create_app(settings_in(tmp_path))
    async with serving(app) as address, client(address, timeout=60) as http:
        for example in examples(call, document):
            answer = await http.post(path, json=example)
            assert answer.is_success, answer.text
            assert answer.json().get("valid", True), answer.text
