"""Tables of predictions: what they say of a configuration, and what makes a file unusable."""

from __future__ import annotations

import math

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.predictions import TablePrior, read_table

NAMES = {"tp": "tp", "tp_size": "tp", "quant": "quant", "seqs": "seqs"}
TEXT = """tp_size, quant, seqs, throughput, ttft, note
1, bf16, 16, 100, 0.5, x
2, bf16, 16, 160, 0.4, x
2, fp8, 64, 400, , y
2, fp8, 64, 100, , z
"""


def read(text: str) -> TablePrior:
    table = read_table(text, name="t.csv", canonical=NAMES.get)
    return TablePrior(
        table,
        values=lambda c: c,
        gpus=lambda c: int(c["tp"]),  # type: ignore[call-overload]
        objectives=("maximize_throughput", "minimize_ttft"),
        limits={"p90_ttft": ("ttft", 0.2)},
    )


def test_figures_per_gpu_and_against_the_limit() -> None:
    said = read(TEXT).predict({"tp": 2, "quant": "bf16", "seqs": 16})
    assert said is not None
    assert said.log_objectives == (pytest.approx(math.log(80)), pytest.approx(math.log(0.4)))
    assert said.log_ratios == {"p90_ttft": pytest.approx(math.log(2))}


def test_numbers_go_to_the_nearest_and_equal_rows_together() -> None:
    said = read(TEXT).predict({"tp": 2, "quant": "FP8", "seqs": 100})
    assert said is not None
    assert said.log_objectives == (pytest.approx(math.log(100)), None)
    assert said.log_ratios == {}
    assert read(TEXT).predict({"tp": 1, "quant": "fp8", "seqs": 16}) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column of figures"),
        ("tp,note\n1,2\n", "no column of figures: tp, note"),
        ("a,throughput\n1,2\n", "none of its columns is a parameter"),
        ("tp,throughput\n1,-2\n", "line 2: throughput is '-2'"),
        ("tp,throughput\n1,fast\n", "line 2: throughput is 'fast'"),
        ("tp,throughput\n1,\n", "no row has a figure"),
    ],
)
def test_an_unusable_table_says_why(text: str, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        read(text)
    assert caught.value.code is ErrorCode.INVALID_DOCUMENT
    assert why in caught.value.why
    assert caught.value.place == "optimization.predictions"
