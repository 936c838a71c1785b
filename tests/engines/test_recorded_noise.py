"""Noise of real starts, drawn for simulated ones."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.simulated.recorded import FORMAT, Deviation, RecordedNoise, read_recorded
from engines.test_simulated import BEST, job, measure, points

NONE = {"throughput": 0.0, "ttft_mean": 0.0, "ttft_p90": 0.0, "tpot_mean": 0.0}


def deviation(
    throughput: float = 0.0, ttft_mean: float = 0.0, ttft_p90: float = 0.0, tpot_mean: float = 0.0
) -> Deviation:
    return Deviation(throughput=throughput, ttft_mean=ttft_mean, ttft_p90=ttft_p90, tpot_mean=tpot_mean)


def document(residuals: list[dict[str, float]], drift: list[dict[str, float]]) -> dict[str, Any]:
    starts = [{"residual": r, "drift": d} for r, d in zip(residuals, drift, strict=True)]
    return {"format": FORMAT, "ttft_p90_over_mean": 1.5, "starts": starts}


def write(folder: Path, content: object) -> str:
    path = folder / "noise.json"
    path.write_text(json.dumps(content))
    return str(path)


RESIDUALS = [
    {"throughput": 0.02, "ttft_mean": -0.05, "ttft_p90": -0.08, "tpot_mean": -0.02},
    {"throughput": -0.03, "ttft_mean": 0.04, "ttft_p90": 0.1, "tpot_mean": 0.03},
    {"throughput": 0.01, "ttft_mean": 0.01, "ttft_p90": -0.02, "tpot_mean": -0.01},
]


async def test_figures_of_a_start_are_those_of_one_recorded_start(tmp_path: Path) -> None:
    noise = write(tmp_path, document(RESIDUALS, [NONE] * 3))
    base = job(BEST, points(256), recorded_noise=noise)
    (plain,) = await measure(job(BEST, points(256)))
    seen: Counter[int] = Counter()
    for number in range(30):
        (measured,) = await measure(base.model_copy(update={"draw_key": f"{number}/own/0"}))
        assert measured.ttft is not None
        assert plain.ttft is not None
        assert measured.tpot is not None
        assert plain.tpot is not None
        found = math.log(measured.output_throughput / plain.output_throughput)
        which = min(range(3), key=lambda i: abs(RESIDUALS[i]["throughput"] - found))
        seen[which] += 1
        expected = RESIDUALS[which]
        assert found == pytest.approx(expected["throughput"])
        assert math.log(measured.ttft.mean / plain.ttft.mean) == pytest.approx(expected["ttft_mean"], abs=1e-9)
        assert math.log(measured.tpot.mean / plain.tpot.mean) == pytest.approx(expected["tpot_mean"])
        ratio = math.log(1.5) + expected["ttft_p90"] - expected["ttft_mean"]
        assert math.log(measured.ttft.p90 / measured.ttft.mean) == pytest.approx(ratio, abs=0.02)
    assert set(seen) == {0, 1, 2}


async def test_all_measurements_of_a_start_share_its_deviation_and_a_replaced_start_has_it_too(tmp_path: Path) -> None:
    noise = write(tmp_path, document(RESIDUALS, [NONE] * 3))
    whole = job(BEST, points(64, 256), repeats=2, recorded_noise=noise).model_copy(update={"draw_key": "3/own/0"})
    first, *rest = await measure(whole)
    assert first.output_throughput == rest[0].output_throughput
    replaced = whole.model_copy(update={"attempt_id": 2, "done": ((first.load_point, first.repeat),)})
    assert await measure(replaced) == rest


def test_the_drift_is_followed_step_by_step_to_and_fro() -> None:
    drift = tuple(deviation(throughput=0.01 * step) for step in range(4))
    recorded = RecordedNoise(residuals=(deviation(), deviation()), drift=drift, ttft_p90_over_mean=1)
    path = [recorded.drift_at(place).throughput for place in range(9)]
    assert path == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.02, 0.01, 0.0, 0.01, 0.02])
    assert recorded.drift_at(1.25).throughput == pytest.approx(0.0125)
    own = [recorded.drawn([7, "t"], f"{number}/own/0").throughput for number in range(12)]
    assert all(abs(b - a) == pytest.approx(0.01) for a, b in pairwise(own))
    rounds = [[recorded.drawn([7, "t"], f"{n}/confirm-{block}/0").throughput for n in range(3)] for block in range(8)]
    assert all(max(one) - min(one) < 0.03 + 1e-9 for one in rounds)
    assert len({tuple(one) for one in rounds}) == 8
    single = RecordedNoise(residuals=(deviation(), deviation()), drift=(deviation(0.5),), ttft_p90_over_mean=1)
    assert single.drift_at(3.7).throughput == 0.5


def test_draws_hang_on_task_and_start_alone_and_cover_all_starts() -> None:
    residuals = tuple(deviation(throughput=float(i)) for i in range(40))
    recorded = RecordedNoise(residuals=residuals, drift=(deviation(),), ttft_p90_over_mean=1)
    drawn = [recorded.drawn([1, "t"], f"{n}/own/0").throughput for n in range(2000)]
    assert drawn == [recorded.drawn([1, "t"], f"{n}/own/0").throughput for n in range(2000)]
    assert drawn != [recorded.drawn([2, "t"], f"{n}/own/0").throughput for n in range(2000)]
    assert set(Counter(drawn)) == set(range(40))
    assert max(Counter(drawn).values()) < 90
    assert np.mean(drawn) == pytest.approx(19.5, abs=1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"format": "other", "starts": []}, FORMAT),
        ([1], FORMAT),
        ({"format": FORMAT, "starts": [{"residual": {}}]}, ""),
        ({**document(RESIDUALS[:1], [NONE]), "ttft_p90_over_mean": 1.2}, "at least 2"),
        ({**document(RESIDUALS, [NONE] * 3), "ttft_p90_over_mean": 0.5}, "greater than or equal to 1"),
        (document([{**NONE, "throughput": math.inf}, NONE], [NONE] * 2), "finite"),
    ],
)
def test_files_that_hold_no_noise_are_refused(tmp_path: Path, content: object, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        read_recorded(write(tmp_path, content))
    assert caught.value.code is ErrorCode.INVALID_DOCUMENT
    assert why in caught.value.why
    assert caught.value.place == "simulation.recorded_noise"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        job(BEST, points(256), recorded_noise=str(tmp_path / "none.json"))
    assert caught.value.code is ErrorCode.MISSING_FILE


def test_what_was_recorded_on_a_real_machine_can_be_drawn_from() -> None:
    path = Path(__file__).parents[1] / "data" / "noise" / "quickstart_two_cores.json"
    content = json.loads(path.read_text())
    noise = read_recorded(str(path))
    assert len(noise.residuals) == len(noise.drift) == len(content["starts"]) >= 30
    assert len({start["configuration"] for start in content["starts"]}) >= 5
    drawn = [noise.drawn([1, "task"], f"{number}/own/0").throughput for number in range(400)]
    parts = content["standard_deviations"]
    expected = math.hypot(parts["start"]["throughput"], parts["drift"]["throughput"])
    assert np.std(drawn) == pytest.approx(expected, rel=0.2)
