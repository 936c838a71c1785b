"""What is shown while a task runs."""

import errno
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

import result_builder as build
from autotuner.cli.render.progress import JsonObserver, PlainObserver, RichObserver, SteadyConsole
from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.measurement import LiveFigures
from autotuner.contracts.progress import Observer, Snapshot
from autotuner.contracts.store import ExperimentOrigin


def snapshot(**changes: Any) -> Snapshot:
    fields: dict[str, Any] = {
        "task_id": 1,
        "task_name": "quick-start",
        "stage": "search",
        "starts_done": 2,
        "starts_total": 12,
        "elapsed_s": 60.0,
        "eta_s": 300.0,
        "experiment": 2,
        "origin": ExperimentOrigin.SEARCH,
        "reason": AttemptReason.FIRST,
        "parameters": {"threads": 2},
        "phase": Phase.MEASURE,
        "live": LiveFigures(
            load_point="D(100,100)@4",
            repeat=0,
            phase="measure",
            elapsed_s=5.0,
            window_s=20.0,
            completed=17,
            errors=0,
            ttft_mean_s=0.21,
            output_throughput=77.0,
        ),
        "baseline_score": 100.0,
        "best": build.experiment(1, {"threads": 3}, score=120.0),
        "objective_label": "total tokens/s",
        "unit": "tokens/s",
        "direction": "maximize",
    }
    return Snapshot(**{**fields, **changes})


def console(out: io.StringIO, *, width: int = 120) -> SteadyConsole:
    return SteadyConsole(file=out, force_terminal=True, width=width, height=40, color_system=None)


def tell(observer: Observer) -> None:
    observer.on_snapshot(snapshot(stage="baseline", experiment=0, origin=ExperimentOrigin.BASELINE, starts_done=0))
    observer.on_start_finished(build.experiment(0, origin=ExperimentOrigin.BASELINE), AttemptReason.FIRST)
    observer.on_snapshot(snapshot(phase=Phase.DEPLOY, live=None))
    observer.on_snapshot(snapshot())
    observer.on_start_finished(build.experiment(2, {"threads": 2}, score=130.0), AttemptReason.FIRST)
    observer.on_snapshot(snapshot(experiment=3, starts_done=3))
    observer.on_start_finished(build.experiment(3, failure=build.oom()), AttemptReason.FIRST)
    observer.on_start_finished(build.experiment(4, score=150.0, ttft=0.9), AttemptReason.CONFIRM)
    observer.on_message("No better one since 8 experiments")


def test_plain_lines() -> None:
    out = io.StringIO()
    tell(PlainObserver(out))
    reason, parameters = "p90 TTFT misses its limit by 80%", "threads=2, batch_size=512"
    assert out.getvalue().splitlines() == [
        "Stage: baseline",
        "Start 1 of 12: #0 baseline: threads=2",
        "#0 baseline: 100 tokens/s · threads=2, batch_size=512",
        "Stage: search",
        "Start 3 of 12: #2: threads=2",
        "#2: 130 tokens/s, +30.0 % against the baseline · threads=2",
        "Start 4 of 12: #3: threads=2",
        "#3: failed, oom: The server was killed: out of memory",
        f"#4 (confirm): 150 tokens/s, +50.0 % against the baseline, violates an SLO: {reason} · {parameters}",
        "No better one since 8 experiments",
    ]


def test_json_lines() -> None:
    out = io.StringIO()
    observer = JsonObserver(out)
    tell(observer)
    observer.on_snapshot(snapshot(eta_s=float("inf")))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines].count("start_finished") == 4
    assert lines[-2] == {"type": "message", "message": "No better one since 8 experiments"}
    assert lines[-1]["snapshot"]["eta_s"] is None
    assert Snapshot.model_validate(lines[0]["snapshot"]).stage == "baseline"


def test_the_live_display_shows_everything_and_cleans_up() -> None:
    out = io.StringIO()
    with RichObserver(console(out), clock=lambda: 0.0) as observer:
        tell(observer)
    text = out.getvalue()
    for words in (
        "2/12 starts",
        "1 min 0 s about 5 min 0 s left",
        "search: #2 · measure",
        "D(100,100)@4 measure 5/20 s · 17 requests · 77 tokens/s output · TTFT 210 ms",
        "total tokens/s: best 120 tokens/s (#1), baseline 100 tokens/s, +20.0 %",
        "#2: 130 tokens/s, +30.0 % against the baseline · threads=2",
        "No better one since 8 experiments",
    ):
        assert words in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_the_display_is_not_drawn_for_every_figure() -> None:
    now = 0.0
    out = io.StringIO()
    with RichObserver(console(out), clock=lambda: now) as observer:
        observer.on_snapshot(snapshot())
        drawn = out.tell()
        observer.on_snapshot(snapshot(elapsed_s=60.01))
        assert out.tell() == drawn
        now = 1.0
        observer.on_snapshot(snapshot(elapsed_s=61.0))
        assert out.tell() > drawn
        drawn = out.tell()
        observer.on_snapshot(snapshot(phase=Phase.TEARDOWN))
        assert out.tell() > drawn


def test_predictions_are_called_so() -> None:
    out = io.StringIO()
    with RichObserver(console(out)) as observer:
        observer.on_snapshot(snapshot(predicted=True))
        observer.on_start_finished(build.experiment(2), AttemptReason.FIRST)
    assert "total tokens/s (predicted): best" in out.getvalue()
    assert "#2: 100 tokens/s (predicted)" in out.getvalue()


class LostTerminal(io.StringIO):
    """A stream whose reader has gone."""

    error: OSError | None = None

    def write(self, text: str) -> int:
        if self.error is not None:
            raise self.error
        return super().write(text)


LOST = (BrokenPipeError(errno.EPIPE, "pipe"), OSError(errno.EIO, "terminal"))


@pytest.mark.parametrize("error", LOST)
@pytest.mark.parametrize("make", [PlainObserver, JsonObserver])
def test_a_lost_reader_stops_nothing(make: Callable[[io.StringIO], Observer], error: OSError) -> None:
    out = LostTerminal()
    observer = make(out)
    observer.on_message("one")
    out.error = error
    tell(observer)
    out.error = None
    tell(observer)
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("error", LOST)
def test_a_terminal_lost_inside_the_display_stops_nothing(error: OSError) -> None:
    out = LostTerminal()
    with RichObserver(console(out)) as observer:
        observer.on_message("one")
        out.error = error
        tell(observer)
        out.error = None
        tell(observer)
    assert "one" in out.getvalue()
    assert "No better" not in out.getvalue()


def test_hostile_text_does_not_reach_the_terminal() -> None:
    out = io.StringIO()
    bad = build.ESCAPE
    summary = build.experiment(3, {bad: bad}, label=bad, failure=build.oom())
    with RichObserver(console(out)) as observer:
        observer.on_snapshot(snapshot(task_name=bad, label=bad, parameters={bad: bad}, objective_label=bad, unit=bad))
        observer.on_start_finished(summary, AttemptReason.FIRST)
        observer.on_message(bad)
    assert "\x1b[2J" not in out.getvalue()
    assert "\x07" not in out.getvalue()
    assert "[bold red]loud[/]" in out.getvalue()
