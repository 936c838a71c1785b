"""What the parameters do: importance, slices, and all experiments by value."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report import figures
from autotuner.services.report.findings_text import importance_lines, importance_sentence
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import Plot, predicted_mark, section, table
from autotuner.services.report.wording import MISSING, parameter_name, parameter_value, with_unit


def parameters(result: TaskResult, plot: Plot) -> Html | None:
    """Importance where a model explains the scores, else why not; then the effect of each parameter."""
    found = result.importance
    parallel = plot(figures.parallel_figure(result))
    values = [plot(figure) for figure in figures.value_figures(result)]
    if found is None and not any((parallel, *values)):
        return None
    parts: list[Child] = []
    if found is not None:
        mark = predicted_mark(result) if found.note is None else None
        parts.append(tag("p", importance_sentence(found), " ", mark, class_="note" if found.note else None))
        drawn = plot(figures.importance_figure(result))
        grey = drawn is not None and not all(entry.seen for entry in found.parameters)
        parts += [drawn, tag("p", "Grey: not told from nothing.", class_="note") if grey else None]
        if drawn is None and found.parameters:
            parts.append(tag("p", "; ".join(importance_lines(found)) + "."))
    parts += _slices(result, plot)
    parts += [
        parallel,
        tag("h3", "All experiments by value of each parameter") if any(values) else None,
        tag("div", values, class_="trio") if any(values) else None,
    ]
    return section("Parameters", parts)


def _slices(result: TaskResult, plot: Plot) -> list[Child]:
    if not result.slices:
        return []
    modelled = any(p.modelled is not None for s in result.slices for p in s.points)
    text = "One parameter changed, the others as in the best configuration. Dots were measured, one start each."
    text += (
        " Dashed: what the model expects of one start, with its 95 % interval; nothing of it was measured."
        if modelled
        else ""
    )
    drawn = [plot(figure) for figure in figures.slice_figures(result)]
    parts: list[Child] = [tag("h3", "Effect of each parameter alone"), tag("p", text, class_="note")]
    return [*parts, tag("div", drawn, class_="trio") if any(drawn) else _slice_table(result)]


def _slice_table(result: TaskResult) -> Html:
    head = tag("tr", [tag("th", name) for name in ("parameter", "value", "measured", "expected by the model")])
    rows = [
        tag(
            "tr",
            tag("th", parameter_name(s.parameter), scope="row"),
            tag("td", parameter_value(s.parameter, p.value) + (" (best)" if p.value == s.best else "")),
            tag("td", with_unit(p.measured, result.unit), class_="figure"),
            tag("td", with_unit(p.modelled, result.unit) if p.modelled is not None else MISSING, class_="figure"),
        )
        for s in result.slices
        for p in s.points
    ]
    return table(head, rows)
