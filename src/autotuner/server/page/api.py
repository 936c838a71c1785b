"""The calls of the API as a page, from its OpenAPI document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from autotuner.services.report.markup import Html, group, tag


def api_view(document: Mapping[str, Any]) -> Html:
    """All calls by group."""
    groups: defaultdict[str, list[Html]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[(operation.get("tags") or ["other"])[0]].append(_call(method, path, operation))
    known = {one["name"]: one["description"] for one in document.get("tags", ())}
    return group(
        tag("h1", "API"),
        tag("p", document["info"].get("description", ""), class_="prose"),
        tag("p", tag("a", "OpenAPI document", href="/openapi.json"), ", to make a client of."),
        [
            tag("section", tag("h2", name), tag("p", known.get(name, ""), class_="note"), calls)
            for name, calls in groups.items()
        ],
    )


def _call(method: str, path: str, operation: Mapping[str, Any]) -> Html:
    parameters = [
        tag("li", tag("code", one["name"]), f" ({one['in']}): {one.get('description', '')}")
        for one in operation.get("parameters", ())
    ]
    answers = [
        tag("li", tag("code", status), f": {answer.get('description', '')}")
        for status, answer in operation.get("responses", {}).items()
    ]
    return tag(
        "details",
        tag("summary", tag("code", f"{method.upper()} {path}"), f" {operation.get('summary', '')}"),
        tag("p", operation.get("description", ""), class_="prose"),
        tag("ul", parameters) if parameters else None,
        tag("p", "Answers") if answers else None,
        tag("ul", answers) if answers else None,
    )
