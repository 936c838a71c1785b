"""What a task came to: the one structure that the terminal, JSON, CSV and HTML reports show."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from autotuner.contracts.attempt import Failure, FailureClass, Phase
from autotuner.contracts.findings import Comparison, Importance, LoadCurve, ParetoSet, Slice
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus, TaskStatus
from autotuner.contracts.values import Frozen, Scalar

VerdictKind = Literal[
    "gain",
    "only_eligible",
    "no_significant_gain",
    "unconfirmed",
    "no_baseline",
    "infeasible",
    "measured",
    "no_result",
]
"""What a task found out: a gain over the baseline; a configuration that keeps the hard SLOs in every start where the
baseline does not; no gain that could be shown; a best one that was not confirmed, or had no baseline to be compared
with; that nothing keeps the hard SLOs; figures alone, where nothing was searched; nothing."""

Standing = Literal["open", "gain", "no_useful_gain", "worse", "beaten", "out_of_reach"]
"""What the paired starts of a finalist say: nothing yet; a gain; that none of a useful size is there; that it is worse
than the baseline; that it measured less than another finalist, whose gain is shown; that the starts which are left
would hardly show a gain."""


class SloLine(Frozen):
    """One SLO of one experiment."""

    name: str = Field(description="such as p90 ttft")
    threshold: float = Field(description="most that is allowed")
    actual: float | None = Field(description="what was measured; null: it was not")
    unit: str = Field(description="s, share or nats")
    hard: bool = Field(description="whether missing it rules the configuration out")
    met: bool = Field(description="actual ≤ threshold")
    violated: bool = Field(description="a hard one, missed by its fail ratio or more")


class AnswersLine(Frozen):
    """What the quality guard found of one configuration's answers."""

    agreement: float | None = Field(
        description="share of the answers up to the first token that differs from the baseline's; of the baseline: "
        "least between its own passes; None: not judged"
    )
    unit: str | None = Field(None, description="tokens, or characters where the server tells no tokens")
    distance: float | None = Field(None, description="mean difference of log-probabilities at equal prefixes, nats")
    differs: bool | None = Field(None, description="more than an unchanged setting shows; None: not judged")
    failure: str | None = Field(None, description="why they could not be judged, if so")


class QualitySummary(Frozen):
    """What the quality guard judged answers by."""

    prompts: int = Field(description="how many are asked")
    output_tokens: int = Field(description="length of each answer, tokens")
    unchanged: AnswersLine | None = Field(None, description="the baseline against itself; None: it was not measured")
    least_agreement: float | None = Field(None, description="limit that is held, share; None: there is none")
    greatest_distance: float | None = Field(None, description="limit that is held, nats; None: there is none")


class ExperimentSummary(Frozen):
    """One experiment as reports show it."""

    id: int = Field(description="its number among those of all tasks")
    number: int = Field(description="its number in the task; 0: the baseline")
    origin: ExperimentOrigin
    label: str | None = Field(None, description="name of the baseline or a reference; null: it was searched")
    status: ExperimentStatus
    parameters: dict[str, Scalar] = Field(description="values of the searched parameters")
    argv: tuple[str, ...] = Field((), description="the command that started its server")
    score: float | None = Field(None, description="objective, natural units, unpenalised")
    penalised_score: float | None = Field(
        None, description="the score with what violated SLOs add; what the search is told"
    )
    eligible: bool = Field(False, description="measured, no hard SLO violated or out of reach")
    slo: tuple[SloLine, ...] = Field((), description="each SLO")
    slo_reason: str | None = Field(None, description="sentence about the worst violation")
    pruned: str | None = Field(None, description="why it was not measured any further, if so; a sentence")
    stopped_early: tuple[str, ...] = Field((), description="of each window that ended early: when and why")
    answers: AnswersLine | None = Field(None, description="of the quality guard; None: it did not ask")
    metrics: dict[str, Any] = Field(
        default_factory=dict, description="aggregated figures of its scoring start, by name"
    )
    failure: Failure | None = Field(None, description="why it has no figures; null: it has")
    phase_seconds: dict[Phase, float] = Field(default_factory=dict, description="of its first successful attempt")
    elapsed_s: float | None = Field(None, description="time that its own starts took, those cut off left out")
    from_other_start: int = Field(0, description="measurements that a start before took, which was cut off")
    attempts: int = Field(0, description="server starts")


class MeasuringTime(Frozen):
    """How long the windows of a task were, warm-up, drain and failed starts left out."""

    windows_s: float = Field(0.0, description="all windows together, seconds")
    saved_s: float = Field(0.0, description="by how much early stops shortened them, seconds")
    shortened: int = Field(0, description="starts whose measuring ended early")
    pruned: int = Field(0, description="configurations that were found out of the running by that")


class GainFigure(Frozen):
    """The confirmed difference of a configuration to the baseline, relative (0.25 is 25 % better)."""

    experiment: int = Field(description="number of the experiment")
    gain: float = Field(description="the estimate")
    low: float | None = Field(None, description="lower end of the interval")
    high: float | None = Field(None, description="upper end of the interval")
    confidence: float | None = Field(None, description="0.99: the interval covers the truth in 99 % of such tasks")
    pairs: int = Field(description="interleaved starts of both")
    significant: bool = Field(description="whether the interval leaves out no gain")
    worst_slo: tuple[SloLine, ...] = Field((), description="each SLO at its worst over the starts")
    eligible: bool = Field(True, description="hard SLOs kept in every start")
    standing: Standing = Field("open", description="why its starts ended; open: for want of further ones")
    vague: bool = Field(
        False, description="too few starts to tell: no interval, or one wider than 100 % that holds no gain"
    )


class RuledOut(Frozen):
    """A finalist that cannot win, by what happened when it was started again."""

    experiment: int = Field(description="number of the experiment")
    starts: int = Field(description="measured starts of the confirmation")
    reason: str = Field(description="the SLO that it missed, or how its server failed, without a full stop")


class ConfirmationPoint(Frozen):
    """One start of the confirmation."""

    block: int = Field(description="the interleaved round, from 0")
    experiment: int = Field(description="number of the experiment")
    score: float | None = Field(description="objective of this start, natural units; null: it has none")
    metrics: dict[str, Any] = Field(default_factory=dict, description="aggregated figures of this start")


class GridComparison(Frozen):
    """Where the winner stands in a fully measured grid of the same space."""

    host: str = Field(description="where and when the grid was measured")
    points: int = Field(description="configurations of the grid")
    feasible: int = Field(description="of these, how many keep the hard SLOs")
    best_score: float = Field(description="the optimum, natural units")
    best_parameters: dict[str, Scalar] = Field(description="of the optimum")
    winner_score: float | None = Field(description="the winner's figure in the grid; None when it is infeasible there")
    winner_fraction: float | None = Field(description="winner / optimum in the grid; 1.0 is the optimum")
    winner_rank: int | None = Field(None, description="place of the winner, from 1; null: it is infeasible there")
    baseline_fraction: float | None = Field(None, description="baseline / optimum")
    reference_fractions: dict[str, float | None] = Field(
        default_factory=dict, description="reference / optimum, by label"
    )
    budget: int = Field(description="configurations that random search was given")
    draws: int = Field(description="draws of random search; 0: its quantiles are exact, over all possible draws")
    random_median_fraction: float | None = Field(description="median of what random search finds / optimum")
    random_low_fraction: float | None = Field(None, description="5th percentile of the draws")
    random_high_fraction: float | None = Field(None, description="95th percentile")


class FailureCount(Frozen):
    """Failed starts of one class in one phase."""

    kind: FailureClass
    phase: Phase = Field(description="in which phase of the start it happened")
    starts: int = Field(description="how many there were")
    experiments: int = Field(description="configurations that had such a start")
    recovered: int = Field(description="starts that a later try made good")
    example: str = Field(description="diagnosis of the last one")
    hint: str = Field(description="what to do about it")


class VerifyFigure(Frozen):
    """One figure of the winner as two clients measured it, a server start each."""

    load_point: str = Field(description="name of the load point")
    name: str = Field(description="such as median ttft")
    unit: str = Field(description="of both figures")
    own: float | None = Field(description="by the task's own client, freshly")
    other: float | None = Field(description="by the other one")
    difference: float | None = Field(description="other / own - 1")
    agrees: bool | None = Field(description="within the tolerance; None: shown and not judged")


class Verification(Frozen):
    """The winner measured again, with the task's own client and with another one. Shown, never scored."""

    round: int = Field(description="1, 2, … of the task")
    own_client: str = Field(description="client of the task")
    own_version: str | None = Field(None, description="its version; null: not known")
    client: str = Field(description="the other client")
    client_version: str | None = Field(None, description="its version; null: not known")
    figures: tuple[VerifyFigure, ...] = Field((), description="what both measured")
    tolerance: float = Field(description="figures that differ by no more than this share agree")
    close_s: float = Field(description="times that are closer than this agree (tpot: than a tenth of it), seconds")
    agrees: bool = Field(description="every figure that is judged agrees")
    failure: str | None = Field(None, description="why there are no figures, if so")
    started_at: datetime = Field(description="UTC")


class ValueOrigin(Frozen):
    """Where the value of one parameter comes from."""

    parameter: str = Field(description="canonical name")
    value: Any = Field(description="the value, or the list or range that is searched, as in the document")
    origin: str = Field(description="document, engine default or derived")
    source: str = Field("", description="of a derived one: the settings that it follows from")
    searched: bool = Field(False, description="whether several values are tried")


class TaskResult(Frozen):
    """The result of a task, also of one that still runs (then without verdict)."""

    verdict: VerdictKind | None = Field(
        None, description="what kind of answer the headline is; None: stored by an earlier version"
    )
    headline: str = Field(description="the verdict in one line")
    task_id: int = Field(description="number of the task")
    task_name: str = Field(description="name of the task")
    status: TaskStatus
    engine: str = Field(description="inference engine")
    engine_version: str | None = Field(None, description="null: not known")
    model: str = Field(description="name or path of the model")
    deployment_mode: str = Field(description="how servers run")
    predicted: bool = Field(False, description="figures are predictions; every display says so")
    objective: str = Field(description="as in the document, such as maximize_throughput")
    objective_label: str = Field(description="for people, such as total tokens/s")
    unit: str = Field(description="of the score")
    direction: Literal["minimize", "maximize"] = Field(description="whether a small or a great score is good")
    scored_at: tuple[str, ...] = Field(description="names of the load points that the score is of")
    slo_sentences: tuple[str, ...] = Field((), description="each SLO in words")
    winner: ExperimentSummary | None = Field(
        None, description="the best candidate; it has won where the verdict is gain or only_eligible"
    )
    baseline: ExperimentSummary | None = Field(None, description="the engine's default; null: there is none")
    references: tuple[ExperimentSummary, ...] = Field(
        (), description="configurations that were measured for comparison"
    )
    nearest: ExperimentSummary | None = Field(None, description="when nothing keeps the hard SLOs")
    gain: GainFigure | None = Field(None, description="of the winner")
    finalists: tuple[GainFigure, ...] = Field((), description="what the confirmation says of each")
    ruled_out: tuple[RuledOut, ...] = Field((), description="finalists that cannot win, in the order of their numbers")
    front: tuple[int, ...] = Field(
        (), description="several objectives: numbers of the eligible experiments that no other beats in all of them"
    )
    reference_gains: dict[str, float] = Field(
        default_factory=dict, description="winner against a reference by label, one start each, without interval"
    )
    confirmation: tuple[ConfirmationPoint, ...] = Field((), description="its starts")
    noise: float | None = Field(
        None, description="from start to start: standard deviation of the log of the score, pooled over configurations"
    )
    noise_within: float | None = Field(None, description="the same from repeat to repeat within one start")
    differences: dict[str, tuple[Scalar, Scalar]] = Field(
        default_factory=dict, description="parameter → (baseline, winner), only where they differ"
    )
    pareto: ParetoSet | None = Field(None, description="several objectives: all measured trade-offs, with uncertainty")
    importance: Importance | None = Field(
        None, description="of the searched parameters for the (first) objective; None: nothing was searched"
    )
    slices: tuple[Slice, ...] = Field(
        (), description="the effect of each searched parameter alone, from the winner or the nearest"
    )
    comparisons: tuple[Comparison, ...] = Field(
        (), description="the winner (or the nearest) against the baseline and against the best of the search"
    )
    load_curves: tuple[LoadCurve, ...] = Field(
        (), description="winner (or nearest) and baseline over all loads, where there are several"
    )
    provenance: tuple[ValueOrigin, ...] = Field((), description="where each parameter's value or values come from")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="what else decided the figures: strategy, seed, client, load"
    )
    # No repr: asyncio takes that of what a program's main coroutine returns, and here it would be as long as the list.
    experiments: tuple[ExperimentSummary, ...] = Field((), repr=False, description="all, by number")
    counts: dict[str, int] = Field(default_factory=dict, description="experiments by status")
    stop_reason: str | None = Field(None, description="why the search ended; null: it has not")
    elapsed_s: float = Field(0.0, description="running time over all runs, seconds")
    phase_seconds: dict[Phase, float] = Field(default_factory=dict, description="summed over all attempts")
    attempts: int = Field(0, description="server starts")
    measuring: MeasuringTime = MeasuringTime()
    failures: tuple[FailureCount, ...] = Field((), description="failed starts by class and phase, most frequent first")
    grid: GridComparison | None = Field(None, description="null: no grid was given")
    grid_note: str | None = Field(None, description="why there is no grid comparison, when one was asked for")
    verifications: tuple[Verification, ...] = Field(
        (), description="the winner with other clients (`autotuner verify`), oldest first; in no other figure"
    )
    host: dict[str, Any] = Field(default_factory=dict, description="where it was measured: CPU, cores, versions")
    quality: QualitySummary | None = Field(None, description="what answers were judged by; None: there was no guard")
    warnings: tuple[str, ...] = Field((), description="whole sentences")
