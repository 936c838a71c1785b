"""Runs a task again and again, each time killed at another instant with SIGKILL, and then to its end.

    python failpoints.py DOCUMENT FOLDER FIRST STEP [EXECUTOR]

An instant is a persisted step, numbered in the order in which the run comes by them, and where in it: ``before`` the
step, ``inside`` (all is written, nothing committed) or ``after`` it. Persisted steps are the transactions of the store;
for a real server also what its supervisor is told. The instants FIRST, FIRST + STEP, … are tried.

For each instant a line of JSON is printed: the instant, and what is wrong afterwards (nothing, it is hoped). Each run
is a fork of this process, so that nothing is imported twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import EventType, ExperimentStatus
from autotuner.deploy.local import processes
from autotuner.deploy.local.supervised import Supervised
from autotuner.services.documents import read_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from autotuner.store import check, open_store
from autotuner.store.database import Database

MARKS = ("other_start", "from_other_start")
WHERE = ("before", "inside", "after")
ENDED = (ExperimentStatus.SUCCESS, ExperimentStatus.FAILED)
FINISHED = (EventType.EXPERIMENT_COMPLETED, EventType.EXPERIMENT_FAILED)


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@dataclass
class Plan:
    """Where to die: at the so many-th persisted step. ``reported`` gets a line for each measurement that was stored."""

    step: int | None
    where: str
    reported: Path
    passed: int = 0

    def install(self) -> None:
        """Put the failpoints into this process."""
        plan, write = self, Database.write

        async def counted(database: Database, unit: Callable[[Session], Any]) -> Any:
            number = plan.next()
            if number == plan.step and plan.where == "inside":
                event.listen(Session, "before_commit", lambda _session: die())
            plan.here(number, "before")
            done = await write(database, unit)
            if type(done).__name__ == "MeasurementRow":
                with plan.reported.open("a") as file:
                    file.write(f"{done.id}\n")
            plan.here(number, "after")
            return done

        Database.write = counted
        for name in ("start", "go", "stop", "close"):
            self._wrap(name)

    def _wrap(self, name: str) -> None:
        plan, original = self, getattr(Supervised, name)

        def sync(*arguments: Any, **named: Any) -> Any:
            number = plan.next()
            plan.here(number, "before")
            done = original(*arguments, **named)
            if isinstance(done, Awaitable):
                return finish(done, number)
            plan.here(number, "after")
            return done

        async def finish(work: Awaitable[Any], number: int) -> Any:
            done = await work
            plan.here(number, "after")
            return done

        setattr(Supervised, name, staticmethod(sync) if name == "start" else sync)

    def next(self) -> int:
        self.passed += 1
        return self.passed

    def here(self, number: int, where: str) -> None:
        if number == self.step and where == self.where:
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Runs:
    """Runs of one document, each in a fork."""

    document: str
    executor: str

    def settings(self, folder: Path) -> Settings:
        return load_settings(
            {"AUTOTUNER_DATA_DIR": str(folder), "HOME": str(folder), "AUTOTUNER_EXECUTOR": self.executor}
        )

    def killed(self, folder: Path, step: int, where: str) -> bool:
        """Run until the instant; False when the run came to its end without it."""

        def work() -> None:
            plan = Plan(step, where, folder / "reported")
            plan.install()
            asyncio.run(run_task(read_document(self.document), self.settings(folder), Silent()))
            (folder / "passed").write_text(str(plan.passed))

        status = forked(work)
        if os.WIFSIGNALED(status):
            return os.WTERMSIG(status) == signal.SIGKILL
        assert os.waitstatus_to_exitcode(status) == 0, "the run failed by itself"
        return False

    def comes_by(self, folder: Path, step: int) -> bool:
        """Whether the run that ended by itself had so many steps: what a supervisor is told has no ``inside``."""
        return int((folder / "passed").read_text()) >= step

    def ended(self, folder: Path) -> dict[str, Any]:
        """Run to the end; what came of it."""
        out = folder / "view.json"

        def work() -> None:
            out.write_text(json.dumps(asyncio.run(self._view(folder)), default=str))

        status = forked(work)
        if os.waitstatus_to_exitcode(status) != 0:
            return {"problem": f"the second run ended with {os.waitstatus_to_exitcode(status)}"}
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    async def _view(self, folder: Path) -> dict[str, Any]:
        settings = self.settings(folder)
        outcome = await run_task(read_document(self.document), settings, Silent())
        async with open_store(settings.database) as store:
            experiments = await store.list_experiments(outcome.task.id)
            attempts = await store.list_attempts(outcome.task.id)
            measurements = await store.list_measurements(outcome.task.id)
            events = await store.events(outcome.task.id, limit=100_000)
        numbers = {e.id: e.number for e in experiments}
        kept = {a.id: a for a in attempts if a.status in (AttemptStatus.SUCCESS, AttemptStatus.INTERRUPTED)}
        usable = Counter(
            f"#{numbers[m.experiment_id]} block {kept[m.attempt_id].block} {m.measurement.load_point} "
            f"repeat {m.measurement.repeat}"
            for m in measurements
            if m.attempt_id in kept
        )
        result = outcome.result
        return {
            "equal": {
                "experiments": [
                    without_marks(
                        e.model_dump(mode="json", exclude={"id", "created_at", "finished_at", "failure"})
                        | {"failure": e.failure and e.failure.kind}
                    )
                    for e in experiments
                ],
                "failed_starts": sorted(
                    f"#{numbers[a.experiment_id]} block {a.block}" for a in attempts if a.status is AttemptStatus.FAILED
                ),
                "usable": dict(sorted(usable.items())),
                "headline": result.headline,
                "gains": [g.model_dump(mode="json") for g in result.finalists],
                "confirmation": sorted(
                    (p.block, p.experiment, p.score) for p in result.confirmation if p.score is not None
                ),
                "stop_reason": result.stop_reason,
            },
            "measured": [m.id for m in measurements],
            "ends": dict(Counter(numbers[e.experiment_id] for e in events if e.type in FINISHED and e.experiment_id)),
            "unfinished": [
                e.number for e in experiments if e.status not in (ExperimentStatus.SUCCESS, ExperimentStatus.FAILED)
            ],
            "gapless": [e.seq for e in events] == list(range(1, len(events) + 1)),
            "damage": await check(settings.database),
        }


def without_marks(value: Any) -> Any:
    """Without what says that figures are of another start: that is what may differ."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key not in MARKS}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


def forked(work: Callable[[], None]) -> int:
    """Run ``work`` in a child; its wait status."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            if code:
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def problems(found: dict[str, Any], whole: dict[str, Any], folder: Path, *, exact: bool) -> Iterator[str]:
    """What is wrong with a task that was killed and run again."""
    if "problem" in found:
        yield found["problem"]
        return
    if exact:
        for key, value in whole["equal"].items():
            if found["equal"][key] != value:
                yield f"{key}: {first_difference(found['equal'][key], value)}"
    doubled = [key for key, count in found["equal"]["usable"].items() if count != 1]
    if doubled:
        yield f"measured more than once: {doubled}"
    if set(found["equal"]["usable"]) != set(whole["equal"]["usable"]) and exact:
        yield "another set of measurements"
    if set(found["ends"].values()) != {1}:
        yield f"experiments that ended not exactly once: {found['ends']}"
    if found["unfinished"]:
        yield f"unfinished: {found['unfinished']}"
    if not found["gapless"]:
        yield "the event log has gaps"
    yield from found["damage"]
    reported = [int(line) for line in read_lines(folder / "reported")]
    if not set(reported) <= set(found["measured"]):
        yield f"reported and lost: {sorted(set(reported) - set(found['measured']))}"


def first_difference(found: Any, whole: Any) -> str:
    """Where two structures differ first."""
    if isinstance(found, dict) and isinstance(whole, dict) and found.keys() == whole.keys():
        return next(f"{key}: {first_difference(found[key], whole[key])}" for key in found if found[key] != whole[key])
    if isinstance(found, list) and isinstance(whole, list) and len(found) == len(whole):
        pairs = enumerate(zip(found, whole, strict=True))
        return next(f"{number}: {first_difference(a, b)}" for number, (a, b) in pairs if a != b)
    return f"{json.dumps(found)[:500]} instead of {json.dumps(whole)[:500]}"


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def working_with(folder: Path) -> list[tuple[int, bytes]]:
    """Processes that name the folder on their command line, except this one."""
    found = []
    for pid in processes.pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and pid != os.getpid():
            found.append((pid, words))
    return found


def main() -> None:
    document, folder, first, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    runs = Runs(document, sys.argv[5] if len(sys.argv) > 5 else "inline")
    exact = "simulated" in Path(document).read_text()
    whole = runs.ended(folder / "whole")
    instant = first
    while True:
        number, where = instant // len(WHERE) + 1, WHERE[instant % len(WHERE)]
        own = folder / f"{number:03d}-{where}"
        own.mkdir(parents=True)
        if not runs.killed(own, number, where):
            if runs.comes_by(own, number):
                instant += step
                continue
            break
        found = list(problems(runs.ended(own), whole, own, exact=exact))
        left = working_with(own)
        found += [f"process {pid} is left: {words!r}" for pid, words in left]
        sys.stdout.write(json.dumps({"step": number, "where": where, "problems": found}) + "\n")
        sys.stdout.flush()
        instant += step


if __name__ == "__main__":
    main()
