"""CSV and JSON of a result."""

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import result_builder as build
from autotuner.contracts.result import TaskResult
from autotuner.services.report import render_csv, render_json

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(result: TaskResult) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(result), newline="")))


def test_a_row_per_experiment_with_its_figures() -> None:
    result = build.result()
    found = rows(result)
    assert [int(row["number"]) for row in found] == [s.number for s in result.experiments]
    for row, summary in zip(found, result.experiments, strict=True):
        assert row["parameter.threads"] == str(summary.parameters["threads"])
        assert row["score"] == ("" if summary.score is None else repr(summary.score))
        assert row["eligible"] == str(summary.eligible).lower()
        assert row["failure"] == ("oom" if summary.failure else "")
        assert row["failure_phase"] == ("load" if summary.failure else "")
        assert "metric.raw_results" not in row
    assert found[0]["slo.p90 TTFT.threshold"] == "0.5"
    assert found[0]["seconds.measure"] == "20.0"
    assert found[0]["parameter.flash"] == ""


def test_a_result_without_experiments_has_a_header() -> None:
    assert rows(build.running()) == []
    assert render_csv(build.running()).startswith("number,origin,label,status,")


def test_formulas_are_defused_and_numbers_are_not() -> None:
    result = build.hostile()
    for record in csv.reader(io.StringIO(render_csv(result), newline="")):
        for cell in record:
            assert not cell.startswith(FORMULA)
    labels = [row["label"] for row in rows(result)]
    assert labels[1:3] == ["'" + build.FORMULA, "'+1"]
    negative = build.result(experiments=[build.experiment(1, {"offset": -3}, score=-2.5)])
    assert rows(negative)[0]["score"] == "-2.5"
    assert rows(negative)[0]["parameter.offset"] == "-3"


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_stays_in_its_cell(text: str) -> None:
    result = build.result(experiments=[build.experiment(1, {"p": text}), build.experiment(2, {"p": "x"})])
    found = rows(result)
    assert len(found) == 2
    assert found[0]["parameter.p"] in (text, "'" + text)
    assert not found[0]["parameter.p"].startswith(FORMULA)


@pytest.mark.parametrize("name", sorted(build.ALL))
def test_json_is_the_result(name: str) -> None:
    result = build.ALL[name]()
    assert TaskResult.model_validate_json(render_json(result)) == result


def test_json_has_no_nan() -> None:
    metrics: dict[str, Any] = {"mean_ttft": math.nan, "nested": [{"x": math.inf}], "fine": 1.5}
    summary = build.experiment(1).model_copy(update={"metrics": metrics, "score": -math.inf})
    text = render_json(build.result(experiments=[summary], noise=math.nan))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(text, parse_constant=refuse)
    assert read["noise"] is None
    assert read["experiments"][0]["metrics"] == {"mean_ttft": None, "nested": [{"x": None}], "fine": 1.5}
