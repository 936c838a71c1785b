"""Builds realistic results for the tests of everything that shows one."""

import itertools
import math
from typing import Any

from autotuner.contracts.attempt import Failure, FailureClass, Phase
from autotuner.contracts.findings import (
    Comparison,
    Importance,
    LoadCurve,
    LoadCurvePoint,
    MetricDifference,
    ObjectiveFigure,
    ParameterImportance,
    ParetoPoint,
    ParetoSet,
    Slice,
    SlicePoint,
)
from autotuner.contracts.result import (
    ConfirmationPoint,
    ExperimentSummary,
    FailureCount,
    GainFigure,
    GridComparison,
    SloLine,
    TaskResult,
    ValueOrigin,
)
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus, TaskStatus
from autotuner.contracts.values import Scalar

ENGINE = "some-engine"
THRESHOLD = 0.5


def slo_line(actual: float | None, *, hard: bool = True, name: str = "p90 TTFT") -> SloLine:
    met = actual is not None and actual <= THRESHOLD
    violated = hard and actual is not None and actual > THRESHOLD * 1.2
    return SloLine(name=name, threshold=THRESHOLD, actual=actual, unit="s", hard=hard, met=met, violated=violated)


def experiment(
    number: int,
    parameters: dict[str, Scalar] | None = None,
    *,
    score: float | None = 100.0,
    ttft: float = 0.3,
    origin: ExperimentOrigin = ExperimentOrigin.SEARCH,
    label: str | None = None,
    failure: Failure | None = None,
) -> ExperimentSummary:
    given = {"threads": 2, "batch_size": 512} if parameters is None else parameters
    if failure is not None:
        score = None
    line = slo_line(ttft if score is not None else None)
    return ExperimentSummary(
        id=100 + number,
        number=number,
        origin=origin,
        label=label,
        status=ExperimentStatus.FAILED if failure else ExperimentStatus.SUCCESS,
        parameters=given,
        argv=("/opt/engine/server", *(f"--{name}={value}" for name, value in given.items()), "--host", "{host}"),
        score=score,
        penalised_score=score,
        eligible=score is not None and not line.violated,
        slo=(line,),
        slo_reason=f"p90 TTFT misses its limit by {ttft / THRESHOLD - 1:.0%}" if line.violated else None,
        metrics={}
        if score is None
        else {
            "mean_total_throughput": score,
            "mean_output_throughput": score / 2,
            "mean_ttft": ttft * 0.8,
            "p90_ttft": ttft,
            "mean_tpot": 0.011,
            "mean_e2e_latency": ttft + 1.1,
            "requests_per_second": score / 200,
            "goodput": None,
            "success_rate": 1.0,
            "error_rate": 0.0,
            "percentile_source": "single",
            "raw_results": [{"load_point": "D(100,100)@4"}],
        },
        failure=failure,
        phase_seconds={}
        if score is None
        else {Phase.DEPLOY: 0.4, Phase.LOAD: 1.0 + number / 10, Phase.WARM_UP: 2.5, Phase.MEASURE: 20.0},
        elapsed_s=25.0,
        attempts=2 if failure else 1,
    )


def oom() -> Failure:
    return Failure(
        kind=FailureClass.OOM,
        diagnosis="The server was killed: out of memory",
        hint="Lower batch_size",
        log_tail="allocating 12 GiB\nfailed",
        phase=Phase.LOAD,
    )


def failure_count(failure: Failure, **changes: Any) -> FailureCount:
    fields = {"phase": Phase.LOAD, "starts": 5, "experiments": 3, "recovered": 1, **changes}
    return FailureCount(kind=failure.kind, example=failure.diagnosis, hint=failure.hint, **fields)


def searched(*, failures: bool = True) -> list[ExperimentSummary]:
    """Baseline, a reference and sixteen searched configurations of a small space."""
    found = [
        experiment(0, {"threads": 4, "batch_size": 512, "flash": None}, origin=ExperimentOrigin.BASELINE),
        experiment(
            1,
            {"threads": 2, "batch_size": 2048, "flash": True},
            score=118.0,
            origin=ExperimentOrigin.REFERENCE,
            label="vendor guide",
        ),
    ]
    space = itertools.product((1, 2, 3, 4), (128, 512), (True, False))
    for number, (threads, batch, flash) in enumerate(space, start=2):
        score = 60 + 45 * math.sin(threads) + batch / 12 + 14 * flash
        failed = failures and threads == 4 and batch == 512
        found.append(
            experiment(
                number,
                {"threads": threads, "batch_size": batch, "flash": flash},
                score=score,
                ttft=0.2 + threads * batch / 2500,
                failure=oom() if failed else None,
            )
        )
    return found


def result(**changes: Any) -> TaskResult:
    """A finished, confirmed maximising task; any field can be replaced."""
    experiments = changes.pop("experiments", None) or searched()
    eligible = [s for s in experiments if s.eligible and s.score is not None]
    winner = max(
        (s for s in eligible if s.origin is ExperimentOrigin.SEARCH), key=lambda s: s.score or 0.0, default=None
    )
    baseline = next((s for s in experiments if s.origin is ExperimentOrigin.BASELINE), None)
    gains: tuple[GainFigure, ...] = ()
    points: tuple[ConfirmationPoint, ...] = ()
    if winner is not None and winner.score and baseline is not None and baseline.score:
        gain = winner.score / baseline.score - 1
        gains = (
            GainFigure(
                experiment=winner.number,
                gain=gain,
                low=gain - 0.03,
                high=gain + 0.04,
                confidence=0.99,
                pairs=5,
                significant=True,
                worst_slo=(slo_line(0.41),),
            ),
        )
        points = tuple(
            ConfirmationPoint(block=block, experiment=s.number, score=(s.score or 0.0) * (1 + 0.01 * (block % 3)))
            for block in range(1, 6)
            for s in (baseline, winner)
        )
    fields: dict[str, Any] = {
        "task_id": 3,
        "task_name": "quick-start",
        "status": TaskStatus.COMPLETED,
        "engine": ENGINE,
        "engine_version": "1.2.3",
        "model": "/srv/models/tiny-q8_0.gguf",
        "deployment_mode": "local",
        "objective": "maximize_throughput",
        "objective_label": "total tokens/s",
        "unit": "tokens/s",
        "direction": "maximize",
        "scored_at": ("D(100,100)@4",),
        "slo_sentences": ("p90 TTFT at most 0.5 s (hard)",),
        "verdict": "gain",
        "headline": "threads=2, batch_size=512 is 43 % better than the baseline, confirmed by 5 pairs of starts",
        "winner": winner,
        "baseline": baseline,
        "references": tuple(s for s in experiments if s.origin is ExperimentOrigin.REFERENCE),
        "gain": gains[0] if gains else None,
        "finalists": gains,
        "reference_gains": {"vendor guide": 0.21},
        "confirmation": points,
        "noise": 0.012,
        "differences": {"threads": (4, 2), "flash": (None, True)},
        "experiments": tuple(experiments),
        "counts": {"success": sum(s.score is not None for s in experiments), "failed": 2},
        "stop_reason": "all 16 configurations were measured",
        "elapsed_s": 754.0,
        "phase_seconds": {Phase.DEPLOY: 9.0, Phase.LOAD: 60.0, Phase.WARM_UP: 85.0, Phase.MEASURE: 560.0},
        "attempts": 28,
        "failures": (failure_count(oom()),) if any(s.failure for s in experiments) else (),
        "host": {"hostname": "box", "cpu_model": "Some CPU 3000", "cores": 8, "packages": {"engine": "1.2.3"}},
        "warnings": ("No GPU information: the score is total throughput, not per GPU",),
    }
    return TaskResult(**{**fields, **changes})


def with_grid() -> TaskResult:
    return result(
        grid=GridComparison(
            host="Some CPU 3000, 8 cores, measured on 2026-11-01",
            points=16,
            feasible=13,
            best_score=160.0,
            best_parameters={"threads": 2, "batch_size": 512, "flash": True},
            winner_score=158.0,
            winner_fraction=0.9875,
            winner_rank=2,
            baseline_fraction=0.62,
            reference_fractions={"vendor guide": 0.74},
            budget=6,
            draws=0,
            random_median_fraction=0.93,
            random_low_fraction=0.78,
            random_high_fraction=1.0,
        )
    )


def infeasible() -> TaskResult:
    """Nothing keeps the hard SLO."""
    missing = [s for s in (experiment(n, {"threads": n}, ttft=0.7 + n / 10) for n in range(3)) if s.score]
    first = missing[0].model_copy(update={"origin": ExperimentOrigin.BASELINE})
    return result(
        experiments=[first, *missing[1:]],
        verdict="infeasible",
        headline="No configuration keeps the SLOs; #0 comes nearest",
        nearest=first,
        stop_reason=None,
        noise=None,
        reference_gains={},
        differences={},
    )


def predicted() -> TaskResult:
    return result(predicted=True, headline="threads=2 is predicted to be 43 % better than the baseline")


def unconfirmed() -> TaskResult:
    return result(verdict="unconfirmed", gain=None, finalists=(), confirmation=(), noise=None)


def running() -> TaskResult:
    """Just begun: nothing is known yet."""
    fields = result().model_dump() | {
        "status": TaskStatus.RUNNING,
        "headline": "Still running",
        "experiments": (),
        "references": (),
        "finalists": (),
        "confirmation": (),
        "differences": {},
        "reference_gains": {},
        "phase_seconds": {},
        "failures": (),
        "counts": {},
        "host": {},
        "warnings": (),
    }
    fields |= dict.fromkeys(("verdict", "winner", "baseline", "gain", "noise", "stop_reason", "engine_version"))
    return TaskResult.model_validate(fields)


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;</style><!--"
FORMULA = '=cmd|"/c calc"!A0'
ESCAPE = "\x1b[2J\x1b]0;owned\x07[bold red]loud[/]"


def hostile() -> TaskResult:
    """Everything a user, a model or a server's log can name is an attack."""
    bad = MARKUP + ESCAPE
    experiments = [
        experiment(0, {bad: bad, FORMULA: FORMULA}, origin=ExperimentOrigin.BASELINE, label=bad),
        experiment(1, {bad: "other", FORMULA: "-1+1"}, score=120.0, label=FORMULA),
        experiment(2, {bad: "third", FORMULA: "@x"}, score=140.0, ttft=0.9, label="+1"),
        experiment(
            3,
            {bad: "fourth", FORMULA: "\t=1"},
            failure=Failure(kind=FailureClass.CRASH, diagnosis=bad, hint=FORMULA, log_tail=bad),
        ),
    ]
    return result(
        experiments=experiments,
        task_name=bad,
        headline=bad,
        model=bad,
        engine_version=bad,
        objective_label=bad,
        unit=bad,
        scored_at=(bad,),
        slo_sentences=(bad,),
        stop_reason=bad,
        warnings=(bad,),
        host={bad: bad, "packages": {bad: [bad]}},
        differences={bad: (bad, FORMULA)},
        reference_gains={bad: 0.1},
        failures=(failure_count(Failure(kind=FailureClass.CRASH, diagnosis=bad, hint=FORMULA)),),
        grid_note=bad,
        pareto=pareto(name=bad),
        comparisons=(comparison(parameters={bad: (bad, FORMULA)}, arguments_added=(bad,), metrics=()),),
        importance=Importance(
            experiments=3,
            explained=0.5,
            parameters=(ParameterImportance(parameter=bad, share=1.0, spread=0.1, seen=True),),
        ),
        slices=(
            Slice(
                parameter=bad,
                best=bad,
                points=(SlicePoint(value=bad, measured=1.0, experiment=1, modelled=2.0, low=1.0, high=3.0),),
            ),
        ),
        load_curves=(
            LoadCurve(
                experiment=2,
                starts=1,
                points=tuple(
                    LoadCurvePoint(load_point=f"{bad}@{n}", concurrency=n, windows=1, figures={"mean_ttft": 0.1 * n})
                    for n in (1, 2)
                ),
            ),
        ),
        provenance=(ValueOrigin(parameter=bad, value=[bad], origin=bad),),
        settings={bad: bad},
    )


def pareto(*, noise: float | None = 0.02, name: str = "mean time to first token") -> ParetoSet:
    """Trade-offs between throughput and TTFT: on the front, unclear, behind, and one that violates a hard SLO."""

    def point(number: int, throughput: float, ttft: float, **fields: Any) -> ParetoPoint:
        values = (throughput, ttft)
        known: dict[str, Any] = {} if noise is None else {"low": tuple(v * 0.96 for v in values)}
        known |= {} if noise is None else {"high": tuple(v * 1.04 for v in values)}
        if noise is None:
            fields |= {"probability": None, "place": None}
        return ParetoPoint(**{"experiment": number, "values": values, "starts": 1, "eligible": True, **known, **fields})

    throughput = ObjectiveFigure(
        name="maximize_throughput", label="total tokens/s", unit="tokens/s", direction="maximize", noise=noise
    )
    ttft = ObjectiveFigure(name="minimize_ttft", label=name, unit="s", direction="minimize", noise=noise)
    return ParetoSet(
        objectives=(throughput, ttft),
        points=(
            point(4, 154.5, 0.41, on_front=True, probability=1.0, place="front", best_in=("maximize_throughput",)),
            point(5, 140.5, 0.30, on_front=True, probability=0.97, place="front", knee=True),
            point(2, 122.5, 0.25, on_front=True, probability=0.6, place="unclear", best_in=("minimize_ttft",)),
            point(3, 121.0, 0.26, on_front=False, probability=0.2, place="unclear"),
            point(0, 100.0, 0.3, on_front=False, probability=0.0, place="behind"),
            point(8, 150.0, 0.9, on_front=False, eligible=False, probability=None, place=None),
        ),
        confidence=0.95,
        left_out=2,
        note=None if noise is not None else "no configuration was started twice, so the noise is not known",
    )


def comparison(**changes: Any) -> Comparison:
    """The winner against the baseline over five pairs."""
    fields: dict[str, Any] = {
        "experiment": 4,
        "other": 0,
        "other_is": "baseline",
        "parameters": {"threads": (4, 2), "flash": (None, True)},
        "arguments_added": ("--flash on",),
        "arguments_removed": ("--threads 4",),
        "metrics": (
            MetricDifference(
                metric="mean_total_throughput",
                own=154.5,
                other=100.0,
                change=0.545,
                low=0.52,
                high=0.58,
                noise=0.012,
                pairs=5,
                clear=True,
            ),
            MetricDifference(
                metric="mean_ttft", own=0.4, other=0.39, change=0.02, low=-0.03, high=0.07, pairs=5, clear=False
            ),
            MetricDifference(metric="p99_ttft", own=0.6, other=0.5, change=0.2, pairs=0),
        ),
    }
    return Comparison(**{**fields, **changes})


def with_findings() -> TaskResult:
    """Everything that a task can say beyond its verdict."""

    def curve(number: int, factor: float) -> LoadCurve:
        return LoadCurve(
            experiment=number,
            starts=5,
            points=tuple(
                LoadCurvePoint(
                    load_point=f"D(100,100)@{load}",
                    concurrency=load,
                    windows=5,
                    figures={"output_throughput": 30.0 * factor * load**0.7, "mean_ttft": 0.05 * load / factor},
                )
                for load in (1, 2, 4, 8)
            ),
        )

    importance = Importance(
        experiments=16,
        explained=0.83,
        parameters=(
            ParameterImportance(parameter="threads", share=0.7, spread=0.1, seen=True),
            ParameterImportance(parameter="batch_size", share=0.28, spread=0.06, seen=True),
            ParameterImportance(parameter="flash", share=0.02, spread=0.03, seen=False),
        ),
    )
    slices = (
        Slice(
            parameter="threads",
            best=2,
            points=(
                SlicePoint(value=1, measured=120.0, experiment=2, modelled=121.0, low=110.0, high=132.0),
                SlicePoint(value=2, measured=154.5, experiment=4, modelled=150.0, low=140.0, high=161.0),
                SlicePoint(value=3, modelled=90.0, low=70.0, high=115.0),
            ),
        ),
    )
    return result(
        pareto=pareto(),
        front=(2, 4, 5),
        importance=importance,
        slices=slices,
        comparisons=(
            comparison(),
            comparison(other=5, other_is="best of the search", parameters={}, arguments_added=(), arguments_removed=()),
        ),
        load_curves=(curve(4, 1.4), curve(0, 1.0)),
        provenance=(
            ValueOrigin(parameter="threads", value=[1, 2, 3, 4], origin="document", searched=True),
            ValueOrigin(parameter="port", value=None, origin="engine default"),
        ),
        settings={"strategy": "bayesian", "seed": 0, "load points": ["D(100,100)@4"]},
    )


def unsure() -> TaskResult:
    """A candidate without significant gain that misses a soft SLO, several objectives without noise, too few data."""
    found = result()
    assert found.gain is not None
    assert found.winner is not None
    missed = slo_line(0.55, hard=False)
    gain = found.gain.model_copy(
        update={"gain": 0.01, "low": -0.02, "high": 0.04, "significant": False, "worst_slo": (missed,)}
    )
    winner = found.winner.model_copy(update={"slo": (missed,)})
    return found.model_copy(
        update={
            "verdict": "no_significant_gain",
            "headline": "No significant gain: #4 measured 1 % better than the baseline",
            "gain": gain,
            "finalists": (gain,),
            "winner": winner,
            "experiments": tuple(winner if s.number == winner.number else s for s in found.experiments),
            "pareto": pareto(noise=None),
            "importance": Importance(experiments=16, explained=0.12, note="not enough data: a model explains 12 %"),
            "comparisons": (
                comparison(metrics=(MetricDifference(metric="mean_ttft", own=0.4, other=0.39, change=0.02, pairs=0),)),
            ),
        }
    )


ALL = {
    "confirmed": result,
    "grid": with_grid,
    "infeasible": infeasible,
    "predicted": predicted,
    "unconfirmed": unconfirmed,
    "running": running,
    "hostile": hostile,
    "findings": with_findings,
    "unsure": unsure,
}
"""Results of every kind, by name."""
