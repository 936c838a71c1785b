"""What the sections are made of: headings, tables, rows and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.figures import Figure
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.wording import MISSING, PREDICTED, parameter_value

Plot = Callable[[Figure | None], Html | None]
"""Places a plot; nothing when plots are not available."""


def section(title: str, parts: Sequence[Child]) -> Html:
    """A section under its heading."""
    return tag("section", tag("h2", title), parts, id=title.lower().replace(" ", "-"))


def predicted_mark(result: TaskResult) -> Html | None:
    """Said beside figures that are predictions."""
    return tag("span", PREDICTED, class_="predicted") if result.predicted else None


def table(head: Html, rows: Sequence[Html], *, caption: str | None = None, sortable: bool = False) -> Html:
    """A table in a box that scrolls on a narrow page; ``sortable``: by its columns."""
    made = tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", head),
        tag("tbody", list(rows)),
        class_="sortable" if sortable else None,
    )
    return tag("div", made, class_="scroll", tabindex="0" if sortable else None)


def row(name: str, cells: Sequence[str], *, figure: bool = True) -> Html:
    """A row with its name in front; ``figure``: the cells are figures."""
    return tag(
        "tr", tag("th", name, scope="row"), [tag("td", cell, class_="figure" if figure else None) for cell in cells]
    )


def figure_cell(value: float | None, text: str) -> Html:
    """A figure that a table can be sorted by."""
    return tag("td", text, class_="figure", data_sort="" if value is None else repr(value))


def value_cell(name: str, summary: ExperimentSummary) -> Html:
    """An experiment's value of a parameter."""
    if name not in summary.parameters:
        return tag("td", MISSING, data_sort="")
    value = summary.parameters[name]
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return tag("td", parameter_value(name, value), data_sort=repr(value) if numeric else None)
