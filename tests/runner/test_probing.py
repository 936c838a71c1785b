"""A start that searches the load: which measurements it takes, through a client that knows nothing of it."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptJob, AttemptStatus, Ended, Failure, FailureClass, Measured
from autotuner.contracts.client import ClientError, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.load_search import LoadLimit, LoadSearch
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint, Workload
from autotuner.runner.attempt import run_attempt
from autotuner.runner.probing import measurements
from autotuner.scoring.load_search import found, probe
from conformance.fake_parts import FakeClient, FakeDeployment, FakeSession, Figures, load_point, make_job, measurement

LIMITS = (LoadLimit(figure="mean_ttft", metric="ttft", threshold=0.1),)
SEARCH = LoadSearch(by="concurrency", lowest=1, highest=64, start=4)
ENDPOINT = Endpoint("http://127.0.0.1:1", "m")


def searching(folder: Path, search: LoadSearch = SEARCH, **changes: object) -> AttemptJob:
    workload = Workload(load_points=(load_point(1), load_point(64)), load_search=search)
    return make_job(folder, workload=workload, load_limits=LIMITS, **changes)


def noisy(knee: float, noise: float = 0.05) -> Figures:
    """Latency in proportion to the load; each measurement a little off in its own way."""

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        rng = random.Random(f"{point.name}/{repeat}")
        load = point.concurrency or 0
        return measurement(point, repeat=repeat, ttft=0.1 * load / (knee + 0.5) * math.exp(rng.gauss(0, noise)))

    return figures


async def taken(job: AttemptJob, figures: Figures) -> list[Measurement]:
    session = FakeSession(FakeClient(figures))
    return [m async for m in measurements(session, job, ENDPOINT, Path(job.artefact_dir), lambda _: None)]


async def test_a_job_without_a_search_is_the_clients(tmp_path: Path) -> None:
    plain = make_job(tmp_path)
    assert [m.load_point for m in await taken(plain, noisy(20))] == ["D(10,10)@1", "D(10,10)@2"]


async def test_one_load_point_after_the_other_by_its_ordinary_name(tmp_path: Path) -> None:
    jobs: list[AttemptJob] = []
    usual = noisy(20)

    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement | Failure:
        jobs.append(job)
        return usual(job, point, repeat)

    job = searching(tmp_path)
    found_load = await taken(job, figures)
    places = [(m.load_point, m.repeat) for m in found_load]
    assert places[0] == ("D(10,10)@4", 0)
    assert len(set(places)) == len(places) <= SEARCH.probes
    for name in {name for name, _ in places}:
        assert sorted(r for n, r in places if n == name) == list(range(sum(n == name for n, _ in places)))
    for probing, place in zip(jobs, places, strict=True):
        assert probing.workload.load_search is None
        assert [(p.name, repeat) for p, repeat in probing.remaining()] == [place]
        concurrency = probing.workload.load_points[-1].concurrency
        assert concurrency is not None
        assert probing.workload.limits.warmup_requests >= concurrency
    came = found(SEARCH, [probe(m, SEARCH, LIMITS) for m in found_load])
    assert came.load is not None
    assert abs(came.load - 20) <= 1


@pytest.mark.parametrize("cut", [1, 3, 5])
async def test_a_start_that_replaces_another_goes_on_from_its_probes(tmp_path: Path, cut: int) -> None:
    whole = await taken(searching(tmp_path), noisy(20))
    before = whole[:cut]
    # In the order in which a store may give them.
    probes = tuple(probe(m, SEARCH, LIMITS) for m in reversed(before))
    done = tuple((m.load_point, m.repeat) for m in before)
    rest = await taken(searching(tmp_path, done=done, done_probes=probes), noisy(20))
    assert rest == whole[cut:]


async def test_one_whose_probes_were_all_taken_measures_nothing(tmp_path: Path) -> None:
    probes = tuple(probe(m, SEARCH, LIMITS) for m in await taken(searching(tmp_path), noisy(20)))
    assert await taken(searching(tmp_path, done_probes=probes), noisy(20)) == []


async def test_an_overload_in_which_nothing_succeeds_is_an_answer(tmp_path: Path) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        much = (point.concurrency or 0) > 9
        return measurement(point, repeat=repeat, ttft=0.01, completed=0 if much else 10, errors=10 if much else 0)

    deployment = FakeDeployment()
    stream = run_attempt(searching(tmp_path), deployment, FakeSession(FakeClient(figures)))
    records = [record async for record in stream]
    assert isinstance(records[-1], Ended)
    assert records[-1].status is AttemptStatus.SUCCESS
    probes = [probe(r.measurement, SEARCH, LIMITS) for r in records if isinstance(r, Measured)]
    came = found(SEARCH, probes)
    assert (came.load, came.cliff) == (9, True)


async def test_nothing_at_the_lowest_load_is_a_failure(tmp_path: Path) -> None:
    def figures(job: AttemptJob, point: LoadPoint, repeat: int) -> Measurement:
        return measurement(point, repeat=repeat, completed=0, errors=10, error_codes={"http_500": 10})

    stream = run_attempt(searching(tmp_path), FakeDeployment(), FakeSession(FakeClient(figures)))
    records = [record async for record in stream]
    assert isinstance(records[-1], Ended)
    assert records[-1].failure is not None
    assert records[-1].failure.kind is FailureClass.UNREACHABLE
    assert "D(10,10)@1" in records[-1].failure.diagnosis


async def test_a_client_that_takes_nothing_is_told_of(tmp_path: Path) -> None:
    class Idle:
        async def measure(
            self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
        ) -> AsyncGenerator[Measurement, None]:
            for nothing in ():
                yield nothing

    with pytest.raises(ClientError, match="took no measurement at D\\(10,10\\)@4"):
        _ = [m async for m in measurements(Idle(), searching(tmp_path), ENDPOINT, tmp_path, lambda _: None)]


async def test_closing_it_closes_the_client(tmp_path: Path) -> None:
    client = FakeClient(noisy(20))
    measuring = measurements(FakeSession(client), searching(tmp_path), ENDPOINT, tmp_path, lambda _: None)
    await anext(measuring)
    await measuring.aclose()
    assert client.ended == [1]
