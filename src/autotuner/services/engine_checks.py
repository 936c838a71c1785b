"""What is wrong with a task or with parameters, all of it, and what the planner makes of a task first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from autotuner.config.document import TaskDocument
from autotuner.config.load import check_part
from autotuner.config.problems import DocumentError
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import DEFAULT_ENGINE, ENGINES
from autotuner.engines.registry import engine as engine_named
from autotuner.planning.neutral import Neutral
from autotuner.planning.parameters import read_parameters
from autotuner.services.catalogues import catalogue, shelf
from autotuner.services.plan_summary import PlanCounts, PlannedCommand, PlannedParameter, summarise_plan
from autotuner.services.planning import installed_engine_of, plan_document
from autotuner.services.settings import Settings

FIRST = 10
"""Configurations of a preview."""


class Fault(Frozen):
    """One thing that is wrong."""

    place: str | None = Field(description="key path; null: it is about the whole")
    detail: str = Field(description="what is wrong")
    code: str = Field(description="stable code of the error")
    remedy: str = Field(description="what to do")


class Checked(Frozen):
    """Whether something can be planned."""

    valid: bool = Field(description="whether nothing is wrong")
    engine: str | None = Field(description="engine that it is for; null: that cannot be told")
    problems: tuple[Fault, ...] = Field(description="everything that is wrong")
    warnings: tuple[str, ...] = Field((), description="what does not hinder it")


class Preview(Frozen):
    """What the planner makes of a task, before anything is started."""

    engine: str = Field(description="engine that is started")
    engine_version: str | None = Field(description="null: it cannot be started here")
    counts: PlanCounts = Field(description="configurations: valid, excluded with reasons, and distinct ones")
    parameters: tuple[PlannedParameter, ...] = Field(description="every parameter and where its value comes from")
    commands: tuple[PlannedCommand, ...] = Field(
        description=f"the first {FIRST} configurations that differ in what is launched, with their arguments"
    )
    warnings: tuple[str, ...] = Field(description="whole sentences")


@dataclass(frozen=True)
class LooseParameters:
    """Parameters without a task."""

    engine: str | None
    """None: the default one."""
    version: str | None
    """None: the newest known."""
    parameters: Mapping[str, Any]


def check_document(document: TaskDocument, settings: Settings) -> Checked:
    """Plan a document that is sound in itself; every parameter is looked at, also behind one that is wrong."""
    engine, _ = installed_engine_of(document, settings)
    neutral = Neutral(engine.neutral, engine.catalogue)
    problems = list(_of_each(document, lambda part: read_parameters(part, engine.catalogue, neutral)))
    warnings: tuple[str, ...] = ()
    if not problems:
        try:
            warnings = plan_document(document, settings).warnings
        except AutotunerError as error:
            problems = faults_of(error)
    return Checked(valid=not problems, engine=engine.name, problems=tuple(problems), warnings=warnings)


def check_parameters(given: LooseParameters, settings: Settings) -> Checked:
    """Look at each parameter by itself, then at all together. AutotunerError(UNKNOWN_NAME) for an unknown engine,
    NOT_FOUND for an unknown version.
    """
    engine = engine_named(ENGINES.resolve(given.engine or DEFAULT_ENGINE))
    if given.version is not None or engine.name in shelf(settings).engines():
        engine = engine.with_catalogue(catalogue(engine.name, given.version, settings))
    neutral = Neutral(engine.neutral, engine.catalogue)
    try:
        document = check_part({"parameters": dict(given.parameters)}, name="the parameters")
    except DocumentError as error:
        return Checked(valid=False, engine=engine.name, problems=tuple(faults_of(error)))
    problems = list(_of_each(document, lambda part: read_parameters(part, engine.catalogue, neutral)))
    return Checked(valid=not problems, engine=engine.name, problems=tuple(problems))


def preview(document: TaskDocument, settings: Settings) -> Preview:
    """Plan a document and show the first configurations. AutotunerError as of ``plan_document``."""
    summary = summarise_plan(plan_document(document, settings), commands=FIRST)
    return Preview(
        engine=summary.engine,
        engine_version=summary.engine_version,
        counts=summary.counts,
        parameters=summary.parameters,
        commands=summary.commands,
        warnings=summary.warnings,
    )


def faults_of(error: AutotunerError) -> list[Fault]:
    """Everything that an error says is wrong."""
    if isinstance(error, DocumentError):
        return [
            Fault(place=one.place or None, detail=one.why, code=one.code.value, remedy=one.remedy)
            for one in error.problems
        ]
    return [Fault(place=error.place, detail=f"{error.what}: {error.why}", code=error.code.value, remedy=error.remedy)]


def _of_each(document: TaskDocument, read: Any) -> Iterator[Fault]:
    """What is wrong with each parameter; if nothing is, with all of them together."""
    found: list[Fault] = []
    for name, spec in document.parameters.items():
        try:
            read(document.model_copy(update={"parameters": {name: spec}}))
        except AutotunerError as error:
            found += faults_of(error)
    if not found:
        try:
            read(document)
        except AutotunerError as error:
            found += faults_of(error)
    yield from found
