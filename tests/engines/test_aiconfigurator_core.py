"""Predictions of aiconfigurator-core: the adapter with a stand-in for the package, and the package itself."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from autotuner.aiconfigurator.content import Placement
from autotuner.aiconfigurator.prediction import Point, Prediction, Refusal
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.aiconfigurator_core import SDK, predictor

DATA = Path(__file__).resolve().parents[1] / "data" / "aiconfigurator"

HERE = importlib.util.find_spec("aiconfigurator_core") is not None
needs_package = pytest.mark.skipif(not HERE, reason="the extra aiconfigurator is not installed")


@pytest.mark.skipif(HERE, reason="the extra aiconfigurator is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(AutotunerError, match=r"inference-autotuner\[aiconfigurator\]") as caught:
        predictor("Qwen/Qwen3-32B", "h200_sxm", "vllm")
    assert caught.value.code is ErrorCode.MISSING_EXTRA


def test_an_engine_that_it_does_not_know() -> None:
    with pytest.raises(AutotunerError, match="llamacpp") as caught:
        predictor("Qwen/Qwen3-32B", "h200_sxm", "llamacpp")
    assert caught.value.code is ErrorCode.UNSUPPORTED


def point(tp: int = 2, **changes: Any) -> Point:
    given: dict[str, Any] = {"isl": 2000, "osl": 500, "batch": 32, **changes}
    return Point(Placement(tp=tp), experts=False, **given)


@pytest.mark.slow
@needs_package
def test_an_estimate_is_that_of_the_package_itself() -> None:
    """estimate_api.json is what its own command line gave for this point."""
    written = json.loads((DATA / "v0.12.0-estimate" / "estimate_api.json").read_text(encoding="utf-8"))
    found = predictor("Qwen/Qwen3-32B", "h200_sxm", "vllm")
    assert found.version == written["version"]
    (answer,) = found.predict([point()])
    assert isinstance(answer, Prediction)
    for name, metric, factor in (
        ("ttft", "mean_ttft", 1e-3),
        ("tpot", "mean_tpot", 1e-3),
        ("tokens/s", "mean_output_throughput", 1),
    ):
        assert answer.figures[metric] == pytest.approx(written[name] * factor, rel=1e-9)
    assert answer.memory_gib == pytest.approx(written["memory"], rel=1e-6)


@pytest.mark.slow
@needs_package
def test_layouts_do_not_share_results_and_one_that_cannot_be_is_refused_alone() -> None:
    found = predictor("Qwen/Qwen3-32B", "h200_sxm", "vllm")
    small, large, odd, again = found.predict([point(2), point(4), point(3), point(2)])
    assert isinstance(small, Prediction)
    assert isinstance(large, Prediction)
    assert isinstance(odd, Refusal)
    assert small == again
    assert large.figures["mean_ttft"] < small.figures["mean_ttft"]


@pytest.mark.slow
@needs_package
@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm"])
def test_each_engine_has_data(engine: str) -> None:
    (answer,) = predictor("Qwen/Qwen3-32B", "h200_sxm", engine).predict([point()])
    assert isinstance(answer, Prediction)


@pytest.mark.slow
@needs_package
def test_a_gpu_without_data_is_refused() -> None:
    with pytest.raises(AutotunerError) as caught:
        predictor("Qwen/Qwen3-32B", "h100_pcie", "vllm")
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_each_point_gets_a_fresh_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real back end keeps results by the load alone; this one shows which object was asked."""
    made: list[object] = []

    class Backend:
        def __init__(self) -> None:
            self.seen: dict[int, Any] = {}
            made.append(self)

        def run_agg(self, model: Any, _database: Any, asked: Any, *, ctx_tokens: int) -> Any:
            figures = self.seen.setdefault(asked["batch_size"], {"ttft": 100 / model["tp"], "tpot": float(ctx_tokens)})
            return types.SimpleNamespace(get_result_dict=lambda: figures, get_memory=lambda: {"total": 40})

    def builder(tp: int, *_others: object) -> dict[str, int]:
        return {"tp": tp}

    parts = {
        "perf_database": {
            "get_latest_database_version": lambda **_: "1.0",
            "get_database_view": lambda *_, **__: object(),
        },
        "backends.factory": {"get_backend": lambda _name: Backend()},
        "models": {"get_model": lambda _model, config, _backend: config},
        "config": {"RuntimeConfig": lambda **given: given},
        "config_builders": {"build_model_config": builder},
    }
    for name, members in parts.items():
        module = types.ModuleType(f"{SDK}.{name}")
        for member, value in members.items():
            setattr(module, member, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("aiconfigurator_core", SDK, f"{SDK}.backends"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    answers = predictor("m", "h200_sxm", "vllm").predict([point(1), point(2), point(4, token_budget=512)])
    assert len(made) == 3
    assert [answer.figures for answer in answers if isinstance(answer, Prediction)] == [
        {"mean_ttft": 0.1, "mean_tpot": 2.0},
        {"mean_ttft": 0.05, "mean_tpot": 2.0},
        {"mean_ttft": 0.025, "mean_tpot": 0.512},
    ]
