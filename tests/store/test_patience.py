"""Waiting for a database that can't be used: what is tried again, how long, and what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError, ErrorCode, StoreUnavailableError
from autotuner.store.patience import Patient

T = TypeVar("T")


def refusal(why: str = "the disk is full", mend: str | None = "Free some space") -> StoreUnavailableError:
    return StoreUnavailableError("Cannot use the store", why=why, remedy="r", place="/x.db", mend=mend)


class Failing:
    """Raises the given errors, one per unit; then units succeed. Time passes only while somebody sleeps."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0
        self.now = 0.0
        self.pauses: list[float] = []
        self.told: list[str] = []

    def patient(self, limit_s: float = 600.0) -> Patient:
        return Patient(self, limit_s=limit_s, tell=self.told.append, clock=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def write(self, unit: Callable[[Session], T]) -> T:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return unit(Session())

    async def read(self, unit: Callable[[Session], T]) -> T:
        return await self.write(unit)


@pytest.mark.parametrize("kind", ["write", "read"])
async def test_it_waits_and_says_so_once(kind: str) -> None:
    units = Failing(*(refusal() for _ in range(7)))
    assert await getattr(units.patient(), kind)(lambda session: "stored") == "stored"
    assert units.pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert units.told == [
        "The database cannot be used: the disk is full (/x.db). Waiting for up to 600 s. Free some space.",
        "The database can be used again: the run goes on.",
    ]


async def test_another_reason_is_said_too_and_the_next_wait_begins_anew() -> None:
    units = Failing(refusal(), refusal("it is locked"), refusal("it is locked"))
    patient = units.patient()
    await patient.write(lambda session: None)
    assert [line.split(":")[1].split("(")[0].strip() for line in units.told[:2]] == ["the disk is full", "it is locked"]
    units.errors = [refusal("it is locked")]
    await patient.write(lambda session: None)
    assert len(units.told) == 5
    assert units.pauses[-1] == 0.2


async def test_it_gives_up_at_its_limit_with_the_reason() -> None:
    units = Failing(*(refusal() for _ in range(99)))
    with pytest.raises(StoreUnavailableError) as caught:
        await units.patient(10.0).write(lambda session: None)
    assert units.now == pytest.approx(11.2)
    assert str(caught.value) == (
        "Cannot use the store (at /x.db): the disk is full, and that did not change within 10 s. "
        "Free some space and run the task again: it goes on from what is stored."
    )
    assert caught.value.mend is None


@pytest.mark.parametrize(
    ("error", "limit_s"),
    [
        (refusal(mend=None), 600.0),
        (AutotunerError(ErrorCode.CONFLICT, "w", why="y", remedy="r"), 600.0),
        (refusal(), 0.0),
    ],
    ids=["it may have been stored", "another error", "no patience"],
)
async def test_what_is_not_tried_again(error: AutotunerError, limit_s: float) -> None:
    units = Failing(error)
    with pytest.raises(AutotunerError) as caught:
        await units.patient(limit_s).write(lambda session: None)
    assert caught.value is error
    assert (units.tries, units.told) == (1, [])


async def test_cancelling_ends_the_wait() -> None:
    units = Failing(*(refusal() for _ in range(99)))
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    units.sleep = sleep  # type: ignore[method-assign]
    waiting = asyncio.create_task(units.patient().write(lambda session: None))
    await asleep.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert units.tries == 1
    assert units.told[-1] == "If the last step is not stored, running the task again repeats it."
