"""An alarm rings at the time that was set last and never before it, with the kernel's timer and without."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest
import uvloop

from autotuner.timing import alarm as alarms
from autotuner.timing.alarm import Alarm

LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)


def without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "_kernel_timer", lambda: (-1, lambda *_: 0))


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_it_never_rings_early(
    loop: Callable[[], asyncio.AbstractEventLoop], kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel:
        without_kernel(monkeypatch)

    async def ring_often() -> list[float]:
        rung = asyncio.Event()
        alarm = Alarm(rung.set)
        late = []
        for number in range(40):
            due = monotonic() + 0.0007 * number
            alarm.set(due + 60.0)
            alarm.set(due)
            await rung.wait()
            late.append(monotonic() - due)
            rung.clear()
        alarm.close()
        return late

    with asyncio.Runner(loop_factory=loop) as runner:
        assert min(runner.run(ring_often())) >= 0


@pytest.mark.parametrize("kernel", [True, False])
async def test_a_closed_one_does_not_ring(kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kernel:
        without_kernel(monkeypatch)
    rung: list[int] = []
    other = asyncio.Event()
    closed = Alarm(lambda: rung.append(1))
    closed.set(monotonic())
    closed.close()
    closed.close()
    later = Alarm(other.set)
    later.set(monotonic() + 0.01)
    await other.wait()
    later.close()
    assert not rung
