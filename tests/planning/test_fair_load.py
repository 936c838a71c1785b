"""The same load for configurations that use different numbers of GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar
from autotuner.contracts.workload import Workload
from autotuner.planning.plan import Plan
from conformance.toy_engine import ToyEngine, toy_plan


@dataclass(frozen=True)
class SizedEngine(ToyEngine):
    """Knows that a server takes tp × dp GPUs."""

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        tp, dp = (values.get(name, 1) for name in ("tp", "dp"))
        assert isinstance(tp, int)
        assert isinstance(dp, int)
        return tp * dp


def plan(parameters: Mapping[str, object], gpus: int | None = 8, **benchmark: object) -> Plan:
    return toy_plan(parameters, engine=SizedEngine(), gpus=gpus, benchmark=benchmark)


def loads(workload: Workload) -> list[tuple[str, int | float | None]]:
    return [(p.name, p.concurrency or p.request_rate or p.replay_speed) for p in workload.load_points]


def of(made: Plan, **values: Scalar) -> Workload:
    return made.workload_of(values)


def test_loads_are_per_gpu_where_sizes_differ() -> None:
    made = plan({"tp": [1, 2, 4]}, num_concurrency=[3, 8])
    assert made.fair_load.per == "gpu"
    assert loads(of(made, tp=1)) == [("D(100,100)@3", 3), ("D(100,100)@8", 8)]
    assert loads(of(made, tp=4)) == [("D(100,100)@3", 12), ("D(100,100)@8", 32)]
    assert made.scored_at == ("D(100,100)@8",)
    assert not [warning for warning in made.warnings if "GPU" in warning]
    assert made.resolver.gpus({"tp": 4}) == 4


@pytest.mark.parametrize("parameters", [{"seqs": [8, 16]}, {"tp": 4, "seqs": [1, 2]}])
def test_loads_are_the_servers_where_sizes_do_not_differ(parameters: dict[str, object]) -> None:
    made = plan(parameters, num_concurrency=[3])
    assert made.fair_load.per == "server"
    assert loads(of(made, seqs=2)) == [("D(100,100)@3", 3)]
    asked = plan(parameters, num_concurrency=[3], load_per="gpu")
    assert loads(of(asked, seqs=2)) == [("D(100,100)@3", 3 * (4 if "tp" in parameters else 1))]


def test_load_per_server_warns_where_sizes_differ() -> None:
    (warning,) = [w for w in plan({"tp": [1, 2, 4]}, load_per="server").warnings if "GPU" in w]
    assert "use 1, 2 or 4 GPUs" in warning
    assert "benchmark.load_per: gpu" in warning
    assert not [w for w in plan({"seqs": [1, 2]}, load_per="server").warnings if "GPU" in w]
    made = plan({"tp": [1, 2]}, load_per="server", num_concurrency=[3])
    assert loads(of(made, tp=2)) == [("D(100,100)@3", 3)]


def test_a_size_beyond_the_gpus_does_not_count() -> None:
    assert plan({"tp": [1, 16], "seqs": [1, 2]}, gpus=8).fair_load.per == "server"


def test_a_node_is_shared_by_the_servers_that_fill_it() -> None:
    made = plan({"tp": [1, 2, 4]}, load_per="node", num_concurrency=[64, 3])
    assert loads(of(made, tp=1)) == [("D(100,100)@64", 8), ("D(100,100)@3", 1)]
    assert loads(of(made, tp=2)) == [("D(100,100)@64", 16), ("D(100,100)@3", 1)]
    assert loads(of(made, tp=4)) == [("D(100,100)@64", 32), ("D(100,100)@3", 2)]


def test_rates_and_searches_are_scaled_too() -> None:
    rates = plan({"tp": [1, 2]}, request_rates=[1.5])
    assert loads(of(rates, tp=2)) == [("D(100,100)@1.5rps", 3.0)]
    made = toy_plan(
        {"tp": [1, 4]},
        engine=SizedEngine(),
        gpus=8,
        benchmark={"profile": "search", "load_search": {"highest": 32}},
        slo={"ttft": {"threshold": 1.0}},
        optimization={"objective": "maximize_goodput"},
    )
    search = of(made, tp=4).load_search
    assert search is not None
    assert (search.lowest, search.start, search.highest) == (4, 16, 128)
    assert [p.name for p in of(made, tp=4).load_points] == ["D(100,100)@4", "D(100,100)@128"]


@pytest.mark.parametrize(
    ("engine", "per", "gpus", "why"),
    [
        (ToyEngine(), "gpu", 8, "how many GPUs a configuration uses"),
        (ToyEngine(), "node", 8, "how many GPUs a configuration uses"),
        (SizedEngine(), "node", None, "how many GPUs the node has"),
    ],
)
def test_what_is_not_known_is_asked_for(engine: ToyEngine, per: str, gpus: int | None, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        toy_plan({"tp": [1, 2]}, engine=engine, gpus=gpus, benchmark={"load_per": per})
    assert (caught.value.code, caught.value.place) == (ErrorCode.CONTRADICTION, "benchmark.load_per")
    assert why in caught.value.why


def test_an_engine_that_knows_no_gpus_is_measured_as_before() -> None:
    made = toy_plan({"tp": [1, 2]}, gpus=8)
    assert made.fair_load.per == "server"
    assert made.resolver.gpus({"tp": 2}) == 8
    assert made.workload_of({"tp": 2}) is made.workload
