"""What displays say about a result beside its figures, in the report's own words, so that no display has its own."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.result import ExperimentSummary, GainFigure, TaskResult
from autotuner.contracts.values import Frozen
from autotuner.services.report.answers import quality_lines
from autotuner.services.report.findings_text import comparison_basis, front_sentence, importance_sentence, slo_word
from autotuner.services.report.wording import (
    METRICS,
    SERVER_METRICS,
    ended_early,
    experiment_title,
    gain_of,
    gain_text,
    load_text,
    measuring_text,
    noise_text,
    standing_text,
    verification_sentence,
    winner_name,
)


class MetricName(Frozen):
    """What one aggregated metric is called."""

    name: str = Field(description="as in the metrics of an experiment, such as mean_ttft")
    label: str = Field(description="for people")
    unit: str = Field(description="s, share, bytes, tokens/s, …; empty: it has none, or that of the load")
    of_server: bool = Field(description="told by the server or its GPUs; else measured by the client")


class ExperimentWords(Frozen):
    """What is said of one experiment."""

    title: str = Field(description="such as #0 baseline")
    gain: float | None = Field(
        None,
        description="of its one start over the baseline's, relative, positive is better; no interval belongs to it",
    )
    slo: str = Field(description="met, violated, or what it misses; – without a score")
    ended_early: str = Field("", description="why it was not measured to the end; empty: it was")
    load: str | None = Field(None, description="the load that was searched, in a sentence; null: none was")


class FinalistWords(Frozen):
    """What is said of one finalist."""

    text: str = Field(description="gain, interval, pairs and whether it counts")
    standing: str = Field(description="why its starts ended; empty: for want of further ones")
    pairs: tuple[float | None, ...] = Field(
        description="per interleaved round the gain over the baseline's start of that round, relative; null: one has "
        "no score"
    )


class ResultWords(Frozen):
    """What displays say about a result."""

    chosen: str = Field(description="how the best one is called: winner, best candidate, nearest, best so far")
    gain: str | None = Field(None, description="the confirmed gain in words; null: there is none")
    certainty: str | None = Field(None, description="how sure the interval is, and against what; null: there is none")
    noise: str | None = Field(None, description="how much scores vary by chance; null: not known")
    measuring: str = Field(description="what early stops saved; empty: nothing")
    importance: str | None = Field(None, description="on what the importance rests, or why none is shown")
    front: str | None = Field(None, description="what is known of the front; null: there is one objective")
    quality: tuple[str, ...] = Field((), description="what the quality guard found")
    verifications: tuple[str, ...] = Field((), description="what each verification came to, in their order")
    comparisons: tuple[str, ...] = Field((), description="on what the differences of each comparison rest")
    experiments: dict[int, ExperimentWords] = Field(description="by number within the task")
    finalists: dict[int, FinalistWords] = Field(description="by number of the experiment")


def metric_names() -> list[MetricName]:
    """Every aggregated metric that displays have a name for, in the order in which they are shown."""
    return [
        MetricName(name=name, label=label, unit=unit, of_server=of_server)
        for rows, of_server in ((METRICS, False), (SERVER_METRICS, True))
        for name, label, unit in rows
    ]


def result_words(result: TaskResult, *, ended: bool) -> ResultWords:
    """The words of a result. ``ended``: of a task that has; until then nothing has won."""
    known = {s.number: s for s in (*result.experiments, *result.references)}
    known |= {s.number: s for s in (result.baseline, result.winner, result.nearest) if s is not None}
    finalists = {gain.experiment: gain for gain in (*result.finalists, *([result.gain] if result.gain else []))}
    return ResultWords(
        chosen=winner_name(result) if ended else "best so far" if result.winner is not None else "nearest so far",
        gain=None if result.gain is None else gain_text(result.gain),
        certainty=_certainty(result.gain),
        noise=noise_text(result),
        measuring=measuring_text(result.measuring),
        importance=None if result.importance is None else importance_sentence(result.importance),
        front=None if result.pareto is None else front_sentence(result.pareto),
        quality=tuple(quality_lines(result)),
        verifications=tuple(map(verification_sentence, result.verifications)),
        comparisons=tuple(map(comparison_basis, result.comparisons)),
        experiments={number: _experiment(result, summary) for number, summary in known.items()},
        finalists={number: _finalist(result, gain) for number, gain in finalists.items()},
    )


def _certainty(gain: GainFigure | None) -> str | None:
    """The guarantee of the confirmation (docs/guide/evidence.md)."""
    if gain is None or gain.confidence is None or gain.low is None:
        return None
    wrong = f"{(1 - gain.confidence) * 100:.3g}"
    return (
        f"Of 100 tasks without a true gain at most {wrong} would claim one: the interval is corrected for all finalists"
        " and for every look at the data"
    )


def _experiment(result: TaskResult, summary: ExperimentSummary) -> ExperimentWords:
    baseline = result.baseline
    own = baseline is not None and baseline.number == summary.number
    return ExperimentWords(
        title=experiment_title(summary),
        gain=None if baseline is None or own else gain_of(summary.score, baseline.score, result.direction),
        slo=slo_word(summary),
        ended_early=ended_early(summary),
        load=load_text(summary.metrics),
    )


def _finalist(result: TaskResult, gain: GainFigure) -> FinalistWords:
    base = None if result.baseline is None else result.baseline.number
    scores = {(point.block, point.experiment): point.score for point in result.confirmation}
    blocks = sorted(block for block, number in scores if number == gain.experiment)
    return FinalistWords(
        text=gain_text(gain),
        standing=standing_text(gain),
        pairs=tuple(
            None
            if base is None
            else gain_of(scores[block, gain.experiment], scores.get((block, base)), result.direction)
            for block in blocks
        ),
    )
