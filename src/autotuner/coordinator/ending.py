"""The whole result of a task: what follows from the ledger, and what is read for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import Store, TaskRecord
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.load_curves import load_curves
from autotuner.coordinator.result import build_result
from autotuner.coordinator.scorer import Scorer
from autotuner.planning.plan import Plan


async def whole_result(
    task: TaskRecord,
    *,
    store: Store,
    plan: Plan,
    scorer: Scorer,
    ledger: Ledger,
    host: Mapping[str, Any],
    elapsed_s: float,
    warnings: Sequence[str],
) -> TaskResult:
    """The result of a task as it stands; the scorer must be settled if anything succeeded.

    It is computed in a thread, since it fits models. A store that cannot be read costs the load curves alone.
    """
    result = await asyncio.to_thread(
        build_result,
        task,
        plan=plan,
        scorer=scorer,
        ledger=ledger,
        host=host,
        elapsed_s=elapsed_s,
        warnings=warnings,
    )
    shown = (result.winner or result.nearest, result.baseline)
    if len(plan.workload.load_points) < 2:
        return result
    try:
        curves = await load_curves(store, ledger, [summary.number for summary in shown if summary is not None])
    except AutotunerError:
        return result
    return result.model_copy(update={"load_curves": curves})
