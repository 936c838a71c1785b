"""Every call of the OpenAPI document, with what the document allows and with what it forbids."""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schema_cases import Tally, examples, follow, move
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from seeded import Seeded, seeded
from served import HEADERS, settings_in

from autotuner.server.app import create_app
from autotuner.services.settings import Webhook

CASES = int(os.environ.get("AUTOTUNER_FUZZ_CASES", "10000")) // 5
"""Over all operations. A case costs some ten milliseconds, so there are fewer than of other fuzz tests."""
WRONG_SHARE = 0.2
RANDOM_SHARE = 0.1
REACHED_SHARE = 0.6
ADDRESS = "http://127.0.0.1:8000"
REFILL_EVERY = 20

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Thousands of requests are not to be logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.mark.fuzz
@pytest.mark.usefixtures("quiet")
def test_every_call_keeps_to_its_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    webhook = Webhook(name="ops", url="http://127.0.0.1:9/", allow_private=True)  # nobody listens there
    settings_ = settings_in(tmp_path, webhooks=(webhook,))
    app = create_app(settings_)
    tallies: dict[str, Tally] = {}
    faults: list[str] = []
    with seeded(settings_) as there, asgi.get_client(app) as client:
        client.headers.update(HEADERS)
        document = openapi.from_dict(app.openapi())
        document.app = app
        operations = [found.ok() for found in document.get_all_operations()]
        each = -(-CASES // len(operations))
        for operation in operations:
            tally = tallies[operation.label] = Tally()
            for mode, number, bodies in _plan(operation, each):
                try:
                    _try(operation, mode, number, there=there, client=client, tally=tally, bodies=bodies)
                except Unsatisfiable:
                    assert mode is GenerationMode.NEGATIVE, f"no case of {operation.label}"
                except (AssertionError, BaseExceptionGroup) as error:
                    faults.append(_told(operation, mode, error))
    with capsys.disabled():
        sys.stdout.write(_table(tallies))
    assert not faults, "\n\n".join(faults)
    reached = sum(tally.reached for tally in tallies.values())
    assert reached >= REACHED_SHARE * sum(tally.cases for tally in tallies.values())


def _plan(operation: APIOperation, cases: int) -> Iterator[tuple[GenerationMode, int, list[Any]]]:
    """Kinds of cases of an operation, how many, and the bodies that they have in place of their own.

    Of what the schema allows most have an example for a body: a random one is refused for what it means.
    """
    wrong = round(cases * WRONG_SHARE)
    bodies = examples(operation.definition.raw, operation.schema.raw_schema)
    random_ones = max(1, round((cases - wrong) * RANDOM_SHARE)) if bodies else cases - wrong
    yield GenerationMode.POSITIVE, random_ones, []
    if bodies and cases - wrong > random_ones:
        yield GenerationMode.POSITIVE, cases - wrong - random_ones, bodies
    yield GenerationMode.NEGATIVE, wrong, []


def _try(
    operation: APIOperation,
    mode: GenerationMode,
    number: int,
    *,
    there: Seeded,
    client: asgi.ASGIClient,
    tally: Tally,
    bodies: list[Any],
) -> None:
    fixed = {"body": bodies[0], "media_type": "application/json"} if bodies else {}

    @settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(case=operation.as_strategy(generation_mode=mode, **fixed), seed=st.integers(0, 2**32))
    def once(case: Case, seed: int) -> None:
        if tally.cases % REFILL_EVERY == 0:
            there.refill()
        move(case, there, random.Random(seed), bodies)
        response = case.call(base_url=ADDRESS, session=client, timeout=_patience(operation))
        tally.answers[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        follow(case, response, tally, get=lambda place: client.get(ADDRESS + place))

    once()


def _told(operation: APIOperation, mode: GenerationMode, error: BaseException) -> str:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    return "\n".join(
        f"{operation.label} ({mode.value}): {type(part).__name__}: {part}\n{'; '.join(getattr(error, '__notes__', ()))}"
        f"\n{str(error)[:3000]}"
        for part in parts
    )


def _patience(operation: APIOperation) -> float:
    """Seconds that an answer may take: a stream has no end, so it is cut."""
    answers: dict[str, Any] = operation.definition.raw.get("responses", {})
    streams = any("text/event-stream" in answer.get("content", {}) for answer in answers.values())
    return 0.2 if streams else 60.0


def _table(tallies: dict[str, Tally]) -> str:
    lines = [f"\n{'operation':60} cases  2xx or 409  answers"]
    for label, tally in tallies.items():
        answers = ", ".join(f"{status}: {number}" for status, number in sorted(tally.answers.items()))
        share = tally.reached / tally.cases if tally.cases else 0.0
        lines.append(f"{label:60} {tally.cases:5}  {share:10.0%}  {answers}")
    cases, reached = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("cases", "reached"))
    return "\n".join([*lines, f"{'all':60} {cases:5}  {reached / max(1, cases):10.0%}\n"])
