"""Which presets suit, and what came of them: figures of hand-made tasks."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.parameters import parse_spec
from autotuner.contracts.presets import PresetMetadata, PresetRule
from autotuner.contracts.store import ExperimentStatus
from autotuner.presets.analytics import PresetUse, UsedExperiment, summarise, used
from autotuner.presets.suggest import Candidate, SuggestionRequest, suggest
from autotuner.presets.translate import Translation
from presets.builders import stored, system

GOOD, BAD = ExperimentStatus.SUCCESS, ExperimentStatus.FAILED


def use(*experiments: tuple[ExperimentStatus, float | None], winner: int | None = None, **fields: Any) -> PresetUse:
    """A task that used a preset."""
    facts: dict[str, Any] = {
        "task": "t", "model": "owner/m", "engine": "sglang", "gpu_type": "h100_sxm",
        "objective": "minimize_latency", "unit": "s", "direction": "minimize", **fields,
    }  # fmt: skip
    made = tuple(
        UsedExperiment(status=status, score=score, winner=number == winner)
        for number, (status, score) in enumerate(experiments)
    )
    return PresetUse(**facts, experiments=made)


def test_the_figures_of_a_preset() -> None:
    found = summarise(
        "x",
        [
            use((GOOD, 3.0), (GOOD, 1.0), (BAD, None), (ExperimentStatus.PENDING, None)),
            use((GOOD, 8.0), task="u"),
            use((GOOD, 100.0), (GOOD, 300.0), task="v", objective="maximize_throughput", unit="tokens/s",
                direction="maximize"),
        ],
    )  # fmt: skip
    assert (found.tasks, found.experiments, found.succeeded, found.failed) == (3, 7, 5, 1)
    assert found.success_rate == pytest.approx(5 / 6)
    assert found.task_names == ("t", "u", "v")
    latency, throughput = found.results
    assert (latency.best, latency.median, latency.experiments) == (1.0, 3.0, 3)
    assert (throughput.best, throughput.median, throughput.unit) == (300.0, 200.0, "tokens/s")


def test_a_preset_that_nobody_used_has_no_rate() -> None:
    found = summarise("x", [])
    assert (found.tasks, found.success_rate, found.results) == (0, None, ())


@pytest.mark.parametrize(
    ("parameters", "gives", "expected"),
    [
        ({"tp_size": 4, "mem": 0.9}, {"tp_size": [2, 4], "mem": [0.9]}, True),
        ({"tp_size": 8, "mem": 0.9}, {"tp_size": [2, 4], "mem": [0.9]}, False),
        ({"mem": 0.9}, {"tp_size": 4, "mem": [0.9]}, True),  # fixed: not searched
        ({"tp_size": None}, {"tp_size": [1]}, False),
        ({"fast": True}, {"fast": [1]}, False),
        ({"n": 64}, {"n": {"type": "int", "low": 1, "high": 128}}, True),
        ({"n": 512}, {"n": {"type": "int", "low": 1, "high": 128}}, False),
        ({"n": 64}, {}, False),
    ],
)
def test_which_experiments_used_a_preset(parameters: dict[str, Any], gives: dict[str, Any], expected: bool) -> None:
    assert used(parameters, {name: parse_spec(value) for name, value in gives.items()}) is expected


def candidate(preset: Any, *uses: PresetUse, made: Translation | None = None, sizes: tuple[int, ...] = ()) -> Candidate:
    return Candidate(preset, made or Translation(preset.parameters, preset.config), sizes, uses)


def names(request: SuggestionRequest, *candidates: Candidate) -> list[str]:
    return [one.preset for one in suggest(request, candidates)]


REQUEST = SuggestionRequest(engine="sglang", model="M", gpu_type="h100_sxm", total_gpus=2)


def test_made_for_the_engine_comes_before_made_for_any() -> None:
    mine = stored("Mine", runtime="sglang", parameters={"x": (1,)})
    anybody = stored("Any", runtime="any", parameters={"x": (1,)})
    foreign = stored("Other", runtime="vllm", parameters={"x": (1,), "y": (1,)})
    half = candidate(foreign, made=Translation({"x": (1,)}, left_out=("y is left out: no",)))
    nothing = candidate(foreign, made=Translation(left_out=("x is left out: no",)))
    assert names(REQUEST, half, candidate(anybody), candidate(mine), nothing) == ["mine", "any", "other"]


def test_gpus_count() -> None:
    wide = candidate(stored("Wide", runtime="sglang", parameters={"x": (1,)}), sizes=(4, 8))
    partly = candidate(stored("Partly", runtime="sglang", parameters={"x": (1,)}), sizes=(2, 4))
    assert names(REQUEST, wide, partly) == ["partly"]
    assert "4 need more GPUs" in suggest(REQUEST, [partly])[0].reasons[1]
    one_gpu = REQUEST.model_copy(update={"total_gpus": 1})
    single, multi = candidate(system("memory-efficient")), candidate(system("high-throughput"))
    assert names(one_gpu, multi, single) == ["memory-efficient", "high-throughput"]
    assert names(REQUEST, single, multi) == ["high-throughput", "memory-efficient"]


def test_a_rule_that_cannot_be_kept_counts_against_a_preset() -> None:
    rule = PresetRule(require="total_gpus >= 8", message="it is for whole nodes")
    ruled = candidate(stored("Ruled", runtime="sglang", parameters={"x": (1,)}, rules=(rule,)))
    free = candidate(stored("Free", runtime="any", parameters={"x": (1,)}))
    assert names(REQUEST, ruled, free) == ["free", "ruled"]
    assert "it is for whole nodes" in suggest(REQUEST, [ruled])[0].reasons[-1]
    own = PresetRule(when="x >= 2", require="x < 2", message="no two")
    some = candidate(stored("Some", runtime="sglang", parameters={"x": (1, 2)}, rules=(own,)))
    assert suggest(REQUEST, [some])[0].score == 2.0


def test_experience_counts_most_with_the_same_model() -> None:
    plain = stored("Plain", runtime="sglang", parameters={"x": (1,)}, metadata=PresetMetadata())
    liked = stored("Liked", runtime="sglang", parameters={"x": (1,)})
    four = ((GOOD, 1.0),) * 4
    same_model = candidate(liked, use(*four, model="other/m"))
    same_gpu = candidate(liked, use(*four, model="else"))
    neither = candidate(liked, use(*four, model="else", gpu_type=None))
    scores = [suggest(REQUEST, [one])[0].score for one in (candidate(plain), neither, same_gpu, same_model)]
    assert scores == [2.0, 2.125, 2.25, 2.5]
    failed = candidate(liked, use(*((BAD, None),) * 4, model="m"))
    assert suggest(REQUEST, [failed])[0].score == 1.5
    won = candidate(liked, use(*four, model="m", winner=0))
    (best,) = suggest(REQUEST, [won])
    assert best.score == pytest.approx(2.5 + 1 / 3, abs=1e-4)
    assert best.reasons[-1] == "4 of 4 experiments with it succeeded, and won 1 task"
    assert suggest(REQUEST, [candidate(liked, use(*four, engine="vllm", model="m"))])[0].score == 2.0
