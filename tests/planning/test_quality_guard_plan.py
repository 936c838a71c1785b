"""Whether a task has a quality guard, what it costs, and what of it belongs to the task."""

from __future__ import annotations

import random
from typing import Any

import pytest

from autotuner.config.identity import changed, identity
from autotuner.config.load import DocumentError, validate
from autotuner.contracts.engine import Catalogue, Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.quality import BASELINE_PASSES, PromptSet
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.quality import PASS_S
from autotuner.planning.resolve import ModelFile
from conformance.fake_parts import FakeEngine

PROMPTS = PromptSet(sha256="s", prompts=3, longest_request=70)


class LossyEngine(FakeEngine):
    """Its b may make answers worse."""

    catalogue = Catalogue(
        engine="fake",
        version="1",
        parameters=tuple(p.model_copy(update={"lossy": p.name == "b"}) for p in FakeEngine.catalogue.parameters),
    )


class PredictedEngine(LossyEngine):
    predicted = True


def plan(
    quality: dict[str, Any] | None = None,
    *,
    parameters: dict[str, Any] | None = None,
    engine: Engine | None = None,
    models: tuple[str, ...] = ("m",),
    **optimization: Any,
) -> Plan:
    data = {
        "model": {"id_or_path": list(models)},
        "parameters": {"a": [1, 2], "b": [1, 2]} if parameters is None else parameters,
        "optimization": {"max_iterations": 2, "confirm": {"starts": 0}, **optimization},
        "benchmark": {"traffic_scenarios": ["D(10,10)"], "num_concurrency": [4]},
        "quality": quality or {},
    }
    return make_plan(
        validate(data),
        engine=engine or LossyEngine(),
        models=[ModelFile(name, name, {}) for name in models],
        host=HostFacts(cores=(0, 1)),
        rng=random.Random(0),
        prompts=PROMPTS,
    )


def test_a_lossy_parameter_that_is_searched_switches_it_on() -> None:
    found = plan()
    assert found.quality is not None
    assert found.quality.prompts == PROMPTS
    assert found.quality_reason == "b may change them"
    assert found.resolver.context.longest_request == 70  # so that its requests fit too


@pytest.mark.parametrize(
    ("quality", "changes", "reason"),
    [
        ({}, {"parameters": {"a": [1, 2]}}, "nothing that is searched may change them"),
        ({}, {"parameters": {"a": [1, 2], "b": 2}}, "nothing that is searched may change them"),
        ({"enabled": False}, {}, "switched off"),
        ({}, {"engine": PredictedEngine()}, "predictions have no answers"),
        ({}, {"baseline": False}, "the baseline, with whose answers they would be compared, is switched off"),
    ],
)
def test_it_is_off_otherwise_and_says_why(quality: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    found = plan(quality, **changes)
    assert found.quality is None
    assert found.quality_reason == reason
    assert found.resolver.context.longest_request == 20


@pytest.mark.parametrize(
    ("quality", "changes", "reason"),
    [
        ({"enabled": True}, {"parameters": {"a": [1, 2]}}, "the document asks for it"),
        ({"limit": 0.9}, {"parameters": {"a": [1, 2]}}, "the document asks for it"),
        ({}, {"parameters": {"a": [1, 2]}, "models": ("m", "n")}, "the model file may change them"),
        (
            {},
            {"parameters": {"a": [1, 2]}, "references": [{"label": "x", "parameters": {"b": 3}}]},
            "b may change them",
        ),
    ],
)
def test_it_is_on_when_it_is_asked_for_or_needed(quality: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    found = plan(quality, **changes)
    assert found.quality is not None
    assert found.quality_reason == reason


def test_predictions_cannot_be_guarded() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan({"limit": 0.9}, engine=PredictedEngine())
    assert (caught.value.code, caught.value.place) == (ErrorCode.UNSUPPORTED, "quality.limit")


def test_what_it_costs_is_in_the_estimate() -> None:
    on, off = plan(), plan({"enabled": False})
    asked = on.planned_starts - 1 + len(BASELINE_PASSES)
    assert on.estimate.total_s - off.estimate.total_s == pytest.approx(PASS_S * asked)


@pytest.mark.parametrize(
    ("given", "agreement", "distance"),
    [
        (0.9, 0.9, None),
        (1, 1.0, None),
        ({"agreement": 0.9}, 0.9, None),
        ({"distance": 0.1}, None, 0.1),
        ({"agreement": 0.5, "distance": 2}, 0.5, 2.0),
    ],
)
def test_a_limit_is_a_number_or_says_of_what(given: Any, agreement: float | None, distance: float | None) -> None:
    limit = validate({"model": {"id_or_path": "m"}, "quality": {"limit": given}}).quality.limit
    assert limit is not None
    assert (limit.agreement, limit.distance) == (agreement, distance)


@pytest.mark.parametrize("given", [0, 1.1, {}, {"agreement": 0}, {"distance": 0}, {"agreement": None}, "high", True])
def test_a_limit_that_limits_nothing_is_refused(given: Any) -> None:
    with pytest.raises(DocumentError) as caught:
        validate({"model": {"id_or_path": "m"}, "quality": {"limit": given}})
    assert str(caught.value.place or caught.value.why).startswith("quality.limit")


def test_a_limit_belongs_to_the_task_and_the_place_of_its_prompts_does_not() -> None:
    def described(**quality: Any) -> dict[str, Any]:
        return identity(validate({"model": {"id_or_path": "m"}, "quality": quality}))

    assert changed(described(), described(prompts="a.jsonl")) == []
    assert changed(described(limit=0.9), described(limit=0.9, prompts="a.jsonl")) == []
    assert changed(described(limit=0.9), described(limit=0.95)) == ["quality.limit.agreement was 0.9 and is now 0.95"]
    without_the_block = {key: value for key, value in described().items() if key != "quality"}
    assert changed(without_the_block, described()) == []  # a task of a version that did not have it
