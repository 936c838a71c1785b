"""The measurements of a start: those that the job names, or one after the other as a search asks for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, ClientSession, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.load_search import LoadSearch, Probe
from autotuner.contracts.measurement import Measurement
from autotuner.runner.cache_reset import Reset, resetting
from autotuner.scoring.load_search import Ask, ask, probe, probe_limits


async def measurements(
    client: ClientSession, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
) -> AsyncGenerator[Measurement, None]:
    """What ``client.measure`` yields for the job; of a job with a search, for one probe after the other.

    A search goes on from ``job.done_probes``. Where the server's cache is emptied before each measurement the client
    takes them one by one, too. ClientError when the client failed.
    """
    search = job.workload.load_search
    reset = resetting(job, endpoint)
    if search is not None:
        taking = _searched(client, job, search, reset, endpoint, artefacts, on_progress)
    elif reset is not None:
        taking = _one_by_one(client, job, reset, endpoint, artefacts, on_progress)
    else:
        taking = client.measure(job, endpoint, artefacts, on_progress)
    async with aclosing(taking) as measuring:
        async for measurement in measuring:
            yield measurement


async def _one_by_one(
    client: ClientSession, job: AttemptJob, reset: Reset, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
) -> AsyncGenerator[Measurement, None]:
    """The job's measurements, each on an empty cache."""
    rates = list(job.done_rates)
    for point, repeat in job.remaining():
        others = tuple((p.name, r) for p, r in job.places() if (p.name, r) != (point.name, repeat))
        of_one = job.model_copy(update={"done": others, "done_rates": tuple(rates)})
        emptied = await reset()
        async with aclosing(client.measure(of_one, endpoint, artefacts, on_progress)) as measuring:
            async for measurement in measuring:
                rates.append((measurement.load_point, measurement.requests_per_second))
                yield measurement.model_copy(update={"cache_emptied": emptied})


async def _searched(
    client: ClientSession,
    job: AttemptJob,
    search: LoadSearch,
    reset: Reset | None,
    endpoint: Endpoint,
    artefacts: Path,
    on_progress: OnProgress,
) -> AsyncGenerator[Measurement, None]:
    """One probe after the other."""
    probes = list(job.done_probes)
    while isinstance(asked := ask(search, probes), Ask):
        taken = len(probes)
        of_one = one_probe(job, search, asked, probes)
        emptied = None if reset is None else await reset()
        async with aclosing(client.measure(of_one, endpoint, artefacts, on_progress)) as measuring:
            async for measurement in measuring:
                probes.append(probe(measurement, search, job.load_limits))
                yield measurement.model_copy(update={"cache_emptied": emptied})
        if len(probes) == taken:
            name = job.workload.searched_point(asked.load).name
            raise ClientError(
                Failure(
                    kind=FailureClass.CLIENT,
                    diagnosis=f"the client took no measurement at {name}",
                    hint="use the builtin client, or report it with the client's log",
                )
            )


def one_probe(job: AttemptJob, search: LoadSearch, asked: Ask, probes: Sequence[Probe]) -> AttemptJob:
    """The job of which only the asked measurement is left to take, for a client that knows nothing of the search.

    The loads measured before are there as done, so that a dataset is begun at another place each time.
    """
    workload = job.workload
    point = workload.searched_point(asked.load)
    loads = sorted({told.load for told in probes} - {asked.load})
    points = (*map(workload.searched_point, loads), point)
    repeats = max([asked.repeat, *(told.repeat for told in probes)]) + 1
    places = {(p.name, repeat) for p in points for repeat in range(repeats)} - {(point.name, asked.repeat)}
    limits = probe_limits(workload.limits, point)
    update = {"load_points": points, "repeats": repeats, "limits": limits, "load_search": None}
    return job.model_copy(
        update={"workload": workload.model_copy(update=update), "done": tuple(sorted(places)), "done_probes": ()}
    )
