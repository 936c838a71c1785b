"""Verdicts and the order of configurations."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.search import Direction
from autotuner.scoring.figures import Missing
from autotuner.scoring.objectives import PER_GPU, make_objectives
from autotuner.scoring.pareto import pareto_front
from autotuner.scoring.slo import SloSet, slo_set
from autotuner.scoring.trade_offs import trade_offs
from autotuner.scoring.verdict import Verdict, better, judge, judge_starts, nearest, rank, winner

THROUGHPUT = make_objectives(["maximize_throughput"])
LATENCY = make_objectives(["minimize_latency"])
SOFT = slo_set({"ttft": {"threshold": 1.0, "weight": 2.0}})
HARD = slo_set({"ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.5}})
values = st.floats(1e-2, 1e4)


def figures(ttft: float = 0.5, throughput: float = 100.0, latency: float = 2.0, errors: float = 0.0) -> dict[str, Any]:
    return {"mean_ttft": ttft, PER_GPU: throughput, "mean_e2e_latency": latency, "error_rate": errors}


def verdict(metrics: dict[str, Any], slo: SloSet = HARD, objectives: Any = THROUGHPUT) -> Verdict:
    judged = judge(metrics, objectives, slo)
    assert isinstance(judged, Verdict)
    return judged


def test_throughput_per_gpu_beats_total_throughput() -> None:
    tp2 = {**figures(throughput=661.0), "mean_total_throughput": 1322.0}
    tp4 = {**figures(throughput=385.0), "mean_total_throughput": 1538.0}
    assert winner({1: verdict(tp4), 2: verdict(tp2)}) == 2


def test_the_penalised_score_is_the_formula_and_the_score_stays() -> None:
    factor = 1 + 2.0 * (math.e - 1)
    up = verdict(figures(ttft=1.1), SOFT)
    assert up.objective_scores == (100.0,)
    assert up.penalised == pytest.approx((100.0 / factor,))
    down = verdict(figures(ttft=1.1), SOFT, LATENCY)
    assert down.objective_scores == (2.0,)
    assert down.penalised == pytest.approx((2.0 * factor,))
    assert (up.met, up.violated, up.margins) == (False, False, {"error_rate": -1.0})


@given(ttft=values, errors=st.floats(0, 1), score=values)
def test_a_penalty_never_improves_a_result(ttft: float, errors: float, score: float) -> None:
    for objectives, metrics in (
        (THROUGHPUT, figures(ttft, throughput=score, errors=errors)),
        (LATENCY, figures(ttft, latency=score, errors=errors)),
    ):
        judged = verdict(metrics, SOFT, objectives)
        (raw,), (after,), (direction,) = judged.objective_scores, judged.penalised, judged.directions
        assert not better(after, raw, direction)
        assert (after == raw) or not judged.met


@given(a=values, b=values, score=values)
def test_more_violation_never_ranks_better(a: float, b: float, score: float) -> None:
    less, more = sorted((a, b))
    assert rank({1: verdict(figures(less, score)), 2: verdict(figures(more, score))}) == [1, 2]


@given(bad=st.sampled_from([None, math.nan, math.inf, "absent"]), direction=st.sampled_from([THROUGHPUT, LATENCY]))
def test_missing_figures_give_no_verdict(bad: object, direction: Any) -> None:
    for name in ("mean_ttft", *direction[0].needs):
        metrics = figures()
        del metrics[name]
        if bad != "absent":
            metrics[name] = bad
        assert judge(metrics, direction, HARD) == Missing((name,))
        assert judge_starts([figures(), metrics], direction, HARD) == Missing((name,))
    assert judge({}, THROUGHPUT, HARD) == Missing((PER_GPU, "mean_ttft", "error_rate"))


def test_starts_are_averaged_in_score_and_judged_by_the_worst() -> None:
    judged = judge_starts([figures(0.5, 100.0), figures(1.6, 400.0)], THROUGHPUT, HARD)
    assert isinstance(judged, Verdict)
    assert judged.objective_scores == pytest.approx((200.0,))
    assert judged.violated


def test_eligible_first_then_penalised_then_number() -> None:
    verdicts = {
        8: verdict(figures(throughput=100.0)),
        7: verdict(figures(throughput=100.0)),
        1: verdict(figures(ttft=1.5, throughput=1e6)),
        2: verdict(figures(ttft=1.1, throughput=300.0)),
        4: verdict(figures(errors=0.02, throughput=1e9)),
    }
    assert rank(verdicts)[:3] == [7, 8, 2]
    assert winner(verdicts) == 7
    assert winner({n: v for n, v in verdicts.items() if v.violated}) is None
    assert winner({}) is None


@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_rank_is_a_total_order_of_its_own(rows: list[tuple[float, float, float]], random: Any) -> None:
    for names in (["maximize_throughput"], ["minimize_latency"], ["maximize_throughput", "minimize_latency"]):
        objectives = make_objectives(names)
        verdicts = {n: verdict(figures(*row), HARD, objectives) for n, row in enumerate(rows)}
        ranked = rank(verdicts)
        assert sorted(ranked) == sorted(verdicts)
        shuffled = list(verdicts)
        random.shuffle(shuffled)
        assert rank({n: verdicts[n] for n in shuffled}) == ranked
        assert [verdicts[n].violated for n in ranked] == sorted(v.violated for v in verdicts.values())
        if len(names) == 1:
            for best, worst in itertools.pairwise(ranked):
                same = verdicts[best].violated == verdicts[worst].violated
                a, b = verdicts[best].penalised[0], verdicts[worst].penalised[0]
                assert not (same and better(b, a, objectives[0].direction))
        elif not verdicts[ranked[0]].violated:
            points = {n: v.penalised for n, v in verdicts.items() if not v.violated}
            assert ranked[0] == trade_offs(points, ("maximize", "minimize")).extremes[0]


@given(st.lists(st.tuples(values, values), min_size=1, max_size=6), st.sampled_from([0.001, 1000.0]))
def test_the_unit_does_not_change_the_order(rows: list[tuple[float, float]], scale: float) -> None:
    rows = [(round(ttft, 3), round(latency, 3)) for ttft, latency in rows]
    scaled_slo = slo_set({"ttft": {"threshold": scale, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.5}})
    plain = {n: verdict(figures(t, latency=v), HARD, LATENCY) for n, (t, v) in enumerate(rows)}
    scaled = {n: verdict(figures(t * scale, latency=v * scale), scaled_slo, LATENCY) for n, (t, v) in enumerate(rows)}
    assert [plain[n].violated for n in plain] == [scaled[n].violated for n in scaled]
    for n in plain:
        assert scaled[n].penalised[0] == pytest.approx(plain[n].penalised[0] * scale, rel=1e-6)


def test_the_nearest_misses_least() -> None:
    verdicts = {
        1: verdict(figures(ttft=3.0)),
        2: verdict(figures(ttft=1.65)),
        3: verdict(figures(ttft=1.6, errors=0.5)),
        4: verdict(figures(ttft=1.65)),
    }
    found = nearest(verdicts)
    assert found is not None
    assert found.number == 2
    assert found.worst.rule.figure == "mean_ttft"
    assert found.margin == pytest.approx(0.1)
    assert nearest({1: verdict(figures())}) is None


def test_the_record_is_json_and_tells_the_violation() -> None:
    slo = slo_set({"ttft": {"threshold": 1.0}, "error_rate": {"threshold": 0}})
    judged = verdict(figures(ttft=1.1, errors=0.5), slo)
    record = json.loads(json.dumps(judged.record(), allow_nan=False))
    assert record["slo_violation"] is True
    assert record["severity"] == "severe"
    assert [r["rule"]["metric"] for r in record["results"]] == ["ttft", "error_rate"]
    assert record["reasons"] == [
        "error rate is 50 %, but the limit is zero",
        "mean TTFT is 1.1 s, 10 % above the limit of 1 s",
    ]
    kept = verdict(figures())
    assert (kept.severity, kept.size, kept.reasons, kept.met, kept.met_for_load) == (None, 0.0, (), True, True)
    assert kept.margins["mean_ttft"] == pytest.approx(0.5 / 1.5 - 1)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=12),
    st.tuples(*[st.sampled_from(["minimize", "maximize"])] * 3),
)
def test_the_front_is_what_no_point_dominates(points: list[tuple[int, ...]], axes: tuple[Direction, ...]) -> None:
    def dominates(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        pairs = list(zip(a, b, axes, strict=True))
        return all(not better(y, x, d) for x, y, d in pairs) and any(better(x, y, d) for x, y, d in pairs)

    expected = [i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)]
    assert pareto_front(points, axes) == expected


def test_the_front_refuses_missing_figures() -> None:
    with pytest.raises(ValueError, match="missing"):
        pareto_front([(math.nan, 1.0)], ("minimize", "minimize"))
