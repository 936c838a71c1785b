"""How much of a confirmation the reserve pays."""

from __future__ import annotations

import pytest

from autotuner.config.optimization import Confirm
from autotuner.planning.confirmation import affordable, plan_confirmation
from conformance.toy_engine import toy_plan


def test_without_a_limit_of_time_all_is_as_asked() -> None:
    plan = plan_confirmation(Confirm(), others=20, wall_clock_s=None, search_s=1e9, per_start_s=1e9)
    assert (plan.finalists, plan.least, plan.most, plan.note) == (2, 5, 10, None)
    assert (plan.least_starts, plan.most_starts) == (15, 30)


@pytest.mark.parametrize(("others", "confirm"), [(0, Confirm()), (5, Confirm(top_k=0)), (5, Confirm(starts=0))])
def test_with_nothing_to_confirm_nothing_is_started(others: int, confirm: Confirm) -> None:
    plan = plan_confirmation(confirm, others=others, wall_clock_s=None, search_s=1, per_start_s=1)
    assert (plan.finalists, plan.least_starts, plan.most_starts, plan.note) == (0, 0, 0, None)


@pytest.mark.parametrize(
    ("wall", "finalists", "said"),
    [
        (600.0, 2, None),
        (599.0, 1, "one finalist is confirmed instead of 2"),
        (400.0, 1, "one finalist is confirmed instead of 2"),
        (399.0, 0, "the winner will not be confirmed"),
    ],
)
def test_a_quarter_of_the_time_pays_as_many_finalists_as_it_can(wall: float, finalists: int, said: str | None) -> None:
    plan = plan_confirmation(Confirm(), others=20, wall_clock_s=wall, search_s=1e9, per_start_s=10.0)
    assert plan.finalists == finalists
    assert said is None if plan.note is None else (said is not None and plan.note.startswith(said))


def test_time_that_the_search_does_not_need_pays_too() -> None:
    plan = plan_confirmation(Confirm(), others=3, wall_clock_s=200.0, search_s=50.0, per_start_s=10.0)
    assert plan.finalists == 2


def test_who_can_be_paid() -> None:
    assert [affordable(3, 5, starts) for starts in (20, 19, 10, 9, 0)] == [3, 1, 1, 0, 0]
    assert affordable(0, 5, 100) == 0


def test_the_plan_says_that_the_winner_will_not_be_confirmed() -> None:
    plan = toy_plan({"tp": [1, 2, 4]}, optimization={"budget": {"wall_clock_s": 60}})
    assert (plan.confirm_top_k, plan.confirm_starts, plan.confirm_most) == (0, 0, 0)
    assert any("will not be confirmed" in warning for warning in plan.warnings)
    assert plan.estimate.most_starts == plan.estimate.starts


def test_the_estimate_has_least_and_most() -> None:
    plan = toy_plan({"tp": [1, 2, 4]}, optimization={"confirm": {"top_k": 1, "starts": 5, "max_starts": 12}})
    assert plan.estimate.most_starts - plan.estimate.starts == 2 * 7
    assert plan.estimate.most_s == plan.estimate.most_starts * plan.estimate.per_start_s
