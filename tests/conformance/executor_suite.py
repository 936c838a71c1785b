"""What every Executor must do. A test class inherits the tests and gives the fixture ``executor``.

The parts that it is given write into a pipe, so the same is seen whatever process the executor runs them in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path

import pytest

from autotuner.contracts.attempt import (
    AttemptRecord,
    AttemptStatus,
    Deployed,
    Ended,
    FailureClass,
    Measured,
    PhaseChanged,
    Ready,
)
from autotuner.contracts.client import ClientError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import Executor, ExecutorSession
from conformance.fake_parts import failure
from conformance.journal_parts import BROKEN, UNKNOWN, Journal, JournalPlugins

RECORDS = [
    *("phase deploy", "deployed", "phase load", "ready", "phase measure"),
    *("progress", "measured", "progress", "measured", "phase teardown", "ended"),
]


def name(record: AttemptRecord) -> str:
    return f"phase {record.phase.value}" if isinstance(record, PhaseChanged) else record.kind


def opened(executor: Executor, journal: Journal) -> AbstractAsyncContextManager[ExecutorSession]:
    return executor.open(JournalPlugins(), client=journal.path, client_cores=None)


def last(records: list[AttemptRecord]) -> Ended:
    found = records[-1]
    assert isinstance(found, Ended)
    assert sum(isinstance(record, Ended) for record in records) == 1
    return found


class ExecutorSuite:
    """Inherit and give ``executor``."""

    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        journal = Journal(tmp_path)
        yield journal
        journal.close()

    async def test_the_client_is_opened_once_and_released(self, executor: Executor, journal: Journal) -> None:
        async with opened(executor, journal) as session:
            assert (journal.numbers("opened"), journal.numbers("closed")) == ([0], [])
            for attempt in (1, 2, 3):
                records = [record async for record in session.run(journal.job(attempt))]
                assert [name(record) for record in records] == RECORDS
                assert last(records).status is AttemptStatus.SUCCESS
                assert last(records).peak_rss_bytes == 1000
                assert journal.running == set()
            assert (journal.numbers("opened"), journal.numbers("closed")) == ([0], [])
        assert (journal.numbers("opened"), journal.numbers("closed")) == ([0], [0])
        assert journal.numbers("stopped") == [1, 2, 3]

    async def test_the_client_is_released_after_an_error(self, executor: Executor, journal: Journal) -> None:
        with pytest.raises(ZeroDivisionError):
            async with opened(executor, journal):
                raise ZeroDivisionError
        assert (journal.numbers("opened"), journal.numbers("closed")) == ([0], [0])

    async def test_the_stream_waits_for_its_reader(self, executor: Executor, journal: Journal) -> None:
        async with opened(executor, journal) as session, aclosing(session.run(journal.job())) as records:
            async for record in records:
                await journal.turns()
                steps = {step for step, _ in journal.steps}
                if isinstance(record, Deployed):
                    assert journal.running == {1}
                    assert "handled" not in steps
                if isinstance(record, Ready):
                    assert "measure" not in steps
                if isinstance(record, Ready | Measured):
                    assert "stop" not in steps
                if isinstance(record, Ended):
                    assert journal.running == set()

    @pytest.mark.parametrize("kind", [Deployed, Ready, Measured])
    async def test_closing_tears_down_first(self, executor: Executor, journal: Journal, kind: type) -> None:
        async with opened(executor, journal) as session:
            records = session.run(journal.job())
            async for record in records:
                if isinstance(record, kind):
                    break
            assert journal.running == {1}
            await records.aclose()
            assert journal.running == set()
            again = [record async for record in session.run(journal.job(2))]
            assert last(again).status is AttemptStatus.SUCCESS

    async def test_cancelling_the_reader_tears_down_first(self, executor: Executor, journal: Journal) -> None:
        async with opened(executor, journal) as session:
            for number, at in enumerate(("wait_ready:wait", "measure:wait"), start=1):
                reader = asyncio.create_task(_read(session, journal, number, at))
                await journal.reached(at.partition(":")[0])
                reader.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reader
                assert journal.numbers("hurried") == journal.numbers("stopped") == list(range(1, number + 1))

    async def test_a_second_cancellation_is_handed_on(self, executor: Executor, journal: Journal) -> None:
        """It reaches the deployment's ``stop``, which then hurries."""
        async with opened(executor, journal) as session:
            reader = asyncio.create_task(_read(session, journal, 1, "stop:wait"))
            await journal.reached("measure")
            reader.cancel()
            await journal.reached("stop")
            await journal.turns()
            assert not reader.done()
            assert journal.numbers("hurried") == []
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert journal.numbers("hurried") == journal.numbers("stopped") == [1]

    async def test_failures_are_records(self, executor: Executor, journal: Journal) -> None:
        dead = failure(FailureClass.CRASH)
        async with opened(executor, journal) as session:
            job = journal.job(options={"dead": dead.model_dump_json()})
            records = [record async for record in session.run(job)]
        found = last(records).failure
        assert found is not None
        assert (found.kind, found.hint) == (dead.kind, dead.hint)

    async def test_names_that_are_not_registered_are_errors(self, executor: Executor, journal: Journal) -> None:
        with pytest.raises(AutotunerError) as caught:
            async with executor.open(JournalPlugins(), client=UNKNOWN, client_cores=None):
                pass
        assert (caught.value.code, caught.value.place) == (ErrorCode.UNKNOWN_NAME, "x")
        async with opened(executor, journal) as session:
            job = journal.job().model_copy(update={"deployment": UNKNOWN})
            with pytest.raises(AutotunerError) as caught:
                assert [record async for record in session.run(job)] == []
            assert str(caught.value) == "there is none (at x): it is not known. Do not."
            again = [record async for record in session.run(journal.job(2))]
            assert last(again).status is AttemptStatus.SUCCESS

    async def test_a_client_that_does_not_open_is_an_error(self, executor: Executor) -> None:
        with pytest.raises(ClientError) as caught:
            async with executor.open(JournalPlugins(), client=BROKEN, client_cores=None):
                pass
        assert caught.value.failure == failure(FailureClass.CLIENT, "it does not open")


async def _read(session: ExecutorSession, journal: Journal, attempt: int, at: str) -> None:
    """Read an attempt whose parts do something ``at`` a step; it does not come to its end."""
    async with aclosing(session.run(journal.job(attempt, options={"at": at}))) as records:
        async for record in records:
            if isinstance(record, Measured):
                await asyncio.Event().wait()
