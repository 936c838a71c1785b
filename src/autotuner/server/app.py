"""The ASGI application: what stands before the routers, the routers, and what is open while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from autotuner.engines.registry import system_presets
from autotuner.server import description, problems
from autotuner.server.context import Context
from autotuner.server.live.feed import feeding
from autotuner.server.live.metrics import LiveMetrics
from autotuner.server.live.notices import reporting
from autotuner.server.metrics import Metrics
from autotuner.server.observed import Observed
from autotuner.server.page import routes as api_page
from autotuner.server.page.built import BUILT, BuiltPages
from autotuner.server.routers import (
    aiconfigurator,
    dashboard,
    documents,
    engines,
    experiments,
    from_context,
    live,
    logs,
    presets,
    profiles,
    results,
    system,
    task_configuration,
    task_control,
    tasks,
    webhooks,
)
from autotuner.server.security.body_limit import BodyLimit
from autotuner.server.security.described import describe as describe_refusals
from autotuner.server.security.guard import Guard
from autotuner.server.security.headers import SecurityHeaders
from autotuner.services.access_token import AccessToken
from autotuner.services.housekeeping import kept_tidy
from autotuner.services.settings import Settings
from autotuner.services.webhooks.delivering import delivering
from autotuner.store.location import parse_location
from autotuner.store.sql_store import open_store

API = "/api"
ROUTERS = (
    system.router,
    dashboard.router,
    from_context.router,
    tasks.router,
    task_configuration.router,
    task_control.router,
    documents.router,
    presets.router,
    profiles.router,
    engines.router,
    aiconfigurator.router,
    experiments.router,
    results.router,
    webhooks.router,
    live.router,
    logs.router,
)
ARCHIVES = frozenset({("POST", f"{API}/tasks/import-archive")})
"""Method and path of the calls that take an archive, which may be larger than other bodies."""


def create_app(settings: Settings, *, pages: Path = BUILT) -> FastAPI:
    """The application. Its lifespan makes the token and opens the store. ``pages``: folder of the built pages.

    AutotunerError then: STORE_UNAVAILABLE, STORE_SCHEMA, STORAGE.
    """
    token = AccessToken(settings)
    metrics = Metrics(CollectorRegistry())
    live_metrics = LiveMetrics(metrics.registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(token.ensure)
        async with (
            open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store,
            feeding(store, parse_location(settings.database), live_metrics) as feed,
            reporting(feed, store, settings),
            delivering(store, settings),
            kept_tidy(store, settings),
        ):
            await store.seed_presets(system_presets())
            app.state.context = Context(
                settings=settings, store=store, feed=feed, metrics=metrics, started_at=datetime.now(UTC)
            )
            yield

    app = FastAPI(
        title="inference-autotuner",
        version=version("inference-autotuner"),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page would load script from elsewhere; ours is made of the same document
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # of calls that do not say theirs
    )
    problems.add_handlers(app)
    for router in ROUTERS:
        app.include_router(router, prefix=API)
    app.include_router(system.metrics_router)
    app.include_router(api_page.router)
    app.router.routes.append(BuiltPages(pages, api=API))
    _add_middleware(app, settings, token, metrics)
    _describe(app)
    return app


def _add_middleware(app: FastAPI, settings: Settings, token: AccessToken, metrics: Metrics) -> None:
    """What a request meets before its route, the innermost first."""
    app.add_middleware(
        BodyLimit,
        usual=settings.max_body_bytes,
        special=dict.fromkeys(ARCHIVES, settings.max_archive_bytes),
    )
    app.add_middleware(Guard, token=token, hosts=(settings.host, *settings.allowed_hosts))
    app.add_middleware(Observed, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(_FinalSlash)


def _describe(app: FastAPI) -> None:
    """OpenAPI with the one form of errors: FastAPI's own form of a wrong request is never sent."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=description.DESCRIPTION, routes=app.routes
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            described = problems.ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(described.pop("$defs", {}))
            schemas["ProblemDetails"] = described
            for path in made.get("paths", {}).values():
                for operation in path.values():
                    if "422" in operation.get("responses", {}):
                        operation["responses"]["422"] = problems.documented(422)[422]
            describe_refusals(made)
            description.complete(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change it


class _FinalSlash:
    """Takes the final slash off a path of the API: calls answer with and without it, never by redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] in {"http", "websocket"} and path.startswith(f"{API}/") and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/")}
        await self._app(scope, receive, send)
