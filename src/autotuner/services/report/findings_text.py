"""How trade-offs, importance and differences are put into words; used by every display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotuner.contracts.findings import Comparison, Importance, MetricDifference, ParetoPoint, ParetoSet
from autotuner.contracts.result import ExperimentSummary, ValueOrigin
from autotuner.services.report.wording import (
    METRICS,
    MISSING,
    SERVER_METRICS,
    counted,
    one_line,
    parameter_name,
    parameter_value,
    percent,
    signed_percent,
    with_unit,
)

PLACES: Mapping[str, str] = {
    "front": "on the front",
    "unclear": "cannot be told from the front",
    "behind": "behind the front",
}

_UNITS = {name: (label, unit) for name, label, unit in METRICS + SERVER_METRICS}


def place_text(point: ParetoPoint) -> str:
    """Where a configuration stands, with its probability: ``on the front (98 %)``."""
    if not point.eligible:
        return "failed when started again" if point.failed else "violates a hard SLO"
    if point.place is None or point.probability is None:
        return "on the measured front" if point.on_front else "behind the measured front"
    share = point.probability
    chance = "> 99.9 %" if 0.999 < share < 1 else "< 0.1 %" if 0 < share < 0.001 else percent(share)
    return f"{PLACES[point.place]} ({chance})"


def front_role(found: ParetoSet, point: ParetoPoint) -> str:
    """``best TTFT``, ``knee``, both, or nothing."""
    labels = {objective.name: one_line(objective.label) for objective in found.objectives}
    return ", ".join([*(f"best {labels[name]}" for name in point.best_in), *(["knee"] if point.knee else [])])


def score_range(found: ParetoSet, point: ParetoPoint, axis: int) -> str:
    """A score with its interval: ``812 tokens/s (790 to 835)``."""
    unit = found.objectives[axis].unit
    text = with_unit(point.values[axis], unit)
    if point.low is None or point.high is None:
        return text
    ends = [with_unit(end[axis], unit) for end in (point.low, point.high)]
    if {end.partition(" ")[2] for end in (text, *ends)} == {text.partition(" ")[2]}:
        ends = [end.partition(" ")[0] for end in ends]
    return f"{text} ({ends[0]} to {ends[1]})"


def shown_points(found: ParetoSet, most: int) -> list[ParetoPoint]:
    """The front, what cannot be told from it, then the most likely others, so many of these."""
    near = [p for p in found.points if p.on_front or p.place == "unclear"]
    rest = [p for p in found.points if not (p.on_front or p.place == "unclear")]
    return near + rest[:most]


def front_sentence(found: ParetoSet) -> str:
    """How many configurations are on the front, and how sure that is."""
    front = [p for p in found.points if p.on_front]
    if not front:
        return "No configuration that keeps the hard SLOs has figures, so there is no front."
    text = f"{counted(len(front), 'configuration is', 'configurations are')} on the measured front."
    if found.note is not None:
        return f"{text} {found.note[0].upper()}{found.note[1:]}."
    sure = sum(p.place == "front" for p in found.points)
    unclear = sum(p.place == "unclear" for p in found.points)
    text += (
        f" With the noise from start to start, {counted(sure, 'is', 'are')} on the true front with a probability of"
        " 95 % or more"
    )
    text += f", and {unclear} cannot be told from it." if unclear else "."
    return text


def importance_sentence(found: Importance) -> str:
    """Whether importance can be shown, and on what it rests."""
    if found.note is not None:
        return f"Parameter importance: {found.note}."
    return (
        f"A model of {found.experiments} experiments explains {percent(found.explained)} of the variation among"
        " experiments that it has not seen."
    )


def importance_lines(found: Importance) -> list[str]:
    """``threads 62.0 % ± 8.0 %`` of each parameter."""
    return [
        f"{parameter_name(p.parameter)} {percent(p.share)} ± {percent(p.spread)}"
        + ("" if p.seen else " (not told from nothing)")
        for p in found.parameters
    ]


def metric_name(name: str) -> str:
    """An aggregated metric in words."""
    return _UNITS.get(name, (name, ""))[0]


def metric_value(name: str, value: float) -> str:
    """A value of an aggregated metric with its unit."""
    return with_unit(value, _UNITS.get(name, (name, ""))[1])


def change_text(difference: MetricDifference) -> str:
    """``+12.0 % (+10.1 % to +13.9 %)``."""
    text = signed_percent(difference.change)
    if difference.low is None or difference.high is None:
        return text
    return f"{text} ({signed_percent(difference.low)} to {signed_percent(difference.high)})"


def clear_text(difference: MetricDifference) -> str:
    """Whether a difference is more than noise."""
    if difference.change is None:
        return "no ratio to 0"
    if difference.clear is None:
        return "noise not known"
    return "more than noise" if difference.clear else "within the noise"


def comparison_basis(found: Comparison) -> str:
    """What the differences of a comparison rest on."""
    pairs = max((difference.pairs for difference in found.metrics), default=0)
    if pairs > 1:
        return f"over {pairs} paired starts, with 95 % intervals"
    if pairs == 1:
        return "of one paired start"
    known = any(difference.noise is not None for difference in found.metrics)
    return "of one start each" + (", with 95 % intervals from the noise of the confirmation" if known else "")


def origin_text(origin: ValueOrigin) -> str:
    """Where a value comes from."""
    text = f"{origin.origin} from {one_line(origin.source)}" if origin.source else one_line(origin.origin)
    return f"{text}, searched" if origin.searched else text


def value_text(origin: ValueOrigin) -> str:
    """A value, or the list or range that is searched."""
    value = origin.value
    if isinstance(value, list):
        return ", ".join(parameter_value(origin.parameter, entry) for entry in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(key))} {_plain(entry)}" for key, entry in value.items())
    return parameter_value(origin.parameter, value)


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(entry) for entry in value)
    return MISSING if value is None else one_line(str(value))


def slo_word(summary: ExperimentSummary) -> str:
    """``met``, ``violated``, or what is missed without making the configuration ineligible."""
    if summary.score is None:
        return MISSING
    if not summary.eligible:
        return "violated"
    missed = [one_line(line.name) for line in summary.slo if not line.met]
    return f"misses {', '.join(missed)}" if missed else "met"


def slo_tone(summary: ExperimentSummary) -> str | None:
    """Whether that is good, bad, or between."""
    if summary.score is None:
        return None
    if not summary.eligible:
        return "bad"
    return "good" if all(line.met for line in summary.slo) else "warn"
