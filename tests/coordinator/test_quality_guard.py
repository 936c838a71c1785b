"""The quality guard in a whole task: answers come from mock servers, everything else from fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from autotuner.contracts.attempt import AttemptReason, Failure, FailureClass, Handle
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.quality import BASELINE_PASSES
from autotuner.contracts.search import OutcomeKind
from autotuner.contracts.store import ExperimentStatus, Store
from autotuner.coordinator.experiments import outcome
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.mock_server import MockOptions, MockServer
from autotuner.mock_server.options import Fault
from autotuner.quality.prompts import BUILT_IN
from conformance.fake_parts import FakeDeployment, failure
from coordinator.loop_world import CuttingStore, Killed, World, configuration, document, make_world

PROMPTS = len(BUILT_IN)
QUICK = {"ttft_s": 0.0, "token_s": 0.0}
PLAIN = MockOptions(**QUICK)
WORSE = MockOptions(**QUICK, degraded=3.0)
BROKEN = MockOptions(**QUICK, fault=Fault.ERROR_500)


class Served(FakeDeployment):
    """Each configuration is served by the mock server that ``options`` chooses for its values of a and b."""

    def __init__(self, stack: AsyncExitStack, options: Callable[[int, int], MockOptions]) -> None:
        super().__init__()
        self._stack = stack
        self._options = options
        self.servers: dict[int, MockServer] = {}

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        await super().wait_ready(handle, timeout_s)
        attempt = cast(int, handle.fields["attempt"])
        options = self._options(*configuration(self.jobs[attempt]))
        self.servers[attempt] = await self._stack.enter_async_context(MockServer(options))
        return Endpoint(self.servers[attempt].base_url, "m")

    async def failure(self, handle: Handle) -> Failure | None:
        """A server that hangs dies of it."""
        server = self.servers.get(cast(int, handle.fields["attempt"]))
        if server is not None and server.truth and server.options.fault is Fault.HANG_BEFORE:
            return failure(FailureClass.CRASH)
        return await super().failure(handle)

    def asked(self) -> dict[int, int]:
        """Completions that the server of each attempt was asked for."""
        return {attempt: len(server.truth) for attempt, server in self.servers.items()}


@asynccontextmanager
async def served(folder: Path, options: Callable[[int, int], MockOptions]) -> AsyncIterator[tuple[World, Served]]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(make_world(folder))
        deployment = Served(stack, options)
        world.deployment = deployment
        yield world, deployment


def guarded(**quality: Any) -> dict[str, Any]:
    """All four values of b, of which the largest is the fastest."""
    data = document(strategy="grid", max_iterations=4)
    return data | {"parameters": {"b": [1, 2, 3, 4]}, "quality": {"enabled": True, **quality}}


def worse_from_3(a: int, b: int) -> MockOptions:
    return WORSE if b >= 3 else PLAIN


def by_b(result: Any) -> dict[object, Any]:
    """Experiments by their value of b; the baseline has 1."""
    return {summary.parameters["b"]: summary for summary in result.experiments}


async def test_a_limit_rules_worse_answers_out_and_tells_the_search(tmp_path: Path) -> None:
    async with served(tmp_path, worse_from_3) as (world, _):
        data = guarded(limit=0.9)
        result = await world.run(data)
        found = by_b(result)
        assert {b: summary.eligible for b, summary in found.items()} == {1: True, 2: True, 3: False, 4: False}
        assert result.winner is not None
        assert result.winner.parameters["b"] == 2
        assert found[2].answers.agreement == 1.0
        assert found[2].answers.differs is False
        assert found[4].answers.agreement < 0.9
        assert found[4].answers.distance > 0.5
        assert "share of answers unlike the baseline's" in found[4].slo_reason
        assert result.quality is not None
        assert result.quality.least_agreement == pytest.approx(0.9)
        assert "answers" not in result.headline
        plan = world.plan(data)
        scorer, ledger = (
            Scorer(plan.document, scored_at=plan.scored_at, gpu_count=None),
            await Ledger.read(world.store, 1),
        )
        scorer.settle_from(ledger)
        told = {e.parameters["b"]: outcome(e, scorer) for e in ledger.experiments.values()}
        assert {b: found.constraints["answer_difference"] > 0 for b, found in told.items()} == {
            1: False,
            2: False,
            3: True,
            4: True,
        }
        assert all(of_one.kind is OutcomeKind.MEASURED for of_one in told.values())


async def test_without_a_limit_a_winner_with_other_answers_is_labelled(tmp_path: Path) -> None:
    async with served(tmp_path, worse_from_3) as (world, _):
        result = await world.run(guarded())
        assert result.winner is not None
        assert result.winner.parameters["b"] == 4
        assert result.winner.answers is not None
        assert result.winner.answers.differs
        assert "Its answers differ from the baseline's" in result.headline


async def test_each_configuration_is_asked_once_and_a_confirmation_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, worse_from_3) as (world, deployment):
        await world.run(guarded())
        attempts = {attempt.id: attempt for attempt in await world.attempts()}
        assert any(attempt.reason is AttemptReason.CONFIRM for attempt in attempts.values())
        expected = {
            number: 0
            if attempt.reason is AttemptReason.CONFIRM
            else PROMPTS * (len(BASELINE_PASSES) if attempt.experiment_id == 1 else 1)
            for number, attempt in attempts.items()
        }
        assert deployment.asked() == expected
        whole = [attempt.id for attempt in attempts.values() if attempt.answers and attempt.answers.reference]
        assert whole == [1]  # only the baseline's answers are kept themselves


@pytest.mark.parametrize("enabled", [False, None])
async def test_nobody_is_asked_without_a_guard(tmp_path: Path, enabled: bool | None) -> None:
    """Switched off, and without a word where nothing that is searched is lossy."""
    async with served(tmp_path, worse_from_3) as (world, deployment):
        result = await world.run(guarded(enabled=enabled))
        assert set(deployment.asked().values()) == {0}
        assert result.quality is None
        assert "answer_difference" not in (result.experiments[0].metrics)


async def test_a_server_without_log_probabilities_is_compared_by_its_text(tmp_path: Path) -> None:
    def silent(a: int, b: int) -> MockOptions:
        return worse_from_3(a, b).model_copy(update={"logprobs": False})

    async with served(tmp_path, silent) as (world, _):
        result = await world.run(guarded(limit={"agreement": 0.9, "distance": 0.1}))
        found = by_b(result)
        assert found[2].answers.unit == "characters"
        assert found[2].answers.distance is None
        assert found[2].eligible
        assert not found[4].eligible
        assert any("by their text alone" in warning for warning in result.warnings)
        assert any("quality.limit.distance is not held" in warning for warning in result.warnings)


async def test_a_baseline_without_answers_is_said_and_the_task_goes_on(tmp_path: Path) -> None:
    async with served(tmp_path, lambda a, b: BROKEN if b == 1 else PLAIN) as (world, deployment):
        result = await world.run(guarded(limit=0.9))
        assert result.winner is not None
        assert "could not be judged" in result.headline
        assert any("could not judge any answers: HTTP 500" in warning for warning in result.warnings)
        assert any("cannot judge any answers" in message for message in world.watcher.messages)
        asked = deployment.asked()
        assert asked.pop(1) < PROMPTS  # it is given up early
        assert set(asked.values()) == {0}  # there is nothing to compare with


@pytest.mark.parametrize("limit", [None, 0.9])
async def test_a_configuration_that_cannot_be_judged_never_passes_unsaid(tmp_path: Path, limit: float | None) -> None:
    async with served(tmp_path, lambda a, b: BROKEN if b == 4 else PLAIN) as (world, _):
        result = await world.run(guarded(limit=limit))
        last = by_b(result)[4]
        assert result.winner is not None
        if limit is None:
            assert result.winner.number == last.number
            assert "could not be judged" in result.headline
            assert any(f"the answers of #{last.number} could not be judged" in said for said in result.warnings)
        else:
            assert last.status is ExperimentStatus.FAILED
            assert last.failure.kind is FailureClass.CLIENT
            assert "could not be held against quality.limit: HTTP 500" in last.failure.diagnosis
            assert result.winner.parameters["b"] == 3


async def test_answers_outlive_a_run_that_was_killed_right_after_them(tmp_path: Path) -> None:
    """Of the baseline, and of a searched configuration."""
    async with served(tmp_path / "whole", worse_from_3) as (world, _):
        counting: Any = CuttingStore(world.store, None, after=False, kill=False)
        whole = await world.run(guarded(limit=0.9), store=cast(Store, counting))
    cuts = [n for n, name in enumerate(counting.writes, 1) if name == "set_attempt_answers"][:2]
    for cut in cuts:
        async with served(tmp_path / str(cut), worse_from_3) as (world, deployment):
            store: Any = CuttingStore(world.store, cut, after=True, kill=True)
            with pytest.raises(Killed):
                await world.run(guarded(limit=0.9), store=store)
            before = sum(deployment.asked().values())
            result = await world.run(guarded(limit=0.9))
            assert result.winner is not None
            assert whole.winner is not None
            assert result.winner.number == whole.winner.number
            assert [e.answers for e in result.experiments] == [e.answers for e in whole.experiments]
            resumed = [a.id for a in await world.attempts() if a.reason is AttemptReason.RESUME]
            assert [deployment.asked()[attempt] for attempt in resumed] == [0]
            assert sum(deployment.asked().values()) - before == PROMPTS * (3 - cuts.index(cut))


async def test_a_server_that_dies_while_it_is_asked_fails_there(tmp_path: Path) -> None:
    def hangs(a: int, b: int) -> MockOptions:
        return PLAIN if b == 1 else MockOptions(**QUICK, fault=Fault.HANG_BEFORE)

    async with served(tmp_path, hangs) as (world, _):
        data = guarded()
        data["optimization"] |= {"max_iterations": 1, "retries": 0, "confirm": {"starts": 0}}
        result = await world.run(data)
        failed = next(e for e in result.experiments if e.failure is not None)
        assert failed.failure.phase == "quality"
        assert "while its answers were taken" in failed.failure.diagnosis
