"""The quality guard on the real engine: an unchanged setting passes, a degraded one is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.quality import BASELINE_PASSES, PASSES, Answers, JudgedAnswers, QualityProbe
from autotuner.contracts.values import Scalar
from autotuner.deploy.local.deployment import LocalDeployment
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.quality.asking import ask_all
from autotuner.quality.prompts import describe_prompts
from autotuner.scoring.answers import calibrate, judge_answers
from autotuner.tiny_model import create_model
from conformance.deployment_suite import START_S, Setup, keep

pytestmark = pytest.mark.engine

ENGINE = LlamaCppEngine()


async def answers(
    folder: Path, model: Path, parameters: Mapping[str, Scalar], passes: tuple[int, ...] = PASSES
) -> tuple[Answers, ...]:
    """The answers of a fresh server."""
    probe = QualityProbe(prompts=describe_prompts(None), passes=passes)
    context = PlanContext(
        model=str(model),
        longest_request=probe.prompts.longest_request,
        model_config=ENGINE.read_model(str(model)),
    )
    command = ENGINE.command(
        LaunchRequest(str(model), "tiny", {"n_parallel": 4, "threads": 1, **parameters}, Runtime(), context)
    )
    started = Setup(LocalDeployment, folder, lambda handle: 0).job("")
    local = LocalDeployment()
    handle = await local.start(started.model_copy(update={"command": command, "server": ENGINE.server}), keep)
    try:
        endpoint = await local.wait_ready(handle, START_S)
        return await ask_all(endpoint, ENGINE.server, probe, request_timeout_s=START_S)
    finally:
        await local.stop(handle, 5.0)


async def test_degraded_settings_are_told_from_an_unchanged_one(tmp_path: Path) -> None:
    model = create_model("tiny", tmp_path, file_types=("f16", "q4_0"))
    full = model.gguf["f16"]
    baseline = calibrate(await answers(tmp_path, full, {}, BASELINE_PASSES))
    assert baseline.figures is not None
    assert baseline.figures.unit == "tokens"

    async def judged(file: Path, **parameters: Scalar) -> JudgedAnswers:
        (found,) = await answers(tmp_path, file, parameters)
        made = judge_answers(baseline, found)
        assert made.figures is not None
        assert made.figures.distance is not None
        return made

    assert (await judged(full)).differs is False
    assert (await judged(full, n_parallel=8, n_ubatch=64)).differs is False
    assert (await judged(model.gguf["q4_0"])).differs is True
    assert (await judged(full, cache_type="q4_0")).differs is True
