"""What is shown while a task runs: a live display, plain lines, or a JSON object per line."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import ExperimentOrigin
from autotuner.services.progress_file import message_line, snapshot_line, start_finished_line
from autotuner.services.report.answers import answers_text
from autotuner.services.report.wording import (
    PREDICTED,
    duration,
    ended_early,
    experiment_title,
    gain_of,
    one_line,
    parameters_text,
    signed_percent,
    with_unit,
)

REFRESH_S = 0.1
"""The live display is not drawn more often than this."""

_FIRST_REASONS = (AttemptReason.FIRST, AttemptReason.RESUME, AttemptReason.RETRY)


class PlainObserver:
    """Lines without time stamps for pipes and log files: each experiment when it begins, each start when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)
        self._last: Snapshot | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Print a line when the stage or the experiment is another one than before."""
        last, self._last = self._last, snapshot
        if last is None or last.stage != snapshot.stage:
            self._lines.write(f"Stage: {snapshot.stage}")
        begun = (snapshot.stage, snapshot.experiment, snapshot.reason, snapshot.starts_done)
        known = last and (last.stage, last.experiment, last.reason, last.starts_done)
        if snapshot.experiment is not None and begun != known:
            position = f"{min(snapshot.starts_done + 1, snapshot.starts_total)} of {snapshot.starts_total}"
            parameters = parameters_text(snapshot.parameters)
            self._lines.write(f"Start {position}: {_experiment(snapshot)}" + (f": {parameters}" if parameters else ""))

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Print the start's line."""
        self._lines.write(start_line(summary, reason, self._last))

    def on_message(self, message: str) -> None:
        """Print it."""
        self._lines.write(one_line(message))


class JsonObserver:
    """One JSON object per line: ``{"type": "snapshot" | "start_finished" | "message", …}``, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Write ``{"type": "snapshot", "snapshot": {…}}``."""
        self._lines.write(snapshot_line(snapshot))

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Write ``{"type": "start_finished", "reason": …, "experiment": {…}}``."""
        self._lines.write(start_finished_line(summary, reason))

    def on_message(self, message: str) -> None:
        """Write ``{"type": "message", "message": …}``."""
        self._lines.write(message_line(message))


class SteadyConsole(Console):
    """A console that falls silent when its reader has gone, where rich's own ends the program."""

    def on_broken_pipe(self) -> None:
        """Rich's hook for it."""
        self.quiet = True


class RichObserver:
    """A live display on a terminal, and above it one line per finished start. A context manager: it owns the display.

    ``clock`` gives seconds. When the terminal is lost, nothing more is shown and the task goes on.
    """

    def __init__(self, console: SteadyConsole, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last: Snapshot | None = None
        self._drawn_at = float("-inf")
        self._lost = False

    def __enter__(self) -> Self:
        self._try(self._live.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._live.stop()
        except (OSError, ValueError):
            self._lost = True

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the display anew, at once when the phase or the experiment changed."""
        last, self._last = self._last, snapshot
        moved = last is None or _where(last) != _where(snapshot)
        now = self._clock()
        if moved or now - self._drawn_at >= REFRESH_S:
            self._drawn_at = now
            self._try(lambda: self._live.update(progress_view(snapshot), refresh=True))

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Print the start's line above the display."""
        style = "red" if summary.failure else "" if summary.eligible else "yellow"
        self._print(Text(start_line(summary, reason, self._last), style=style))

    def on_message(self, message: str) -> None:
        """Print it above the display."""
        self._print(Text(one_line(message), style="cyan"))

    def _print(self, text: Text) -> None:
        self._try(lambda: self._console.print(text))

    def _try(self, act: Callable[[], None]) -> None:
        if self._lost:
            return
        try:
            act()
        except (OSError, ValueError):
            self._lost = True


def progress_view(snapshot: Snapshot) -> RenderableType:
    """The live display: bar and time left, what runs now with its figures, best against baseline."""
    bar = Table.grid(padding=(0, 1))
    left = f"about {duration(snapshot.eta_s)} left" if snapshot.eta_s is not None else ""
    bar.add_row(
        Text(one_line(snapshot.task_name), style="bold", overflow="ellipsis", no_wrap=True),
        ProgressBar(total=max(snapshot.starts_total, 1), completed=snapshot.starts_done, width=30),
        Text(f"{snapshot.starts_done}/{snapshot.starts_total} starts"),
        Text(f"{duration(snapshot.elapsed_s)} {left}".rstrip(), style="dim"),
    )
    doing = "paused" if snapshot.paused else _experiment(snapshot)
    now = Text(f"{snapshot.stage}: {doing}", overflow="ellipsis", no_wrap=True)
    if snapshot.phase is not None:
        now.append(f" · {snapshot.phase.value.replace('_', ' ')}", style="cyan")
    parameters = parameters_text(snapshot.parameters)
    lines = [now, Text(parameters, style="dim", overflow="ellipsis", no_wrap=True)] if parameters else [now]
    if snapshot.live is not None:
        lines.append(Text(_live(snapshot), overflow="ellipsis", no_wrap=True))
    lines.append(Text(_standing(snapshot), style="green", overflow="ellipsis", no_wrap=True))
    return Group(bar, *lines)


def start_line(summary: ExperimentSummary, reason: AttemptReason, snapshot: Snapshot | None) -> str:
    """One line about a finished start; ``snapshot`` gives the unit and the baseline to compare with."""
    title = experiment_title(summary)
    if reason not in _FIRST_REASONS:
        title += f" ({reason.value})"
    if summary.failure is not None:
        return f"{title}: failed, {summary.failure.kind.value}: {one_line(summary.failure.diagnosis)}"
    if summary.score is None:
        return f"{title}: {summary.status.value}"
    text = with_unit(summary.score, snapshot.unit if snapshot else "")
    if snapshot is not None and snapshot.predicted:
        text += f" ({PREDICTED})"
    if snapshot is not None and summary.origin is not ExperimentOrigin.BASELINE:
        gain = gain_of(summary.score, snapshot.baseline_score, snapshot.direction)
        text += f", {signed_percent(gain)} against the baseline" if gain is not None else ""
    if not summary.eligible:
        text += f", violates an SLO: {one_line(summary.slo_reason)}" if summary.slo_reason else ", violates an SLO"
    early = ended_early(summary)
    text += f", {early}" if early else ""
    if summary.answers is not None and reason in _FIRST_REASONS:
        text += f", answers: {answers_text(summary.answers)}"
    return f"{title}: {text} · {parameters_text(summary.parameters)}"


def _where(snapshot: Snapshot) -> tuple[object, ...]:
    started = (snapshot.experiment, snapshot.reason, snapshot.phase, snapshot.starts_done)
    return (snapshot.stage, snapshot.paused, *started)


def _experiment(snapshot: Snapshot) -> str:
    if snapshot.experiment is None:
        return "preparing"
    words = [f"#{snapshot.experiment}"]
    if snapshot.origin is not None and snapshot.origin is not ExperimentOrigin.SEARCH:
        words.append(snapshot.origin.value)
    if snapshot.label and snapshot.label not in words:
        words.append(one_line(snapshot.label))
    if snapshot.reason is not None and snapshot.reason is not AttemptReason.FIRST:
        words.append(f"({snapshot.reason.value})")
    return " ".join(words)


def _live(snapshot: Snapshot) -> str:
    live = snapshot.live
    if live is None:
        return ""
    text = f"{one_line(live.load_point)} {one_line(live.phase)} {live.elapsed_s:.0f}/{live.window_s:.0f} s"
    text += f" · {live.completed} requests"
    if live.errors:
        text += f", {live.errors} errors"
    if live.output_throughput is not None:
        text += f" · {with_unit(live.output_throughput, 'tokens/s')} output"
    if live.ttft_mean_s is not None:
        text += f" · TTFT {with_unit(live.ttft_mean_s, 's')}"
    return text


def _standing(snapshot: Snapshot) -> str:
    label = one_line(snapshot.objective_label) + (f" ({PREDICTED})" if snapshot.predicted else "")
    if snapshot.best is None or snapshot.best.score is None:
        known = snapshot.baseline_score is not None
        return (
            f"{label}: baseline {with_unit(snapshot.baseline_score, snapshot.unit)}" if known else f"{label}: none yet"
        )
    text = f"{label}: best {with_unit(snapshot.best.score, snapshot.unit)} ({experiment_title(snapshot.best)})"
    gain = gain_of(snapshot.best.score, snapshot.baseline_score, snapshot.direction)
    if gain is None:
        return text
    return f"{text}, baseline {with_unit(snapshot.baseline_score, snapshot.unit)}, {signed_percent(gain)}"


class _Lines:
    """Writes lines to a stream; once that fails (closed pipe, lost terminal) it writes no more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = False

    def write(self, line: str) -> None:
        if self._lost:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._lost = True
