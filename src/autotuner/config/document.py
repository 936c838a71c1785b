"""The task document. ``load.validate`` makes one; contradictions between fields are found there."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue

from autotuner.config.assembled import Assembled
from autotuner.config.benchmark import Benchmark
from autotuner.config.block import Block
from autotuner.config.merging import MergeRules, StrategyName
from autotuner.config.optimization import Optimization
from autotuner.config.parameters import Spec
from autotuner.config.problems import refuse
from autotuner.config.quality import Quality
from autotuner.config.slo import Slo
from autotuner.config.structured import (
    AdvancedTuningConfig,
    MemoryConfig,
    ParallelConfig,
    QuantConfig,
    QuantizationConfig,
    SchedulingConfig,
)

ENDPOINT_MODE = "endpoint"
"""The deployment mode in which nothing is deployed: somebody else's server is measured."""

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(c.isspace() for c in url):
        raise refuse(f"{url!r:.80} is not the address of a server", "Write http://HOST:PORT or https://HOST")
    if parts.username or parts.password:
        raise refuse("the address holds a user name or password", "Leave them out: documents are stored and shown")
    return url.rstrip("/")


def _env_names(env: dict[str, Spec]) -> dict[str, Spec]:
    for name in env:
        if not _ENV_NAME.fullmatch(name):
            raise refuse(f"{name!r} is not a variable's name", "Use letters, digits and underscores")
    return env


def _parameter_names(parameters: dict[str, Spec]) -> dict[str, Spec]:
    for name in parameters:
        if not name.strip("- ") or name != name.strip():
            raise refuse(f"{name!r} is not a parameter's name", "Write the flag's name, with or without its dashes")
    return parameters


def _distinct_cores(cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if cores is None else tuple(dict.fromkeys(cores))


Name = Annotated[str, Field(min_length=1)]
PresetName = Name | Annotated[int, Field(ge=1)]
Cores = Annotated[
    Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None, AfterValidator(_distinct_cores)
]


class Model(Block):
    """The model that is served."""

    id_or_path: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None,
        description="name on a model hub, or path; a list of files of one model is searched",
        examples=["Qwen/Qwen3-0.6B", ["model-q8_0.gguf", "model-q4_0.gguf"]],
    )
    served_name: Name | None = Field(None, description="name under which it is served; default: derived from the path")
    revision: Name | None = Field(None, description="branch, tag or commit on the hub", examples=["main"])
    namespace: Name = Field("autotuner", description="namespace of the cluster resources made for it")

    @property
    def files(self) -> tuple[str, ...]:
        """The names or paths to choose from, each once; empty if none is given."""
        if self.id_or_path is None:
            return ()
        return (self.id_or_path,) if isinstance(self.id_or_path, str) else tuple(dict.fromkeys(self.id_or_path))


class RuntimeBlock(Block):
    """How the engine is started here."""

    later: ClassVar[frozenset[str]] = frozenset({"image"})

    python: Name | None = Field(None, description="venv folder or interpreter that has the engine", examples=[".venv"])
    command: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None, description="command that replaces the engine's usual one, as a list", examples=[["/opt/bin/server"]]
    )
    launcher_prefix: tuple[Name, ...] = Field(
        (), description="put before the command", examples=[["numactl", "--membind=0"]]
    )
    env: Annotated[dict[str, Spec], AfterValidator(_env_names)] = Field(
        default_factory=dict,
        description="environment variables of the server; a list of values is searched, null leaves one out; env:NAME "
        "and file:/path stand for a secret, which is read at the start and stored nowhere",
        examples=[{"OMP_NUM_THREADS": [1, 2]}],
    )
    extra_args: tuple[str, ...] = Field((), description="arguments appended as they are", examples=[["--verbose"]])
    allow_unknown_flags: bool = Field(False, description="whether parameters that the catalogue lacks are passed on")
    server_cores: Cores = Field(
        None, description="numbers of the cores for the server; default: chosen by the planner", examples=[[0, 1]]
    )
    client_cores: Cores = Field(
        None, description="numbers of the cores for the client; default: chosen by the planner", examples=[[2]]
    )


class Simulation(Block):
    """Predicted results in place of a server, for engines that serve predictions."""

    surface: Name | None = Field(None, description="table of predictions, by name or path")
    backend: Name | None = Field(None, description="back end whose rows of the table are used")
    isl: int | None = Field(None, ge=1, description="prompt length whose rows are used, tokens", examples=[4000])
    osl: int | None = Field(None, ge=1, description="answer length whose rows are used, tokens", examples=[500])
    noise: float = Field(0.0, ge=0, le=1, description="relative standard deviation of each figure, 0 to 1")
    recorded_noise: Name | None = Field(
        None, description="file of noise recorded on real starts, used in place of noise", examples=["noise.json"]
    )
    crash_share: float = Field(0.0, ge=0, le=1, description="share of starts that crash by chance, 0 to 1")
    startup_s: float = Field(0.0, ge=0, description="time that a start takes, seconds")


class DeploymentBlock(Block):
    """Where the server runs."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "network", "shm_size", "ipc", "mounts", "pull_timeout", "storage", "placement", "kubeconfig",
            "runtime_name",
        }
    )  # fmt: skip

    endpoint_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None,
        description="address of a running server, for deployment_mode endpoint",
        examples=["http://127.0.0.1:8000"],
    )
    gpu_wait_timeout: float = Field(300.0, gt=0, description="how long to wait for free GPUs, seconds")


class SystemConfig(Block):
    """The hardware; what is not given is looked up on the host."""

    gpu_type: Name | None = Field(None, description="kind of GPU", examples=["h200_sxm"])
    total_gpus: int | None = Field(None, ge=0, description="number of GPUs that may be used", examples=[8])
    memory_per_gpu: float | None = Field(None, gt=0, description="memory of one GPU, GB", examples=[141])
    nvlink_bandwidth: float | None = Field(None, gt=0, description="NVLink bandwidth of one GPU, GB/s", examples=[900])
    pcie_bandwidth: float | None = Field(None, gt=0, description="PCIe bandwidth of one GPU, GB/s", examples=[64])
    interconnect_type: Literal["nvlink", "pcie", "infiniband"] | None = Field(
        None, description="what connects the GPUs"
    )


class TaskDocument(Block):
    """One tuning job."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "runtime_image_tag", "priority", "notify",
        }
    )  # fmt: skip

    task_name: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="unique name of the task; default: the file's name"
    )
    description: str = Field("", description="free text")
    deployment_mode: Name = Field("local", description="how the server runs")
    base_runtime: Name | None = Field(None, description="inference engine; default: the default engine")
    profiles: tuple[Name, ...] | None = Field(
        None,
        description="profiles whose values are merged below the document's own, in order",
        examples=[["low-latency", "production"]],
    )
    presets: tuple[PresetName, ...] | None = Field(
        None,
        description="stored presets whose values are merged below the document's own, by name or number, in order",
        examples=[["high-throughput", "memory-efficient"]],
    )
    merge_strategy: StrategyName | MergeRules | None = Field(
        None, description="how several presets are merged; default union", examples=["last_wins"]
    )
    labels: tuple[Name, ...] = Field(
        (), description="free words that are kept with the task; no worker is chosen by them yet", examples=[["gpu"]]
    )
    model: Model = Field(Model(), description="the model that is served")
    runtime: RuntimeBlock = Field(RuntimeBlock(), description="how the engine is started here")
    simulation: Simulation | None = Field(None, description="settings of an engine that serves predictions")
    deployment: DeploymentBlock = Field(DeploymentBlock(), description="where the server runs")
    parameters: Annotated[dict[str, Spec], AfterValidator(_parameter_names)] = Field(
        default_factory=dict,
        description="engine parameters: [values], {type, values | low, high, step, log}, or one fixed value",
        examples=[{"max_num_seqs": [8, 16]}, {"n_batch": {"type": "int", "low": 64, "high": 4096, "log": True}}],
    )
    system_config: SystemConfig = Field(SystemConfig(), description="the hardware")
    parallel_config: ParallelConfig | None = Field(None, description="how the model is spread over GPUs")
    quant_config: QuantConfig | None = Field(None, description="precision of weights and caches")
    quantization_config: QuantizationConfig | None = Field(
        None, description="precision in the words of other tools; the same as quant_config"
    )
    memory_config: MemoryConfig | None = Field(None, description="memory of one GPU")
    scheduling_config: SchedulingConfig | None = Field(None, description="what is computed together")
    advanced_tuning_config: AdvancedTuningConfig | None = Field(
        None, description="further settings of the scheduler and the caches"
    )
    optimization: Optimization = Field(Optimization(), description="the search")
    benchmark: Benchmark = Field(Benchmark(), description="the load and the length of its measurements")
    slo: Slo = Field(Slo(), description="what the served model must keep")
    quality: Quality = Field(Quality(), description="whether answers are as good as the baseline's")
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict, description="free; kept, and read only where an imported file is exported again"
    )
    assembled: Assembled | None = Field(
        None, description="what the document was put together from; written by the program"
    )

    @property
    def measures_endpoint(self) -> bool:
        """Whether somebody else's server is measured and nothing is deployed."""
        return self.deployment_mode == ENDPOINT_MODE
