"""CPU accounting: what is neither ours nor the server's, and when it counts as a disturbance."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.benchmark.builtin.host import DISTURBED_MEAN, DISTURBED_SECOND, CpuTimes, HostWatch, Slice, judge, used

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def times(at: float, idle: float, server: float, ours: dict[int, float], stolen: float = 0.0) -> CpuTimes:
    return CpuTimes(at=at, cores=2, idle=idle, stolen=stolen, server=server, ours=ours)


def slices(*shares: float) -> list[Slice]:
    return [Slice(0.5 * number, 0.5, share) for number, share in enumerate(shares)]


def test_what_is_neither_ours_nor_the_servers_is_foreign() -> None:
    before, after = times(10.0, 100.0, 50.0, {1: 3.0}), times(20.0, 105.0, 59.0, {1: 4.0})
    assert used(before, after) == pytest.approx((20.0 - 5.0 - 9.0 - 1.0) / 10.0)


def test_a_process_of_ours_that_is_new_adds_nothing_and_stolen_time_is_foreign() -> None:
    before, after = times(0.0, 0.0, 0.0, {}), times(1.0, 2.0, 0.0, {1: 70.0}, stolen=0.25)
    assert used(before, after) == pytest.approx(0.25)


def test_rounding_of_the_counters_never_gives_less_than_nothing() -> None:
    assert used(times(0.0, 0.0, 0.0, {1: 0.0}), times(1.0, 1.9, 0.1, {1: 0.1})) == 0.0


def test_a_hog_that_starts_in_the_middle_is_a_disturbance_from_then_on() -> None:
    found = judge(slices(*[0.02] * 30, *[0.3] * 4), cores=2)
    assert found is not None
    assert found.mean < 2 * DISTURBED_MEAN
    assert (found.disturbed, found.begun) == (True, 15.0)
    assert found.peak == pytest.approx(0.3)


def test_one_short_burst_in_a_long_window_is_none() -> None:
    found = judge(slices(*[0.0] * 10, 0.25, *[0.0] * 10), cores=2)
    assert found is not None
    assert (found.disturbed, found.begun) == (False, None)


@pytest.mark.parametrize(("cores", "disturbed"), [(1, True), (2, True), (4, False), (16, False)])
def test_the_same_work_beside_disturbs_two_cores_and_not_many(cores: int, *, disturbed: bool) -> None:
    found = judge(slices(*[0.12] * 10), cores=cores)
    assert found is not None
    assert (found.disturbed, found.mean) == (disturbed, pytest.approx(0.12))


@given(
    st.lists(st.integers(0, 400).map(lambda hundredths: hundredths / 100), min_size=1, max_size=30), st.integers(1, 64)
)
def test_the_verdict_fits_the_figures(shares: list[float], cores: int) -> None:
    found = judge(slices(*shares), cores=cores)
    counted = max(cores, 2)
    assert found is not None
    assert min(shares) <= found.mean + 1e-9
    assert found.mean <= max(shares) + 1e-9
    assert found.disturbed == (found.begun is not None)
    over_a_second = len(shares) > 1 and found.peak > DISTURBED_SECOND * counted
    assert found.disturbed == (found.mean > DISTURBED_MEAN * counted or over_a_second)


def test_nothing_is_said_of_a_window_without_samples() -> None:
    assert judge([], cores=2) is None


def test_the_servers_children_are_the_server_and_those_of_ours_are_foreign() -> None:
    def burn() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    serving = HostWatch(None, (), os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        owning = HostWatch(None, (os.getpid(),), server.pid)
        serving.take()
        owning.take()
        with burn() as child:
            assert child.stdout is not None
            child.stdout.readline()
            serving.take()
            owning.take()
            child.communicate(b"\n")
        serving.take()
        server.communicate(b"\n")
    served = [sample.server for sample in serving.samples]
    assert served[1] - served[0] >= 0.27  # the kernel counts in ticks of 10 ms
    assert served[2] >= served[1] - 0.03  # it has been waited for: its time has moved to its parent
    before, after = owning.samples
    assert used(before, after) * (after.at - before.at) >= 0.25


def test_of_a_server_that_is_gone_or_unknown_nothing_is_said() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for server in (child.pid, None):
        watch = HostWatch(None, (os.getpid(),), server)
        watch.take()
        assert watch.samples == []
