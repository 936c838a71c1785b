"""An inference engine: its parameters, its rules, and the command that starts it. Pure, except ``check_runtime``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from autotuner.contracts.attempt import Command, ServerFacts
from autotuner.contracts.values import Frozen, Scalar

if TYPE_CHECKING:
    from autotuner.contracts.neutral import NeutralTable


ModelFormat = Literal["gguf", "hf"]
"""A GGUF file, or a folder in Hugging Face format."""


class CatalogueParameter(Frozen):
    """One parameter of an engine."""

    name: str = Field(description="canonical name, snake_case")
    flag: str = Field(description="exactly as the engine's command line has it; empty: it has none, see key")
    flags: tuple[str, ...] = Field((), description="other spellings on the engine's command line, exact")
    off_flags: tuple[str, ...] = Field((), description="flags that mean false (--no-…); the first is the one to write")
    key: str = Field("", description="dotted key in the engine's configuration file, for what has no flag")
    aliases: tuple[str, ...] = Field((), description="other names, neutral ones among them; never on a command line")
    type: Literal["int", "float", "bool", "choice", "str", "list", "json"] = Field(description="kind of its values")
    arity: Literal["one", "optional", "some", "any", "repeat"] = Field(
        "one",
        description="words that follow the flag: one; none or one; one or more; any number; or one word each time the "
        "flag is given. A bool takes none",
    )
    items: Literal["", "int", "float", "str"] = Field("", description="type of a list's elements")
    choices: tuple[Scalar, ...] = Field((), description="values that a choice, or each element of a list, may have")
    words: tuple[str, ...] = Field((), description="words that an int or float takes beside numbers, such as auto")
    suffixes: bool = Field(False, description="whether numbers may end in k, M, G or T")
    low: float | None = Field(None, description="least value; null: there is no limit")
    high: float | None = Field(None, description="greatest value; null: there is no limit")
    default: Scalar = Field(
        None, description="the engine's own; None: the engine decides at start; of a list or JSON as JSON text"
    )
    unit: str = Field("", description="unit of its values; empty: they have none")
    help: str = Field("", description="what it does, as the engine says")
    ordered: bool = Field(False, description="choices that have an order")
    commonly_tuned: tuple[Scalar, ...] = Field((), description="values worth trying; empty: rarely tuned")
    lossy: bool = Field(False, description="its values may make answers worse, such as quantised caches")
    restart_needed: bool = Field(True, description="whether a change takes a new start of the server")
    required: bool = Field(False, description="whether the engine does not start without it")
    danger: str = Field("", description="loads code, opens the network, reads files, …; empty: nothing of the kind")
    danger_rule: str = Field("", description="pattern of flags that says so, or list: it is named one by one")
    since: str = Field("", description="version that brought it; empty: it is as old as the oldest known version")
    deprecated: str = Field("", description="what to use instead, or that it does nothing any more; empty: it is not")

    @property
    def dangerous(self) -> bool:
        """Whether it loads code, opens the network or reads files: in service mode only administrators set it."""
        return bool(self.danger)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Everything that means this parameter: name, flags, key, other names. Not the flags that mean false."""
        return tuple(s for s in (self.name, self.flag, *self.flags, self.key, *self.aliases) if s)


class GoneFlag(Frozen):
    """A flag that earlier versions of the engine had."""

    flag: str
    gone: str = Field("", description="first known version without it; empty: before the oldest known version")
    instead: tuple[str, ...] = Field((), description="flags that do its work now")
    hint: str = Field("", description="why it went, or what to do")


class CatalogueSource(Frozen):
    """Where the facts of a catalogue are from."""

    kind: Literal["wheel", "document", "program", "parser"]
    name: str = Field(description="file name of the wheel, the document, or whose parser was asked")
    sha256: str = Field("", description="of the wheel")
    note: str = ""


class Catalogue(Frozen):
    """All parameters of one engine version."""

    engine: str
    version: str
    parameters: tuple[CatalogueParameter, ...]
    reserved: tuple[CatalogueParameter, ...] = Field(
        (), description="what this program sets itself for every start, so that no plan may: the address, the model …"
    )
    source: CatalogueSource | None = None
    gone: tuple[GoneFlag, ...] = ()
    programs: tuple[tuple[str, ...], ...] = Field((), description="words that start it and stand before its flags")
    positionals: tuple[str, ...] = Field((), description="what it takes without a flag, such as the model")
    dotted_json: bool = Field(False, description="whether --flag.key value sets one key of a JSON value")

    def find(self, spelling: str) -> CatalogueParameter | None:
        """The parameter of that name, flag or alias; dashes equal underscores, leading dashes are ignored."""
        return self._by_spelling.get(canonical(spelling))

    def spellings(self) -> list[str]:
        """Every accepted name, for "did you mean"."""
        return [s for p in self.parameters for s in (p.name, *p.aliases)]

    def keeps(self, spelling: str) -> bool:
        """Whether a spelling means what this program sets itself: a reserved parameter, or what takes no flag."""
        reserved = {canonical(known) for parameter in self.reserved for known in parameter.spellings}
        return canonical(spelling) in reserved.union(map(canonical, self.positionals))

    def reserving(self, flags: Iterable[str]) -> Catalogue:
        """The same with the parameters of these flags among the reserved ones."""
        names = {parameter.name for flag in flags if (parameter := self.by_flag.get(flag)) is not None}
        own = {name: getattr(self, name) for name in Catalogue.model_fields}
        own["parameters"] = tuple(parameter for parameter in self.parameters if parameter.name not in names)
        moved = (parameter for parameter in self.parameters if parameter.name in names)
        return Catalogue(**{**own, "reserved": (*self.reserved, *moved)})

    @cached_property
    def by_flag(self) -> Mapping[str, CatalogueParameter]:
        """Exact flag → parameter, the flags that mean false among them."""
        known = (*self.parameters, *self.reserved)
        return {flag: p for p in known for flag in (p.flag, *p.flags, *p.off_flags) if flag}

    @cached_property
    def _by_spelling(self) -> Mapping[str, CatalogueParameter]:
        found: dict[str, CatalogueParameter] = {}
        for parameter in self.parameters:
            for spelling in parameter.spellings:
                found.setdefault(canonical(spelling), parameter)
        return found


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
    gpu_type: str | None = None
    """As the document names it; None: unknown."""
    gpu_memory_gb: float | None = None
    """Memory of one GPU as the document gives it, GB; None: that of its kind."""
    cpu_build: bool = False
    """Whether the installed engine computes on the CPU: it takes no GPUs."""
    cpu_features: frozenset[str] = frozenset()
    """Instruction sets of the host's CPU as its kernel names them; empty: unknown."""
    model_config: Mapping[str, object] = field(default_factory=dict)
    """What is known of the model (config.json, or the header of a GGUF file): context_length and the like."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The document's block of options that only this engine reads."""


@dataclass(frozen=True)
class RuleRemark:
    """What a rule knows of values that it lets pass."""

    sentence: str
    """For people."""
    doubtful: bool
    """Whether the server may fail to start all the same."""


@dataclass(frozen=True)
class Rule:
    """A known constraint between parameters, applied before a point is proposed."""

    name: str
    parameters: frozenset[str]
    """Canonical names it looks at; ``model`` stands for the model file. The planner counts coupled factors alone."""
    check: Callable[[Mapping[str, Scalar], PlanContext], str | None]
    """Given values by canonical name (engine defaults filled in where known): the sentence when broken, else None."""
    applies: Callable[[PlanContext], bool] | None = None
    """Whether it has anything to say of a plan; None: always. One that has not couples no parameters."""
    remark: Callable[[Mapping[str, Scalar], PlanContext], RuleRemark | None] | None = None
    """Given the same values when it is not broken."""
    inputs: frozenset[str] | None = None
    """Set for a rule of many parameters: the engine's own and ``model``, whose values alone decide it. It does not
    couple what it looks at; the planner asks it once for all combinations with the same inputs, with None for what is
    not given."""
    alike: Callable[[str, Scalar, PlanContext], Scalar] | None = None
    """The simplest value of an input that is all the same to the rule as this one, whatever the others are."""


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
    cpu_build: bool = False
    """Whether it computes on the CPU and takes no GPUs."""


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
    def model_format(self) -> ModelFormat:
        """What it serves; it decides which form of a generated model it gets."""

    @property
    def typical_start_s(self) -> float:
        """What a start takes besides its windows, for estimates: load, warm-up and teardown, seconds."""

    @property
    def catalogue(self) -> Catalogue:
        """Its parameters."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Known constraints."""

    @property
    def neutral(self) -> NeutralTable:
        """How it writes neutral settings, its presets among them."""

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

    def with_catalogue(self, catalogue: Catalogue) -> Engine:
        """The engine with the parameters of another version of it; itself where its parameters are its own."""

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        """GPUs that a server with these parameters takes (engine defaults filled in); None where they do not say."""

    def summary(self, values: Mapping[str, Scalar]) -> str:
        """How it is spread over GPUs, for people: ``TP 4 · PP 2 (8 GPUs)``, ``single GPU``; empty: nothing is known."""

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
