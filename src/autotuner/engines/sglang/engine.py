"""SGLang as an engine of the tuner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property

from autotuner.contracts.attempt import API_KEY, HOST, PORT, Command, ServerFacts, file_argument
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
from autotuner.engines.sglang.logs import LOG_PATTERNS
from autotuner.engines.sglang.neutral import TABLE
from autotuner.engines.sglang.rules import RULES, layout, world_size
from autotuner.engines.suggestion import suggest_for_gpus

PACKAGES = ("sglang",)
MODULE = ("-m", "sglang.launch_server")
KEY_FILE = "server.yaml"
KEY_TEXT = json.dumps({"api-key": API_KEY}) + "\n"
"""There is no variable for the key, and an argument would show it to everybody on the host."""
OWNED = ("--model-path", "--host", "--port", "--served-model-name", "--api-key", "--config")
"""Flags that the tuner itself sets."""


class SglangEngine:
    """SGLang: its server, as a module of the runtime's Python or as the runtime's command."""

    name = "sglang"
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
        """How the server is talked to. It has metrics only with --enable-metrics."""
        return ServerFacts(
            metrics_path="/metrics",
            metric_names=METRIC_NAMES,
            cache_reset_path="/flush_cache",
            version_path="/server_info",
            version_field="version",
            log_patterns=LOG_PATTERNS,
            dialect="sglang",
        )

    @property
    def request_body(self) -> Mapping[str, object]:
        """Keeps the asked output length."""
        return {"ignore_eos": True}

    def with_catalogue(self, catalogue: Catalogue) -> SglangEngine:
        """See the protocol."""
        return SglangEngine(catalogue=catalogue)

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
        argv = [*runtime.launcher_prefix, *program, "--model-path", launch.model, "--host", HOST, "--port", PORT]
        argv += ["--served-model-name", launch.served_name, "--config", file_argument(KEY_FILE)]
        argv += self._writer.flags(self._writer.checked(launch.parameters))
        return Command(argv=(*argv, *runtime.extra_args), env=dict(runtime.env), files={KEY_FILE: KEY_TEXT})

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
        return suggest_for_gpus("max_running_requests", "chunked_prefill_size", concurrency)
