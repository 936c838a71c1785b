"""What the OpenAPI document says besides the calls: groups, where the service is, and what null means in documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autotuner.config.block import Block

DESCRIPTION = """\
Finds the launch configuration that serves a model best on given hardware, workload and SLO.

Every call needs the token of `autotuner token` as `Authorization: Bearer TOKEN`. Errors are `application/problem+json`
with a stable `code`. Lists answer `items`, `total`, `page` and `size`. Times are UTC. Calls answer with and without
a final slash. What is written back with the number that was read before is refused with 409 when it has changed.
"""

TAGS = (
    {"name": "tasks", "description": "Tuning jobs: make, change, plan, start, cancel, pause, resume, repeat, export."},
    {"name": "documents", "description": "Task documents before they are tasks: schema, a first one, two forms."},
    {"name": "experiments", "description": "The configurations of tasks: results, server starts, logs, artefacts."},
    {"name": "results", "description": "What tasks came to: the best, the evidence, reports, files to deploy it."},
    {"name": "live events", "description": "What happens, live: every change as an event, in order and without gaps."},
    {"name": "presets", "description": "Named sets of parameter values: stored with their history, merged on request."},
    {"name": "profiles", "description": "Named stacks of configuration for a purpose."},
    {"name": "engines", "description": "Inference engines: their parameters, and what becomes of a task with them."},
    {"name": "aiconfigurator", "description": "Files of NVIDIA's aiconfigurator: into tasks, and from them."},
    {"name": "dashboard", "description": "Everything at a glance: counts, queue, workers, GPUs."},
    {"name": "webhooks", "description": "Addresses that are told how tasks end, and what became of that."},
    {"name": "system", "description": "The service itself: whether it works, and what it is."},
)

SERVERS = ({"url": "/", "description": "this service"},)


def complete(made: dict[str, Any]) -> None:
    """Say it in an OpenAPI document; groups without a call are left out."""
    made["servers"] = list(SERVERS)
    for path in made.get("paths", {}).values():
        for call in path.values():
            for parameter in call.get("parameters", ()):
                _leave_out_null(parameter.get("schema", {}))
    used = {tag for path in made.get("paths", {}).values() for call in path.values() for tag in call.get("tags", ())}
    made["tags"] = [tag for tag in TAGS if tag["name"] in used]
    schemas = made.get("components", {}).get("schemas", {})
    for block in _blocks(Block):
        _let_null_be_nothing(schemas.get(block.__name__, {}))


def _leave_out_null(schema: dict[str, Any]) -> None:
    """A parameter of a query or a header is there or not; none of them can be null."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        del schema["anyOf"]
        schema.update({**branches[0], **schema})
    elif branches:
        schema["anyOf"] = branches


def _blocks(base: type[Block]) -> Iterator[type[Block]]:
    for block in base.__subclasses__():
        yield block
        yield from _blocks(block)


def _let_null_be_nothing(schema: dict[str, Any]) -> None:
    """In a block of a document a known key with null counts as not given, whatever the key takes."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        branches = field.get("anyOf", ())
        if name in required or {"type": "null"} in branches:
            continue
        said = {key: field.pop(key) for key in ("title", "description", "default", "examples") if key in field}
        if list(field) == ["anyOf"]:
            field["anyOf"] = [*branches, {"type": "null"}]
        else:
            whole = dict(field)
            field.clear()
            field["anyOf"] = [whole, {"type": "null"}]
        field.update(said)
