"""TensorRT-LLM as an engine of the tuner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePath

from autotuner.contracts.attempt import HOST, PORT, Command, ServerFacts, file_argument
from autotuner.contracts.engine import (
    Catalogue,
    LaunchRequest,
    ModelFormat,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import NeutralTable
from autotuner.contracts.values import Scalar
from autotuner.engines.catalogues.shelf import Shelf
from autotuner.engines.command_line import CommandLine, file_text
from autotuner.engines.gpu_rules import summary
from autotuner.engines.hf_model import read_model
from autotuner.engines.installed import check_installed, interpreter
from autotuner.engines.metric_names import METRIC_NAMES
from autotuner.engines.suggestion import suggest_for_gpus
from autotuner.engines.tensorrt_llm.logs import LOG_PATTERNS
from autotuner.engines.tensorrt_llm.neutral import TABLE
from autotuner.engines.tensorrt_llm.rules import CP, PP, RULES, TP, layout, world_size

PACKAGES = ("tensorrt-llm", "tensorrt_llm")
PROGRAM = "trtllm-serve"
CONFIG_FILE = "trtllm.yaml"
OWNED = ("--host", "--port", "--served_model_name", "--config")
"""Flags that the tuner itself sets."""


class TensorrtLlmEngine:
    """TensorRT-LLM: trtllm-serve, with a file for what has no flag."""

    name = "tensorrt-llm"
    aliases: tuple[str, ...] = ("trtllm", "tensorrt_llm")
    predicted = False
    own_deployment: str | None = None
    own_client: str | None = None
    model_format: ModelFormat = "hf"
    typical_start_s: float = 60.0
    neutral: NeutralTable = TABLE

    def __init__(self, version: str | None = None, *, catalogue: Catalogue | None = None) -> None:
        """``version``: of the catalogue; None: the newest. ``catalogue``: this one, whatever its version."""
        self._version = version
        self._given = catalogue

    @cached_property
    def catalogue(self) -> Catalogue:
        """Parameters of its server."""
        return (self._given or Shelf().get(self.name, self._version)).reserving(OWNED)

    @cached_property
    def _writer(self) -> CommandLine:
        return CommandLine(self.catalogue, TABLE.rows)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Known constraints."""
        return RULES

    @property
    def server(self) -> ServerFacts:
        """How the server is talked to. It knows no key, and has metrics only with return_perf_metrics."""
        return ServerFacts(
            metrics_path="/prometheus/metrics",
            metric_names=METRIC_NAMES,
            version_path="/version",
            version_field="version",
            log_patterns=LOG_PATTERNS,
            dialect="openai",
            takes_key=False,
        )

    @property
    def request_body(self) -> Mapping[str, object]:
        """Keeps the asked output length."""
        return {"ignore_eos": True}

    def with_catalogue(self, catalogue: Catalogue) -> TensorrtLlmEngine:
        """See the protocol."""
        return TensorrtLlmEngine(catalogue=catalogue)

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        """See the protocol."""
        return world_size(values)

    def summary(self, values: Mapping[str, Scalar]) -> str:
        """See the protocol."""
        return summary(layout(values))

    def command(self, launch: LaunchRequest) -> Command:
        """See the protocol. AutotunerError: UNKNOWN_PARAMETER, INVALID_VALUE, CONTRADICTION."""
        runtime = launch.runtime
        program = runtime.command or (_program(runtime),)
        values = self._writer.checked(launch.parameters)
        text = file_text(values)
        argv = [*runtime.launcher_prefix, *program, launch.model, "--host", HOST, "--port", PORT]
        argv += ["--served_model_name", launch.served_name]
        argv += self._writer.flags(values)
        if text:
            argv += ["--config", file_argument(CONFIG_FILE)]
        files = {CONFIG_FILE: text} if text else {}
        return Command(argv=(*argv, *runtime.extra_args), env=dict(runtime.env), files=files)

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        """Nothing: no deployment or client is this engine's own."""
        return {}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        """See the protocol. Does not import the engine."""
        return check_installed(runtime, PACKAGES, self.catalogue)

    def read_model(self, path: str) -> Mapping[str, object]:
        """Facts of a model folder; of an engine directory the parallel sizes with which it was built."""
        built = _built(Path(path).expanduser())
        return read_model(path) if built is None else built

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        """Limits of a step, around the concurrency."""
        return suggest_for_gpus("max_batch_size", "max_num_tokens", concurrency)


def _program(runtime: Runtime) -> str:
    """The script beside the runtime's interpreter; without one, that of the search path."""
    return PROGRAM if runtime.python is None else str(PurePath(interpreter(runtime)).with_name(PROGRAM))


def _built(folder: Path) -> Mapping[str, object] | None:
    """Parallel sizes of an engine directory; None for a checkpoint."""
    if not any(folder.glob("rank*.engine")):
        return None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        mapping = config["pretrained_config"]["mapping"]
        sizes = {name: mapping.get(key, 1) for name, key in ((TP, "tp_size"), (PP, "pp_size"), (CP, "cp_size"))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_MODEL,
            f"the engine directory {folder} cannot be used",
            why=f"its config.json does not tell how it was built ({error})",
            remedy="build it again, or name a checkpoint",
            place="model.id_or_path",
        ) from error
    return {f"built.{name}": size for name, size in sizes.items()}
