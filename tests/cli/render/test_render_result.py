"""A result on the terminal."""

import io

import pytest
from rich.console import Console, RenderableType

import result_builder as build
from autotuner.cli.render.result import compare_tables, result_tables
from autotuner.contracts.result import TaskResult


def shown(renderable: RenderableType, *, width: int = 160, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None).print(
        renderable
    )
    return out.getvalue()


@pytest.mark.parametrize("name", [name for name in build.ALL if name != "hostile"])
def test_every_kind_of_result_begins_with_its_headline(name: str) -> None:
    result = build.ALL[name]()
    assert shown(result_tables(result)).startswith(result.headline)


def test_winner_stands_beside_baseline_and_references() -> None:
    text = shown(result_tables(build.result()))
    header = next(line for line in text.splitlines() if "winner" in line and "┃" in line)
    assert [cell.strip() for cell in header.split("┃")] == [
        "",
        "winner #4",
        "#0 baseline",
        "#1 reference: vendor guide",
    ]
    assert "+54.5 % (from +51.5 % to +58.5 % at 99 % confidence), 5 pairs of starts, significant" in text
    assert "SLO, worst start: p90 TTFT 410 ms of at most 500 ms (hard): met" in text
    assert "Failed: 2 × oom" in text
    assert "Failed starts: 5 × oom (load; 3 configurations, 1 made good by a later try)" in text
    assert "  The server was killed: out of memory\n  What to do: Lower batch_size" in text
    assert "28 server starts in 12 min 34 s: deploy 9.0 s" in text


def test_the_best_come_first_and_violators_last() -> None:
    lines = shown(result_tables(build.result())).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("best experiments"))
    assert [line.split()[0] for line in lines[start + 2 : start + 7]] == ["#4", "#5", "#6", "#2", "#1"]


def test_the_grid_and_the_note_are_told() -> None:
    text = shown(result_tables(build.with_grid()))
    assert "Winner at 98.8 % of the optimum, rank 2 of 13" in text
    assert "Random search with 6 configurations at 93.0 %" in text
    assert "another CPU" in shown(result_tables(build.result(grid_note="No comparison: another CPU")))


def test_files_are_named_as_they_are() -> None:
    assert "out/a [b].html" in shown(result_tables(build.result(), files={"report": "out/a [b].html"}))


def test_predictions_are_called_so() -> None:
    text = shown(result_tables(build.predicted()))
    assert text.count("predicted") >= 10
    assert "predicted" not in shown(result_tables(build.result()))


@pytest.mark.parametrize("width", [40, 160])
def test_hostile_text_neither_styles_nor_escapes(width: int) -> None:
    result = build.hostile()
    for renderable in (result_tables(result, files={build.ESCAPE: build.ESCAPE}), compare_tables(result.experiments)):
        assert "\x1b" not in shown(renderable, width=width)
        assert "\x07" not in shown(renderable, width=width, terminal=True)
        assert "\x1b[2J" not in shown(renderable, width=width, terminal=True)
    assert "[bold red]loud[/]" in shown(result_tables(result))


def test_only_what_differs_is_compared() -> None:
    result: TaskResult = build.result()
    text = shown(compare_tables(result.experiments[2:4], objective_label="total tokens/s", unit="tokens/s"))
    assert "flash" in text.splitlines()[2]
    assert "The same in all: threads=1, batch_size=128" in text
    assert "122.5 tokens/s" in text


def test_predicted_experiments_are_compared_as_such() -> None:
    summary = build.experiment(1)
    predicted = summary.model_copy(update={"number": 2, "metrics": {**summary.metrics, "predicted": True}})
    assert shown(compare_tables([summary, predicted])).count("(predicted)") == 1


def test_the_load_that_was_searched_is_told_of_winner_and_baseline() -> None:
    experiments = [
        summary.model_copy(
            update={
                "metrics": {
                    **summary.metrics,
                    "max_load_meeting_slo": float(40 + summary.number),
                    "max_load_low": 40.0,
                    "max_load_high": 60.0,
                    "max_load_limited_by": "p90_ttft",
                }
            }
        )
        for summary in build.searched(failures=False)
    ]
    text = shown(result_tables(build.result(experiments=experiments)))
    loads = [line for line in text.splitlines() if line.startswith("Highest load meeting the SLO")]
    assert [line.partition(": ")[2] for line in loads] == [
        "44 requests in flight (40 to 60), limited by p90 TTFT",
        "40 requests in flight (40 to 60), limited by p90 TTFT",
    ]
    assert "Highest load" not in shown(result_tables(build.result()))
