"""An inference engine: its parameters, its rules, and the command that starts it. Pure, except ``check_runtime``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import Field

from autotuner.contracts.attempt import Command, ServerFacts
from autotuner.contracts.values import Frozen, Scalar


class CatalogueParameter(Frozen):
    """One parameter of an engine."""

    name: str = Field(description="canonical name, snake_case")
    flag: str = Field(description="exactly as the engine's command line has it")
    aliases: tuple[str, ...] = Field((), description="other spellings, neutral names among them")
    type: Literal["int", "float", "bool", "choice", "str"]
    choices: tuple[Scalar, ...] = ()
    low: float | None = None
    high: float | None = None
    default: Scalar = Field(None, description="the engine's own; None: the engine decides at start")
    unit: str = ""
    help: str = ""
    ordered: bool = Field(False, description="choices that have an order")
    commonly_tuned: tuple[Scalar, ...] = Field((), description="values worth trying; empty: rarely tuned")
    lossy: bool = Field(False, description="its values may make answers worse, such as quantised caches")
    restart_needed: bool = True
    dangerous: bool = Field(False, description="loads code, opens the network or reads files")


class Catalogue(Frozen):
    """All parameters of one engine version."""

    engine: str
    version: str
    parameters: tuple[CatalogueParameter, ...]

    def find(self, spelling: str) -> CatalogueParameter | None:
        """The parameter of that name, flag or alias; dashes equal underscores, leading dashes are ignored."""
        wanted = canonical(spelling)
        for parameter in self.parameters:
            if wanted in {canonical(s) for s in (parameter.name, parameter.flag, *parameter.aliases)}:
                return parameter
        return None

    def spellings(self) -> list[str]:
        """Every accepted name, for "did you mean"."""
        return [s for p in self.parameters for s in (p.name, *p.aliases)]


def canonical(spelling: str) -> str:
    """``--tp-size``, ``tp_size`` and ``tp-size`` are one spelling."""
    return spelling.strip().lstrip("-").replace("-", "_").lower()


@dataclass(frozen=True)
class PlanContext:
    """What a rule may look at besides the parameters."""

    model: str
    longest_request: int = 0
    """Prompt and answer of the longest request of the workload, in tokens."""
    cores: int | None = None
    """Cores that the server may use."""
    total_gpus: int | None = None
    """None: unknown."""
    model_config: Mapping[str, object] = field(default_factory=dict)
    """What is known of the model (config.json, or the header of a GGUF file): context_length and the like."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The document's block of options that only this engine reads."""


@dataclass(frozen=True)
class Rule:
    """A known constraint between parameters, applied before a point is proposed."""

    name: str
    parameters: frozenset[str]
    """Canonical names it looks at; ``model`` stands for the model file. The planner counts coupled factors alone."""
    check: Callable[[Mapping[str, Scalar], PlanContext], str | None]
    """Given values by canonical name (engine defaults filled in where known): the sentence when broken, else None."""


class Runtime(Frozen):
    """How the engine is started here."""

    python: str | None = Field(None, description="venv folder or interpreter")
    command: tuple[str, ...] | None = Field(
        None, description="command that replaces the engine's usual one; flags do not change"
    )
    launcher_prefix: tuple[str, ...] = Field((), description="put before the command: numactl, taskset, srun …")
    env: dict[str, str] = Field(default_factory=dict)
    extra_args: tuple[str, ...] = Field((), description="appended as they are")


@dataclass(frozen=True)
class LaunchRequest:
    """One configuration, resolved to engine parameters, ready to be written as a command."""

    model: str
    served_name: str
    parameters: Mapping[str, Scalar]
    """Canonical engine parameters; those equal to the engine's default are left out."""
    runtime: Runtime
    context: PlanContext


@dataclass(frozen=True)
class RuntimeInfo:
    """What is installed to run the engine."""

    version: str
    detail: str = ""


@dataclass(frozen=True)
class Suggestion:
    """A search space for somebody who did not write one."""

    parameters: Mapping[str, Sequence[Scalar] | Scalar]
    reason: str


class Engine(Protocol):
    """One engine. Adding one is a folder that passes the engine conformance suite."""

    @property
    def name(self) -> str:
        """Registered name, as in ``base_runtime``."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other accepted names."""

    @property
    def catalogue(self) -> Catalogue:
        """Its parameters."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Known constraints."""

    @property
    def server(self) -> ServerFacts:
        """Paths, version query and log patterns."""

    @property
    def request_body(self) -> Mapping[str, object]:
        """Fields that make the engine keep the asked output length (ignore_eos …)."""

    @property
    def predicted(self) -> bool:
        """Whether its figures are predictions; every display labels them."""

    @property
    def own_deployment(self) -> str | None:
        """Deployment that this engine brings along and that replaces the document's mode; None for a real engine."""

    @property
    def own_client(self) -> str | None:
        """Client that this engine brings along; None for a real engine."""

    def command(self, launch: LaunchRequest) -> Command:
        """The argument list and environment, with HOST, PORT and API_KEY in place of what is known only at launch.

        Deterministic: equal requests give equal commands. Raises AutotunerError for a value the engine can't express.
        """

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        """What its own deployment or client must know of the configuration; empty for a real engine."""

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        """What would be started here. AutotunerError (MISSING_EXTRA …) with the remedy when it can't. Does I/O."""

    def read_model(self, path: str) -> Mapping[str, object]:
        """What the planner may know of a model, from its files. AutotunerError (MISSING_MODEL) if unusable. I/O."""

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        """What ``autotuner quick`` searches."""
