"""Does a server answer? Readiness is proved by a real completion, not by a health page."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

from autotuner.contracts.attempt import Failure, FailureClass, ServerFacts
from autotuner.contracts.deployment import Endpoint
from autotuner.network.http import Answer, request

POLL_S = 0.02
HEALTH_TIMEOUT_S = 5.0
MODELS_TIMEOUT_S = 10.0
NOT_YET = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may still become ready."""


class RefusedError(Exception):
    """The server answers, but will never answer this request. ``status`` is its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status
        self.text = text


@dataclass
class Progress:
    """How far the wait came; said when time is up."""

    state: str = "nothing listens on the server's port"


async def completion(endpoint: Endpoint, facts: ServerFacts, timeout_s: float) -> Answer:
    """Ask for one token. Errors as of ``request``."""
    body = {"model": endpoint.model, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    return await request(
        "POST",
        endpoint.base_url + facts.completions_path,
        headers=authorization(endpoint),
        body=json.dumps(body).encode(),
        timeout_s=timeout_s,
    )


def authorization(endpoint: Endpoint) -> dict[str, str]:
    """Header with the endpoint's key, if it has one."""
    return {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}


def has_choice(answer: Answer) -> bool:
    """Whether the answer is a completion."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return False
    return isinstance(content, dict) and bool(content.get("choices"))


async def until_ready(endpoint: Endpoint, facts: ServerFacts, timeout_s: float, progress: Progress) -> None:
    """Ask until a completion succeeds; RefusedError when it never will. Goes on until it is cancelled."""
    healthy = False
    while True:
        healthy = healthy or await _healthy(endpoint, facts, progress)
        if not healthy:
            await asyncio.sleep(POLL_S)
            continue
        progress.state = "it says that it is healthy, but a completion of one token does not end"
        try:
            answer = await completion(endpoint, facts, timeout_s)
        except OSError as error:
            progress.state = f"it says that it is healthy, but a completion of one token fails ({error})"
        else:
            if answer.status == 200 and has_choice(answer):
                return
            if answer.status not in NOT_YET:
                raise RefusedError(answer.status, answer.text)
            progress.state = f"a completion of one token fails with HTTP {answer.status}: {answer.text}"
        await asyncio.sleep(POLL_S)


async def served_models(endpoint: Endpoint, facts: ServerFacts) -> list[str]:
    """Names of the models that the server says it serves; empty when it does not tell."""
    try:
        answer = await request(
            "GET",
            endpoint.base_url + facts.models_path,
            headers=authorization(endpoint),
            timeout_s=MODELS_TIMEOUT_S,
        )
        content = json.loads(answer.body)
    except (OSError, ValueError):
        return []
    entries = content.get("data") if isinstance(content, dict) and answer.status == 200 else None
    if not isinstance(entries, list):
        return []
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]


async def wrong_model(endpoint: Endpoint, facts: ServerFacts) -> Failure | None:
    """The failure of a server that answers, but with another model than asked; None also when it does not tell."""
    served = await served_models(endpoint, facts)
    if not served or endpoint.model in served:
        return None
    return Failure(
        kind=FailureClass.MISSING_MODEL,
        diagnosis=f"the server serves {', '.join(served[:10])} instead of {endpoint.model}",
        hint="look for what changes the model or its name: runtime.command, runtime.extra_args, runtime.env",
        certain=True,
    )


async def with_version(endpoint: Endpoint, facts: ServerFacts) -> Endpoint:
    """The endpoint with the version that the running engine tells of itself, if it does."""
    if facts.version_path is None:
        return endpoint
    try:
        answer = await request(
            "GET",
            endpoint.base_url + facts.version_path,
            headers=authorization(endpoint),
            timeout_s=HEALTH_TIMEOUT_S,
        )
        told: object = json.loads(answer.body)
    except (OSError, ValueError):
        return endpoint
    found = _at(told, facts.version_field or "version")
    if found is None and facts.version_fallback is not None:
        found = _at(told, facts.version_fallback)
    return replace(endpoint, engine_version=None if found is None else str(found))


def _at(told: object, path: str) -> object:
    """What a JSON document has at a dotted path; None when it has nothing there."""
    for key in path.split("."):
        told = told.get(key) if isinstance(told, dict) else None
    return told


async def _healthy(endpoint: Endpoint, facts: ServerFacts, progress: Progress) -> bool:
    try:
        answer = await request(
            "GET",
            endpoint.base_url + facts.health_path,
            headers=authorization(endpoint),
            timeout_s=HEALTH_TIMEOUT_S,
        )
    except TimeoutError:
        progress.state = f"{facts.health_path} does not answer within {HEALTH_TIMEOUT_S:g} s"
        return False
    except ConnectionRefusedError:
        return False
    except OSError as error:
        progress.state = f"{facts.health_path} fails ({error})"
        return False
    if answer.status == 200:
        return True
    progress.state = f"{facts.health_path} answers with HTTP {answer.status}"
    return False
