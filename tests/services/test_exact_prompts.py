"""Prompts of words are as long as asked on a real engine, through its chat template, by its own counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.config.load import validate
from autotuner.services.settings import load_settings
from autotuner.services.tasks import run_task
from autotuner.store import open_store
from services.test_datasets import Silent


@pytest.mark.engine
async def test_prompts_through_chat_are_exact(tmp_path: Path) -> None:
    settings = load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})
    document = validate(
        {
            "task_name": "chat",
            "base_runtime": "llamacpp",
            "model": {"id_or_path": "tiny:q8_0"},
            "parameters": {"n_parallel": 2, "threads": 1},
            "optimization": {"max_iterations": 1, "confirm": {"starts": 0}},
            "benchmark": {
                "api": "chat",
                "traffic_scenarios": ["U(30,200)/(2,6)", "P(80,30)/4", "D(40,4)x2"],
                "num_concurrency": [2],
                "max_time_per_iteration": 1,
                "max_requests_per_iteration": 12,
                "warmup_requests": 2,
            },
        }
    )
    outcome = await run_task(document, settings, Silent())
    async with open_store(settings.database) as store:
        uniform, prefix, talk = (row.measurement for row in await store.list_measurements(outcome.task.id))
    for found in (uniform, prefix, talk):
        assert found.completed_requests == found.total_requests > 0
        assert found.output_tokens == found.asked_output_tokens
    assert uniform.prompt_tokens == uniform.asked_prompt_tokens
    assert prefix.prompt_tokens == prefix.asked_prompt_tokens == 110 * prefix.completed_requests
    # The engine's cache finds the shared beginning: all of the prefix but what the template puts behind the prompt.
    assert (prefix.cached_prompt_tokens or 0) > 0.5 * 80 * prefix.completed_requests
    # A later turn has the template of another message on top.
    assert talk.asked_prompt_tokens is not None
    assert talk.prompt_tokens >= talk.asked_prompt_tokens
