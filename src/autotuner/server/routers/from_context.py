"""A task from a few facts: the model, the engine, and profiles for the purpose."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from fastapi.openapi.models import Example
from pydantic import BaseModel, Field

from autotuner.engines.aiconfigurator import USUAL
from autotuner.engines.registry import DEFAULT_ENGINE
from autotuner.server.bodies import DescribedBy
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.server.task_answers import PLACE, VERSION
from autotuner.server.task_answers import made as answered
from autotuner.services.context_tasks import create_from_context
from autotuner.services.from_context import ContextRequest
from autotuner.services.task_view import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"])


EXAMPLES: dict[str, Example] = {
    "tiny": {
        "summary": "A first try on this machine",
        "value": {"model_name": "tiny", "base_runtime": DEFAULT_ENGINE, "profiles": ["quick-test"]},
    },
    "gpus": {
        "summary": "Chat on two GPUs, before a launch",
        "value": {
            "model_name": "Qwen/Qwen3-0.6B",
            "base_runtime": USUAL.engine,
            "deployment_mode": "local",
            "profiles": ["low-latency", "production"],
            "total_gpus": 2,
            "gpu_type": "h200_sxm",
        },
    },
}


class ContextAnswer(BaseModel):
    """The task that was made, and how its configuration came about."""

    task: TaskView = Field(description="the task, pending")
    applied_layers: tuple[str, ...] = Field(description="names of the layers, the weakest first")
    generated_config: dict[str, Any] = Field(description="what the layers give together, as a task document")
    warnings: tuple[str, ...] = Field(description="such as on an unknown profile, which was left out")


@router.post(
    "/from-context",
    status_code=201,
    responses={
        201: {"headers": PLACE | VERSION},
        **documented(404, 409, 422, 501, 503),
    },
    operation_id="create_task_from_context",
    summary="Make a task from a few facts",
)
async def from_context(
    ctx: Ctx,
    response: Response,
    body: Annotated[dict[str, Any], DescribedBy(ContextRequest), Body(openapi_examples=EXAMPLES)],
) -> ContextAnswer:
    """Make a task of a model, an engine, profiles and presets. It is pending; start it when you like.

    404: there is no such preset. An unknown profile is left out with a warning. 409: there is a task of that name.
    """
    task, made = await create_from_context(ctx.store, ctx.settings, body, in_thread=ctx.long_work.run)
    return ContextAnswer(
        task=await answered(ctx, response, task),
        applied_layers=made.applied_layers,
        generated_config=made.generated_config,
        warnings=made.warnings,
    )
