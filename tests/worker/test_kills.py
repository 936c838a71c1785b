"""Tasks whose worker, its owner and its database are killed with SIGKILL at random moments, again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.store import TaskRecord
from autotuner.services.settings import Settings
from autotuner.store import SqlStore, open_store, upgrade
from faults.leftovers import wait_for_ends, working_with
from postgres_server import PostgresServer, absence, find_binaries
from worker.fold import FINAL
from worker.queue_world import (
    assert_once,
    owner_process,
    predictions,
    queued,
    real_servers,
    server_pids,
    settings_of,
    until,
    until_ended,
)


@dataclass
class Victims:
    """What is killed. ``postgres``: None on SQLite, which is no process."""

    settings: Settings
    store: SqlStore
    postgres: PostgresServer | None
    stack: AsyncExitStack
    killed: dict[str, int] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)

    async def begin(self) -> None:
        """Have an owner, and so a worker."""
        self._owner = self.stack.enter_context(owner_process(self.settings))
        self.pids.add(self._owner.pid)

    async def kill(self, which: str) -> None:
        """Kill one of them; whatever is to start it again does so."""
        self.killed[which] = self.killed.get(which, 0) + 1
        if which == "postgres":
            assert self.postgres is not None
            await asyncio.to_thread(self.postgres.crash)
        elif which == "owner":
            self._owner.kill()
            await asyncio.to_thread(self._owner.wait)
            await self.begin()
        else:
            for worker in await self.store.list_workers():
                self.pids.add(worker.pid)
                kill_ours(worker.pid, self.settings)

    async def everything_ends(self, task_id: int) -> None:
        """After SIGTERM nothing is left of the owner, the workers and the servers."""
        workers = {worker.pid for worker in await self.store.list_workers()}
        self._owner.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self._owner.wait) == 0
        left = self.pids | workers | await server_pids(self.store, task_id)
        await asyncio.to_thread(wait_for_ends, sorted(left))
        assert await asyncio.to_thread(working_with, self.settings.data_dir) == {}
        assert await self.store.list_workers() == []


def kill_ours(pid: int, settings: Settings) -> None:
    """Kill a worker if it lives: its row may be older than its death, and its number another's by now."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return
    if f"AUTOTUNER_DATA_DIR={settings.data_dir}".encode() in environment:
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def served(folder: Path, database: str) -> AsyncIterator[Victims]:
    """An owner with its worker on a database of its own, and a look into that database."""
    async with AsyncExitStack() as stack:
        postgres, url = None, None
        if database == "postgres":
            binaries = find_binaries()
            if binaries is None:
                absence()
            postgres = stack.enter_context(PostgresServer.running(binaries))
            url = postgres.new_database()
            await upgrade(url)
        settings = settings_of(folder, url)
        store = await stack.enter_async_context(open_store(settings.database))
        victims = Victims(settings, store, postgres, stack)
        await victims.begin()
        yield victims


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    ("make", "searched", "kills"),
    [
        pytest.param(predictions, 30, 3, id="predictions"),
        pytest.param(predictions, 250, 20, id="predictions, often", marks=pytest.mark.slow),
        pytest.param(real_servers, 30, 20, id="servers", marks=[pytest.mark.slow, pytest.mark.engine]),
    ],
)
async def test_every_experiment_is_finished_exactly_once(
    tmp_path: Path, database: str, make: Callable[[int], dict[str, Any]], searched: int, kills: int
) -> None:
    planned = searched + 1  # the baseline
    rng = random.Random(f"{database} {planned} {kills}")
    async with served(tmp_path, database) as victims:
        task = await queued(victims.store, victims.settings, make(searched))
        kinds = ["worker", "owner", *(["postgres"] if database == "postgres" else [])]
        order = [*kinds, *rng.choices(kinds, k=kills)][:kills]
        seq = task.next_seq
        for which in order:
            # At least one step further than at the last kill: a fresh process has taken it over in between.
            target = seq + rng.randint(1, max(1, 2 * planned // kills))
            task = await until(victims.store, task.id, lambda found, at=target: reached(found, at))
            assert task.status not in FINAL, "the task was at its end too soon: the test shows less than it says"
            seq = task.next_seq
            await asyncio.sleep(rng.uniform(0, 0.1))  # not always right after a commit
            await victims.kill(which)
        ended = await until_ended(victims.store, task.id)
        assert (ended.queued_at, ended.worker_id) == (None, None)
        await victims.everything_ends(task.id)
        await assert_once(victims.store, victims.settings, task.id, planned)
    assert sum(victims.killed.values()) == kills


def reached(task: TaskRecord, seq: int) -> bool:
    return task.next_seq >= seq or task.status in FINAL
