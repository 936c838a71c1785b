"""Engine knowledge as a prior: signs that an engineer expects, and what it says nothing of."""

from __future__ import annotations

import pytest

from autotuner.planning.knowledge import EngineKnowledge, concerned, quantities, spelled
from conformance.toy_space import Choices


def of(load: float | None = None, **settings: object) -> dict[str, float]:
    return quantities(lambda name: settings.get(name), load)  # type: ignore[arg-type, return-value]


def said(
    objective: tuple[str, int] | None, load: float | None = None, **settings: object
) -> tuple[float | None, dict[str, float]]:
    prior = EngineKnowledge(
        lambda c: quantities(lambda name: c.get(name), load),
        [objective],  # type: ignore[list-item]
        {"p90_ttft": "ttft", "mean_tpot": "tpot"},
    )
    found = prior.predict(settings)  # type: ignore[arg-type]
    return found.log_objectives[0], dict(found.log_ratios)


def test_more_requests_at_once_give_throughput_and_cost_tpot() -> None:
    few, many = said(("throughput", 1), seqs=8), said(("throughput", 1), seqs=64)
    assert many[0] is not None
    assert few[0] is not None
    assert many[0] > few[0]
    assert many[1]["mean_tpot"] > few[1]["mean_tpot"]


def test_beyond_the_load_they_change_nothing_and_below_it_requests_wait() -> None:
    assert said(("throughput", 1), 32, seqs=64) == said(("throughput", 1), 32, seqs=256)
    assert said(("throughput", 1), 32, seqs=8)[1]["p90_ttft"] > said(("throughput", 1), 32, seqs=32)[1]["p90_ttft"]


def test_a_cost_falls_as_the_throughput_rises() -> None:
    few, many = said(("throughput", -1), seqs=8)[0], said(("throughput", -1), seqs=64)[0]
    assert few is not None
    assert many is not None
    assert many < few


@pytest.mark.parametrize(
    ("value", "halvings"), [("fp8", 1), ("fp8_block", 1), ("nvfp4", 2), ("bfloat16", 0), (None, 0)]
)
def test_formats(value: str | None, halvings: int) -> None:
    assert of(weights=value)["weight_halvings"] == halvings


def test_what_is_not_known_says_nothing() -> None:
    assert said(None, seqs=8)[0] is None
    names = spelled(lambda spelling: {"max_num_seqs": "n_parallel"}.get(spelling))
    assert names == {"seqs": "n_parallel"}
    dimensions = [Choices("n_parallel", (1, 2, 4)), Choices("threads", (1, 2))]
    assert concerned(lambda c: of(seqs=c["n_parallel"]), dimensions) == ["n_parallel"]
