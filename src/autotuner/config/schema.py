"""The JSON Schema of the task document, for editors and forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.merging import STRATEGIES


def json_schema(
    engine_names: Sequence[str],
    *,
    strategy_names: Sequence[str] = (),
    client_names: Sequence[str] = (),
    deployment_names: Sequence[str] = (),
) -> dict[str, Any]:
    """The schema of what ``parse`` accepts; fields that name a plug-in list the given names (none: any text)."""
    schema = TaskDocument.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Task document"
    definitions: Mapping[str, Any] = schema["$defs"]
    _list_names(schema["properties"]["base_runtime"], engine_names)
    _list_names(schema["properties"]["deployment_mode"], deployment_names)
    _list_names(schema["properties"]["merge_strategy"], STRATEGIES)
    _list_names(definitions["MergeRules"]["properties"]["default"], STRATEGIES)
    _list_names(definitions["Optimization"]["properties"]["strategy"], strategy_names)
    benchmark = definitions["Benchmark"]["properties"]
    _list_names(benchmark["engine"], client_names)
    benchmark["benchmark_engine"] = {**benchmark["engine"], "description": "the same as engine"}
    return schema


def _list_names(field: dict[str, Any], names: Sequence[str]) -> None:
    if not names:
        return
    for branch in field.get("anyOf", [field]):
        if branch.get("type") == "string":
            branch["enum"] = list(names)
