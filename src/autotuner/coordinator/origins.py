"""Where the values of a task come from, and what else decided its figures. Pure."""

from __future__ import annotations

import json
from typing import Any

from autotuner.contracts.result import ValueOrigin
from autotuner.contracts.values import canonical_json
from autotuner.planning.plan import Plan


def value_origins(plan: Plan) -> tuple[ValueOrigin, ...]:
    """Each parameter with its value or values, and the layer that gave them."""
    return tuple(
        ValueOrigin(
            parameter=name, value=_plain(found.value), origin=found.layer, source=found.source, searched=found.searched
        )
        for name, found in plan.provenance.items()
    )


def settings_of(plan: Plan) -> dict[str, Any]:
    """What else decided the figures, in the words of displays."""
    optimization, workload = plan.document.optimization, plan.workload
    search = workload.load_search
    found: dict[str, Any] = {
        "strategy": optimization.strategy,
        "seed": optimization.seed,
        "benchmark client": plan.client,
    }
    if search is None:
        found["load points"] = [point.name for point in workload.load_points]
        found["windows per load point"] = workload.repeats
    else:
        unit = "requests in flight" if search.by == "concurrency" else "requests/s"
        loads = f"{search.lowest:g} to {search.highest:g} {unit}"
        found["load search"] = f"{loads}, at most {search.probes} probes per start"
    found["longest window, s"] = workload.limits.window_s
    if optimization.price_per_gpu_hour is not None:
        found["price per GPU-hour"] = optimization.price_per_gpu_hour
    if plan.gpu_count is not None:
        found["GPUs"] = plan.gpu_count
    return found


def _plain(value: object) -> Any:
    """As it comes back from JSON."""
    return json.loads(canonical_json(value))
