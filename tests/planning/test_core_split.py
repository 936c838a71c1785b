"""Cores of server and client."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autotuner.contracts.attempt import CoreSplit
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.cores import split_cores
from conformance.toy_engine import ToyEngine, toy_plan

EIGHT = tuple(range(8))


@pytest.mark.parametrize(
    ("server", "client", "available", "expected"),
    [
        ((), (), (5, 3), CoreSplit(server=(3,), client=(5,))),
        ((), (), EIGHT, CoreSplit(server=EIGHT[:-1], client=(7,))),
        ((0, 1), (), (0, 1, 2), CoreSplit(server=(0, 1), client=(2,))),
        ((), (0,), (0, 1, 2), CoreSplit(server=(1, 2), client=(0,))),
        ((4, 2), (6,), EIGHT, CoreSplit(server=(4, 2), client=(6,))),
    ],
)
def test_server_and_client_have_cores_of_their_own(
    server: Sequence[int], client: Sequence[int], available: Sequence[int], expected: CoreSplit
) -> None:
    assert split_cores(server, client, available, server_here=True) == expected


def test_too_few_cores_are_said_to_be_too_few() -> None:
    alone = split_cores((), (), (0,), server_here=True)
    assert (alone.server, alone.client) == (None, None)
    assert alone.note is not None
    assert "the only core" in alone.note
    for server, client in (((0, 1), ()), ((), (0, 1))):
        split = split_cores(server, client, (0, 1), server_here=True)
        assert (split.server, split.client) == (server or None, client or None)
        assert split.note is not None
        assert "disturb each other" in split.note


@pytest.mark.parametrize("whose", ["server", "client"])
def test_cores_that_the_host_does_not_have_are_refused(whose: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        toy_plan(runtime={f"{whose}_cores": [1, 9]}, cores=(0, 1))
    error = caught.value
    assert (error.code, error.place) == (ErrorCode.INVALID_VALUE, f"runtime.{whose}_cores")
    assert error.what == f"the {whose} cannot use core 9"
    assert "0, 1" in error.why


def test_of_somebody_elses_server_nothing_is_pinned_or_assumed() -> None:
    plan = toy_plan(
        deployment_mode="endpoint",
        deployment={"endpoint_url": "http://127.0.0.1:1"},
        runtime={"client_cores": [1]},
        models=("Qwen/Qwen3-0.6B",),
        gpus=4,
    )
    assert plan.cores == CoreSplit(client=(1,))
    assert (plan.resolver.context.cores, plan.resolver.context.total_gpus) == (None, None)
    assert plan.resolver.served_name == "Qwen/Qwen3-0.6B"
    assert (plan.baseline is not None, plan.searched, plan.planned_starts) == (True, 0, 1)


def test_the_plan_says_how_many_cores_the_server_has() -> None:
    assert toy_plan(cores=(0, 1, 2, 3)).resolver.context.cores == 3
    alone = toy_plan(cores=(0,))
    assert alone.resolver.context.cores == 1
    assert alone.warnings == (alone.cores.note,)


def test_an_engine_that_starts_nothing_needs_no_cores() -> None:
    plan = toy_plan(engine=ToyEngine(own_deployment="pretended", own_client="pretended", predicted=True), gpus=4)
    assert plan.cores == CoreSplit()
    assert (plan.resolver.context.cores, plan.gpu_count) == (None, None)
    assert (plan.deployment, plan.client, plan.predicted) == ("pretended", "pretended", True)
