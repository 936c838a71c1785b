"""The head of the report, and where its figures come from."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report.findings_text import origin_text, value_text
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import predicted_mark, row, section, table
from autotuner.services.report.wording import counted, duration, model_name, one_line, parameter_name, plain


def verdict(result: TaskResult) -> Html:
    """Headline and what was tuned."""
    experiments, starts = counted(len(result.experiments), "experiment"), counted(result.attempts, "server start")
    facts = [
        f"model {model_name(result.model)}",
        f"{result.engine} {result.engine_version or ''}".strip(),
        f"{result.deployment_mode} deployment",
        f"objective {result.objective_label}" + (f" at {', '.join(result.scored_at)}" if result.scored_at else ""),
        f"{experiments}, {starts}, {duration(result.elapsed_s)}",
        f"status {result.status.value}",
    ]
    return tag(
        "header",
        tag("h1", f"inference-autotuner · {one_line(result.task_name)} "),
        tag("p", result.headline, " ", predicted_mark(result), class_="headline"),
        tag("p", " · ".join(facts), class_="facts"),
        tag("p", f"Stopped: {result.stop_reason}", class_="note") if result.stop_reason else None,
        tag(
            "p",
            "These figures are predictions of a model of the hardware; no server was measured.",
            class_="banner",
        )
        if result.predicted
        else None,
        [tag("p", warning, class_="banner") for warning in result.warnings],
    )


def provenance(result: TaskResult) -> Html:
    """On what and with what it was measured, and where every value comes from."""
    facts = {one_line(str(key)).replace("_", " "): plain(value) for key, value in result.host.items()}
    facts = {one_line(str(key)): plain(value) for key, value in result.settings.items()} | facts
    rows = [row(name, [value], figure=False) for name, value in facts.items()]
    engine = f"{result.engine} {result.engine_version or '(version unknown)'}"
    rows = [row("engine", [engine], figure=False), row("model", [result.model], figure=False), *rows]
    if result.slo_sentences:
        rows.insert(0, row("SLO", ["; ".join(result.slo_sentences)], figure=False))
    parts: list[Child] = [table(tag("tr", tag("th", ""), tag("th", "")), rows)]
    if result.provenance:
        values = [
            row(parameter_name(origin.parameter), [value_text(origin), origin_text(origin)], figure=False)
            for origin in result.provenance
        ]
        head = tag("tr", tag("th", "parameter"), tag("th", "value"), tag("th", "from"))
        parts.append(tag("details", tag("summary", "Where each value comes from"), table(head, values)))
    return section("Provenance", parts)
