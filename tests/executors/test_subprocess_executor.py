"""The subprocess executor passes the conformance suite; what only it promises is tested here too."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from contextlib import suppress

import pytest

from autotuner.contracts.attempt import AttemptRecord, AttemptStatus, Ended, FailureClass, Measured, PhaseBudgets, Ready
from autotuner.contracts.client import ClientError
from autotuner.contracts.executor import ExecutorSession, Plugins
from autotuner.executors.process.executor import SubprocessExecutor
from conformance.executor_suite import ExecutorSuite, last, opened
from conformance.journal_parts import Journal, JournalPlugins

LIMIT_S = 60


def gone(pid: int) -> bool:
    """Whether a process has ended, or ends within the limit."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            return bool(select.select([descriptor], [], [], LIMIT_S)[0])
        finally:
            os.close(descriptor)
    return True


async def run(session: ExecutorSession, journal: Journal, attempt: int, at: str = "") -> list[AttemptRecord]:
    return [record async for record in session.run(journal.job(attempt, options={"at": at}))]


async def assert_goes_on(session: ExecutorSession, journal: Journal) -> None:
    """The next attempt is a whole one, in another process, with a client of its own."""
    assert last(await run(session, journal, 9)).status is AttemptStatus.SUCCESS
    assert len(set(journal.numbers("process"))) == len(journal.numbers("opened")) == 2


class TestSubprocessExecutor(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> SubprocessExecutor:
        return SubprocessExecutor()

    @pytest.mark.parametrize(
        ("at", "how", "word"),
        [
            ("start:exit", "exit code 3", "a last word"),
            ("measure:exit", "exit code 3", "a last word"),
            ("measure:leave", "exit code 4", ""),
            ("wait_ready:leave", "exit code 4", ""),
            ("wait_ready:abort", "signal SIGABRT", "Fatal Python error: Aborted"),
            ("stop:exit", "exit code 3", "a last word"),
        ],
    )
    async def test_an_attempt_that_ends_its_process_is_a_failed_attempt(
        self, executor: SubprocessExecutor, journal: Journal, at: str, how: str, word: str
    ) -> None:
        async with opened(executor, journal) as session:
            records: list[AttemptRecord] = []
            async for record in session.run(journal.job(options={"at": at})):
                records.append(record)
                if isinstance(record, Ended):
                    assert journal.running == set(), "the server is gone before the end is told"
            ended = last(records)
            assert ended.status is AttemptStatus.FAILED
            assert ended.failure is not None
            assert ended.failure.kind is FailureClass.INFRASTRUCTURE
            assert ended.failure.diagnosis == f"the process that ran the attempt ended with {how}"
            assert word in ended.failure.log_tail
            assert ended.phase_seconds
            reached = {"start": [], "wait_ready": ["deployed"], "measure": ["deployed", "ready"]}
            told = [r.kind for r in records if r.kind in ("deployed", "ready", "measured")]
            assert told == reached.get(at.partition(":")[0], ["deployed", "ready", "measured", "measured"])
            await assert_goes_on(session, journal)

    async def test_killed_while_the_reader_stores_a_record(
        self, executor: SubprocessExecutor, journal: Journal
    ) -> None:
        """What was handed over is kept, the server is gone before the end is told, and the client with its process."""
        async with opened(executor, journal) as session:
            kinds = []
            async for record in session.run(journal.job()):
                kinds.append(record.kind)
                if isinstance(record, Measured):
                    (pid,) = journal.numbers("process")
                    os.kill(pid, signal.SIGKILL)
                    assert await asyncio.to_thread(gone, pid)
                if isinstance(record, Ended):
                    assert record.failure is not None
                    assert record.failure.diagnosis.endswith("ended with signal SIGKILL")
                    assert "memory" in record.failure.hint
                    assert journal.running == set()
            assert (kinds.count("measured"), kinds[-1]) == (1, "ended")
            await assert_goes_on(session, journal)

    async def test_a_server_that_does_not_end_is_told(self, executor: SubprocessExecutor, journal: Journal) -> None:
        async with opened(executor, journal) as session:
            ended = last(await run(session, journal, 1, "wait_ready:abort_stuck"))
            assert ended.failure is not None
            assert "signal SIGABRT, and its server was left: process 7 does not end" in ended.failure.diagnosis
            await assert_goes_on(session, journal)

    async def test_killed_between_two_attempts(self, executor: SubprocessExecutor, journal: Journal) -> None:
        async with opened(executor, journal) as session:
            await run(session, journal, 1)
            os.kill(journal.numbers("process")[0], signal.SIGKILL)
            found = last(await run(session, journal, 2))  # it may or may not have been noticed before
            assert found.failure is None or "SIGKILL" in found.failure.diagnosis
            await assert_goes_on(session, journal)

    async def test_descriptors_left_to_others_do_not_hide_the_death(
        self, executor: SubprocessExecutor, journal: Journal
    ) -> None:
        async with opened(executor, journal) as session:
            ended = last(await run(session, journal, 1, "measure:orphan"))
            (orphan,) = journal.numbers("orphan")
            os.kill(orphan, signal.SIGKILL)
            assert ended.failure is not None
            assert "exit code 3" in ended.failure.diagnosis

    async def test_a_process_that_hangs_when_it_is_cancelled_is_killed(self, journal: Journal) -> None:
        async with opened(SubprocessExecutor(patience_s=0.2), journal) as session:
            job = journal.job(options={"at": "stop:sleep"}, budgets=PhaseBudgets(start_s=60, measure_s=60, stop_s=0.1))
            records = session.run(job)
            async for record in records:
                if isinstance(record, Ready):
                    break
            await records.aclose()
            assert journal.numbers("stop") == journal.numbers("cleaned") == [1]
            assert journal.running == set()
            assert gone(journal.numbers("process")[0])
            await assert_goes_on(session, journal)

    async def test_a_process_that_hangs_is_killed_when_its_budgets_are_used(self, journal: Journal) -> None:
        async with opened(SubprocessExecutor(patience_s=0.2), journal) as session:
            job = journal.job(
                options={"at": "measure:sleep"}, budgets=PhaseBudgets(start_s=2, measure_s=0.5, stop_s=0.1)
            )
            ended = last([record async for record in session.run(job)])
            assert ended.failure is not None
            assert ended.failure.kind is FailureClass.INFRASTRUCTURE
            assert "gave no answer within 2.8 s and was killed" in ended.failure.diagnosis
            assert journal.running == set()
            await assert_goes_on(session, journal)

    async def test_an_unforeseen_error_ends_the_attempt_only(
        self, executor: SubprocessExecutor, journal: Journal
    ) -> None:
        async with opened(executor, journal) as session:
            ended = last(await run(session, journal, 1, "wait_ready:break"))
            assert ended.failure is not None
            assert ended.failure.kind is FailureClass.INFRASTRUCTURE
            assert "ZeroDivisionError: it broke" in ended.failure.diagnosis
            assert "Traceback" in ended.failure.log_tail
            assert journal.numbers("stopped") == [1]
            assert last(await run(session, journal, 2)).status is AttemptStatus.SUCCESS
            assert len(journal.numbers("process")) == 1

    async def test_what_a_plugin_prints_or_reads_disturbs_nothing(
        self, executor: SubprocessExecutor, journal: Journal, capfd: pytest.CaptureFixture[str]
    ) -> None:
        async with opened(executor, journal) as session:
            assert last(await run(session, journal, 1, "measure:print")).status is AttemptStatus.SUCCESS
        assert capfd.readouterr() == ("", "")

    async def test_one_attempt_at_a_time(self, executor: SubprocessExecutor, journal: Journal) -> None:
        async with opened(executor, journal) as session:
            first = session.run(journal.job())
            await anext(first)
            with pytest.raises(RuntimeError):
                await anext(session.run(journal.job(2)))
            await first.aclose()

    async def test_signals_to_all_processes_are_for_the_parent(
        self, executor: SubprocessExecutor, journal: Journal
    ) -> None:
        async with opened(executor, journal) as session:
            async for record in session.run(journal.job()):
                if isinstance(record, Ready):
                    (pid,) = journal.numbers("process")
                    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                        os.kill(pid, number)
            assert isinstance(record, Ended)
            assert record.status is AttemptStatus.SUCCESS

    async def test_the_process_is_apart_from_the_terminal_and_on_the_same_cores(
        self, executor: SubprocessExecutor, journal: Journal
    ) -> None:
        usual = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(usual)})
        try:
            async with opened(executor, journal):
                (pid,) = journal.numbers("process")
                assert os.sched_getaffinity(pid) == {min(usual)}
                assert os.getsid(pid) == pid
        finally:
            os.sched_setaffinity(0, usual)
        assert gone(pid)


class NeedsAnArgument(JournalPlugins):
    def __init__(self, path: str) -> None: ...


def test_plugins_that_another_process_cannot_make_are_refused() -> None:
    class Local(JournalPlugins): ...

    async def open_with(plugins: Plugins) -> None:
        async with SubprocessExecutor().open(plugins, client="x", client_cores=None):
            pass

    for plugins in (Local(), NeedsAnArgument("x")):
        with pytest.raises(TypeError, match=r"another process cannot make .*(Local|NeedsAnArgument)"):
            asyncio.run(open_with(plugins))


class BreaksWhenMade(JournalPlugins):
    def __init__(self) -> None:
        if os.getppid() == int(os.environ["TEST_PROCESS"]):
            raise ZeroDivisionError("not here")


async def test_a_process_that_dies_before_it_is_ready_is_a_client_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PROCESS", str(os.getpid()))
    with pytest.raises(ClientError) as caught:
        async with SubprocessExecutor().open(BreaksWhenMade(), client="x", client_cores=None):
            pass
    assert "exit code 1" in caught.value.failure.diagnosis
    assert "ZeroDivisionError: not here" in caught.value.failure.log_tail
