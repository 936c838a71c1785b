"""Drawing what nobody tried: nothing twice, nothing left out; and the random stream behind it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup
from autotuner.search.history import Stream
from autotuner.search.registry import make_strategy
from autotuner.search.unseen import draw_unseen
from conformance.strategy_suite import run
from conformance.toy_space import Choices, Floats, ToySpace

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    sizes=SIZES,
    forbidden=st.sets(st.integers(0, 12)),
    merged=st.booleans(),
    seed=st.integers(0, 2**32),
    name=st.sampled_from(["grid", "random"]),
    budget=st.none() | st.integers(1, 300),
)
def test_every_valid_launch_comes_exactly_once(
    sizes: list[int], forbidden: set[int], merged: bool, seed: int, name: str, budget: int | None
) -> None:
    """Whatever rules and equal launches there are; the budget of a grid changes the order only."""
    space = ToySpace(
        *(Choices(f"p{i}", tuple(range(size))) for i, size in enumerate(sizes)),
        rules=(lambda c: "forbidden" if sum(int(v or 0) for v in c.values()) in forbidden else None,),
        launched=lambda c: {k: v for k, v in c.items() if not (merged and k == "p1")},
    )
    strategy = make_strategy(name, SearchSetup(space, ("maximize",), seed, budget=budget))
    trials = run(strategy, 1000, lambda _: Outcome(OutcomeKind.MEASURED, (1.0,)))
    identities = [space.identity(t.configuration) for t in trials]
    assert sorted(identities) == sorted(space.identity(c) for c in space.enumerate())


def test_a_continuous_space_is_not_exhausted() -> None:
    space = ToySpace(Floats("x", 0.0, 1.0))
    first = draw_unseen(space, Stream(1), set())
    assert first is not None
    second = draw_unseen(space, Stream(1), {space.identity(first)})
    assert second is not None
    assert second != first


def test_a_space_without_a_valid_point_gives_none() -> None:
    for dimension in (Choices("x", (1, 2, 3)), Floats("x", 0.0, 1.0)):
        space = ToySpace(dimension, rules=(lambda _: "never",))
        assert draw_unseen(space, Stream(1), set()) is None


def test_the_stream_is_uniform_and_the_same_everywhere() -> None:
    stream = Stream(7)
    numbers = [stream.random() for _ in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    assert abs(sum(numbers) / 4000 - 0.5) < 0.02  # standard error 0.0046
    counts = [0] * 8
    for _ in range(4000):
        counts[stream.randrange(8)] += 1
    assert sum((count - 500) ** 2 / 500 for count in counts) < 24.3  # 99.9th percentile, 7 degrees of freedom
    assert [Stream(seed).randrange(10**6) for seed in (0, 1, 2)] == PINNED


PINNED = [85328, 409839, 288851]
"""A stored search must go on alike in every later version."""
