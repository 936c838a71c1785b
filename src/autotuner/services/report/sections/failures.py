"""What failed, why, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autotuner.contracts.result import FailureCount, TaskResult
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import section, table
from autotuner.services.report.wording import experiment_title, failure_title, parameters_text, phase_name


def failures(result: TaskResult) -> Html | None:
    """What failed, why, and what to do."""
    failed = [s for s in result.experiments if s.failure is not None]
    if not failed and not result.failures:
        return None
    kinds = Counter(s.failure.kind.value for s in failed if s.failure is not None)
    parts: list[Child] = [
        tag(
            "p", ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()) or "Every failure was made good."
        ),
        _failed_starts(result.failures),
    ]
    for s in failed:
        if s.failure is None:
            continue
        parts.append(tag("h3", f"{experiment_title(s)}: {failure_title(s.failure)}"))
        parts.append(tag("p", s.failure.diagnosis))
        parts.append(tag("p", f"What to do: {s.failure.hint}"))
        parts.append(tag("p", parameters_text(s.parameters), class_="note"))
        if s.failure.log_tail:
            parts.append(tag("details", tag("summary", "End of the server's log"), tag("pre", s.failure.log_tail)))
    return section("Failures", parts)


def _failed_starts(counts: Sequence[FailureCount]) -> Html | None:
    if not counts:
        return None
    names = ("class", "phase", "starts", "configurations", "made good by a later try", "such as", "what to do")
    rows = [
        tag(
            "tr",
            tag("th", count.kind.value, scope="row"),
            tag("td", phase_name(count.phase)),
            [tag("td", str(n), class_="figure") for n in (count.starts, count.experiments, count.recovered)],
            tag("td", count.example),
            tag("td", count.hint),
        )
        for count in counts
    ]
    return table(tag("tr", [tag("th", name, scope="col") for name in names]), rows, caption="Failed starts")
