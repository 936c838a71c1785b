"""Plans of tasks for engines on GPUs, without an engine, a model or a GPU."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from autotuner.config.load import validate
from autotuner.contracts.engine import Engine
from autotuner.contracts.quality import PromptSet
from autotuner.contracts.values import Configuration
from autotuner.engines.registry import engine
from autotuner.modelling.config_json import read_config
from autotuner.modelling.facts import ModelFacts
from autotuner.planning.argv import arguments_from, check_argv
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile

MODEL = "owner/model"

ENGINES = ("vllm", "sglang", "tensorrt-llm")


def facts(*, experts: int = 0, heads: int = 32, quantised: Mapping[str, object] | None = None) -> ModelFacts:
    """A model of a known shape."""
    moe = {"num_experts": experts, "num_experts_per_tok": 2, "moe_intermediate_size": 1408} if experts else {}
    config: dict[str, object] = {
        "architectures": ["Qwen3MoeForCausalLM" if experts else "LlamaForCausalLM"],
        "model_type": "qwen3_moe" if experts else "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
        **moe,
        **({"quantization_config": dict(quantised)} if quantised else {}),
    }
    return read_config(MODEL, config)


def plan(
    name: str,
    *,
    gpus: int | None = None,
    model: ModelFacts | None = None,
    gpu: str | None = None,
    called: str = MODEL,
    prompts: PromptSet | None = None,
    of: Engine | None = None,
    **blocks: Any,
) -> Plan:
    """The plan of a document with these blocks for an engine; ``of``: this one of its versions."""
    system = {"total_gpus": gpus, "gpu_type": gpu}
    asked = {
        "base_runtime": name,
        "model": {"id_or_path": called, "served_name": "model"},
        "system_config": system,
        **blocks,
    }
    known: dict[str, object] = {} if model is None else {"facts": model}
    return make_plan(
        validate(asked),
        engine=of or engine(name),
        models=[ModelFile(called, called, known)],
        host=HostFacts(cores=(0, 1)),
        rng=random.Random(0),
        prompts=prompts,
    )


def argv(made: Plan, configuration: Configuration) -> tuple[str, ...]:
    """The flags of a configuration, behind the model, the address and the name that every command has."""
    words = made.resolver.command(configuration).argv
    end = words.index("model", words.index("{port}")) + 1
    rest = words[end:]
    return rest[2:] if rest[:2] == ("--config", "{file:server.yaml}") else rest


def all_argv(made: Plan) -> list[str]:
    """The flags of every configuration in the order of the space, one line each."""
    return [" ".join(argv(made, configuration)) for configuration in made.space.enumerate()]


def refused_words(made: Plan, configuration: Configuration) -> list[str]:
    """What the catalogue does not know of the whole command: flags by exact name, values by exact list."""
    catalogue = made.resolver.engine.catalogue
    words = made.resolver.command(configuration).argv
    problems = check_argv(catalogue, words[arguments_from(catalogue, words) :])
    return [problem.message for problem in problems if problem.error]
