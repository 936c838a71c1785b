"""Cases that schemathesis makes of the OpenAPI document, moved to what there is: ids that exist, bodies that work."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemathesis import Case, Response
from schemathesis.core.parameters import ParameterLocation
from seeded import Seeded
from served import HEADERS

KINDS = {
    "task_id": "tasks",
    "experiment_id": "experiments",
    "attempt_id": "attempts",
    "preset_id": "presets",
    "engine": "engines",
    "name": "profiles",
    "path": "artefacts",
}
"""Parameter of a path → kind of thing."""
OF_PATHS = {
    "/api/webhooks/{name}/deliveries": {"name": "webhooks"},
    "/api/webhooks/{name}/test": {"name": "webhooks"},
    "/api/tasks/{task_id}/export/aiconfigurator": {"task_id": "imported_tasks"},
    "/api/tasks/{task_id}/deploy": {"task_id": "completed_tasks"},
    "/api/experiments/{experiment_id}/logs": {"experiment_id": "logged_experiments"},
    "/api/experiments/{experiment_id}/artefacts/{path}": {"experiment_id": "logged_experiments"},
    "/api/experiments/{experiment_id}/reproduce": {"experiment_id": "logged_experiments"},
}
"""The same for a path that does something with few of them only."""

KNOWN_SHARE = 0.95
"""How often a path names something that is there."""
GIVEN_SHARE = 0.25
"""How often a query parameter or header that need not be there is."""


@dataclass
class Tally:
    """What the calls of one operation answered."""

    answers: Counter[int] = field(default_factory=Counter)
    checked_links: int = 0

    @property
    def cases(self) -> int:
        return sum(self.answers.values())

    @property
    def reached(self) -> int:
        """Answers that depend on what there is: it was done, or the state did not allow it."""
        return sum(number for status, number in self.answers.items() if 200 <= status < 300 or status == 409)


def is_wrong(case: Case, location: ParameterLocation) -> bool:
    """Whether schemathesis made that part of a case wrong on purpose."""
    part = case.meta.components.get(location) if case.meta is not None else None
    return part is not None and part.mode.is_negative


def move(case: Case, there: Seeded, rng: random.Random, bodies: Sequence[Any]) -> None:
    """Change a case so that more than the checks of its form is reached; wrong parts stay wrong.

    ``bodies``: examples, of which the case gets one; none: its body stays.
    """
    if case.path_parameters and not is_wrong(case, ParameterLocation.PATH):
        for name, generated in case.path_parameters.items():
            if rng.random() < KNOWN_SHARE:
                kind = OF_PATHS.get(case.operation.path, {}).get(name, KINDS[name])
                known = rng.choice(there.values(kind))
                # Of the same type: a part that no longer fits the schema would count as wrong.
                case.path_parameters[name] = str(known) if isinstance(generated, str) else known
    if case.query and not is_wrong(case, ParameterLocation.QUERY):
        _thin(case.query, _declared(case, ParameterLocation.QUERY), rng)
        if "ids" in case.query and rng.random() < KNOWN_SHARE:
            case.query["ids"] = ",".join(str(rng.choice(there.values("experiments"))) for _ in range(2))
    if not is_wrong(case, ParameterLocation.HEADER):
        _thin(case.headers, _declared(case, ParameterLocation.HEADER) | set(HEADERS), rng)
        case.headers.update(HEADERS)
    if bodies:
        case.body = renamed(rng.choice(bodies), rng)


def examples(operation: Mapping[str, Any], document: Mapping[str, Any]) -> list[Any]:
    """The JSON bodies that the document gives as examples of an operation."""
    content = resolved(operation.get("requestBody", {}), document).get("content", {}).get("application/json", {})
    found = [one["value"] for one in content.get("examples", {}).values()]
    found += [content["example"]] if "example" in content else []
    schema = resolved(content.get("schema", {}), document)
    branches = [resolved(branch, document) for branch in (schema, *schema.get("anyOf", ()))]
    found += [example for branch in branches for example in branch.get("examples", ())]
    return [example for number, example in enumerate(found) if example not in found[:number]]


def resolved(part: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference of an OpenAPI document leads to."""
    while "$ref" in part:
        found: Any = document
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        part = found
    return part


def renamed(body: Any, rng: random.Random) -> Any:
    """A copy with other names for what it makes, since names are unique."""
    if isinstance(body, dict):
        return {
            key: f"{value} {rng.getrandbits(40):x}"
            if key in ("name", "task_name") and isinstance(value, str)
            else renamed(value, rng)
            for key, value in body.items()
        }
    return [renamed(item, rng) for item in body] if isinstance(body, list) else body


def follow(case: Case, response: Response, tally: Tally, *, get: Any) -> None:
    """What was made is there; what was deleted is not."""
    if case.method == "POST" and response.status_code == 201 and "location" in response.headers:
        place = response.headers["location"][0]
        if _can_be_read(place, case.operation.schema.raw_schema):
            assert get(place).status_code == 200, f"{case.operation.label} made {place}, which is not there"
            tally.checked_links += 1
    if case.method == "DELETE" and 200 <= response.status_code < 300:
        place = case.formatted_path
        if _can_be_read(place, case.operation.schema.raw_schema):
            assert get(place).status_code == 404, f"{case.operation.label} left {place}"
            tally.checked_links += 1


def _can_be_read(place: str, document: Mapping[str, Any]) -> bool:
    return any(
        "get" in calls and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), place)
        for path, calls in document["paths"].items()
    )


def _declared(case: Case, location: ParameterLocation) -> set[str]:
    """Required parameters of an operation, in one place."""
    return {
        parameter.name
        for parameter in case.operation.iter_parameters()
        if parameter.location is location and parameter.is_required
    }


def _thin(given: Any, required: set[str], rng: random.Random) -> None:
    for name in list(given):
        if name not in required and rng.random() > GIVEN_SHARE:
            del given[name]
