"""How figures, parameters and experiments are put into words; used by every display."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from autotuner.contracts.attempt import Failure, Phase
from autotuner.contracts.result import (
    ExperimentSummary,
    FailureCount,
    GainFigure,
    MeasuringTime,
    SloLine,
    TaskResult,
    Verification,
    VerifyFigure,
)
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import MODEL_KEY, Scalar
from autotuner.services.deploy_files import shell_words

PREDICTED = "predicted"
MISSING = "–"

METRICS: tuple[tuple[str, str, str], ...] = (
    ("mean_total_throughput", "total throughput", "tokens/s"),
    ("mean_total_throughput_per_gpu", "total throughput per GPU", "tokens/s"),
    ("mean_output_throughput", "output throughput", "tokens/s"),
    ("mean_output_throughput_per_gpu", "output throughput per GPU", "tokens/s"),
    ("goodput", "goodput", "requests/s"),
    ("requests_per_second", "requests", "requests/s"),
    ("mean_ttft", "TTFT, mean", "s"),
    ("p50_ttft", "TTFT, p50", "s"),
    ("p90_ttft", "TTFT, p90", "s"),
    ("p99_ttft", "TTFT, p99", "s"),
    ("mean_tpot", "TPOT, mean", "s"),
    ("p90_tpot", "TPOT, p90", "s"),
    ("mean_itl", "time between chunks, mean", "s"),
    ("mean_e2e_latency", "latency, mean", "s"),
    ("p50_e2e_latency", "latency, p50", "s"),
    ("p90_e2e_latency", "latency, p90", "s"),
    ("p99_e2e_latency", "latency, p99", "s"),
    ("error_rate", "errors", "share"),
    ("max_load_meeting_slo", "highest load that meets the SLO", ""),
    ("max_load_low", "… at least", ""),
    ("max_load_high", "… at most", ""),
    ("answer_difference", "answers unlike the baseline's", "share"),
    ("logprob_distance", "distance of log-probabilities to the baseline's", "nats"),
)
"""Aggregated metrics that are shown, in order: name, label, unit."""

SERVER_METRICS: tuple[tuple[str, str, str], ...] = (
    ("mean_server_running", "requests computed by the server, mean", "requests"),
    ("max_server_running", "requests computed by the server, most", "requests"),
    ("mean_server_waiting", "requests in the server's queue, mean", "requests"),
    ("max_server_waiting", "requests in the server's queue, most", "requests"),
    ("mean_kv_cache_use", "KV cache in use, mean", "share"),
    ("max_kv_cache_use", "KV cache in use, most", "share"),
    ("preemptions", "preemptions", ""),
    ("prefix_hit_rate", "prompt tokens found in the prefix cache", "share"),
    ("mean_gpu_utilization", "GPU utilisation, mean", "share"),
    ("max_gpu_memory_used", "memory in use on a GPU, most", "bytes"),
    ("mean_gpu_power", "power of all GPUs, mean", "W"),
    ("max_gpu_temperature", "temperature of a GPU, most", "°C"),
    ("mean_gpu_sm_clock", "clock of the GPUs, mean", "MHz"),
    ("energy_per_output_token", "energy per output token", "J"),
)
"""What servers and their GPUs told, likewise; shown where single experiments are looked at."""

_LOAD_LIMITS = {
    "highest_load": "the highest that may be tried",
    "probes_used": "the highest that was tried before the probes were used up",
    "load_not_sustained": "beyond which requests come faster than they are answered",
}

# C0, DEL, C1, and the marks that reorder text; line feed and tab are decided by the caller.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_PREFIXED = re.compile(r"__(\w+?)__(.+)")


def visible(text: str) -> str:
    """The text with control characters (terminal escapes, reordering marks) spelt out: they act nowhere."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """``visible`` and without line breaks or tabs."""
    return " ".join(visible(text).split())


def number(value: float | None, digits: int = 4) -> str:
    """Significant digits, thousands separated; a dash for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(decimals, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, one: str, several: str | None = None) -> str:
    """``1 start``, ``2 starts``; ``several`` where it does not end in an s alone."""
    return f"{count} {one}" if count == 1 else f"{count} {several or one + 's'}"


def with_unit(value: float | None, unit: str) -> str:
    """A figure and its unit; seconds below one as milliseconds, shares as per cent, bytes as GiB."""
    if value is None or not math.isfinite(value):
        return MISSING
    if unit == "s":
        return f"{number(value * 1000)} ms" if abs(value) < 1 else f"{number(value)} s"
    if unit == "share":
        return f"{number(value * 100)} %"
    if unit == "bytes":
        return f"{number(value / (1 << 30))} GiB"
    return f"{number(value)} {one_line(unit)}".rstrip()


def signed_percent(share: float | None) -> str:
    """0.123 as ``+12.3 %``."""
    if share is None or not math.isfinite(share):
        return MISSING
    return f"{share * 100:+.1f} %".replace("-", "−")


def percent(share: float | None) -> str:
    """0.987 as ``98.7 %``."""
    return MISSING if share is None or not math.isfinite(share) else f"{share * 100:.1f} %"


def duration(seconds: float | None) -> str:
    """``42 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def model_name(value: str) -> str:
    """A model as displays name it: the base name of a file's path, anything else (``tiny:q8_0``, a hub id) as it is."""
    is_file = value.startswith(("/", "./", "../", "~")) or value.lower().endswith((".gguf", ".safetensors"))
    return value.rstrip("/").rpartition("/")[2] if is_file else value


def parameter_name(name: str) -> str:
    """``__model__file`` is shown as ``model.file``."""
    found = _PREFIXED.fullmatch(name)
    return one_line(f"{found[1]}.{found[2]}" if found else name)


def parameter_value(name: str, value: Scalar) -> str:
    """A parameter's value in words."""
    if value is None:
        return "engine's choice"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return one_line(model_name(value) if name == MODEL_KEY else value) or '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


def parameters_text(parameters: Mapping[str, Scalar]) -> str:
    """``a=1, b=2``."""
    return ", ".join(f"{parameter_name(name)}={parameter_value(name, value)}" for name, value in parameters.items())


def command_line(argv: Sequence[str]) -> str:
    """An argument list to be copied into a POSIX shell: listening on 127.0.0.1:8000, the key from a variable."""
    return shell_words(argv, host="127.0.0.1", port=8000)


def experiment_title(summary: ExperimentSummary) -> str:
    """``#0 baseline``, ``#1 reference: defaults of …``, ``#7``."""
    if summary.origin is ExperimentOrigin.SEARCH and not summary.label:
        return f"#{summary.number}"
    label = one_line(summary.label) if summary.label else ""
    if summary.origin is ExperimentOrigin.SEARCH:
        return f"#{summary.number} {label}"
    kind = summary.origin.value
    return f"#{summary.number} {kind}" + (f": {label}" if label and label != kind else "")


def score_text(result: TaskResult, value: float | None) -> str:
    """A score with its unit, and ``predicted`` where it is."""
    text = with_unit(value, result.unit)
    return f"{text} ({PREDICTED})" if result.predicted and value is not None else text


def gain_of(score: float | None, baseline: float | None, direction: str) -> float | None:
    """How much better a score is than the baseline's, as a share of the baseline's; positive is better.

    Of a minimised score the reduction, as in ``GainFigure``. None where it is undefined.
    """
    if score is None or baseline is None or score <= 0 or baseline <= 0:
        return None
    return score / baseline - 1 if direction == "maximize" else 1 - score / baseline


def winner_name(result: TaskResult) -> str:
    """What the chosen configuration is called: it has won only where the verdict says so."""
    if result.winner is None:
        return "nearest"
    return "winner" if result.verdict in (None, "gain", "only_eligible", "measured") else "best candidate"


def chosen_title(result: TaskResult, summary: ExperimentSummary) -> str:
    """``winner #4``, ``best candidate #4``, ``nearest #2``; of another one and of the baseline its own title."""
    chosen = result.winner or result.nearest
    is_baseline = result.baseline is not None and result.baseline.number == summary.number
    if chosen is None or chosen.number != summary.number or is_baseline:
        return experiment_title(summary)
    return f"{winner_name(result)} {experiment_title(summary)}"


def standing_text(gain: GainFigure) -> str:
    """Why a finalist was not started any further; empty where starts were wanted and not to be had."""
    return {
        "open": "",
        "gain": "a gain is shown",
        "no_useful_gain": "a useful gain is excluded",
        "out_of_reach": "a gain is out of reach of the starts that are left",
        "worse": "worse than the baseline",
        "beaten": "it measured less than one whose gain is shown",
    }[gain.standing]


def noise_text(result: TaskResult) -> str | None:
    """How much starts, and repeats within one, differ by chance; None where it is not known."""
    if result.noise is None:
        return None
    within = f", {percent(result.noise_within)} from repeat to repeat" if result.noise_within is not None else ""
    return f"the score varies by {percent(result.noise)} from start to start{within} (standard deviations)"


def gain_text(gain: GainFigure) -> str:
    """The gain, its interval, its starts and whether it counts."""
    text = signed_percent(gain.gain)
    if gain.vague:
        starts = "pair of starts is" if gain.pairs == 1 else "pairs of starts are"
        return f"{text}, but {gain.pairs} {starts} too few to tell"
    if gain.low is not None and gain.high is not None:
        text += f" (from {signed_percent(gain.low)} to {signed_percent(gain.high)}"
        text += f" at {number(gain.confidence * 100)} % confidence)" if gain.confidence is not None else ")"
    pairs = "pair" if gain.pairs == 1 else "pairs"
    return f"{text}, {gain.pairs} {pairs} of starts, {'significant' if gain.significant else 'not significant'}"


def slo_status(line: SloLine) -> str:
    """``met``, ``missed``, ``violated`` or ``not measured``."""
    if line.actual is None:
        return "not measured"
    return "met" if line.met else "violated" if line.violated else "missed"


def slo_text(line: SloLine) -> str:
    """One SLO in a sentence."""
    kind = "hard" if line.hard else "soft"
    figure = with_unit(line.actual, line.unit)
    limit = with_unit(line.threshold, line.unit)
    return f"{one_line(line.name)} {figure} of at most {limit} ({kind}): {slo_status(line)}"


def load_text(metrics: Mapping[str, object]) -> str | None:
    """The load that a search found, in a sentence without a full stop; None where none was searched."""
    limited_by = metrics.get("max_load_limited_by")
    if not isinstance(limited_by, str):
        return None
    load, low, high = (figure_of(metrics, f"max_load_{end}") for end in ("meeting_slo", "low", "high"))
    if load is None:
        if limited_by == "probes_used":
            return "none was found: the probes were used up before any load met the SLO"
        return "not even the lowest load meets the SLO"
    unit = "requests/s" if metrics.get("request_rates") else "requests in flight"
    between = "" if low is None or high is None or low == high else f" ({number(low)} to {number(high)})"
    why = _LOAD_LIMITS.get(limited_by, f"limited by {_figure_words(limited_by)}")
    cliff = ", and falls off a cliff beyond it" if metrics.get("max_load_cliff") is True else ""
    unsure = "" if metrics.get("max_load_precise") is not False else "; the probes were used up before it was sure"
    return f"{number(load)} {unit}{between}, {why}{cliff}{unsure}"


def _figure_words(name: str) -> str:
    """``p90 TTFT`` for ``p90_ttft``, as SLOs are called."""
    words = one_line(name).replace("e2e_latency", "latency").split("_")
    return " ".join(word.upper() if word in ("ttft", "tpot") else word for word in words)


def measuring_text(measuring: MeasuringTime) -> str:
    """How long the windows were and what early stops saved; empty where they saved nothing."""
    if measuring.saved_s <= 0:
        return ""
    share = percent(measuring.saved_s / (measuring.windows_s + measuring.saved_s))
    starts = counted(measuring.shortened, "start")
    out = f"{counted(measuring.pruned, 'configuration')} out of the running"
    saved = f"early stops saved {duration(measuring.saved_s)} ({share}) of the windows"
    shortened = f"{starts} not measured to the end, {out}"
    return f"Measured for {duration(measuring.windows_s)} in all; {saved}: {shortened}"


def ended_early(summary: ExperimentSummary) -> str:
    """Why a configuration was not measured to the end; empty for one that was."""
    reasons = [*summary.stopped_early]
    if summary.pruned and not any(summary.pruned in reason for reason in reasons):
        reasons.append(summary.pruned)
    left = summary.metrics.get("not_measured")
    if isinstance(left, Mapping) and left:
        why = next((str(value) for value in left.values() if value and value != summary.pruned), "")
        reasons.append(f"not measured at {', '.join(map(str, left))}" + (f" ({why})" if why else ""))
    return "; ".join(map(one_line, reasons))


def phase_name(phase: Phase) -> str:
    """``warm up`` for ``warm_up``."""
    return phase.value.replace("_", " ")


def failure_title(failure: Failure) -> str:
    """``crash (load)``: the class, and the phase where it is known."""
    return failure.kind.value + (f" ({phase_name(failure.phase)})" if failure.phase is not None else "")


def failure_count_text(count: FailureCount) -> str:
    """``3 × crash (load; 2 configurations, 1 made good by a later try)``."""
    configurations = counted(count.experiments, "configuration")
    recovered = f", {count.recovered} made good by a later try" if count.recovered else ""
    return f"{count.starts} × {count.kind.value} ({phase_name(count.phase)}; {configurations}{recovered})"


def figure_of(metrics: Mapping[str, object], name: str) -> float | None:
    """A finite number of the aggregated metrics, else None."""
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def shown_metrics(summaries: Sequence[ExperimentSummary], *, server: bool = False) -> list[tuple[str, str, str]]:
    """The rows of ``METRICS``, and with ``server`` those of ``SERVER_METRICS``, that one of the experiments has."""
    rows = METRICS + SERVER_METRICS if server else METRICS
    return [row for row in rows if any(figure_of(s.metrics, row[0]) is not None for s in summaries)]


def plain(value: object) -> str:
    """A value of the host's facts in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(k))} {plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(v) for v in value)
    return MISSING if value is None else one_line(str(value))


def verification_rows(made: Verification) -> list[tuple[str, str, str, str]]:
    """Each figure of a verification: its name, by the own client, by the other one, the difference."""
    several = len({figure.load_point for figure in made.figures}) > 1
    return [
        (
            f"{figure.name} at {figure.load_point}" if several else figure.name,
            _figure(figure.own, figure.unit),
            _figure(figure.other, figure.unit),
            signed_percent(figure.difference),
        )
        for figure in made.figures
    ]


def verdict_of(figure: VerifyFigure) -> str:
    """Whether the clients agree on a figure; a figure that is not judged is said to be so."""
    return "not judged" if figure.agrees is None else "yes" if figure.agrees else "no"


def verification_sentence(made: Verification) -> str:
    """What a verification came to."""
    names = f"{made.own_client} {made.own_version or ''}".strip(), f"{made.client} {made.client_version or ''}".strip()
    if made.failure is not None:
        return f"{names[0]} and {names[1]} could not be compared: {one_line(made.failure)}."
    points = ", ".join(dict.fromkeys(figure.load_point for figure in made.figures))
    apart = [figure.name for figure in made.figures if figure.agrees is False]
    said = f"{names[0]} and {names[1]} " + ("agree" if made.agrees else f"differ in {', '.join(apart)}")
    bounds = f"within {percent(made.tolerance)}, or {made.close_s * 1e3:g} ms for times and a tenth of that for tpot"
    return f"{said} at {points}, one start each ({bounds}). These figures are in no score."


def _figure(value: float | None, unit: str) -> str:
    return percent(value) if unit == "share" else with_unit(value, unit)
