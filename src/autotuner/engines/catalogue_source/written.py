"""Catalogues that no parser can be read for: TensorRT-LLM from its published contract, llama.cpp from ours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from autotuner.contracts.engine import Catalogue, CatalogueParameter, CatalogueSource
from autotuner.engines.catalogues.marks import knowledge, marked
from autotuner.engines.llamacpp.catalogue import CATALOGUE as LLAMACPP

DEPRECATED = "the published contract marks it as deprecated"


def tensorrt_llm() -> Catalogue:
    """The options of ``trtllm-serve``, and keys of its configuration file."""
    data: Any = tomllib.loads((files(__package__) / "tensorrt_llm.toml").read_text(encoding="utf-8"))
    known = knowledge("tensorrt-llm")
    parameters = [*map(_option, data["options"]), *map(_key, data["keys"])]
    return Catalogue(
        engine="tensorrt-llm",
        version=data["version"],
        source=CatalogueSource(kind="document", **data["source"]),
        parameters=tuple(sorted(marked(known, parameters), key=lambda entry: entry.name)),
        gone=known.gone,
        programs=known.programs,
        positionals=known.positionals,
    )


def llamacpp() -> Catalogue:
    """The catalogue of the engine itself."""
    known = knowledge("llamacpp")
    return LLAMACPP.model_copy(
        update={
            "source": CatalogueSource(kind="program", name="autotuner.engines.llamacpp.catalogue"),
            "programs": known.programs,
        }
    )


def _option(given: Mapping[str, Any]) -> CatalogueParameter:
    flag, *others = given["flags"]
    name = given.get("name", flag.removeprefix("--").replace("-", "_"))
    return CatalogueParameter(
        name=name, flag=flag, flags=tuple(others), off_flags=tuple(given.get("off_flags", ())), **_shape(given)
    )


def _key(given: Mapping[str, Any]) -> CatalogueParameter:
    return CatalogueParameter(name=given["key"].replace(".", "_"), flag="", key=given["key"], **_shape(given))


def _shape(given: Mapping[str, Any]) -> dict[str, Any]:
    kind = given.get("type", "choice" if "choices" in given else "str")
    repeated = given.get("repeat", False)
    return {
        "type": "list" if repeated else kind,
        "arity": "repeat" if repeated else "one",
        "items": "str" if repeated else "",
        "choices": tuple(given.get("choices", ())),
        "default": given.get("default"),
        "low": given.get("low"),
        "high": given.get("high"),
        "help": given["help"],
        "deprecated": DEPRECATED if given.get("deprecated") else "",
    }
