"""Webhooks of the settings: which there are, what became of their deliveries, and a test."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from autotuner.contracts.listing import MAX_SIZE, Page
from autotuner.contracts.webhooks import Delivery
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.services.webhooks.delivering import find, send_test

router = APIRouter(prefix="/webhooks", tags=["webhooks"])
Name = Annotated[str, Path(description="name of the webhook", max_length=64)]


class WebhookInfo(BaseModel):
    """A webhook, without its secret."""

    name: str = Field(description="unique")
    url: str = Field(description="where it is told")
    events: list[str] = Field(description="types of events that it is told")
    signed: bool = Field(description="whether deliveries are signed")
    allow_private: bool = Field(description="whether it may lead to this host and to private networks")


class TestResult(BaseModel):
    """What became of a test."""

    delivered: bool = Field(description="whether the address answered with a status of success")
    status: int | None = Field(None, description="HTTP status of the answer; null without one")
    error: str | None = Field(None, description="why it was not taken")


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    page: int = Field(1, ge=1, le=100_000, description="number of the page")
    size: int = Field(50, ge=1, le=MAX_SIZE, description="items of a page")


@router.get("", operation_id="list_webhooks", summary="List the webhooks")
async def list_webhooks(ctx: Ctx) -> list[WebhookInfo]:
    """All webhooks of the settings."""
    return [
        WebhookInfo(
            name=webhook.name,
            url=webhook.url,
            events=list(webhook.events),
            signed=webhook.secret is not None,
            allow_private=webhook.allow_private,
        )
        for webhook in ctx.settings.webhooks
    ]


@router.get(
    "/{name}/deliveries",
    operation_id="list_webhook_deliveries",
    summary="List the deliveries of a webhook",
    responses=documented(404, 422, 503),
)
async def list_deliveries(ctx: Ctx, name: Name, query: Annotated[PageQuery, Query()]) -> Page[Delivery]:
    """Deliveries of a webhook, newest first."""
    find(ctx.settings.webhooks, name)
    return await ctx.store.list_deliveries(name, page=query.page, size=query.size)


@router.post(
    "/{name}/test",
    operation_id="test_webhook",
    summary="Send a test to a webhook",
    responses=documented(404, 422),
)
async def test_webhook(ctx: Ctx, name: Name) -> TestResult:
    """Send an event of the type test now, signed like any other; it is not tried again."""
    sent = await send_test(ctx.settings.webhooks, name)
    return TestResult(delivered=sent.error is None, status=sent.status, error=sent.error)
