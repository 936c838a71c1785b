"""Gains, their intervals, the order of starts, and the concluding sentence."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.search import Direction
from autotuner.scoring.conclusion import MINIMAL_BASELINE, conclude, conclude_infeasible, conclude_nothing
from autotuner.scoring.evidence import confirmation_order, paired_gain, pooled_noise
from autotuner.scoring.figures import Missing
from autotuner.scoring.objectives import make_objectives
from autotuner.scoring.slo import slo_set
from autotuner.scoring.verdict import Verdict, judge, nearest

BASE = [100.0, 104.0, 98.0, 101.0, 99.0]
FASTER = [120.0, 125.0, 119.0, 120.0, 118.0]


def simulate(rng: np.random.Generator, gain: float, noise: float, pairs: int) -> tuple[list[float], list[float]]:
    """Starts whose level drifts from pair to pair by far more than the noise within a pair."""
    drift = rng.normal(0, 5 * noise, pairs)
    base = 50 * np.exp(drift + rng.normal(0, noise, pairs))
    return base.tolist(), (50 * (1 + gain) * np.exp(drift + rng.normal(0, noise, pairs))).tolist()


def test_the_interval_is_that_of_the_t_distribution() -> None:
    gain = paired_gain(BASE, FASTER, direction="maximize")
    logs = np.log(FASTER) - np.log(BASE)
    reach = 4.604094871415897 * logs.std(ddof=1) / math.sqrt(5)  # t quantile 0.995 with 4 degrees of freedom
    assert gain.low == pytest.approx(math.expm1(logs.mean() - reach))
    assert gain.high == pytest.approx(math.expm1(logs.mean() + reach))
    assert gain.ratio == pytest.approx(1 + gain.gain)
    assert gain.significant
    assert (gain.pairs, gain.confidence) == (5, 0.99)


def test_less_is_better_when_minimised() -> None:
    gain = paired_gain(FASTER, BASE, direction="minimize")
    assert gain.gain == pytest.approx(1 - gain.ratio)
    assert gain.low is not None
    assert gain.high is not None
    assert 0 < gain.low < gain.gain < gain.high < 1
    assert gain.significant
    assert not paired_gain(FASTER, BASE, direction="maximize").significant
    assert not paired_gain(BASE, FASTER, direction="minimize").significant


def test_more_finalists_need_more_evidence() -> None:
    one = paired_gain(BASE, FASTER, direction="maximize")
    three = paired_gain(BASE, FASTER, direction="maximize", finalists=3)
    assert one.low is not None
    assert three.low is not None
    assert three.low < one.low


@given(scale=st.sampled_from([1e-3, 1e3, 60.0]), direction=st.sampled_from(["minimize", "maximize"]))
def test_the_unit_does_not_change_the_gain(scale: float, direction: Direction) -> None:
    plain = paired_gain(BASE, FASTER, direction=direction)
    scaled = paired_gain([v * scale for v in BASE], [v * scale for v in FASTER], direction=direction)
    assert scaled.gain == pytest.approx(plain.gain)
    assert scaled.low == pytest.approx(plain.low)
    assert scaled.significant == plain.significant


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_interval_covers_the_true_gain_as_often_as_it_says(direction: Direction) -> None:
    rng, runs, true = np.random.default_rng(1), 2000, 0.05
    covered = 0
    for _ in range(runs):
        base, candidate = simulate(rng, true, 0.03, 5)
        gain = paired_gain(base, candidate, direction=direction, alpha=0.1)
        assert gain.low is not None
        assert gain.high is not None
        covered += gain.low <= (true if direction == "maximize" else -true) <= gain.high
    assert 0.88 <= covered / runs <= 0.92


def test_equal_configurations_are_rarely_called_different() -> None:
    rng, runs = np.random.default_rng(2), 2000
    claims = 0
    for _ in range(runs):
        starts = [simulate(rng, 0.0, 0.03, 5) for _ in range(2)]
        claims += any(paired_gain(b, c, direction="maximize", finalists=2).significant for b, c in starts)
    assert claims / runs <= 0.02


def test_a_real_gain_is_found() -> None:
    rng, runs = np.random.default_rng(3), 300
    found = sum(paired_gain(*simulate(rng, 0.1, 0.01, 5), direction="maximize").significant for _ in range(runs))
    assert found / runs >= 0.95


def test_one_pair_has_no_interval() -> None:
    gain = paired_gain([1.0], [2.0], direction="maximize")
    assert (gain.low, gain.high, gain.significant, gain.noise) == (None, None, False, None)


def test_without_noise_equal_is_still_no_gain() -> None:
    assert not paired_gain([1.1] * 5, [1.1] * 5, direction="maximize").significant
    assert not paired_gain([1.1] * 5, [math.nextafter(1.1, 2)] * 5, direction="maximize").significant
    assert paired_gain([1.1] * 5, [1.2] * 5, direction="maximize").significant


def test_hopeless_noise_gives_a_wide_interval_and_no_error() -> None:
    gain = paired_gain([1e-9, 1.0], [1.0, 1e-9], direction="maximize")
    assert gain.low is not None
    assert gain.high is not None
    assert math.isfinite(gain.high)
    assert gain.low < 0 < gain.high


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_scores_that_have_no_ratio_are_refused(bad: float) -> None:
    with pytest.raises(AutotunerError, match="cannot be compared"):
        paired_gain([1.0, bad], [1.0, 2.0], direction="minimize")


def test_what_is_no_pairing_is_refused() -> None:
    for base, candidate in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="no pairs"):
            paired_gain(base, candidate, direction="minimize")
    with pytest.raises(ValueError, match="finalist"):
        paired_gain([1.0], [1.0], direction="minimize", finalists=0)


def test_noise_is_pooled_over_configurations() -> None:
    assert pooled_noise([[1.0], [2.0]]) is None
    assert pooled_noise([[100.0, 100.0], [7.0, 7.0]]) == 0
    a, b = np.array([100.0, 104.0, 98.0]), np.array([5.0, 5.2])
    expected = math.sqrt((2 * np.log(a).var(ddof=1) + np.log(b).var(ddof=1)) / 3)
    assert pooled_noise([a.tolist(), b.tolist(), [3.0], []]) == pytest.approx(expected)


@given(count=st.integers(1, 5), rounds=st.integers(0, 12), seed=st.integers(0, 2**32))
def test_starts_are_interleaved_and_balanced(count: int, rounds: int, seed: int) -> None:
    names = [f"c{i}" for i in range(count)]
    order = confirmation_order(names, rounds, seed)
    assert order == confirmation_order(list(reversed(names)), rounds, seed)
    assert order == confirmation_order(names, rounds + 3, seed)[:rounds]
    assert all(sorted(one) == names for one in order)
    whole = order[: rounds - rounds % count]
    for position in range(count):
        assert set(Counter(one[position] for one in whole).values()) <= {rounds // count}


def test_the_order_depends_on_the_seed() -> None:
    assert len({tuple(confirmation_order(["a", "b", "c", "d"], 1, seed)[0]) for seed in range(30)}) > 5
    with pytest.raises(ValueError, match="twice"):
        confirmation_order(["a", "a"], 1, 0)


def verdict(ttft: float = 0.5, hard: bool = False) -> Verdict:
    slo = slo_set({"ttft": {"p90": {"threshold": 0.5, "hard_fail": hard, "fail_ratio": 0.0}}})
    metrics = {"p90_ttft": ttft, "mean_e2e_latency": 1.0, "error_rate": 0.0}
    judged = judge(metrics, make_objectives(["minimize_latency"]), slo)
    assert not isinstance(judged, Missing)
    return judged


def test_a_gain_is_claimed_with_its_interval() -> None:
    gain = paired_gain(BASE, FASTER, direction="maximize")
    said = conclude("threads=4", verdict(), baseline="default", gain=gain)
    assert said.kind == "gain"
    assert said.sentence == "threads=4 is 20 % better than the baseline (99 % interval 18–22 %, 5 paired starts)."
    minimal = conclude("threads=4", verdict(), baseline="default", gain=gain, baseline_label=MINIMAL_BASELINE)
    assert "better than the minimal runnable baseline (" in minimal.sentence


def test_no_gain_is_a_normal_answer() -> None:
    gain = paired_gain(BASE, [101.0, 99.0, 103.0, 98.0, 97.0], direction="maximize")
    said = conclude("threads=4", verdict(), baseline="default", gain=gain)
    assert said.kind == "no_significant_gain"
    assert said.sentence.startswith(
        "No significant gain: the best candidate, threads=4, measured 0.8 % worse than the baseline (99 % interv"
    )
    assert " to " in said.sentence
    itself = conclude("default", verdict(), baseline="default", gain=None)
    assert itself.kind == "no_significant_gain"


@pytest.mark.parametrize(("baseline", "kind"), [("default", "unconfirmed"), (None, "no_baseline")])
def test_without_confirmation_or_baseline_no_gain_is_claimed(baseline: str | None, kind: str) -> None:
    single = paired_gain([1.0], [2.0], direction="maximize")
    for gain in (None, single):
        said = conclude("threads=4", verdict(), baseline=baseline, gain=gain)
        assert said.kind == kind
        assert "no gain is claimed" in said.sentence


def test_a_winner_that_misses_a_soft_slo_is_labelled() -> None:
    gain = paired_gain(BASE, FASTER, direction="maximize")
    said = conclude("threads=4", verdict(0.65), baseline="default", gain=gain)
    assert said.slo_label == "threads=4 misses its SLO: p90 TTFT is 0.65 s, 30 % above the limit of 0.5 s"
    assert said.slo_label in said.sentence
    assert conclude("threads=4", verdict(0.5), baseline="default", gain=gain).slo_label is None


def test_nothing_feasible_names_the_nearest() -> None:
    found = nearest({3: verdict(0.65, hard=True), 4: verdict(0.9, hard=True)})
    assert found is not None
    said = conclude_infeasible(f"experiment {found.number}", found)
    assert said.kind == "infeasible"
    assert said.sentence == (
        "No configuration meets the SLO, the nearest is experiment 3, missing by 0.15 s: "
        "p90 TTFT is 0.65 s, 30 % above the limit of 0.5 s."
    )
    assert conclude_nothing("all 4 starts failed").kind == "no_result"


def test_a_baseline_that_breaks_its_slo_is_beaten_without_a_gain() -> None:
    none = paired_gain(BASE, [101.0, 99.0, 103.0, 98.0, 97.0], direction="maximize")
    why = "p90 TTFT is 0.65 s, 30 % above the limit of 0.5 s"
    said = conclude("threads=4", verdict(), baseline="default", gain=none, baseline_violates=why)
    assert said.kind == "only_eligible"
    assert said.sentence.startswith(
        f"threads=4 keeps the hard SLOs in all 5 starts, the baseline does not: {why}; it measured 0.8 % worse"
    )
    shown = paired_gain(BASE, FASTER, direction="maximize")
    said = conclude("threads=4", verdict(), baseline="default", gain=shown, baseline_violates=why)
    assert said.kind == "gain"
    assert said.sentence.endswith(f"and keeps the hard SLOs, which the baseline does not: {why}.")


def test_too_few_starts_are_said_in_words() -> None:
    absurd = paired_gain([100.0, 101.0], [90.0, 130.0], direction="maximize")
    assert absurd.high is not None
    assert absurd.high > 100
    said = conclude("threads=4", verdict(), baseline="default", gain=absurd)
    assert said.kind == "unconfirmed"
    assert said.sentence == (
        "threads=4 is the best candidate and measured 7.6 % better than the baseline, but 2 paired starts are too few "
        "to tell, so no gain is claimed."
    )


def test_where_the_baseline_stays_the_best_of_the_others_is_told() -> None:
    gain = paired_gain(BASE, [91.0, 93.0, 92.0, 90.0, 94.0], direction="maximize")
    said = conclude("default", verdict(), baseline="default", gain=None, candidate=("threads=4", gain))
    assert said.kind == "no_significant_gain"
    assert "nothing better than the baseline was found; the best candidate, threads=4, measured 8.4 % worse" in (
        said.sentence
    )
    out = conclude("default", verdict(), baseline="default", gain=None, ruled_out=["threads=4", "threads=8"])
    assert out.sentence.endswith("that could be confirmed; ruled out when started again: threads=4, threads=8.")
