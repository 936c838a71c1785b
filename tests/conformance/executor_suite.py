"""What every Executor must do. A test class inherits the tests and gives the fixture ``executor``.

``plugins`` may be replaced where an executor runs attempts in another process.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptStatus, Deployed, Ended, FailureClass, Measured, Ready
from autotuner.contracts.executor import Executor
from conformance.fake_parts import FakeClient, FakeDeployment, FakePlugins, failure, make_job


class ExecutorSuite:
    """Inherit and give ``executor``."""

    async def test_the_client_is_opened_once_and_released(self, executor: Executor, tmp_path: Path) -> None:
        deployment, client = FakeDeployment(), FakeClient()
        async with executor.open(FakePlugins(deployment, client), client="fake", client_cores=None) as session:
            assert (client.opened, client.closed) == (1, 0)
            for attempt in (1, 2, 3):
                records = [record async for record in session.run(make_job(tmp_path, attempt_id=attempt))]
                assert isinstance(records[-1], Ended)
                assert records[-1].status is AttemptStatus.SUCCESS
                assert sum(isinstance(record, Measured) for record in records) == 2
            assert (client.opened, client.closed) == (1, 0)
        assert (client.opened, client.closed) == (1, 1)
        assert deployment.running == set()

    async def test_the_client_is_released_after_an_error(self, executor: Executor) -> None:
        client = FakeClient()
        with pytest.raises(ZeroDivisionError):
            async with executor.open(FakePlugins(FakeDeployment(), client), client="fake", client_cores=None):
                raise ZeroDivisionError
        assert (client.opened, client.closed) == (1, 1)

    async def test_the_stream_waits_for_its_reader(self, executor: Executor, tmp_path: Path) -> None:
        deployment, client = FakeDeployment(), FakeClient()
        async with (
            executor.open(FakePlugins(deployment, client), client="fake", client_cores=None) as session,
            aclosing(session.run(make_job(tmp_path))) as records,
        ):
            async for record in records:
                for _ in range(20):
                    await asyncio.sleep(0)
                steps = {step for step, _ in deployment.steps}
                if isinstance(record, Deployed):
                    assert "handled" not in steps
                if isinstance(record, Ready | Measured):
                    assert "stop" not in steps
                if isinstance(record, Ended):
                    assert deployment.running == set()

    @pytest.mark.parametrize("kind", [Deployed, Ready, Measured])
    async def test_closing_tears_down_first(self, executor: Executor, tmp_path: Path, kind: type) -> None:
        deployment, client = FakeDeployment(), FakeClient()
        async with executor.open(FakePlugins(deployment, client), client="fake", client_cores=None) as session:
            records = session.run(make_job(tmp_path))
            async for record in records:
                if isinstance(record, kind):
                    break
            assert deployment.running == {1}
            await records.aclose()
            assert deployment.running == set()
            again = [record async for record in session.run(make_job(tmp_path, attempt_id=2))]
            assert isinstance(again[-1], Ended)
            assert again[-1].status is AttemptStatus.SUCCESS

    async def test_cancelling_the_reader_tears_down_first(self, executor: Executor, tmp_path: Path) -> None:
        deployment, client = FakeDeployment(), FakeClient()
        reached = asyncio.Event()
        async with executor.open(FakePlugins(deployment, client), client="fake", client_cores=None) as session:

            async def read() -> None:
                async with aclosing(session.run(make_job(tmp_path))) as records:
                    async for record in records:
                        if isinstance(record, Ready):
                            reached.set()
                            await asyncio.Event().wait()

            reader = asyncio.create_task(read())
            await reached.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert deployment.running == set()

    async def test_failures_are_records(self, executor: Executor, tmp_path: Path) -> None:
        deployment = FakeDeployment()
        deployment.dead[1] = failure(FailureClass.CRASH)
        plugins = FakePlugins(deployment, FakeClient())
        async with executor.open(plugins, client="fake", client_cores=None) as session:
            records = [record async for record in session.run(make_job(tmp_path))]
        assert isinstance(records[-1], Ended)
        found = records[-1].failure
        assert found is not None
        assert (found.kind, found.hint) == (FailureClass.CRASH, failure(FailureClass.CRASH).hint)
