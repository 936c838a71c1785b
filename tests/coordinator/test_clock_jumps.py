"""The wall clock may jump while a task runs: durations, budgets and orders do not follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptStatus, Phase
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import EventType, Store
from autotuner.coordinator.ledger import Ledger
from autotuner.store import open_store
from coordinator.loop_world import CuttingStore, Killed, World, document

BEGUN = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
JUMP = timedelta(hours=1)


def jumping() -> Callable[[], datetime]:
    """A clock that jumps an hour ahead, back, and further back, in turn at each reading."""
    shifts = [timedelta(0), JUMP, -JUMP, -3 * JUMP, 2 * JUMP]
    read = 0

    def now() -> datetime:
        nonlocal read
        read += 1
        return BEGUN + shifts[read % len(shifts)] + timedelta(milliseconds=read)

    return now


def steady() -> datetime:
    return BEGUN


def budgeted() -> dict[str, Any]:
    confirm = {"top_k": 2, "starts": 2, "max_starts": 2}
    return document(max_iterations=30, budget={"wall_clock_s": 200}, confirm=confirm)


async def cut_and_run_again(folder: Path, clock: Callable[[], datetime]) -> tuple[World, TaskResult, dict[str, Any]]:
    """Ten seconds per start on the monotonic clock; killed in the fifth start and run again."""
    async with open_store(str(folder / "tasks.db"), clock=clock) as store:
        world = World(store, folder / "artefacts", 10.0)
        counting = CuttingStore(store, 38, after=True, kill=True)
        with pytest.raises(Killed):
            await world.run(budgeted(), store=cast(Store, counting))
        ledger = await Ledger.read(store, 1)
        result = await world.run(budgeted())
        facts = {
            "starts": await world.starts(),
            "attempts": await world.attempts(),
            "experiments": await world.experiments(),
            "events": await world.events(),
            "killed after": ledger.seconds(),
        }
        return world, result, facts


async def test_durations_budgets_and_orders_do_not_follow_the_wall_clock(tmp_path: Path) -> None:
    for name in ("jumping", "steady"):
        (tmp_path / name).mkdir()
    world, result, facts = await cut_and_run_again(tmp_path / "jumping", jumping())
    _, calm, expected = await cut_and_run_again(tmp_path / "steady", steady)

    times = [attempt.started_at for attempt in facts["attempts"]]
    assert times != sorted(times)  # the clock did jump
    assert any(a.finished_at < a.started_at for a in facts["attempts"] if a.finished_at is not None)
    # The same starts in the same order, so the budget was used alike.
    assert facts["starts"] == expected["starts"]
    assert result.stop_reason == calm.stop_reason
    assert [a.id for a in facts["attempts"]] == sorted(a.id for a in facts["attempts"])
    assert [e.number for e in facts["experiments"]] == sorted(e.number for e in facts["experiments"])
    assert [e.seq for e in facts["events"]] == list(range(1, len(facts["events"]) + 1))
    assert [e.parameters for e in facts["experiments"]] == [e.parameters for e in expected["experiments"]]

    # Nothing took an hour, and nothing less than no time.
    limit = JUMP.total_seconds()
    assert 0 < facts["killed after"] < limit
    assert result.elapsed_s == pytest.approx(calm.elapsed_s, abs=limit / 2)
    assert all(0 <= (e.elapsed_s or 0.0) < limit for e in result.experiments)
    ends = [e.data["elapsed_s"] for e in facts["events"] if e.type is EventType.EXPERIMENT_COMPLETED]
    assert len(ends) == len(facts["experiments"])
    assert all(0 <= seconds < limit for seconds in ends)
    seen = world.watcher.snapshots
    assert all(0 <= snapshot.elapsed_s < limit for snapshot in seen)
    assert all(0 <= (snapshot.eta_s or 0.0) < limit for snapshot in seen)


async def test_a_start_that_was_given_up_says_how_long_it_took(tmp_path: Path) -> None:
    """It sends no end of its own, and its time counts towards a budget all the same."""
    async with open_store(str(tmp_path / "tasks.db"), clock=jumping()) as store:
        world = World(store, tmp_path / "artefacts")

        async def hang(job: object) -> None:
            await asyncio.Event().wait()

        world.deployment.hooks["wait_ready"] = hang
        ticks = iter(range(10**6))
        world.clock = lambda: float(next(ticks))
        with pytest.raises(Exception, match="timeout_per_iteration"):
            await world.run(document(max_iterations=1, timeout_per_iteration=0.05, retries=0, confirm={"starts": 0}))
        attempts = await world.attempts()
    assert [a.status for a in attempts] == [AttemptStatus.FAILED] * 2
    for attempt in attempts:
        assert attempt.phase_seconds.keys() == {Phase.DEPLOY, Phase.LOAD}
        assert all(seconds >= 1 for seconds in attempt.phase_seconds.values())
