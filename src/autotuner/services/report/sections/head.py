"""The head of the report, and on what it was measured."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report.markup import Html, tag
from autotuner.services.report.sections.parts import predicted_mark, row, section, table
from autotuner.services.report.wording import duration, model_name, one_line, plain


def verdict(result: TaskResult) -> Html:
    """Headline and what was tuned."""
    facts = [
        f"model {model_name(result.model)}",
        f"{result.engine} {result.engine_version or ''}".strip(),
        f"{result.deployment_mode} deployment",
        f"objective {result.objective_label}" + (f" at {', '.join(result.scored_at)}" if result.scored_at else ""),
        f"{len(result.experiments)} experiments, {result.attempts} server starts, {duration(result.elapsed_s)}",
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


def setting(result: TaskResult) -> Html:
    """SLOs, host and versions."""
    facts = {one_line(str(key)).replace("_", " "): plain(value) for key, value in result.host.items()}
    rows = [row(name, [value], figure=False) for name, value in facts.items()]
    engine = f"{result.engine} {result.engine_version or '(version unknown)'}"
    rows = [row("engine", [engine], figure=False), row("model", [result.model], figure=False), *rows]
    if result.slo_sentences:
        rows.insert(0, row("SLO", ["; ".join(result.slo_sentences)], figure=False))
    return section("Host and versions", [table(tag("tr", tag("th", ""), tag("th", "")), rows)])
