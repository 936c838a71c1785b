"""What one more experiment costs does not hang on how many are stored, and not everything stored is held in memory."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import create_engine, func, insert, select

import autotuner.coordinator
from autotuner.contracts.attempt import AttemptJob, AttemptReason
from autotuner.contracts.search import SearchSetup, Trial
from autotuner.contracts.store import ExperimentStatus, TaskStatus
from autotuner.contracts.values import Configuration
from autotuner.coordinator import stored_result
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.stored_result import from_stored
from autotuner.store.models import Attempt, Base, Experiment, MeasurementEntry
from coordinator.loop_world import CuttingStore, document, make_world

LOOP = str(Path(autotuner.coordinator.__file__).parent)


class InOrder:
    """Proposes (1, 1), (2, 1), … whatever it is told."""

    name = "in order"

    def __init__(self, setup: SearchSetup) -> None:
        self._next = 1

    def tell(self, trial: Trial) -> None:
        pass

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        self._next += 1
        return {"a": (self._next - 1) % 8 + 1, "b": (self._next - 1) // 8 + 1}


def copy_experiment(path: Path, number: int, times: int) -> None:
    """Store copies of an experiment with its own start, each under an identity of its own."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:

        def rows(table: type[Base], column: Any, value: int) -> list[dict[str, Any]]:
            found = connection.execute(select(*table.__table__.columns).where(column == value)).mappings()
            return [dict(row) for row in found]

        last = connection.execute(select(func.max(Experiment.id), func.max(Experiment.number))).one()
        (last_attempt,) = connection.execute(select(func.max(Attempt.id))).one()
        (experiment,) = rows(Experiment, Experiment.number, number)
        (attempt,) = rows(Attempt, Attempt.experiment_id, experiment["id"])
        measurements = rows(MeasurementEntry, MeasurementEntry.attempt_id, attempt["id"])
        copies = range(1, times + 1)
        made = [{"id": last[0] + n, "number": last[1] + n, "identity": f"copy {n}"} for n in copies]
        connection.execute(insert(Experiment), [experiment | changes for changes in made])
        starts = [{"id": last_attempt + n, "experiment_id": last[0] + n} for n in copies]
        connection.execute(insert(Attempt), [attempt | changes for changes in starts])
        for measurement in measurements:
            del measurement["id"]
            of_start = [{"attempt_id": s["id"], "experiment_id": s["experiment_id"]} for s in starts]
            connection.execute(insert(MeasurementEntry), [measurement | changes for changes in of_start])
    engine.dispose()


@contextmanager
def lines_of_the_loop(counts: Counter[str]) -> Iterator[None]:
    """Counts each line that the coordinator runs: a pass over everything stored shows, however it is written."""

    def line(frame: FrameType, event: str, _argument: Any) -> Any:
        counts["lines"] += event == "line"
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(LOOP) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


class CountingStore(CuttingStore):
    """Counts what is asked of it."""

    def __init__(self, store: Any, counts: Counter[str]) -> None:
        super().__init__(store, None, after=False, kill=False)
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name != "get_task_state":  # looked at whenever some time has passed
                self._counts[f"store.{name}"] += 1
            return await method(*args, **kwargs)

        return call


async def costs_per_start(folder: Path, stored: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Counter[str]]]:
    """What happens from one start to the next, with so many experiments stored before, by the starts' reason."""
    counts: Counter[str] = Counter()
    samples: list[tuple[AttemptReason, Counter[str]]] = []
    judge = Scorer.judge

    def judging(scorer: Scorer, metrics: Any) -> Any:
        counts["judged"] += 1
        return judge(scorer, metrics)

    async def sample(job: AttemptJob) -> None:
        samples.append((job.reason, counts.copy()))

    async with make_world(folder) as world:
        await world.run(document(max_iterations=1, confirm={"starts": 0}), strategy=InOrder)
        copy_experiment(folder / "tasks.db", 1, stored)
        monkeypatch.setattr(Scorer, "judge", judging)
        world.deployment.hooks["start"] = sample
        longer = document(
            max_iterations=stored + 7, patience=10 * stored, confirm={"top_k": 2, "starts": 2, "max_starts": 2}
        )
        store: Any = CountingStore(world.store, counts)
        with lines_of_the_loop(counts):
            result = await world.run(longer, store=store, strategy=AfterThat)
        monkeypatch.undo()
        assert result.status is TaskStatus.COMPLETED
        assert len(result.experiments) == stored + 8
    found: dict[str, list[Counter[str]]] = {}
    for (earlier, before), (reason, after) in pairwise(samples):
        if earlier is reason:
            found.setdefault(reason.value, []).append(after - before)
    return found


class AfterThat(InOrder):
    """Goes on after the first proposal of the one before."""

    def __init__(self, setup: SearchSetup) -> None:
        super().__init__(setup)
        self._next = 2


async def test_one_more_start_costs_the_same_however_many_experiments_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = await costs_per_start(tmp_path / "few", 200, monkeypatch)
    many = await costs_per_start(tmp_path / "many", 2000, monkeypatch)
    assert few.keys() == many.keys() == {"first", "confirm"}
    for reason in few:
        assert len(few[reason]) == len(many[reason]) >= 5
        for a, b in zip(few[reason], many[reason], strict=True):
            lines = a.pop("lines"), b.pop("lines")
            assert a == b
            assert a["store.start_attempt"] == 1
            assert max(lines) < 1.1 * min(lines)


async def test_a_ledger_holds_no_bulk_of_what_is_finished(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        await world.run(
            document(max_iterations=3, confirm={"top_k": 1, "starts": 2, "max_starts": 2}), strategy=InOrder
        )
        ledger = await Ledger.read(world.store, 1)
        attempts = {a.id: a for a in await world.attempts()}
    for attempt in ledger.attempts.values():
        confirming = attempt.reason is AttemptReason.CONFIRM
        assert (attempt.job is not None) == confirming
        assert bool(attempt.host) == confirming
        assert bool(ledger.figures(attempt).measurements) == confirming
        stored = attempts[attempt.id].job
        assert stored is not None
        assert stored.command is not None
        assert ledger.command_of(attempt) == stored.command.argv
    assert all(ledger.scoring_attempt(e) is not None for e in ledger.experiments.values())
    assert all(e.status is ExperimentStatus.SUCCESS for e in ledger.experiments.values())


async def test_a_long_result_is_stored_without_its_experiments_and_read_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_result, "LISTED", 3)
    async with make_world(tmp_path) as world:
        short = await world.run(document(max_iterations=2))
        stored = (await world.stored()).result
        assert stored is not None
        assert stored == short.model_dump(mode="json")
        long = await world.run(document(max_iterations=4))
        stored = (await world.stored()).result
        assert stored is not None
        assert "experiments" not in stored
        assert stored["headline"] == long.headline
        assert await from_stored(stored, world.store) == long
