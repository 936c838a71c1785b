"""An open loop against a server of known capacity: latency counts from the schedule, and an overload is called one."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.mock_server import MockOptions, MockServer
from conformance.client_suite import endpoint, job, measure

SLOTS, TTFT_S, TOKEN_S, TOKENS = 4, 0.02, 0.002, 11
SERVICE_S = TTFT_S + TOKEN_S * (TOKENS - 1)
CAPACITY = SLOTS / SERVICE_S
"""Requests per second: 100."""
SERVER = MockOptions(ttft_s=TTFT_S, token_s=TOKEN_S, max_batch=SLOTS)


async def at(share: float, folder: Path, arrival: str, processes: int | None = None) -> Measurement:
    """Two seconds at a share of the capacity; benchmarks/open_loop.py goes nearer to it, on a quiet machine."""
    length = Length(mean=TOKENS)
    scenario = Scenario(text=f"D(8,{TOKENS})", prompt=Length(mean=8), output=length)
    point = LoadPoint(traffic=Traffic(text=scenario.text, parts=((1.0, scenario),)), request_rate=share * CAPACITY)
    work = job(point, window_s=2.0, min_requests=0, warmup_requests=10, drain_s=20.0, request_timeout_s=20.0)
    workload = work.workload.model_copy(update={"arrival": arrival, "client_processes": processes})
    async with MockServer(SERVER) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, work.model_copy(update={"workload": workload}), endpoint(server), folder)
    assert found.error_requests == 0
    return found


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
@pytest.mark.parametrize("processes", [1, 2])
async def test_a_load_that_is_served_is_not_called_too_much(arrival: str, processes: int, tmp_path: Path) -> None:
    found = await at(0.5, tmp_path, arrival, processes)
    assert not found.load_not_sustained
    assert found.ttft is not None
    assert found.ttft.p50 >= TTFT_S


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
@pytest.mark.parametrize("processes", [1, 2])
async def test_a_load_above_the_capacity_is_and_its_waits_count(arrival: str, processes: int, tmp_path: Path) -> None:
    found = await at(1.6, tmp_path, arrival, processes)
    assert found.load_not_sustained
    assert found.ttft is not None
    # After 2 s 120 of 320 requests wait for 100 a second.
    assert found.ttft.max > TTFT_S + 0.2
    assert found.completed_requests == found.total_requests
