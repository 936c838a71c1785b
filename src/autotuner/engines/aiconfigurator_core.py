"""Predictions of the package aiconfigurator-core. The only place that imports it, and only when it is asked.

It is pinned to one release: it will be renamed, and nothing is promised of its interface after that.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotuner.aiconfigurator.prediction import Point, Prediction, Refusal
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.aiconfigurator import launching_of

EXTRA = "aiconfigurator"
SDK = "aiconfigurator_core.sdk"

FIGURES: Mapping[str, tuple[str, float]] = {
    "ttft": ("mean_ttft", 1e-3),
    "tpot": ("mean_tpot", 1e-3),
    "request_latency": ("mean_e2e_latency", 1e-3),
    "tokens/s": ("mean_output_throughput", 1.0),
    "tokens/s/gpu": ("mean_output_throughput_per_gpu", 1.0),
    "seq/s": ("requests_per_second", 1.0),
}
"""Its figure → our metric, and the factor to its unit."""


@dataclass(frozen=True)
class CorePredictor:
    """See ``Predictor``."""

    model: str
    backend: str
    version: str
    _database: Any

    def predict(self, points: Sequence[Point]) -> list[Prediction | Refusal]:
        """See the protocol."""
        return [self._one(point) for point in points]

    def _one(self, point: Point) -> Prediction | Refusal:
        sizes, words = point.placement, point.precision
        try:
            config = _sdk("config_builders").build_model_config(
                sizes.tp,
                sizes.pp,
                sizes.dp,
                sizes.moe_tp,
                sizes.moe_ep,
                *(words.get(name) for name in ("gemm", "kvcache", "fmha", "moe", "comm")),
            )
            model = _sdk("models").get_model(self.model, config, self.backend)
            # A fresh one for each model: it keeps results by the load alone and would give those of another layout.
            backend = _sdk("backends.factory").get_backend(self.backend)
            asked = _sdk("config").RuntimeConfig(isl=point.isl, osl=point.osl, batch_size=point.batch)
            summary = backend.run_agg(model, self._database, asked, ctx_tokens=point.token_budget or point.isl)
            figures, memory = summary.get_result_dict(), summary.get_memory()
        except AutotunerError:
            raise
        except Exception as error:  # noqa: BLE001 - its own errors are of many kinds, each for one point
            return Refusal(" ".join(str(error).split())[:400] or type(error).__name__)
        return _prediction(figures, memory)


def predictor(model: str, gpu_type: str, engine: str) -> CorePredictor:
    """Opens the data of a kind of GPU and an engine; takes about a second.

    ``model``: name on a hub, of those that the package brings the config.json of, or a folder with one.
    AutotunerError: MISSING_EXTRA without the package, UNSUPPORTED for an engine or GPU that it has no data of.
    """
    launching = launching_of(engine)
    if launching is None:
        raise _no_data(engine, f"aiconfigurator knows no engine {engine}")
    databases = _sdk("perf_database")
    try:
        version = databases.get_latest_database_version(system=gpu_type, backend=launching.backend)
        database = (
            None
            if version is None
            else databases.get_database_view(gpu_type, launching.backend, version, database_mode="SILICON")
        )
    except Exception as error:
        raise _no_data(gpu_type, " ".join(str(error).split())[:400]) from error
    if version is None or database is None:
        raise _no_data(gpu_type, f"it has no data of {engine} on {gpu_type}")
    return CorePredictor(model, launching.backend, str(version), database)


def _sdk(name: str) -> Any:
    try:
        return importlib.import_module(f"{SDK}.{name}")
    except ImportError as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            "nothing can be predicted",
            why=f"the package aiconfigurator-core cannot be imported ({error})",
            remedy=f"Install the extra: pip install 'inference-autotuner[{EXTRA}]'",
        ) from error


def _no_data(place: str, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.UNSUPPORTED,
        "nothing can be predicted",
        why=why,
        remedy="Name an engine and a kind of GPU that aiconfigurator has measured, such as h200_sxm",
        place=place,
    )


def _prediction(figures: Mapping[str, Any], memory: Mapping[str, Any]) -> Prediction | Refusal:
    found: dict[str, float] = {}
    for name, (metric, factor) in FIGURES.items():
        value = figures.get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            found[metric] = float(value) * factor
    if not found:
        return Refusal("it gave no figures")
    total = memory.get("total")
    return Prediction(found, float(total) if isinstance(total, int | float) else None)
