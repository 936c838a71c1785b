"""Stores of both kinds that are full, and what they hold."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import text

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Handle, Phase
from autotuner.contracts.store import EventType, ExperimentStatus, NewEvent
from autotuner.contracts.values import digest
from autotuner.store import open_store
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import Base
from conformance.preset_store_suite import new_preset
from conformance.store_suite import FAILURE, MEASUREMENT, add_experiment, job_of, new_task, run_task

ODD = {"nan": math.nan, "inf": -math.inf, "z": 1e-300, "a": [None, True, 1, 1.0, "\0\ud800 日本 🚀"], "b": 0.1 + 0.2}


async def fill(url: str) -> None:
    """Put rows into every table that a run writes, with values that are easily lost, and use numbers up."""
    async with open_store(url) as store:
        task = await store.create_task(new_task("日本 \0 🚀", document=ODD, identity={"x": math.inf}))
        task = await run_task(store, task)
        for number in range(3):
            experiment = await add_experiment(store, task, f"i{number}", {"n": number, "text": "ü"})
            attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={"cores": 2})
            await store.set_attempt_job(attempt.id, job_of(experiment, attempt.id))
            await store.set_attempt_handle(attempt.id, Handle(deployment="local", fields={"pid": 2**40}))
            await store.set_attempt_ready(attempt.id, base_url="http://127.0.0.1:1", engine_version=None)
            await store.add_measurement(attempt.id, MEASUREMENT)
            await store.finish_attempt(
                attempt.id,
                status=AttemptStatus.FAILED if number else AttemptStatus.SUCCESS,
                failure=FAILURE if number else None,
                phase_seconds={Phase.LOAD: 0.1 + 0.2},
                peak_rss_bytes=2**40,
            )
            await store.finish_experiment(
                experiment.id,
                NewEvent(type=EventType.EXPERIMENT_COMPLETED, message="zürich \0", data=ODD),
                status=ExperimentStatus.SUCCESS,
                metrics=ODD,
                objective_score=(1 / 3, 0.0, math.inf)[number],
            )
        await store.create_task(new_task("deleted later"))
        await store.delete_task(2)
        kept = await store.create_preset(new_preset("own"))
        gone = await store.create_preset(new_preset("gone"))
        await store.delete_preset(gone.id)
        assert gone.id > kept.id
    execute(
        url,
        "INSERT INTO workers (name, host, pid, version, state, started_at, heartbeat_at) "
        "VALUES ('w', 'h', 1, '1', 'idle', '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00.123456')",
        "INSERT INTO idempotency_keys (key, request, task_id, created_at) "
        "VALUES ('k', 'r', 1, '2026-01-01 00:00:00.000000')",
        "INSERT INTO webhook_deliveries (webhook, task_id, seq, state, tries, next_at, created_at) "
        "VALUES ('w', 1, 1, 'pending', 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')",
    )


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, past the store; the rows of the last one."""
    engine = sync_engine(parse_location(url))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL timezone = 'UTC'"))
            for statement in statements:
                result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def contents(url: str) -> dict[str, str]:
    """All rows of all tables as the models read them, shortened; equal for equal stores of either kind."""
    engine = sync_engine(parse_location(url))
    try:
        with engine.connect() as connection:
            return {
                table.name: digest(
                    [repr(row) for row in connection.execute(table.select().order_by(*table.primary_key))]
                )
                for table in Base.metadata.sorted_tables
            }
    finally:
        engine.dispose()


def next_number(url: str, table: str) -> int:
    """The number that a new row would get; uses it up on PostgreSQL."""
    if "://" in url:
        query = "SELECT nextval(pg_get_serial_sequence(:name, 'id'))"
    else:
        query = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = :name"
    engine = sync_engine(parse_location(url))
    try:
        with engine.begin() as connection:
            return int(connection.execute(text(query), {"name": table}).scalar_one())
    finally:
        engine.dispose()
