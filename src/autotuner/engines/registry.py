"""The engines by name, and the deployments and clients that some of them bring along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from autotuner.contracts.client import BenchmarkClient
from autotuner.contracts.deployment import Deployment
from autotuner.contracts.engine import Engine
from autotuner.contracts.load_curve import LoadCurve
from autotuner.contracts.presets import NewPreset
from autotuner.contracts.registry import Registry

ENGINES: Registry[Callable[[], Engine]] = Registry(
    kind="engine",
    group="autotuner.engines",
    place="base_runtime",
    built_in={
        "llamacpp": "autotuner.engines.llamacpp.engine:LlamaCppEngine",
        "sglang": "autotuner.engines.sglang.engine:SglangEngine",
        "simulated": "autotuner.engines.simulated.engine:SimulatedEngine",
        "tensorrt-llm": "autotuner.engines.tensorrt_llm.engine:TensorrtLlmEngine",
        "vllm": "autotuner.engines.vllm.engine:VllmEngine",
    },
    aliases={"llama.cpp": "llamacpp", "llama_cpp": "llamacpp", "trtllm": "tensorrt_llm", "trt_llm": "tensorrt_llm"},
    preferred="llamacpp",
)

OWN_DEPLOYMENTS: Registry[Callable[[], Deployment]] = Registry(
    kind="deployment of an engine",
    group="autotuner.engine_deployments",
    place="base_runtime",
    built_in={"simulated": "autotuner.engines.simulated.deployment:SimulatedDeployment"},
)

OWN_CLIENTS: Registry[Callable[[], BenchmarkClient]] = Registry(
    kind="client of an engine",
    group="autotuner.engine_clients",
    place="base_runtime",
    built_in={"simulated": "autotuner.engines.simulated.client:SimulatedClient"},
)

DEFAULT_ENGINE = "llamacpp"


@cache
def engine(name: str) -> Engine:
    """The engine of that name or alias. AutotunerError (UNKNOWN_NAME) with the nearest name."""
    return ENGINES.load(name)()


def engine_for_model(path: str) -> Engine:
    """The engine that serves such a model where the document names none: the one for the kind of file.

    Only llama.cpp serves GGUF files, and it is the default for everything else, with its own error for the rest.
    """
    return engine("llamacpp" if Path(path).suffix.lower() == ".gguf" else DEFAULT_ENGINE)


def demonstration() -> dict[str, Any]:
    """The task document of `autotuner demo`: a search over predicted figures of a 32B model on 8 GPUs."""
    from autotuner.engines.simulated.demonstration import DOCUMENT

    return dict(DOCUMENT)


def predicted_curve(surface: str, settings: Mapping[str, str]) -> LoadCurve:
    """What a configuration of a table of predictions does at each load. AutotunerError when the table can't tell."""
    from autotuner.engines.simulated.serving import load_curve

    return load_curve(surface, settings)


def system_presets() -> tuple[NewPreset, ...]:
    """The parameter presets that come with the program, in the order of their numbers."""
    from autotuner.engines.sglang.presets import SYSTEM_PRESETS

    return SYSTEM_PRESETS
