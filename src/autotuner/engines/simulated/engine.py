"""The engine ``simulated``: a configuration is a row of a table of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autotuner.contracts.attempt import Command, Failure, FailureClass, ServerFacts
from autotuner.contracts.engine import (
    Catalogue,
    LaunchRequest,
    ModelFormat,
    PlanContext,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar, digest
from autotuner.engines.simulated.catalogue import CATALOGUE, REPLICAS
from autotuner.engines.simulated.neutral import TABLE
from autotuner.engines.simulated.options import SimulationOptions, read_options
from autotuner.engines.simulated.prediction import CurvePoint, Prediction
from autotuner.engines.simulated.recorded import RecordedNoise, read_recorded
from autotuner.engines.simulated.surface import Row, Surface
from autotuner.engines.simulated.tables import TOOL_VERSION, Tables


class SimulatedEngine:
    """Predictions in place of a server. Reads its table when a rule or a command first needs it."""

    name = "simulated"
    aliases: tuple[str, ...] = ()
    predicted = True
    own_deployment = "simulated"
    own_client = "simulated"
    model_format: ModelFormat = "hf"
    typical_start_s = 2.0
    server = ServerFacts()
    request_body: Mapping[str, object] = MappingProxyType({})

    def __init__(self) -> None:
        self._tables = Tables()
        self._noises: dict[str, RecordedNoise] = {}

    @property
    def catalogue(self) -> Catalogue:
        """Layout, precision and limits."""
        return CATALOGUE

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule: the table must hold the configuration, as one that the engine can run, for this workload."""
        names = frozenset(parameter.name for parameter in CATALOGUE.parameters)
        return (Rule(name="table", parameters=names, check=self._check),)

    neutral = TABLE

    def with_catalogue(self, catalogue: Catalogue) -> SimulatedEngine:
        """Itself: there is no version of it to be had elsewhere."""
        return self

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        """GPUs of all replicas together; not said where as many fill the node as it holds."""
        replicas = _replicas(values)
        if replicas is None:
            return None
        tp, pp, dp = (values.get(name, 1) for name in ("tp", "pp", "dp"))
        return tp * pp * dp * replicas if isinstance(tp, int) and isinstance(pp, int) and isinstance(dp, int) else None

    def summary(self, values: Mapping[str, Scalar]) -> str:
        """Nothing is known."""
        return ""

    def command(self, launch: LaunchRequest) -> Command:
        """Names the row; nothing is run. Values between two rows of the table give the nearest one's.

        Raises AutotunerError (UNSUPPORTED) for a configuration that the table doesn't hold, and what reading it raises.
        """
        surface, row, _ = self._row(launch)
        replicas = _replicas(launch.parameters)
        workload = surface.workload
        argv = ["simulate", "--surface", surface.name, "--backend", workload.backend]
        argv += ["--isl", str(workload.isl), "--osl", str(workload.osl)]
        values = {**row.values, REPLICAS: replicas}
        for parameter in CATALOGUE.parameters:
            if values[parameter.name] != parameter.default:
                argv += [parameter.flag, str(values[parameter.name])]
        return Command(argv=tuple(argv))

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        """The whole prediction, so that deployment and client need no table and can run anywhere."""
        surface, row, options = self._row(launch)
        replicas = _replicas(launch.parameters)
        curve = [point.shared_by(replicas) for point in surface.curve(row)]
        prediction = Prediction(
            surface=surface.name,
            backend=surface.workload.backend,
            isl=surface.workload.isl,
            osl=surface.workload.osl,
            gpus=row.gpus,
            ranks=row.ranks,
            max_num_seqs=row.bs,
            kv_capacity=row.kv_capacity,
            curve=tuple(
                CurvePoint(bs=point.bs, ttft_s=point.ttft_s, tpot_s=point.tpot_s, throughput=point.throughput)
                for point in curve
            ),
            failure=_failure(surface, row, options.crash_share),
            noise=options.noise,
            recorded=self._recorded(options.recorded_noise),
            startup_s=options.startup_s,
        )
        return prediction.model_dump(mode="json")

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        """Nothing is started; the version is that of the tool which made the packaged tables."""
        return RuntimeInfo(TOOL_VERSION, f"predictions made with aiconfigurator {TOOL_VERSION}; no server is started")

    def read_model(self, path: str) -> Mapping[str, object]:
        """Nothing: the table fixes the model."""
        return {}

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        """Everything that commonly varies in the tables."""
        return Suggestion(
            {p.name: p.commonly_tuned for p in CATALOGUE.parameters if p.commonly_tuned},
            reason="layout, precision and limits vary in the table of predictions",
        )

    def _recorded(self, path: str | None) -> RecordedNoise | None:
        if path is not None and path not in self._noises:
            self._noises[path] = read_recorded(path)
        return None if path is None else self._noises[path]

    def _surface(self, context: PlanContext) -> tuple[Surface, SimulationOptions]:
        options = read_options(context.options)
        return self._tables.surface(options, context.longest_request), options

    def _check(self, values: Mapping[str, Scalar], context: PlanContext) -> str | None:
        surface, _ = self._surface(context)
        workload = surface.workload
        if context.longest_request not in {0, workload.isl + workload.osl}:
            return (
                f"the predictions are for {workload.isl} prompt and {workload.osl} answer tokens, "
                f"the longest request has {context.longest_request} in all"
            )
        complete = _complete(values)
        try:
            row = surface.find(complete)
        except ValueError as error:
            return f"max_num_batched_tokens and max_num_seqs must be positive: {error}"
        if row is None:
            return f"there is no prediction for {_layout(complete)}"
        if row.status in {"invalid", "unsupported", "no_data"}:
            return f"{workload.backend} can't run {_layout(complete)}: {row.error or row.status}"
        needed = row.shared_by(_replicas(complete)).gpus
        if context.total_gpus is not None and needed > context.total_gpus:
            return f"the predictions are for {needed} GPUs, there are {context.total_gpus}"
        return None

    def _row(self, launch: LaunchRequest) -> tuple[Surface, Row, SimulationOptions]:
        surface, options = self._surface(launch.context)
        complete = _complete(launch.parameters)
        broken = self._check(complete, launch.context)
        row = surface.find(complete) if broken is None else None
        if row is None:
            raise AutotunerError(
                ErrorCode.UNSUPPORTED,
                "The configuration can't be simulated",
                why=broken or "it is not in the table",
                remedy="Choose one that the table of predictions holds",
                place="parameters",
            )
        return surface, row.shared_by(_replicas(complete)), options


def _replicas(values: Mapping[str, Scalar]) -> int | None:
    """The number of servers that share the load; None: as many as the table's node holds."""
    replicas = values.get(REPLICAS)
    return replicas if isinstance(replicas, int) and replicas > 0 else None


def _complete(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The values with defaults where nothing is given."""
    given = {name: value for name, value in values.items() if value is not None}
    return {parameter.name: given.get(parameter.name, parameter.default) for parameter in CATALOGUE.parameters}


def _layout(values: Mapping[str, Scalar]) -> str:
    """``tp 2, gemm_quant fp8``: what differs from the defaults."""
    changed = [
        f"{p.name} {values[p.name]}"
        for p in CATALOGUE.parameters
        if values.get(p.name, p.default) != p.default and not p.name.startswith("max_")
    ]
    return ", ".join(changed) or "the default layout"


def _failure(surface: Surface, row: Row, crash_share: float) -> Failure | None:
    """Why the row doesn't start. Which rows crash hangs on the row alone: the share is the same in every run."""
    if row.status == "oom" or row.kv_capacity < 1:
        return Failure(
            kind=FailureClass.OOM,
            diagnosis=f"predicted: the weights leave no room for one sequence with {_layout(row.values)}",
            hint="use more GPUs per worker or a smaller precision",
        )
    workload = surface.workload
    draw = digest(["crash", surface.name, workload.backend, workload.isl, workload.osl, row.values])
    if int(draw, 16) < crash_share * 2**128:
        return Failure(
            kind=FailureClass.CRASH,
            diagnosis="simulated: this configuration is one of those that crash",
            hint="set simulation.crash_share to 0 to have none",
        )
    return None
