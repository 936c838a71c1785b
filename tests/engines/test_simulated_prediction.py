"""Figures under a load: properties that hold for every row of the packaged table."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from autotuner.engines.simulated.options import SimulationOptions
from autotuner.engines.simulated.prediction import CurvePoint, Prediction
from autotuner.engines.simulated.surface import Row
from autotuner.engines.simulated.tables import Tables

SURFACE = Tables().surface(SimulationOptions(), 0)


def predict(row: Row) -> Prediction:
    return Prediction(
        surface=SURFACE.name,
        backend=SURFACE.workload.backend,
        isl=SURFACE.workload.isl,
        osl=SURFACE.workload.osl,
        gpus=row.gpus,
        ranks=row.ranks,
        max_num_seqs=row.bs,
        kv_capacity=row.kv_capacity,
        curve=tuple(
            CurvePoint(bs=p.bs, ttft_s=p.ttft_s, tpot_s=p.tpot_s, throughput=p.throughput) for p in SURFACE.curve(row)
        ),
    )


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(SURFACE.rows))
def test_a_row_at_its_own_load_is_the_row(row: Row) -> None:
    prediction = predict(row)
    figures = prediction.at(prediction.saturating)
    if row.status == "ok":
        assert (figures.ttft_s, figures.tpot_s, figures.throughput) == approx((row.ttft_s, row.tpot_s, row.throughput))
        assert figures.queued == 0
    else:
        assert row.status == "kv_oom"
        assert figures.queued == (row.bs - row.kv_capacity) * row.ranks
        assert figures.ttft_s > row.ttft_s


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(SURFACE.rows), batch=st.floats(1, 512))
def test_figures_lie_between_those_of_the_neighbouring_rows(row: Row, batch: float) -> None:
    """The table itself is not monotone: with 2,048 tokens per step throughput falls from 256 to 512 requests."""
    prediction = predict(row)
    served = min(batch, row.bs, row.kv_capacity)
    figures = prediction.at(served * row.ranks)
    below = max((p for p in prediction.curve if p.bs <= served), key=lambda p: p.bs)
    above = min((p for p in prediction.curve if p.bs >= served), key=lambda p: p.bs, default=below)
    for metric in ("ttft_s", "tpot_s", "throughput"):
        low, high = sorted((getattr(below, metric), getattr(above, metric)))
        assert low * (1 - 1e-9) <= getattr(figures, metric) <= high * (1 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(SURFACE.rows), overload=st.floats(1, 20))
def test_beyond_the_cap_only_the_first_token_waits(row: Row, overload: float) -> None:
    prediction = predict(row)
    cap = min(row.bs, row.kv_capacity) * row.ranks
    full, more = prediction.at(cap), prediction.at(cap * overload)
    latency = full.ttft_s + full.tpot_s * (prediction.osl - 1)
    assert more.ttft_s == approx(full.ttft_s + (overload - 1) * latency)
    assert (more.tpot_s, more.throughput) == approx((full.tpot_s, full.throughput))
    assert more.queued == approx(cap * (overload - 1), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(row=st.sampled_from(SURFACE.rows))
def test_figures_do_not_jump_at_the_cap(row: Row) -> None:
    prediction = predict(row)
    cap = min(row.bs, row.kv_capacity) * row.ranks
    before, after = prediction.at(cap), prediction.at(cap * (1 + 1e-9))
    assert after.ttft_s == approx(before.ttft_s, rel=1e-6)
    assert after.throughput == approx(before.throughput)


def test_layouts_fill_the_node() -> None:
    assert {row.gpus for row in SURFACE.rows} == {8}
