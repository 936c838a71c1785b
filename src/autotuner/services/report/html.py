"""The result as one HTML file that needs no network: style, script, figures and plotly are inside."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from importlib import resources
from pathlib import Path

from autotuner.contracts.result import TaskResult
from autotuner.services.report import sections
from autotuner.services.report.figures import Figure
from autotuner.services.report.markup import Html, group, json_block, raw_text, tag
from autotuner.services.report.wording import one_line

NO_PLOTS = (
    "This report has no plots because plotly is not installed. To get them, run "
    "pip install 'inference-autotuner[report]' and write the report again."
)


def render_html(result: TaskResult) -> str:
    """The report: the verdict, then the evidence for it, then the detail (the sections below, in their order).

    It works from a file, without a network and (without plots and sorting) without scripts. Its content security
    policy allows exactly the scripts that it was written with. Without the ``report`` extra the plots are left out
    and the page says how to get them. Reads the package's own files and plotly's script, nothing else.
    """
    plotly = plotly_script()
    figures: dict[str, Figure] = {}

    def place(figure: Figure | None) -> Html | None:
        if figure is None or plotly is None:
            return None
        figures[figure.name] = figure
        return tag(
            "figure",
            tag("figcaption", figure.title),
            tag("div", class_="plot", id=figure.name, role="img", aria_label=figure.summary),
        )

    body = [
        sections.verdict(result),
        tag(
            "main",
            tag("p", NO_PLOTS, class_="banner") if plotly is None else None,
            tag("noscript", tag("p", "Plots and sorting need JavaScript.", class_="banner")),
            sections.evidence(result, place),
            sections.comparison(result),
            sections.quality(result),
            sections.trade_offs(result, place),
            sections.parameters(result, place),
            sections.load_curve(result, place),
            sections.history(result, place),
            sections.grid(result, place),
            sections.failures(result),
            sections.verified(result),
            sections.server_figures(result),
            sections.time_spent(result, place),
            sections.experiments(result),
            sections.provenance(result),
        ),
        tag("footer", f"Task {result.task_id}, written by inference-autotuner."),
    ]
    scripts = [raw_text(source) for source in (plotly, _asset("page.js")) if source is not None]
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(_source_hash(script) for script in scripts)}"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{one_line(result.task_name)}: {one_line(result.headline)}"),
        Html(f"<style>{raw_text(_asset('page.css'))}</style>"),
    )
    data = json_block("figures", {name: figure.spec() for name, figure in figures.items()}) if figures else None
    inline = [Html(f"<script>{script}</script>") for script in scripts]
    page = tag("html", head, tag("body", group(body), data, inline), lang="en")
    return f"<!DOCTYPE html>\n{page.text}\n"


def plotly_script() -> str | None:
    """The script of the installed plotly, read without importing it (that takes a fifth of a second); None: absent."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        return None
    script = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return script.read_text(encoding="utf-8") if script.is_file() else None


def _asset(name: str) -> str:
    return resources.files("autotuner.services.report").joinpath("assets", name).read_text(encoding="utf-8")


def _source_hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
