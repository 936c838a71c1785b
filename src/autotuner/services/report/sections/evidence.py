"""Why the verdict holds: the confirmation, other clients, and the measured grid."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.result import GainFigure, GridComparison, SloLine, TaskResult
from autotuner.services.report import figures
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import Plot, predicted_mark, row, section, table
from autotuner.services.report.wording import (
    MISSING,
    chosen_title,
    experiment_title,
    gain_text,
    noise_text,
    one_line,
    parameters_text,
    percent,
    score_text,
    signed_percent,
    slo_status,
    slo_text,
    standing_text,
    verdict_of,
    verification_rows,
    verification_sentence,
    winner_name,
    with_unit,
)


def evidence(result: TaskResult, plot: Plot) -> Html:
    """Why the verdict holds: the confirmed gain, the starts behind it, SLOs at their worst, and the noise."""
    parts: list[Child] = []
    if result.gain is not None:
        claim = f"Gain of the {winner_name(result)} over the baseline: {gain_text(result.gain)}. "
        parts.append(tag("p", claim, predicted_mark(result)))
        missed = [slo_text(line) for line in result.gain.worst_slo if not line.met]
        parts += [tag("p", f"It misses an SLO: {'; '.join(missed)}.", class_="banner")] if missed else []
    elif result.finalists:
        parts.append(tag("p", "The gains of the finalists stand below; none of them has won."))
    elif result.winner is None:
        parts.append(tag("p", "There is no winner whose gain could be confirmed."))
    else:
        parts.append(tag("p", "The gain was not confirmed by repeated starts; figures below are of one start each."))
    parts += [
        tag("p", f"Ruled out when started again: #{out.experiment}, {one_line(out.reason)}.")
        for out in result.ruled_out
    ]
    noise = noise_text(result)
    if noise is not None:
        parts.append(tag("p", f"Noise: {noise}."))
    parts += [
        tag("p", f"Against {label}: {signed_percent(gain)} (one start each, without interval).")
        for label, gain in result.reference_gains.items()
    ]
    both = [plot(figures.gain_figure(result)), plot(figures.starts_figure(result))]
    if any(both):
        parts.append(tag("div", both, class_="pair"))
    finalists = result.finalists or ((result.gain,) if result.gain else ())
    if finalists:
        parts.append(_finalists(result, finalists))
    if result.confirmation:
        parts.append(_blocks(result))
    worst = [(f"#{gain.experiment}", line) for gain in finalists for line in gain.worst_slo]
    caption = "SLOs at their worst over all confirmation starts"
    if not worst and result.winner is not None:
        worst = [(experiment_title(result.winner), line) for line in result.winner.slo]
        caption = f"SLOs of {chosen_title(result, result.winner)}, one start"
    if worst:
        parts.append(_slo_table(caption, worst))
    return section("Evidence", parts)


def verified(result: TaskResult) -> Html | None:
    """The winner with other clients, beside the task's own; no figure of it is in a score."""
    if not result.verifications:
        return None
    parts: list[Child] = []
    for made in result.verifications:
        parts.append(tag("p", verification_sentence(made)))
        if made.figures:
            titles = ("figure", made.own_client, made.client, "difference", "agree")
            head = tag("tr", [tag("th", title, class_="figure" if n else None) for n, title in enumerate(titles)])
            rows = [
                row(name, [*cells, verdict_of(figure)])
                for (name, *cells), figure in zip(verification_rows(made), made.figures, strict=True)
            ]
            parts.append(table(head, rows))
    return section("The winner with another client", parts)


def grid(result: TaskResult, plot: Plot) -> Html | None:
    """Where the search came out against a fully measured grid."""
    if result.grid is None:
        return section("Against the full grid", [tag("p", result.grid_note)]) if result.grid_note else None
    found = result.grid
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", percent(share), class_="figure"), tag("td", note))
        for name, share in figures.grid_places(found)
        for note in (_note(found, name),)
    ]
    head = tag("tr", tag("th", ""), tag("th", "share of the optimum", class_="figure"), tag("th", ""))
    parts: list[Child] = [
        tag("p", f"Grid: {one_line(found.host)}; {found.points} configurations, {found.feasible} keep the hard SLOs."),
        tag(
            "p",
            f"Best of the grid: {score_text(result, found.best_score)} with {parameters_text(found.best_parameters)}.",
        ),
        table(head, rows),
        plot(figures.grid_figure(result)),
        tag("p", result.grid_note, class_="note") if result.grid_note else None,
    ]
    return section("Against the full grid", parts)


def _finalists(result: TaskResult, finalists: Sequence[GainFigure]) -> Html:
    names = ("gain", "interval", "pairs", "significant", "hard SLOs in every start", "starts ended")
    head = tag("tr", tag("th", "finalist"), [tag("th", name, class_="figure") for name in names])
    titles = {s.number: experiment_title(s) for s in result.experiments}
    rows = [
        row(
            titles.get(gain.experiment, f"#{gain.experiment}"),
            [
                signed_percent(gain.gain),
                "too few to tell" if gain.vague else f"{signed_percent(gain.low)} to {signed_percent(gain.high)}",
                str(gain.pairs),
                "yes" if gain.significant else "no",
                "kept" if gain.eligible else "violated",
                standing_text(gain) or MISSING,
            ],
        )
        for gain in finalists
    ]
    return table(head, rows, caption="Gain over the baseline, from paired starts")


def _blocks(result: TaskResult) -> Html:
    numbers = sorted({point.experiment for point in result.confirmation})
    scores = {(point.block, point.experiment): point.score for point in result.confirmation}
    head = tag("tr", tag("th", "block"), [tag("th", f"#{number}", class_="figure") for number in numbers])
    rows = [
        row(str(block), [score_text(result, scores.get((block, number))) for number in numbers])
        for block in sorted({point.block for point in result.confirmation})
    ]
    return tag("details", tag("summary", "Score of every confirmation start"), table(head, rows))


def _slo_table(caption: str, lines: Sequence[tuple[str, SloLine]]) -> Html:
    head = tag(
        "tr",
        tag("th", "SLO"),
        tag("th", "experiment"),
        tag("th", "limit", class_="figure"),
        tag("th", "worst", class_="figure"),
        tag("th", "kind"),
        tag("th", "verdict"),
    )
    rows = []
    for title, line in lines:
        tone = "good" if line.met else "bad" if line.violated else "warn"
        rows.append(
            tag(
                "tr",
                tag("th", one_line(line.name), scope="row"),
                tag("td", title),
                tag("td", with_unit(line.threshold, line.unit), class_="figure"),
                tag("td", with_unit(line.actual, line.unit), class_="figure"),
                tag("td", "hard" if line.hard else "soft"),
                tag("td", slo_status(line), class_=tone),
            )
        )
    return table(head, rows, caption=caption)


def _note(found: GridComparison, name: str) -> str:
    if name == "winner" and found.winner_rank is not None:
        return f"rank {found.winner_rank} of {found.feasible}"
    if name == "random search":
        over = f"median of {found.draws} draws" if found.draws else "median over all possible draws"
        return (
            f"{over} of {found.budget} configurations; 5th to 95th percentile "
            f"{percent(found.random_low_fraction)} to {percent(found.random_high_fraction)}"
        )
    return ""
