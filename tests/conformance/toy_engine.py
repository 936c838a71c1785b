"""A small engine for tests of the planner: every type of parameter, rules, and parameters that join in one flag."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autotuner.config.load import validate
from autotuner.contracts.attempt import API_KEY, PORT, Command, ServerFacts
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    LaunchRequest,
    ModelFormat,
    PlanContext,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import NeutralTable
from autotuner.contracts.values import Scalar
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile

PARAMETERS = (
    CatalogueParameter(
        name="tp", flag="--tp-size", aliases=("tensor-parallel-size",), type="int", low=1, high=64, default=1
    ),
    CatalogueParameter(name="dp", flag="--dp-size", type="int", low=1, high=64, default=1),
    CatalogueParameter(name="seqs", flag="--max-num-seqs", type="int", low=1, high=4096, default=256),
    CatalogueParameter(name="fraction", flag="--mem-fraction", type="float", low=0.1, high=0.95, default=0.9),
    CatalogueParameter(
        name="policy", flag="--schedule-policy", type="choice", choices=("fcfs", "lpm", "priority"), default="fcfs"
    ),
    CatalogueParameter(
        name="level", flag="--level", type="choice", choices=("low", "middle", "high"), default="low", ordered=True
    ),
    CatalogueParameter(name="bits", flag="--bits", type="choice", choices=(4, 8, 16), default=16),
    CatalogueParameter(name="eager", flag="--eager", type="bool", default=False),
    CatalogueParameter(name="cache", flag="--cache", type="bool", default=True),
    CatalogueParameter(name="length", flag="--length", type="int", low=1, help="written as --total = length × dp"),
    CatalogueParameter(name="total", flag="--total", type="int", low=1),
    CatalogueParameter(name="kernel", flag="--kernel", type="str"),
)


def _number(values: Mapping[str, Scalar], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value


def _world_size(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
    asked = _number(values, "tp") * _number(values, "dp")
    if context.total_gpus is None or asked <= context.total_gpus:
        return None
    return f"{asked} GPUs are more than {context.total_gpus}"


def _one_total(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
    return "length and total are one" if {"length", "total"} <= values.keys() else None


def _small_model(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
    too_few = values["model"] == "large.gguf" and values["bits"] == 4
    return "large.gguf does not exist with 4 bits" if too_few else None


RULES = (
    Rule("world_size", frozenset({"tp", "dp"}), _world_size),
    Rule("one_total", frozenset({"length", "total"}), _one_total),
    Rule("small_model", frozenset({"model", "bits"}), _small_model),
)


def numbers(*names: str) -> tuple[CatalogueParameter, ...]:
    """Parameters without a default that take any whole number."""
    return tuple(CatalogueParameter(name=name, flag=f"--{name}", type="int") for name in names)


@dataclass(frozen=True)
class ToyEngine:
    """Meets ``contracts.engine.Engine``. A kernel named ``unwritable`` is a value that it cannot express."""

    parameters: tuple[CatalogueParameter, ...] = PARAMETERS
    rules: tuple[Rule, ...] = RULES
    request_body: Mapping[str, object] = field(default_factory=lambda: {"ignore_eos": True, "min_tokens": 1})
    name: str = "toy"
    aliases: tuple[str, ...] = ()
    predicted: bool = False
    own_deployment: str | None = None
    own_client: str | None = None
    model_format: ModelFormat = "gguf"
    typical_start_s: float = 2.0
    server: ServerFacts = field(default_factory=ServerFacts)
    neutral: NeutralTable = field(default_factory=NeutralTable)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(engine=self.name, version="1", parameters=self.parameters)

    def command(self, launch: LaunchRequest) -> Command:
        values = dict(launch.parameters)
        if values.get("kernel") == "unwritable":
            raise AutotunerError(ErrorCode.INVALID_VALUE, "kernel cannot be written", why="so it is", remedy="change")
        runtime = launch.runtime
        program = runtime.command or (runtime.python or "/opt/toy/python", "-u", "/opt/toy/main.py")
        argv = [*runtime.launcher_prefix, *program, "--model", launch.model, "--port", PORT]
        length = values.pop("length", None)
        if length is not None:
            values["total"] = _number({"length": length}, "length") * _number({"dp": 1, **values}, "dp")
        for parameter in self.parameters:
            value = values.pop(parameter.name, None)
            if value is True:
                argv.append(parameter.flag)
            elif value is False:
                argv.append(parameter.flag.replace("--", "--no-", 1))
            elif value is not None:
                argv += [parameter.flag, str(value)]
        assert not values, "the planner passed on names that the catalogue lacks"
        return Command(argv=(*argv, *runtime.extra_args), env={"TOY_KEY": API_KEY, **runtime.env})

    def with_catalogue(self, catalogue: Catalogue) -> ToyEngine:
        return self

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        return None

    def summary(self, values: Mapping[str, Scalar]) -> str:
        return ""

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        return {}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        return RuntimeInfo("1")

    def read_model(self, path: str) -> Mapping[str, object]:
        return {}

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        return Suggestion({}, "nothing to suggest")


def toy_plan(
    parameters: Mapping[str, object] | None = None,
    *,
    engine: ToyEngine | None = None,
    cores: Sequence[int] = (0, 1),
    gpus: int | None = None,
    models: Sequence[str] = ("small.gguf",),
    seed: int = 0,
    **blocks: Mapping[str, object] | str,
) -> Plan:
    """The plan of a document with these parameters and blocks."""
    data = {"model": {"id_or_path": list(models)}, "parameters": dict(parameters or {}), **blocks}
    return make_plan(
        validate(data),
        engine=engine or ToyEngine(),
        models=[ModelFile(name, f"/models/{name}", {}) for name in models],
        host=HostFacts(cores=tuple(cores), gpus=gpus),
        rng=random.Random(seed),
    )


def argv(plan: Plan, configuration: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The flags of a configuration: what stands behind the port."""
    words = plan.resolver.command(configuration).argv
    return words[words.index(PORT) + 1 :]
