"""One server start: the job that describes it, the records that it streams back, how it can fail."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from autotuner.contracts.load_search import LoadLimit, Probe
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.quality import Answers, QualityProbe
from autotuner.contracts.server_metrics import MetricNames
from autotuner.contracts.stopping import StopRules
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import LoadPoint, Workload

HOST = "{host}"
PORT = "{port}"
API_KEY = "{api_key}"
"""Stand-ins that a deployment replaces at launch. Only an argument or variable that *is* one of them is replaced, or,
in a file of the command, a key that is a quoted text of its own (``"{api_key}"``)."""


def file_argument(name: str) -> str:
    """Stand-in for the path of a command's file, as an argument."""
    return f"{{file:{name}}}"


class AttemptReason(StrEnum):
    """Why a server was started for an experiment."""

    FIRST = "first"
    RETRY = "retry"
    RESUME = "resume"
    CONFIRM = "confirm"
    VERIFY = "verify"
    REPRODUCE = "reproduce"


class Phase(StrEnum):
    """Phases of an attempt, in order."""

    QUEUE = "queue"
    DEPLOY = "deploy"
    LOAD = "load"
    QUALITY = "quality"
    WARM_UP = "warm_up"
    MEASURE = "measure"
    TEARDOWN = "teardown"


class AttemptStatus(StrEnum):
    """States of an attempt; the first three are of one that runs."""

    PENDING = "pending"
    DEPLOYING = "deploying"
    BENCHMARKING = "benchmarking"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PRUNED = "pruned"
    INTERRUPTED = "interrupted"


class FailureClass(StrEnum):
    """Classes of failure; what is retried and what condemns a configuration hangs on them."""

    OOM = "oom"
    BAD_ARGUMENT = "bad_argument"
    MISSING_MODEL = "missing_model"
    DOWNLOAD = "download"
    UNSUPPORTED = "unsupported"
    PORT = "port"
    CRASH = "crash"
    START_TIMEOUT = "start_timeout"
    BENCHMARK_TIMEOUT = "benchmark_timeout"
    UNREACHABLE = "unreachable"
    CLIENT = "client"
    CANCELLED = "cancelled"
    INFRASTRUCTURE = "infrastructure"


class Failure(Frozen):
    """Why an attempt has no usable figures."""

    kind: FailureClass
    diagnosis: str = Field(description="one line: what happened and why")
    hint: str = Field(description="one line: what to do")
    log_tail: str = Field("", description="last lines of the server's log")
    certain: bool = Field(False, description="another start would only repeat it, such as the engine's own cannot fit")
    phase: Phase | None = Field(None, description="phase of the start in which it happened, where that is known")


class Command(Frozen):
    """How a server is started: an argument list (never a shell line) and what is added to the environment."""

    argv: tuple[str, ...] = Field(description="the program and its arguments")
    env: dict[str, str] = Field(default_factory=dict, description="variables that are added to the environment")
    files: dict[str, str] = Field(
        default_factory=dict,
        description="name → text of files that are written into the attempt's folder before the start; the argument "
        "{file:NAME} becomes the path",
    )


class LogPattern(Frozen):
    """A line in a server's log that tells why it failed."""

    pattern: str = Field(description="regular expression, searched in each line")
    kind: FailureClass
    diagnosis: str
    hint: str
    certain: bool = Field(False, description="another start would only repeat it")


class ServerFacts(Frozen):
    """What the runner must know of an engine to talk to it. Data only: the runner knows no engine."""

    health_path: str = "/health"
    completions_path: str = "/v1/completions"
    chat_path: str = "/v1/chat/completions"
    models_path: str = "/v1/models"
    metrics_path: str | None = Field(None, description="of the Prometheus page; None: there is none")
    metric_names: tuple[MetricNames, ...] = Field(
        (), description="what engines call their metrics: the first of which the page has a name is taken"
    )
    takes_key: bool = Field(True, description="whether it asks for the key that each start gets")
    cache_reset_path: str | None = Field(
        None, description="POST empties the prefix cache; None: there is no such call. A server may be without it"
    )
    version_path: str | None = None
    version_field: str | None = Field(None, description="dotted path into the JSON answer of version_path")
    version_fallback: str | None = Field(None, description="the same, for an answer in which version_field is missing")
    dialect: str = Field(
        "openai", description="what clients that tell servers apart are told, such as the back end of genai-bench"
    )
    log_patterns: tuple[LogPattern, ...] = ()


class CoreSplit(Frozen):
    """Which cores the server and the client may use; None: not pinned."""

    server: tuple[int, ...] | None = Field(None, description="numbers of the server's cores")
    client: tuple[int, ...] | None = Field(None, description="numbers of the client's cores")
    note: str | None = Field(
        None, description="said in the plan, such as: too few cores for an undisturbed measurement"
    )


class PhaseBudgets(Frozen):
    """Limits per phase, in seconds."""

    start_s: float = Field(300.0, gt=0, description="deploy and load until the server answers")
    warm_up_s: float = Field(600.0, gt=0, description="warm-up of one load point")
    measure_s: float = Field(1800.0, gt=0, description="warm-up and all load points of one attempt")
    stop_s: float = Field(10.0, gt=0, description="grace between SIGTERM and SIGKILL")


class AttemptJob(Frozen):
    """Everything that an attempt needs, serialisable: it can run in this process, another one or another host."""

    task_id: int
    task_name: str
    experiment_id: int
    experiment_number: int
    attempt_id: int
    reason: AttemptReason
    deployment: str = Field(description="registered name of the deployment mode")
    client: str = Field(description="registered name of the benchmark client")
    client_python: str | None = Field(
        None, description="interpreter of the environment of a client that is a program of its own"
    )
    command: Command | None = Field(description="None: nothing is launched (somebody else's server)")
    endpoint_url: str | None = None
    served_name: str
    server: ServerFacts
    workload: Workload
    quality: QualityProbe | None = Field(
        None, description="how its answers are taken before the load; None: not at all"
    )
    done: tuple[tuple[str, int], ...] = Field(
        (), description="load point and repeat of measurements that a start which was cut off has left: not taken again"
    )
    done_rates: tuple[tuple[str, float], ...] = Field(
        (), description="load point and requests per second of those measurements; a sweep's rates follow from them"
    )
    done_probes: tuple[Probe, ...] = Field(
        (), description="those measurements as a search for a load needs them; it goes on from them"
    )
    first: tuple[str, ...] = Field(
        (), description="load points that are measured before the others: those whose figures are scored"
    )
    stop: StopRules | None = Field(
        None, description="when windows may end early and what need not be measured; None: all is measured in full"
    )
    before: tuple[Measurement, ...] = Field((), description="the measurements of `done`, for those rules")
    draw_key: str = Field(
        "",
        description="names this start among those of its task; a start that replaces one which was cut off has its "
        "name, so that predictions draw the same noise",
    )
    slo_limits: dict[str, float] = Field(
        default_factory=dict, description="limit per metric (ttft, tpot, e2e; seconds) that makes a request good"
    )
    load_limits: tuple[LoadLimit, ...] = Field(
        (), description="what a load must meet, for a search for the highest one that does"
    )
    budgets: PhaseBudgets = PhaseBudgets()
    cores: CoreSplit = CoreSplit()
    artefact_dir: str = Field(description="absolute folder for the server's log, samples and raw client output")
    options: dict[str, object] = Field(
        default_factory=dict, description="what only this engine's own deployment or client reads"
    )

    def places(self) -> Iterator[tuple[LoadPoint, int]]:
        """Load point and repeat of all measurements, in order."""
        for point in sorted(self.workload.load_points, key=lambda point: point.name not in self.first):
            for repeat in range(self.workload.repeats):
                yield point, repeat

    def remaining(self) -> Iterator[tuple[LoadPoint, int]]:
        """Load point and repeat of the measurements to take, in order."""
        taken = set(self.done)
        for point, repeat in self.places():
            if (point.name, repeat) not in taken:
                yield point, repeat


class Handle(Frozen):
    """What is needed to find a deployed server again; stored before anything else happens to it."""

    deployment: str
    fields: dict[str, str | int | float | None]


class PhaseChanged(Frozen):
    """The attempt entered a phase."""

    kind: Literal["phase"] = "phase"
    phase: Phase


class Deployed(Frozen):
    """The server process (container, …) exists. The executor waits for this record to be stored."""

    kind: Literal["deployed"] = "deployed"
    handle: Handle


class Ready(Frozen):
    """The server answered a real completion."""

    kind: Literal["ready"] = "ready"
    base_url: str
    engine_version: str | None = None


class Answered(Frozen):
    """What the server answered to the quality guard's prompts."""

    kind: Literal["answered"] = "answered"
    passes: tuple[Answers, ...] = Field(min_length=1, description="over all prompts, in order, as far as they came")


class Measured(Frozen):
    """One finished measurement."""

    kind: Literal["measured"] = "measured"
    measurement: Measurement


class Progress(Frozen):
    """Live figures; a notice, not stored."""

    kind: Literal["progress"] = "progress"
    figures: LiveFigures


class Ended(Frozen):
    """Last record of every attempt, whatever happened; the server is gone when it is sent."""

    kind: Literal["ended"] = "ended"
    status: AttemptStatus
    failure: Failure | None = None
    phase_seconds: dict[Phase, float] = Field(default_factory=dict)
    peak_rss_bytes: int | None = None


AttemptRecord = Annotated[
    PhaseChanged | Deployed | Ready | Answered | Measured | Progress | Ended, Field(discriminator="kind")
]
