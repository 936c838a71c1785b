"""A plan on the terminal."""

from __future__ import annotations

import shlex

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.config.layers import DOCUMENT
from autotuner.contracts.attempt import API_KEY
from autotuner.contracts.load_search import LoadSearch
from autotuner.contracts.workload import Dataset
from autotuner.planning.provenance import DERIVED, ENGINE_DEFAULT
from autotuner.services.plan_summary import PlanCounts, PlannedCommand, PlannedLayer, PlanSummary
from autotuner.services.report.wording import (
    PREDICTED,
    command_line,
    duration,
    one_line,
    parameter_name,
    parameters_text,
    percent,
    plain,
    visible,
)

UNNAMED = frozenset({DOCUMENT, DERIVED, ENGINE_DEFAULT})
"""Layers that the column of origins names in other words."""

SINGLE, NO_PARALLEL = "single GPU", "(single GPU, no parallel args)"
"""What a layout without any parallelism is called, and how it is shown."""


def plan_view(plan: PlanSummary, *, every: bool) -> list[RenderableType]:
    """What is searched, counted, measured and started; ``every``: the parameters left at their defaults too."""
    parts: list[RenderableType] = [_head(plan), "", *_parameters(plan, every=every), "", _facts(plan)]
    if plan.layers:
        parts += ["", _layers(plan.layers)]
    if plan.commands:
        parts += ["", *_commands(plan.commands)]
    if plan.warnings:
        parts += ["", *(Text(f"Warning: {one_line(warning)}", style="yellow") for warning in plan.warnings)]
    return parts


def _head(plan: PlanSummary) -> Text:
    text = Text(one_line(plan.task_name), style="bold")
    if plan.predicted:
        text.append(f"  [{PREDICTED}]", style="bold yellow")
    server = f"{plan.engine} {plan.engine_version or ''}".rstrip()
    where = plan.endpoint_url or plan.deployment
    models = ", ".join(plan.models)
    text.append(f"\n{one_line(f'{server}, {models}, {where}, load from {plan.client}')}", style="not bold")
    return text


def _parameters(plan: PlanSummary, *, every: bool) -> list[RenderableType]:
    shown = [p for p in plan.parameters if every or p.origin in ("searched", "fixed") or p.origin.startswith("from ")]
    rows = [
        (
            parameter_name(p.name),
            p.origin if p.layer in UNNAMED else f"{p.origin}, {one_line(p.layer)}",
            "engine's choice" if p.value is None else plain(p.value),
            "engine's choice" if p.default is None else plain(p.default),
        )
        for p in shown
    ]
    parts: list[RenderableType] = [table(("parameter", "", "value", "engine's default"), rows)] if rows else []
    folded = len(plan.parameters) - len(shown)
    if folded:
        parts.append(Text(f"{folded} parameters are left at the engine's defaults; --all lists them.", style="dim"))
    return parts


def _layers(layers: tuple[PlannedLayer, ...]) -> RenderableType:
    """What was merged below the document, and the keys that have their values from it."""
    rows = [
        (layer.name, key, plain(value))
        for layer in layers
        for key, value in (layer.keys.items() or [("nothing that no stronger one sets", "")])
    ]
    return table(("layer, the weakest first", "gives", "value"), rows)


def _facts(plan: PlanSummary) -> RenderableType:
    runs = plan.runs
    experiments = [
        *(["the baseline"] if runs.baseline else []),
        *(f"reference {one_line(label)}" for label in runs.references),
        f"{runs.searched} by {plan.strategy}",
    ]
    windows = f"{plan.repeats} × {duration(plan.window_s)} each"
    loads = ("load points", f"{', '.join(plan.load_points)}; {windows}")
    if plan.load_search is not None:
        loads = ("load", _search(plan, plan.load_search))
    cores = f"server {_cores(plan.cores.server)}, client {_cores(plan.cores.client)}"
    limit = f", limit {duration(plan.wall_clock_s)}" if plan.wall_clock_s is not None else ""
    rows = [
        ("objective", f"{plan.objective_label} at {', '.join(plan.scored_at)}"),
        ("SLO", "; ".join(plan.slo_sentences) or "none"),
        ("configurations", _counts(plan.counts)),
        *(("excluded", f"{number} × {reason}") for reason, number in plan.counts.excluded.items()),
        ("experiments", ", ".join(experiments)),
        *(("knows", f"{one_line(prior.name)}: {one_line(prior.says)}") for prior in plan.priors),
        ("confirmation", _confirmation(plan)),
        ("server starts", _span(str(runs.starts), str(runs.most_starts))),
        loads,
        *([("load per", _LOAD_PER[plan.load_per])] if plan.load_per in _LOAD_PER else []),
        *([("arrivals", plan.arrivals)] if plan.arrivals is not None else []),
        *([("dataset", _dataset(plan.dataset))] if plan.dataset is not None else []),
        ("answers", _answers(plan)),
        *([("hardware", one_line(plan.hardware))] if plan.hardware else []),
        ("cores", cores),
        ("time", f"about {_span(duration(plan.estimate_s), duration(plan.most_s))}{limit}"),
    ]
    return table(("plan", ""), rows)


def _confirmation(plan: PlanSummary) -> str:
    runs = plan.runs
    if not runs.confirm_starts:
        return "none" + (": the winner will not be confirmed" if runs.searched or runs.references else "")
    finalists = "1 finalist" if runs.finalists == 1 else f"each of {runs.finalists} finalists"
    of_each = _span(str(runs.confirm_starts), str(runs.confirm_most))
    everything = runs.finalists + 1
    starts = _span(str(everything * runs.confirm_starts), str(everything * runs.confirm_most))
    least_s, most_s = plan.confirm_s
    return (
        f"{of_each} starts of {finalists} and of the baseline, in turns, until the verdicts are clear: {starts} "
        f"starts, about {_span(duration(least_s), duration(most_s))}"
    )


def _span(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


_LOAD_PER = {
    "gpu": "GPU: a server gets so many times as much as it has GPUs",
    "node": "node: the servers that fill it share the load",
}


def _search(plan: PlanSummary, search: LoadSearch) -> str:
    unit = "requests in flight" if search.by == "concurrency" else "requests/s"
    fewer = min(search.probes, search.confirm_probes)
    confirming = f", {fewer} in one of the confirmation" if plan.runs.confirm_starts else ""
    return (
        f"searched from {search.lowest:g} to {search.highest:g} {unit}, to {100 * search.tolerance:g} %; at most "
        f"{search.probes} probes in a start{confirming}, usually about {plan.usual_probes}; "
        f"{duration(plan.window_s)} or more each"
    )


def _dataset(dataset: Dataset) -> str:
    prompt, output = dataset.prompt_characters, dataset.output_tokens
    lasts = f"; {duration(dataset.duration_s)} from first to last" if dataset.duration_s else ""
    return (
        f"{dataset.requests} requests; prompts of {prompt.least} to {prompt.greatest} characters, median "
        f"{prompt.median}, mean {prompt.mean:.0f}; answers of {output.least} to {output.greatest} tokens, median "
        f"{output.median}, mean {output.mean:.0f}{lasts}"
    )


def _answers(plan: PlanSummary) -> str:
    guard = plan.quality
    if guard is None:
        return f"not compared: {plan.quality_reason}"
    limits = [
        *([f"at least {percent(guard.least_agreement)} of tokens"] if guard.least_agreement is not None else []),
        *([f"at most {guard.greatest_distance:g} nats"] if guard.greatest_distance is not None else []),
    ]
    return (
        f"compared with the baseline's ({plan.quality_reason}): {guard.prompts} prompts × {guard.output_tokens} tokens "
        f"for each configuration, {guard.baseline_passes} times for the baseline; "
        + (f"limit {', '.join(limits)}" if limits else "no limit, what differs is labelled")
    )


def _counts(counts: PlanCounts) -> str:
    if counts.combinations is None:
        return "without end: a parameter is continuous"
    about = "" if counts.exact else "about "
    return f"{counts.combinations} combinations, {about}{counts.valid} valid, {about}{counts.distinct} distinct"


def _cores(cores: tuple[int, ...] | None) -> str:
    return "not pinned" if cores is None else "on " + ",".join(map(str, cores))


def _commands(commands: tuple[PlannedCommand, ...]) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(f"The first {len(commands)} commands", style="bold")]
    for entry in commands:
        title = f"{one_line(entry.label)}: {parameters_text(entry.parameters)}"
        layout = NO_PARALLEL if entry.layout == SINGLE else entry.layout
        lines.append(Text(f"{title}  {layout}".rstrip(), style="dim"))
        lines += [Text(one_line(remark), style="dim") for remark in entry.remarks]
        # Keys are made anew at each start; they are no part of the plan.
        variables = [f"{k}={shlex.quote(v)}" for k, v in entry.command.env.items() if v != API_KEY]
        lines.append(Text(visible(" ".join([*variables, command_line(entry.command.argv)]))))
        for name, text in entry.command.files.items():
            lines.append(Text(f"{one_line(name)}:\n{visible(text.rstrip())}", style="dim"))
    return lines
