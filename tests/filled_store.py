"""A store for the pages: a finished task of many predicted experiments, and tasks in every state beside it.

    python tests/filled_store.py --experiments 1000

Writes into the data folder of the environment, as `autotuner` does. To search so many takes minutes; here some are
searched, the others are copies of them with other values and figures, and the task goes on over all of them to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, insert, select

from autotuner.config.document import TaskDocument
from autotuner.services.documents import demo_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store.models import Attempt, Base, Experiment, MeasurementEntry
from server.seeded import Quiet, seeded

NAME = "filled"
SEARCHED = 40
"""Experiments that are really searched."""
MORE = 3
"""Experiments with which the task goes on over the copies."""
LIMITS = ("max_num_batched_tokens", "max_num_seqs")
"""Parameters that may have any value; of the others only some are predicted together."""
SCORES = ("objective_score", "penalised_score")


def fill(settings: Settings, experiments: int) -> None:
    """The first task has the experiments; then come others in every state."""
    asyncio.run(run_task(_document(settings, SEARCHED), settings, Quiet()))
    engine = create_engine(f"sqlite:///{settings.database}")
    with engine.begin() as connection:
        _copy(connection, experiments - SEARCHED - MORE)
    engine.dispose()
    asyncio.run(run_task(_document(settings, experiments), settings, Quiet()))
    with seeded(settings):
        pass  # what it makes stays


def _document(settings: Settings, iterations: int) -> TaskDocument:
    sets = [f"task_name={NAME}", "optimization.strategy=random", f"optimization.max_iterations={iterations}"]
    return demo_document(sets=sets, settings=settings)


def _copy(connection: Connection, count: int) -> None:
    """So many copies of the last experiments that were measured, none like another."""
    draw = random.Random(0)
    all_of = [one for one in _rows(connection, Experiment) if one["status"] == "success"]
    values = {name: sorted({one["parameters"][name] for one in all_of}) for name in LIMITS}
    attempts = {one["experiment_id"]: one for one in _rows(connection, Attempt)}
    measured = {one["attempt_id"]: one for one in _rows(connection, MeasurementEntry)}
    first, first_attempt = (
        1 + max(one["id"] for one in rows) for rows in (_rows(connection, Experiment), attempts.values())
    )
    number = 1 + max(one["number"] for one in _rows(connection, Experiment))
    made: list[tuple[Mapping[str, Any], ...]] = []
    for place in range(count):
        copied = draw.choice(all_of)
        attempt = attempts[copied["id"]]
        measurement = measured[attempt["id"]]
        ids = {"experiment_id": first + place, "attempt_id": first_attempt + place}
        factor = draw.uniform(0.5, 1.0)
        made.append(
            (
                {
                    **copied,
                    "id": first + place,
                    "number": number + place,
                    "identity": f"copy {place}",
                    "parameters": {
                        **copied["parameters"],
                        **{name: draw.choice(known) for name, known in values.items()},
                    },
                    "metrics": _scaled(copied["metrics"], factor),
                    **{name: copied[name] * factor for name in SCORES if copied[name] is not None},
                },
                {**attempt, "id": first_attempt + place, "experiment_id": first + place},
                {**{name: value for name, value in measurement.items() if name != "id"}, **ids},
            )
        )
    for model, rows in zip((Experiment, Attempt, MeasurementEntry), zip(*made, strict=True), strict=True):
        connection.execute(insert(model), [dict(row) for row in rows])


def _scaled(metrics: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Less throughput and more latency, alike."""
    faster = {name: value * factor for name, value in metrics.items() if _is_figure(value) and "throughput" in name}
    slower = {
        name: value / factor for name, value in metrics.items() if _is_figure(value) and name.startswith("mean_t")
    }
    return {**metrics, **slower, **faster}


def _is_figure(value: object) -> bool:
    return isinstance(value, float)


def _rows(connection: Connection, model: type[Base]) -> Sequence[dict[str, Any]]:
    columns = model.__table__.columns
    return [dict(row) for row in connection.execute(select(*columns).order_by(columns["id"])).mappings()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    fill(load_settings(os.environ), parser.parse_args().experiments)
