"""Whole tasks on predictions: what is claimed and what is there; and how recorded starts are split into their parts."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autotuner.contracts.store import Store
from conformance.store_suite import StoreSuite

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
TASKS = range(1, 11)


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("evidence")


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("noise")


async def test_where_all_are_alike_nothing_is_claimed(evidence: ModuleType) -> None:
    """Each claim has a chance of less than 1 %, and the draws are always the same ones."""
    outcomes = await evidence.run_some("aa", TASKS, "0.02", {"strategy": "random"})
    assert sum(outcome.claimed is not None for outcome in outcomes) <= 1
    assert all(outcome.verdict in ("no_significant_gain", "gain") for outcome in outcomes)
    findings = [finding for outcome in outcomes for finding in outcome.finalists]
    assert len(findings) >= 10
    assert sum(not finding.covers for finding in findings) <= 1
    assert all(outcome.confirm_starts == 0 or 10 <= outcome.confirm_starts <= 30 for outcome in outcomes)


async def test_a_gain_of_a_tenth_is_found(evidence: ModuleType) -> None:
    """It is five times the noise."""
    outcomes = await evidence.run_some("ab", TASKS, "0.02", {"strategy": "random"})
    assert sum(outcome.found for outcome in outcomes) >= 9
    assert sum(outcome.claimed is not None and outcome.claimed.covers for outcome in outcomes) >= 9
    lines = "\n".join(evidence.summary(outcomes))
    assert "the better one found" in lines


def test_bounds_are_those_of_the_binomial_distribution(evidence: ModuleType) -> None:
    assert evidence.bounds(0, 20) == pytest.approx((0.0, 0.16843), abs=1e-4)
    assert evidence.bounds(20, 20) == pytest.approx((0.83157, 1.0), abs=1e-4)
    assert evidence.bounds(5, 50) == pytest.approx((0.033275, 0.218135), abs=1e-5)


def test_starts_are_split_into_means_drift_and_residuals(noise: ModuleType) -> None:
    rng, per_round, rounds = np.random.default_rng(4), 6, 40
    groups = [int(kind) for _ in range(rounds) for kind in rng.permutation(per_round)]
    drift = 0.05 * np.sin(np.arange(len(groups)) / 25)[:, None]
    means = rng.normal(0, 1, (per_round, 1))
    residuals = rng.normal(0, 0.02, (len(groups), 1))
    found = noise.split(means[groups] + drift + residuals, groups, bandwidth=6.0)
    assert found.residuals.std() == pytest.approx(0.02, rel=0.1)
    assert abs(found.residuals.mean()) < 1e-12
    assert np.corrcoef(found.drift[:, 0], drift[:, 0])[0, 1] > 0.95
    assert found.inflation > 1
    assert (found.means - found.means.mean())[:, 0] == pytest.approx((means - means.mean())[:, 0], abs=0.01)
    left_over = found.residuals / found.inflation + found.drift + found.means[groups]
    assert left_over == pytest.approx(means[groups] + drift + residuals, abs=1e-3)


def test_too_few_starts_cannot_be_split(noise: ModuleType) -> None:
    with pytest.raises(ValueError, match="too few"):
        noise.split(np.zeros((3, 4)), [0, 1, 2], bandwidth=1.0)


class TestMemoryStore(StoreSuite):
    """The store of the simulated tasks is one like any other."""

    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        made: Store = importlib.import_module("memory_store").MemoryStore()
        return made

    @pytest.fixture
    def other_store(self, store: Store) -> Store:
        return store
