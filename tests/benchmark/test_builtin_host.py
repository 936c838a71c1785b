"""CPU accounting: who used what."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autotuner.benchmark.builtin.host import CpuUse, cpu_use, foreign_share, own_share


def use(at: float, own: float, busy: float | None, server: float | None) -> CpuUse:
    return CpuUse(at=at, own=own, busy=busy, server=server)


def test_what_is_neither_ours_nor_the_servers_is_foreign() -> None:
    before, after = use(10.0, 1.0, 100.0, 50.0), use(20.0, 2.0, 125.0, 65.0)
    assert own_share(before, after) == pytest.approx(0.1)
    assert foreign_share(before, after) == pytest.approx(0.9)


def test_rounding_of_the_counters_never_gives_less_than_nothing() -> None:
    assert foreign_share(use(0.0, 0.0, 0.0, 0.0), use(1.0, 0.5, 0.5, 0.1)) == 0.0


@pytest.mark.parametrize(("busy", "server"), [(None, 1.0), (1.0, None)])
def test_what_is_not_known_is_not_guessed(busy: float | None, server: float | None) -> None:
    assert foreign_share(use(0.0, 0.0, 0.0, 0.0), use(1.0, 0.5, busy, server)) is None


def test_the_servers_children_are_the_server() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    before = cpu_use(None, os.getpid())
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = cpu_use(None, os.getpid())
        child.communicate(b"\n")
    reaped = cpu_use(None, os.getpid())
    assert before.server is not None
    assert after.server is not None
    assert reaped.server is not None
    assert after.server - before.server >= 0.27  # the kernel counts in ticks of 10 ms
    assert reaped.server >= after.server - 0.03
    assert before.busy is not None
    assert after.busy is not None
    assert after.busy > before.busy


def test_a_server_that_is_gone_is_not_known() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert cpu_use(None, child.pid).server is None
